"""The voices, NPCs, accents and lexicons of a server: what came with the model and what the store keeps, as one.

Resolves the names in a line, and refuses what may not be spoken; checks what is written against the loaded model; stops
lines whose voice is revoked. Ids that came with the model are read-only and win over stored ones, so that they speak
without the store. Knows no wire and no engine.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from kani_npc.errors import (
    AccentNotFound,
    AdapterUnfit,
    AlreadyExists,
    ConsentExpired,
    ConsentRequired,
    ConsentRevoked,
    InvalidRecord,
    KaniError,
    LexiconNotFound,
    NotFound,
    ReadOnly,
    RevisionNotFound,
    SpaceMismatch,
    StoreUnavailable,
    TagUnknown,
)
from kani_npc.speech import AccentPreset, ModelInfo, Sampling, Voice
from kani_npc.voices.blend import blend, join_licences
from kani_npc.voices.builtin import BuiltinVoices
from kani_npc.voices.cache import ReadCache
from kani_npc.voices.consent import Consent
from kani_npc.voices.names import VoiceRef, check_id, check_project, is_id
from kani_npc.voices.records import (
    AccentRecord,
    Delivery,
    Lexicon,
    Npc,
    Record,
    VoiceRecord,
    VoiceSource,
)
from kani_npc.voices.store import Change, Page, Records, Resumed, Signal, checked_page_size

R = TypeVar("R", bound=Record)
V = TypeVar("V", VoiceRecord, Lexicon)

STALE_VOICE_S = 300.0
EXPIRY_CHECK_S = 0.25  # how often running lines are asked whether a consent has ended by itself
DEFAULT_LEXICON = "default"  # of a project: for every line whose NPC names none
_MAX_PROJECTS = 10_000


@dataclass(frozen=True, slots=True)
class Permission:
    """To speak with a voice, as it was seen to hold."""

    rests_on: frozenset[str] = frozenset()  # ids of the stored voices whose consent it takes
    until: datetime | None = None  # when the first of these consents ends by itself


@dataclass(frozen=True, slots=True)
class Cast:
    """Who says a line, and how: every name looked up, every permission seen.

    `sampling` is the NPC's over the accent's over the model's; a request's own goes on top.
    """

    project: str
    npc: Npc | None
    voice_record: VoiceRecord
    accent_record: AccentRecord | None
    lexicon: Lexicon | None
    sampling: Sampling
    permission: Permission
    changes: int  # how far the registry had heard when it looked
    read_part: Callable[[str], Awaitable[bytes]]  # of the project's large parts

    @property
    def voice(self) -> Voice:
        return self.voice_record.adapted_voice(self.read_part)

    @property
    def accent(self) -> AccentPreset | None:
        return None if self.accent_record is None else self.accent_record.preset

    @property
    def delivery(self) -> Delivery:
        return Delivery() if self.npc is None else self.npc.delivery


@dataclass(slots=True, eq=False)
class _Speaking:
    cast: Cast
    stop: Callable[[KaniError], None]
    until: datetime | None  # of the permission, as it was last seen
    is_over: bool = False


class Registry:
    """One for all calls of a server. `async with` it, so that it hears what others write."""

    def __init__(
        self,
        records: Records,
        builtin: BuiltinVoices,
        info: ModelInfo,
        *,
        stale_voice_s: float = STALE_VOICE_S,
        max_cached: int = 20_000,
        check_adapters: Callable[[Voice], Awaitable[None]] | None = None,
    ) -> None:
        """`check_adapters` says whether the model can speak with a voice's; None is a server that takes none."""
        self._check_adapters = check_adapters
        self.records = records
        self._builtin = builtin
        self._info = info
        self._builtin_records: dict[type[Record], dict[str, Record]] = {
            VoiceRecord: {v.id: VoiceRecord.builtin(v) for v in builtin.voices},
            AccentRecord: {a.id: AccentRecord.builtin(a) for a in builtin.accents},
        }
        self._cache = ReadCache(
            records, stale_s=stale_voice_s, max_ids=max_cached, heard=self._heard
        )
        self._speaking: defaultdict[tuple[str, str], set[_Speaking]] = defaultdict(set)
        self._checks: set[asyncio.Task[None]] = set()
        self._clock: asyncio.Task[None] | None = None
        # By project, how far was heard when it was looked for, and whether it was there: most projects have none, and
        # their lines shall not ask the store each time.
        self._default_lexicons: dict[str, tuple[int, bool]] = {}

    async def __aenter__(self) -> "Registry":
        self._cache.start()
        self._clock = asyncio.get_running_loop().create_task(self._watch_expiry())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cache.close()
        tasks = [*self._checks, *([self._clock] if self._clock else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_heard(self) -> bool:
        """Whether changes in the store arrive here; False while it is away, and in the first moment."""
        return self._cache.is_heard

    async def heard(self) -> None:
        """Waits until changes in the store arrive."""
        while not self.is_heard:
            await asyncio.sleep(0.005)

    # Lines

    async def cast(self, project: str, *, npc: str = "", voice: str = "", accent: str = "") -> Cast:
        """Looks up a line's names; an empty one is the NPC's, else the voice's, else the model's default.

        `voice` may be `id@revision`, `accent` an id or a built-in tag. Raises the kinds' `NotFound`, the
        `FailedPrecondition`s (consent, space, tag), `InvalidRecord` for what is no name, `StoreUnavailable`.
        """
        check_project(project)
        changes = self._cache.changes
        who = await self.get(Npc, project, check_id(npc, field="npc")) if npc else None
        ref = VoiceRef.parse(voice or (who.voice if who else "") or self._builtin.default_voice.id)
        speaker, permission = await self._speaker(project, ref)
        self._check_embedding(speaker)
        preset = await self._accent(project, accent or (who and who.accent) or "", speaker)
        lexicon = await self._lexicon(project, who)
        sampling = self._info.sampling
        for layer in (preset, who):
            if layer is not None:
                sampling = layer.sampling.over(sampling)
        read_part = partial(self.records.get_artefact, project)
        return Cast(
            project, who, speaker, preset, lexicon, sampling, permission, changes, read_part
        )

    async def check_may_speak(self, cast: Cast) -> Permission:
        """Whether the voice of a line may be heard at this moment: for whoever is about to send its sound some time
        after `cast`, made now or kept from before.

        Raises `ConsentRevoked`, `ConsentExpired` and `ConsentRequired`; the kinds' `NotFound` for a voice that is gone,
        and `StoreUnavailable`.
        """
        voice = cast.voice_record
        _, permission = await self._speaker(cast.project, VoiceRef(voice.id, voice.revision))
        return permission

    @contextmanager
    def speaking(self, cast: Cast, stop: Callable[[KaniError], None]) -> Iterator[None]:
        """While inside, `stop` is called (once, on the event loop) if the line loses its permission."""
        line = _Speaking(cast, stop, cast.permission.until)
        keys = [(cast.project, id) for id in cast.permission.rests_on]
        for key in keys:
            self._speaking[key].add(line)
        if cast.changes != self._cache.changes:
            self._check_soon(line)  # something was heard since the line was cast
        try:
            yield
        finally:
            line.is_over = True
            for key in keys:
                self._speaking[key].discard(line)
                if not self._speaking[key]:
                    del self._speaking[key]

    # Records

    async def get(self, kind: type[R], project: str, id: str) -> R:
        """Raises the kind's `NotFound`."""
        builtin = self._builtin_record(kind, id)
        return builtin or await self._cache.get(kind, check_project(project), id)

    async def revision(self, kind: type[V], project: str, id: str, revision: int) -> V:
        builtin = self._builtin_record(kind, id)
        if builtin is None:
            return await self._cache.get(kind, check_project(project), id, revision)
        if builtin.revision != revision:
            raise RevisionNotFound(
                f"{kind.KIND} {id!r} came with the model; it has one revision, 1"
            )
        return builtin

    async def revisions(
        self, kind: type[V], project: str, id: str, *, page_size: int = 100, page_token: str = ""
    ) -> Page[V]:
        """Newest first."""
        if builtin := self._builtin_record(kind, id):
            return Page((builtin,), "")
        return await self.records.revisions(
            kind, project, id, page_size=page_size, page_token=page_token
        )

    async def list(
        self, kind: type[R], project: str, *, page_size: int = 100, page_token: str = ""
    ) -> Page[R]:
        """Built-in and stored ones together, by id; straight from the store."""
        page = await self.records.list(kind, project, page_size=page_size, page_token=page_token)
        # Built-in ones up to where this page of stored ones ends.
        own: dict[str, Any] = {
            id: record
            for id, record in self._builtin_records.get(kind, {}).items()
            if id > page_token and (not page.next_page_token or id <= page.next_page_token)
        }
        merged = sorted(({r.id: r for r in page.records} | own).values(), key=lambda r: r.id)
        size = checked_page_size(page_size)
        if len(merged) > size:
            return Page(tuple(merged[:size]), merged[size - 1].id)
        return Page(tuple(merged), page.next_page_token)

    async def create(self, project: str, record: R, *, request_id: str = "") -> R:
        """Raises `AlreadyExists`, and what `cast` would raise for it."""
        await self.check_new(project, record)
        return self._wrote(
            project, await self.records.create(project, record, request_id=request_id)
        )

    async def check_new(
        self, project: str, record: Record, parts: Mapping[str, bytes] | None = None
    ) -> None:
        """Raises what `create` would, but for an id that is taken in the store: for what is costly to prepare.

        `parts` are large ones that are not in the store yet.
        """
        if self._builtin_record(type(record), record.id):
            raise AlreadyExists(f"{record.KIND} {record.id!r} came with the model", current="")
        await self._check(project, record, None, parts)

    async def check_changed(
        self, project: str, record: R, current: R, parts: Mapping[str, bytes] | None = None
    ) -> None:
        """Raises what `update` would for `record` in the place of `current`. See `check_new`."""
        self._check_writable(type(record), record.id)
        await self._check(project, record, current, parts)

    async def blend(
        self,
        project: str,
        record: VoiceRecord,
        shares: Sequence[tuple[str, float]],
        *,
        request_id: str = "",
    ) -> VoiceRecord:
        """Creates `record` with the sound of several voices, (id or id@revision, weight) each. See `blend.py`.

        A record without a consent of its own may speak while all of those may; without a tag it takes that of the
        weightiest. Its licence is its own and theirs together. Raises what `create` does, `InvalidRecord` and
        `SpaceMismatch` for what cannot be blended.
        """
        voices = [await self._speaker(project, VoiceRef.parse(name)) for name, _ in shares]
        blended = blend(
            [(voice, weight) for (voice, _), (_, weight) in zip(voices, shares, strict=True)]
        )
        record = replace(
            record,
            embedding=blended.embedding,
            parents=blended.parents,
            tag=record.tag or blended.tag,
            licence=join_licences(record.licence, blended.licence),
            source=VoiceSource.BLENDED,
        )
        return await self.create(project, record, request_id=request_id)

    async def update(
        self,
        kind: type[R],
        project: str,
        id: str,
        change: Callable[[R], R],
        *,
        etag: str = "",
    ) -> R:
        """See `Records.update`. Raises `ReadOnly` for what came with the model."""
        self._check_writable(kind, id)

        async def check(changed: R, current: R) -> None:
            await self._check(project, changed, current)

        return self._wrote(
            project, await self.records.update(kind, project, id, change, etag=etag, check=check)
        )

    async def delete(self, kind: type[Record], project: str, id: str, *, etag: str = "") -> None:
        """With its revisions and, for a voice, the large parts that no other voice has."""
        self._check_writable(kind, id)
        before_s = await self.records.store.clock_s()
        parts = await self._parts(project, id) if kind is VoiceRecord else set()
        await self.records.delete(kind, project, id, etag=etag)
        self._cache.forget(project, kind, id)
        if parts:
            await self.records.drop_artefacts(project, parts, put_before_s=before_s)

    async def _parts(self, project: str, id: str) -> set[str]:
        """Of the voice as it is, and in all its revisions."""
        parts = (await self.records.get(VoiceRecord, project, id)).parts
        token = ""
        while True:
            page = await self.records.revisions(VoiceRecord, project, id, page_token=token)
            for voice in page.records:
                parts |= voice.parts
            if not (token := page.next_page_token):
                return parts

    async def roll_back(
        self, kind: type[V], project: str, id: str, revision: int, *, etag: str = ""
    ) -> V:
        self._check_writable(kind, id)
        return self._wrote(
            project, await self.records.roll_back(kind, project, id, revision, etag=etag)
        )

    async def revoke(self, project: str, id: str, *, etag: str = "") -> VoiceRecord:
        """Ends the consent for a voice in all its revisions, and the lines that it speaks: here at once, on other
        servers within a second."""
        self._check_writable(VoiceRecord, id)
        revoked = self._wrote(project, await self.records.revoke(project, id, etag=etag))
        self._check_lines(project, id)
        return revoked

    # What may be spoken

    async def _speaker(self, project: str, ref: VoiceRef) -> tuple[VoiceRecord, Permission]:
        """The voice at its revision, and whose consent it takes, all of which was seen to hold."""
        if builtin := self._builtin_record(VoiceRecord, ref.id):
            if ref.revision is not None:
                builtin = await self.revision(VoiceRecord, project, ref.id, ref.revision)
            return builtin, Permission()
        voice, consent = await self._allowed(project, ref)
        rests_on, consents = {ref.id}, [consent]
        for parent in voice.parents:
            of = VoiceRef.parse(parent.voice)
            if self._builtin_record(VoiceRecord, of.id):
                continue
            rests_on.add(of.id)
            try:
                consents.append((await self._allowed(project, of))[1])
            except NotFound:
                if consent is None:
                    raise ConsentRequired(
                        f"voice {ref.id!r} was blended from {parent.voice!r}, which is gone; "
                        "give it a consent record of its own"
                    ) from None
        ends = [c.expires for c in consents if c is not None and c.expires is not None]
        return voice, Permission(frozenset(rests_on), min(ends, default=None))

    async def _allowed(self, project: str, ref: VoiceRef) -> tuple[VoiceRecord, Consent | None]:
        """The voice at its revision, and its own consent, which holds; None for a blend that has none."""
        head = await self._cache.get(VoiceRecord, project, ref.id)
        voice = head
        if ref.revision is not None and ref.revision != head.revision:
            voice = await self._cache.get(VoiceRecord, project, ref.id, ref.revision)
        # What is agreed now goes for old revisions too, unless that is somebody else's to say.
        consent = voice.consent
        if consent is None or consent.same_giver(head.consent):
            consent = head.consent
        if consent is not None:
            consent.check(str(ref), self.records.now())
        elif not voice.parents:
            raise ConsentRequired(
                f"voice {ref.id!r} has no consent record; update it with one, or declare it synthetic or your own"
            )
        if voice.revision <= head.revoked_through:
            raise ConsentRevoked(
                f"the consent for {ref!s} was revoked; use the voice's present revision, {head.revision}"
            )
        return voice, consent

    def _check_embedding(self, voice: VoiceRecord) -> None:
        if (voice.lora or voice.codec_delta) and self._check_adapters is None:
            raise AdapterUnfit(f"voice {voice.id!r} has an adapter, which this server cannot apply")
        if (embedding := voice.embedding) is None:
            return
        space, width = self._info.speaker_space, len(embedding.vector)
        if embedding.space != space:
            raise SpaceMismatch(
                f"voice {voice.id!r} was made by the encoder {embedding.space!r}; this model takes "
                f"{space!r}: enrol it again with that encoder"
            )
        if self._info.speaker_dim and width != self._info.speaker_dim:
            raise SpaceMismatch(
                f"voice {voice.id!r} has {width} values; this model takes {self._info.speaker_dim} of {space!r}"
            )

    async def _accent(self, project: str, name: str, voice: VoiceRecord) -> AccentRecord | None:
        """The accent by its name; without one the voice's own, else the model's default, else none."""
        if not name:
            if voice.tag is not None:
                self._check_tag(voice.tag, f"voice {voice.id!r}")
            accent = self._builtin.accent_of(voice.voice)
            return None if accent is None else AccentRecord.builtin(accent)
        try:
            return AccentRecord.builtin(self._builtin.accent(name))
        except AccentNotFound:
            if not is_id(name):  # a tag, of another model perhaps
                raise
            accent = await self.get(AccentRecord, project, name)
        self._check_tag(accent.tag, f"accent {accent.id!r}")
        return accent

    async def _lexicon(self, project: str, who: Npc | None) -> Lexicon | None:
        """The NPC's, else the project's `DEFAULT_LEXICON` where it has one."""
        if who is not None and who.lexicon:
            return await self.get(Lexicon, project, who.lexicon)
        seen_at, is_there = self._default_lexicons.get(project, (-1, False))
        changes = self._cache.changes
        if not is_there and (seen_at == changes or not self.is_heard):
            return None
        try:
            lexicon = await self.get(Lexicon, project, DEFAULT_LEXICON)
        except LexiconNotFound:
            lexicon = None
        except StoreUnavailable:
            return None  # better said as it is spelt than not at all
        if len(self._default_lexicons) >= _MAX_PROJECTS:
            self._default_lexicons.clear()
        self._default_lexicons[project] = (changes, lexicon is not None)
        return lexicon

    def _check_tag(self, tag: str, of: str) -> None:
        if tag not in self._info.languages:
            known = ", ".join(self._info.languages) or "none"
            raise TagUnknown(f"{of} takes the tag {tag!r}; this model knows {known}")

    # What may be written

    async def _check(
        self,
        project: str,
        record: Record,
        current: Record | None,
        parts: Mapping[str, bytes] | None = None,
    ) -> None:
        """Only what changes is checked: a label can be put on what could not be enrolled today."""

        def changes(name: str) -> bool:
            return current is None or getattr(record, name) != getattr(current, name)

        match record:
            case VoiceRecord():
                if record.source is VoiceSource.BUILTIN:
                    raise InvalidRecord("only a model's own voices are built in", field="source")
                if changes("embedding"):
                    self._check_embedding(record)
                if changes("lora") or changes("codec_delta"):
                    await self._check_parts(project, record, parts or {})
                if record.tag is not None and changes("tag"):
                    self._check_tag(record.tag, f"voice {record.id!r}")
                if changes("parents"):
                    for parent in record.parents:
                        await self._speaker(project, VoiceRef.parse(parent.voice))
                if changes("consent"):
                    if record.consent is not None:
                        record.consent.check(record.id, self.records.now())
                    elif not record.parents:
                        raise ConsentRequired(
                            f"voice {record.id!r} needs a consent record, or to be declared synthetic or your own"
                        )
            case AccentRecord():
                if changes("tag"):
                    self._check_tag(record.tag, f"accent {record.id!r}")
            case Npc():
                if changes("voice"):
                    await self._speaker(project, VoiceRef.parse(record.voice))
                if record.accent is not None and changes("accent"):
                    await self.get(AccentRecord, project, record.accent)
                if record.lexicon is not None and changes("lexicon"):
                    await self.get(Lexicon, project, record.lexicon)

    async def _check_parts(
        self, project: str, voice: VoiceRecord, parts: Mapping[str, bytes]
    ) -> None:
        async def read(sha256: str) -> bytes:
            return parts.get(sha256) or await self.records.get_artefact(project, sha256)

        self._check_embedding(voice)
        if self._check_adapters is not None:
            await self._check_adapters(voice.adapted_voice(read))

    def _check_writable(self, kind: type[Record], id: str) -> None:
        if self._builtin_record(kind, id):
            raise ReadOnly(f"{kind.KIND} {id!r} came with the model and cannot be changed")

    def _builtin_record(self, kind: type[R], id: str) -> R | None:
        record = self._builtin_records.get(kind, {}).get(id)
        return record if isinstance(record, kind) else None

    def _wrote(self, project: str, record: R) -> R:
        """The next line has it, whenever the store says so."""
        self._cache.forget(project, type(record), record.id)
        return record

    # What others write

    def _heard(self, signal: Signal) -> None:
        match signal:
            case Change(project, VoiceRecord.KIND, id):
                self._check_lines(project, id)
            case Resumed():
                for line in {line for lines in self._speaking.values() for line in lines}:
                    self._check_soon(line)

    def _check_lines(self, project: str, id: str) -> None:
        for line in self._speaking.get((project, id), ()):
            self._check_soon(line)

    def _check_soon(self, line: _Speaking) -> None:
        task = asyncio.get_running_loop().create_task(self._check_line(line))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _check_line(self, line: _Speaking) -> None:
        try:
            line.until = (await self.check_may_speak(line.cast)).until
        except (ConsentRevoked, ConsentExpired, ConsentRequired) as refused:
            self._stop(line, refused)
        except KaniError:
            # Deleted, or the store went away meanwhile: neither takes a permission back. The one that was seen ends.
            if _is_past(line.until, self.records.now()):
                voice = line.cast.voice_record.ref
                self._stop(line, ConsentExpired(f"the consent for voice {voice!r} has ended"))

    def _stop(self, line: _Speaking, why: KaniError) -> None:
        if not line.is_over:
            line.is_over = True
            line.stop(why)

    async def _watch_expiry(self) -> None:
        """By looking at the clock, not by sleeping until then: clocks are set, and consents are changed."""
        while True:
            await asyncio.sleep(EXPIRY_CHECK_S)
            now = self.records.now()
            for line in {line for lines in self._speaking.values() for line in lines}:
                if _is_past(line.until, now) and not line.is_over:
                    self._check_soon(line)


def _is_past(time: datetime | None, now: datetime) -> bool:
    return time is not None and time <= now
