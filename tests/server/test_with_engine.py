"""The whole service with a real engine: random weights, real language model, sampler, codec and thread."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest

from kani_npc.client import Client
from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.server.app import server
from kani_npc.speech import AccentPreset
from kani_npc.v1 import audio_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.voices.builtin import BuiltinVoices
from tests.server.conftest import SETTINGS
from tests.server.test_leaving import until
from tests.support.random_model import random_model, random_voice
from tests.support.serving import refused

LINES = [(f"line {'a' * i}", f"voice-{i % 3}") for i in range(9)]


@asynccontextmanager
async def speaking(num_slots: int = 3, max_prompt_tokens: int = 64):
    """A client and the engine behind it."""
    voices = BuiltinVoices(
        [random_voice(seed) for seed in range(3)],
        [AccentPreset("en-us", "en_us")],
        default_voice="voice-0",
        default_accent="en-us",
    )
    engine = EngineSynthesizer(
        random_model(),
        EngineSettings(num_slots=num_slots, max_prompt_tokens=max_prompt_tokens),
        num_threads=1,
    )
    try:
        async with (
            server(engine, voices, SETTINGS) as address,
            Client(address, timeout_s=30) as client,
        ):
            yield client, engine
    finally:
        await engine.close()


async def said(client: Client, text: str, voice: str, **options) -> tuple[pb.SpeechEnd, bytes]:
    speech = client.synthesize(text, voice=voice, pace=pb.PACE_UNPACED, **options)
    data = b"".join([audio.data async for audio in speech])
    assert speech.end is not None
    return speech.end, data


async def test_lines_said_together_sound_as_they_do_alone():
    async with speaking() as (client, _):
        alone = [await said(client, *line) for line in LINES]
        together = await asyncio.gather(*(said(client, *line) for line in LINES))
    assert len({data for _, data in alone}) >= 3  # voices
    for (_, one), (_, other) in zip(alone, together, strict=True):
        first, second = (np.frombuffer(data, "<i2").astype(int) for data in (one, other))
        assert len(first) == len(second)  # and, choices being greedy, the same codes:
        assert np.max(np.abs(first - second)) <= 2  # neighbours change arithmetic by rounding only


async def test_a_sampled_line_is_the_same_for_the_same_seed_and_another_for_another():
    async with speaking() as (client, _):
        sampling = {"greedy": False, "temperature": 1.0, "min_frames": 12}
        takes = [
            (await said(client, "Halt!", "voice-0", sampling=sampling, seed=seed))[1]
            for seed in (1, 1, 2)
        ]
    assert takes[0] == takes[1] != takes[2]


async def test_the_end_tells_the_engines_times():
    async with speaking(num_slots=1) as (client, _):
        ends = await asyncio.gather(*(said(client, *line) for line in LINES[:3]))
    queued_ms = sorted(end.queued_ms for end, _ in ends)
    for end, _ in ends:
        assert 0 < end.compute_ms < end.elapsed_ms
        assert end.first_audio_ms > end.queued_ms
    assert queued_ms[0] < queued_ms[1] < queued_ms[2]  # one slot: they came one after the other


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
async def test_another_rate_is_the_same_speech(rate):
    async with speaking() as (client, _):
        options = {"sample_rate_hz": rate, "encoding": audio_pb2.AUDIO_ENCODING_FLOAT32}
        end, data = await said(client, "Halt!", "voice-1", **options)
        native, _ = await said(client, "Halt!", "voice-1")
    assert end.total_samples == len(data) // 4
    assert abs(end.total_samples - native.total_samples * rate / 22050) <= 1


async def test_a_cancelled_line_leaves_its_slot_to_the_next():
    async with speaking(num_slots=1) as (client, engine):
        long = {"min_frames": 500, "max_frames": 500}
        speech = client.synthesize("Halt!", pace=pb.PACE_UNPACED, sampling=long)
        async for _ in speech:
            speech.interrupt()
        assert speech.end is None
        await until(lambda: engine.load.active == 0)
        end, _ = await said(client, "Go!", "voice-0")
    assert end.total_samples > 0


async def test_a_line_that_cannot_start_in_time_is_said_to_be_late_and_takes_no_slot():
    async with speaking(num_slots=1) as (client, engine):
        long = {"min_frames": 500, "max_frames": 500}
        speech = client.synthesize("Halt!", pace=pb.PACE_UNPACED, sampling=long)
        first = asyncio.create_task(anext(aiter(speech)))
        await until(lambda: engine.load.active == 1)
        late = client.synthesize("Go!", start_within_ms=50)
        error = await refused(anext(aiter(late)))
        assert (error.status, late.end) == ("DEADLINE_EXCEEDED", None)
        assert (engine.load.active, engine.load.waiting) == (1, 0)  # the line before, and nobody
        first.cancel()
        speech.interrupt()
        await until(lambda: engine.load.active == 0)
        # Where there is room, so little time is enough.
        end, _ = await said(client, "Go!", "voice-0", start_within_ms=20_000)
    assert end.total_samples > 0
