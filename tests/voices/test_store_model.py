"""Any sequence of calls leaves a store as a dictionary would be left."""

import asyncio
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from kani_npc.errors import (
    AlreadyExists,
    ConsentRevoked,
    RevisionNotFound,
    StaleEtag,
    VoiceNotFound,
)
from kani_npc.voices.open import open_store
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.store import Records, VoiceStore
from tests.support.voices import embedding, sounding, voice

ids = st.sampled_from(["a", "a-b", "b", "c1", "z"])
sounds = st.integers(0, 3)
requests = st.sampled_from(["", "r1", "r2"])
projects = count()


@dataclass
class Known:
    """What the model remembers of one id, deleted or not."""

    head: VoiceRecord
    request_id: str
    sounds: dict[int, int] = field(default_factory=dict)  # revision -> which sound
    old_etag: str = ""
    is_deleted: bool = False


class StoreMachine(RuleBasedStateMachine):
    def __init__(self, store: VoiceStore, runner: asyncio.Runner) -> None:
        super().__init__()
        self.records = Records(store)
        self.run = runner.run
        self.project = f"p{next(projects)}"  # each example begins with nothing
        self.known: dict[str, Known] = {}

    def alive(self, id: str) -> Known | None:
        known = self.known.get(id)
        return None if known is None or known.is_deleted else known

    @rule(id=ids, sound=sounds, request=requests)
    def create(self, id: str, sound: int, request: str) -> None:
        call = self.records.create(self.project, voice(id, sound), request_id=request)
        if (known := self.alive(id)) is None:
            made = self.run(call)
            before = self.known.get(id)
            assert made.revision == (1 if before is None else before.head.revision + 1)
            self.known[id] = Known(made, request, {made.revision: sound})
        elif request and request == known.request_id:
            assert self.run(call) == known.head
        else:
            with pytest.raises(AlreadyExists) as taken:
                self.run(call)
            assert taken.value.current == known.head.etag

    @rule(id=ids, sound=sounds, label=st.sampled_from(["", "x", "y"]), with_etag=st.booleans())
    def update(self, id: str, sound: int, label: str, with_etag: bool) -> None:
        known = self.alive(id)

        def change(v: VoiceRecord) -> VoiceRecord:
            return replace(sounding(sound)(v), labels={"label": label})

        etag = known.head.etag if known and with_etag else ""
        call = self.records.update(VoiceRecord, self.project, id, change, etag=etag)
        if known is None:
            with pytest.raises(VoiceNotFound):
                self.run(call)
            return
        made = self.run(call)
        is_other_sound = known.sounds[max(known.sounds)] != sound
        assert made.revision == known.head.revision + is_other_sound
        assert (made == known.head) == (made.etag == known.head.etag)
        self.follow(known, made, sound)

    @rule(id=ids)
    def update_with_an_old_etag(self, id: str) -> None:
        known = self.alive(id)
        if known and known.old_etag:
            with pytest.raises(StaleEtag) as stale:
                self.run(
                    self.records.update(
                        VoiceRecord, self.project, id, sounding(9), etag=known.old_etag
                    )
                )
            assert stale.value.current == known.head.etag

    @rule(id=ids, back=st.integers(0, 4))
    def roll_back(self, id: str, back: int) -> None:
        known = self.alive(id)
        to = max(1, (known.head.revision if known else 1) - back)
        call = self.records.roll_back(VoiceRecord, self.project, id, to)
        if known is None:
            with pytest.raises(VoiceNotFound):
                self.run(call)
        elif to not in known.sounds:
            with pytest.raises(RevisionNotFound):
                self.run(call)
        elif to <= known.head.revoked_through:
            with pytest.raises(ConsentRevoked):
                self.run(call)
        else:
            self.follow(known, self.run(call), known.sounds[to])

    @rule(id=ids)
    def revoke(self, id: str) -> None:
        known = self.alive(id)
        call = self.records.revoke(self.project, id)
        if known is None:
            with pytest.raises(VoiceNotFound):
                self.run(call)
            return
        made = self.run(call)
        assert made.revoked_through == (known.head.revoked_through or made.revision)
        self.follow(known, made, known.sounds[max(known.sounds)])

    @rule(id=ids)
    def delete(self, id: str) -> None:
        known = self.alive(id)
        call = self.records.delete(VoiceRecord, self.project, id)
        if known is None:
            with pytest.raises(VoiceNotFound):
                self.run(call)
        else:
            self.run(call)
            known.is_deleted = True

    @rule(size=st.integers(1, 4))
    def list(self, size: int) -> None:
        seen, token = [], ""
        while True:
            page = self.run(
                self.records.list(VoiceRecord, self.project, page_size=size, page_token=token)
            )
            seen += page.records
            if not (token := page.next_page_token):
                break
            assert len(page.records) == size
        assert seen == [k.head for _, k in sorted(self.known.items()) if not k.is_deleted]

    @rule(id=ids, size=st.integers(1, 4))
    def revisions(self, id: str, size: int) -> None:
        if (known := self.alive(id)) is None:
            return
        seen, token = [], ""
        while True:
            page = self.run(
                self.records.revisions(
                    VoiceRecord, self.project, id, page_size=size, page_token=token
                )
            )
            seen += page.records
            if not (token := page.next_page_token):
                break
        assert [v.revision for v in seen] == sorted(known.sounds, reverse=True)
        assert all(v.embedding == embedding(known.sounds[v.revision]) for v in seen)

    @invariant()
    def every_id_reads_as_it_was_left(self) -> None:
        for id, known in self.known.items():
            if known.is_deleted:
                with pytest.raises(VoiceNotFound):
                    self.run(self.records.get(VoiceRecord, self.project, id))
            else:
                assert self.run(self.records.get(VoiceRecord, self.project, id)) == known.head

    def follow(self, known: Known, made: VoiceRecord, sound: int) -> None:
        if made.etag != known.head.etag:
            known.old_etag = known.head.etag
        known.sounds[made.revision] = sound
        known.head = made


def test_a_store_behaves_as_a_dictionary_would(store_url: str) -> None:
    with asyncio.Runner() as runner:
        store = runner.run(open_store(store_url))
        try:
            run_state_machine_as_test(
                lambda: StoreMachine(store, runner),
                settings=settings(
                    max_examples=25,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(store.close())
