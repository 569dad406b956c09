"""Voices from one server to another, and what of them is counted and cleared away."""

import io
from dataclasses import replace
from hashlib import sha256

import pytest
import torch

from kani_npc.errors import (
    AdapterUnfit,
    AlreadyExists,
    ArtefactMissing,
    BundleError,
    ConsentRequired,
    ConsentRevoked,
    InvalidRecord,
    SpaceMismatch,
    StaleEtag,
    StoreUnavailable,
    VoiceNotFound,
)
from kani_npc.speech import Voice
from kani_npc.voices.bundle import Bundle, write_bundle
from kani_npc.voices.encoding import content_hash
from kani_npc.voices.meter import UsageMeter
from kani_npc.voices.records import Npc, VoiceRecord, VoiceSource
from kani_npc.voices.transfer import export_voice, import_voice
from kani_npc.voices.usage import Usage
from tests.support.registry import P, open_registry
from tests.support.voices import SYNTHETIC, embedding, granted, voice

CLIP = b"a recording" * 50
CLIP_NAME = sha256(CLIP).hexdigest()


async def test_a_voice_moves_to_another_server_and_sounds_the_same(
    store_url: str, tmp_path
) -> None:
    async with open_registry(store_url) as here, open_registry(str(tmp_path / "b.db")) as there:
        await here.records.store.put_artefact(P, CLIP_NAME, CLIP)
        sent = await here.create(P, voice(consent=granted(), clips=(CLIP_NAME,), tag="en_scou"))
        data = await export_voice(here, P, "guard", with_clips=True)
        with pytest.raises(ConsentRequired):
            await import_voice(there, "new", data, consent=None)
        with pytest.raises(ArtefactMissing):
            await there.records.get_artefact("new", CLIP_NAME)
        got = await import_voice(there, "new", data, id="other", consent=SYNTHETIC, request_id="r")
        assert content_hash(got) == content_hash(sent)
        assert (got.id, got.revision, got.source) == ("other", 1, VoiceSource.IMPORTED)
        assert await there.records.get_artefact("new", CLIP_NAME) == CLIP
        again = await import_voice(
            there, "new", data, id="other", consent=SYNTHETIC, request_id="r"
        )
        assert again == got
        await here.revoke(P, "guard")
        with pytest.raises(ConsentRevoked):
            await export_voice(here, P, "guard@1")


async def test_a_published_voice_is_imported_under_a_name_and_a_space(tmp_path) -> None:
    file = io.BytesIO()
    torch.save(torch.randn(1, 16), file)
    data = file.getvalue()
    async with open_registry(str(tmp_path / "voices.db")) as registry:
        for missing in ({"id": "anna"}, {"space": "test-space"}):
            with pytest.raises(InvalidRecord):
                await import_voice(registry, P, data, consent=SYNTHETIC, **missing)  # pyright: ignore[reportArgumentType]
        with pytest.raises(SpaceMismatch):
            await import_voice(registry, P, data, id="anna", space="other", consent=SYNTHETIC)
        await import_voice(registry, P, data, id="anna", space="test-space", consent=SYNTHETIC)
        assert (await registry.cast(P, voice="anna")).voice.embedding is not None
        with pytest.raises(BundleError):
            await import_voice(registry, P, b"RIFF", id="x", consent=SYNTHETIC)


async def test_a_deleted_voice_takes_its_recordings_along_unless_another_has_them(
    store_url: str,
) -> None:
    async with open_registry(store_url) as registry:
        async with registry.records.keeping(P, [b"own", b"shared", b"once"]) as names:
            own, shared, once = names
            await registry.create(P, voice("one", clips=names))
            await registry.create(P, voice("two", clips=(shared,)))
            await registry.create(P, voice("three", clips=(once,)))
        # An old revision can come back.
        await registry.update(
            VoiceRecord, P, "three", lambda v: replace(v, clips=(), embedding=embedding(3))
        )
        await registry.delete(VoiceRecord, P, "one")
        assert await registry.records.get_artefact(P, shared) == b"shared"
        assert await registry.records.get_artefact(P, once) == b"once"
        with pytest.raises(ArtefactMissing):
            await registry.records.get_artefact(P, own)


async def test_spoken_lines_are_in_the_ledger_when_the_meter_is_closed(store_url: str) -> None:
    async with open_registry(store_url) as registry:
        await registry.create(P, voice())
        await registry.create(P, Npc(id="captain", voice="guard"))
        async with UsageMeter(registry.records, flush_s=60) as meter:
            for seconds in (1.0, 2.5):
                meter.add(await registry.cast(P, npc="captain"), seconds)
            meter.add(await registry.cast(P, voice="guard"), 4.0, Usage.RENDERED)
            meter.add(await registry.cast("other"), 1.0)
        entries = [
            (e.voice, e.revision, e.npc, e.lines, e.seconds, e.usage)
            async for e in registry.records.usage(P)
        ]
        assert entries == [
            ("guard", 1, "captain", 2, 3.5, Usage.LIVE),
            ("guard", 1, "", 1, 4.0, Usage.RENDERED),
        ]
        assert [e.voice async for e in registry.records.usage("other")] == ["mara"]


