"""From a recording to a line: the real worker process, a small random encoder, a real engine of random weights."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from kani_npc.client import Client
from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.speaker.embedder import Embedder
from kani_npc.speaker.enrollment import enroll
from kani_npc.speaker.load import load_speaker_encoder
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder
from kani_npc.v1 import speech_service_pb2
from kani_npc.v1 import voice_service_pb2 as pb
from kani_npc.voices.builtin import BuiltinVoices
from tests.support.clips import encoded, speechlike, wav
from tests.support.random_model import SPEAKER_DIM, SPEAKER_SPACE, random_model, random_voice
from tests.support.serving import SYNTHETIC, granted, make_voice, refused, serving
from tests.voices.conftest import RedisServer

CLIP = wav(speechlike(2.0))
OTHER = wav(speechlike(2.0, pitch_hz=190.0, seed=3))


def an_encoder(folder: Path, *, seed: int, space: str = SPEAKER_SPACE) -> Path:
    torch.manual_seed(seed)
    config = LogMelConfig(space, dim=SPEAKER_DIM, mels=16, channels=8, pooled_channels=16)
    LogMelEncoder(config).save(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return an_encoder(tmp_path_factory.mktemp("speaker"), seed=0)


@asynccontextmanager
async def speaking(store: str, encoder: Path) -> AsyncIterator[Client]:
    voices = BuiltinVoices([random_voice(0)], [], default_voice="voice-0", default_accent=None)
    engine = EngineSynthesizer(
        random_model(), EngineSettings(num_slots=2, max_prompt_tokens=64), num_threads=1
    )
    try:
        async with serving(
            store, synthesizer=engine, voices=voices, open_embedder=lambda: Embedder(encoder)
        ) as client:
            yield client
    finally:
        await engine.close()


@pytest.fixture
async def client(tmp_path, encoder) -> AsyncIterator[Client]:
    async with speaking(str(tmp_path / "voices.db"), encoder) as client:
        yield client


def request(*clips: bytes, id: str = "ada", consent=SYNTHETIC, **fields) -> pb.EnrollVoiceRequest:
    return pb.EnrollVoiceRequest(
        voice=pb.Voice(id=id, consent=consent), clips=clips or (CLIP,), **fields
    )


async def enrolled(client: Client, message: pb.EnrollVoiceRequest) -> pb.EnrollVoiceResponse:
    # A worker is a fresh Python with torch, of the least priority: seconds, on a busy machine many.
    return await client.voices.EnrollVoice(message, timeout_s=90)


async def spoken(client: Client, voice: str) -> bytes:
    speech = client.synthesize("Halt!", voice=voice, pace=speech_service_pb2.PACE_UNPACED)
    return b"".join([audio.data async for audio in speech])


async def test_a_recording_becomes_a_voice_that_speaks_in_the_next_line(client, encoder):
    clips = [
        encoded(speechlike(2.0, rate_hz=rate), rate, kind)
        for rate, kind in ((16_000, "WAV"), (44_100, "FLAC"), (48_000, "OGG"), (22_050, "MP3"))
    ]
    answer = await enrolled(client, request(*clips, consent=granted()))
    assert (answer.voice.id, answer.voice.revision) == ("ada", 1)
    assert answer.voice.source == pb.VOICE_SOURCE_ENROLLED
    assert answer.voice.embedding.space == SPEAKER_SPACE and answer.voice.num_clips == 0
    assert [c.file_format for c in answer.clips] == ["WAV", "FLAC", "OGG", "MP3"]
    assert all(c.speech_s >= 1 and -1 <= c.likeness <= 1.0001 for c in answer.clips)
    # The voice has the very embedding that this process would find.
    ours = enroll(clips, load_speaker_encoder(encoder)).embedding.vector
    embedding = pb.Embedding(space=SPEAKER_SPACE, values=ours / np.linalg.norm(ours))
    await make_voice(client, "by-hand", embedding=embedding)
    assert await spoken(client, "ada") == await spoken(client, "by-hand")
    assert await spoken(client, "ada") != await spoken(client, "voice-0")


async def test_an_enrolment_that_is_repeated_makes_one_voice(client):
    first = await enrolled(client, request(request_id="r1"))
    again = await enrolled(client, request(request_id="r1"))
    assert first.voice == again.voice
    for id in ("", "r2"):
        error = await refused(enrolled(client, request(request_id=id)))
        assert error.status == "ALREADY_EXISTS" and error.metadata["etag"] == first.voice.etag


async def test_a_voice_is_enrolled_anew_and_rolled_back(client):
    first = (await enrolled(client, request(consent=granted()))).voice
    again = request(OTHER, consent=None, revise=True)
    again.voice.etag = first.etag
    second = (await enrolled(client, again)).voice
    assert second.revision == 2 and second.consent == first.consent
    assert second.content_hash != first.content_hash
    assert (await refused(enrolled(client, again))).status == "ABORTED"
    back = await client.voices.RollBackVoice(pb.RollBackVoiceRequest(id="ada", revision=1))
    assert back.voice.content_hash == first.content_hash and back.voice.revision == 3
    error = await refused(enrolled(client, request(id="nobody", revise=True)))
    assert error.status == "NOT_FOUND"


async def test_nothing_is_heard_without_consent(client):
    # The clip is no clip, and nobody looked.
    error = await refused(enrolled(client, request(b"no sound", consent=None)))
    assert (error.status, error.reason) == ("FAILED_PRECONDITION", "CONSENT_REQUIRED")


# tests/speaker has all the kinds there are.
@pytest.mark.parametrize(
    ("clips", "field", "word"),
    [
        ([CLIP, b"MZ" + bytes(1000)], "clips[1]", "unreadable"),
        ([wav(np.zeros(32_000, np.float32))], "clips[0]", "silence"),
        ([CLIP] * 33, "clips", "too_large"),
    ],
)
async def test_bad_audio_is_refused_by_name(client, clips, field, word):
    error = await refused(enrolled(client, request(*clips)))
    assert (error.status, error.reason, error.field) == ("INVALID_ARGUMENT", "BAD_AUDIO", field)
    assert error.metadata["audio"] == word
    assert (await refused(spoken(client, "ada"))).status == "NOT_FOUND"


async def test_an_encoder_of_another_space_is_refused_before_it_hears_anything(tmp_path):
    other = an_encoder(tmp_path / "other", seed=0, space="elsewhere")
    async with speaking(str(tmp_path / "voices.db"), other) as client:
        error = await refused(enrolled(client, request(b"no sound")))
        assert (error.status, error.reason) == ("FAILED_PRECONDITION", "SPACE_MISMATCH")
        assert "elsewhere" in str(error) and SPEAKER_SPACE in str(error)


async def test_voices_that_kept_their_recordings_move_to_a_new_encoder(tmp_path, encoder):
    store = str(tmp_path / "voices.db")
    async with speaking(store, encoder) as client:
        kept = (await enrolled(client, request(CLIP, OTHER, keep_clips=True))).voice
        await enrolled(client, request(id="fleeting"))
        assert kept.num_clips == 2
    newer = an_encoder(tmp_path / "newer", seed=1)
    async with speaking(store, newer) as client:
        moved = (
            await client.voices.ReembedVoice(pb.ReembedVoiceRequest(id="ada"), timeout_s=90)
        ).voice
        assert moved.revision == 2 and moved.content_hash != kept.content_hash
        await spoken(client, "ada")
        error = await refused(client.voices.ReembedVoice(pb.ReembedVoiceRequest(id="fleeting")))
        assert error.status == "FAILED_PRECONDITION"
        await client.voices.RevokeConsent(pb.RevokeConsentRequest(id="ada"))
        error = await refused(client.voices.ReembedVoice(pb.ReembedVoiceRequest(id="ada")))
        assert error.reason == "CONSENT_REVOKED"


async def test_recordings_go_with_their_voice(client, tmp_path):
    await enrolled(client, request(keep_clips=True))
    name = hashlib.sha256(CLIP).hexdigest()
    assert list(tmp_path.rglob(name))
    plain = await client.voices.ExportVoice(pb.ExportVoiceRequest(voice="ada"))
    asked = await client.voices.ExportVoice(pb.ExportVoiceRequest(voice="ada", with_clips=True))
    assert CLIP not in plain.bundle and CLIP in asked.bundle
    await client.voices.DeleteVoice(pb.DeleteVoiceRequest(id="ada"))
    assert not list(tmp_path.rglob(name))


@pytest.mark.redis
async def test_servers_on_redis_share_what_was_enrolled(redis_server: RedisServer, encoder):
    url = redis_server.url
    async with speaking(url, encoder) as one, speaking(url, encoder) as other:
        await enrolled(one, request(keep_clips=True))
        assert await spoken(other, "ada") == await spoken(one, "ada")
        moved = await other.voices.ReembedVoice(pb.ReembedVoiceRequest(id="ada"), timeout_s=90)
        assert moved.voice.revision == 1  # the same encoder hears the same


async def test_speech_goes_on_while_somebody_is_enrolled(client):
    task = asyncio.create_task(enrolled(client, request(CLIP, CLIP)))
    lines = 0
    while not task.done():
        await spoken(client, "voice-0")
        lines += 1
        await asyncio.sleep(0.1)  # a worker of the least priority wants its turn
    await task
    assert lines > 2