@pytest.mark.redis
async def test_the_meter_counts_on_while_redis_is_away(redis_server) -> None:
    async with open_registry(redis_server.url) as registry:
        cast = await registry.cast(P)
        async with UsageMeter(registry.records, flush_s=60) as meter:
            meter.add(cast, 1.0)
            redis_server.kill()
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await meter.flush()
                meter.add(cast, 1.0)
            redis_server.start()
        assert [e.lines async for e in registry.records.usage(P)] == [1, 1, 1]


# --- adapters, whose inside the registry leaves to somebody else

LORA = b"an adapter" * 50
LORA_NAME = sha256(LORA).hexdigest()


class Judge:
    """Reads what it is asked about, and refuses what it is told to."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.refuses = False

    async def check(self, voice: Voice) -> None:
        if voice.lora is not None:
            self.read.append(await voice.lora.read())
        if self.refuses:
            raise AdapterUnfit("of another model")


def tuned_file(**more) -> bytes:
    record = voice(lora=LORA_NAME, source=VoiceSource.FINE_TUNED, **more)
    return write_bundle(Bundle(record, {LORA_NAME: LORA}))


async def test_adapters_are_judged_before_anything_of_them_is_kept(tmp_path) -> None:
    judge = Judge()
    async with open_registry(str(tmp_path / "v.db"), check_adapters=judge.check) as registry:
        judge.refuses = True
        with pytest.raises(AdapterUnfit):
            await import_voice(registry, P, tuned_file(), consent=SYNTHETIC)
        assert judge.read == [LORA] and not await registry.records.store.artefacts(P)
        judge.refuses = False
        made = await import_voice(registry, P, tuned_file(), consent=SYNTHETIC)
        assert (made.source, made.lora) == (VoiceSource.FINE_TUNED, LORA_NAME)
        cast = await registry.cast(P, voice="guard")
        assert cast.voice.lora is not None and await cast.voice.lora.read() == LORA
        # What does not touch them is not judged again.
        judge.refuses = True
        await registry.update(VoiceRecord, P, "guard", lambda old: replace(old, licence="CC0-1.0"))
        other = tuned_file(id="other")
        with pytest.raises(AdapterUnfit):
            await import_voice(registry, P, other, consent=SYNTHETIC)


async def test_a_server_that_takes_no_adapters_says_so(tmp_path) -> None:
    async with open_registry(str(tmp_path / "voices.db")) as registry:
        with pytest.raises(AdapterUnfit, match="cannot apply"):
            await import_voice(registry, P, tuned_file(), consent=SYNTHETIC)
        await registry.records.create(P, voice(lora=LORA_NAME))  # by another server
        with pytest.raises(AdapterUnfit, match="cannot apply"):
            await registry.cast(P, voice="guard")


async def test_a_file_makes_the_next_revision_of_a_voice(tmp_path) -> None:
    async with open_registry(str(tmp_path / "v.db"), check_adapters=Judge().check) as registry:
        with pytest.raises(VoiceNotFound):
            await import_voice(registry, P, tuned_file(), consent=SYNTHETIC, revise=True)
        await registry.records.store.put_artefact(P, CLIP_NAME, CLIP)
        first = await registry.create(
            P, voice(consent=granted(), display_name="Guard", tag="en_scou", clips=(CLIP_NAME,))
        )
        with pytest.raises(AlreadyExists):
            await import_voice(registry, P, tuned_file(), consent=SYNTHETIC)
        with pytest.raises(StaleEtag):
            await import_voice(registry, P, tuned_file(), consent=None, revise=True, etag="old")
        second = await import_voice(
            registry, P, tuned_file(licence="CC0-1.0"), consent=None, revise=True, etag=first.etag
        )
        assert (second.revision, second.lora, second.licence) == (2, LORA_NAME, "CC0-1.0")
        # What the file does not say stays, and the recordings, while the embedding is theirs.
        assert (second.consent, second.display_name) == (first.consent, "Guard")
        assert (second.tag, second.clips) == ("en_scou", (CLIP_NAME,))
        later = replace(granted(), statement="Still.")
        third = await import_voice(registry, P, tuned_file(seed=5), consent=later, revise=True)
        assert third.clips == () and third.consent == later
        back = await registry.roll_back(VoiceRecord, P, "guard", 1)
        assert content_hash(back) == content_hash(first) and back.clips == (CLIP_NAME,)
