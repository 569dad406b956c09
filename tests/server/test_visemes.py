"""Lip shapes travel beside the sound that they are of, on its clock."""

import numpy as np
import pytest

from kani_npc.audio import to_float
from kani_npc.lips import VISEMES, LipTracker
from kani_npc.speech import FloatArray
from kani_npc.v1 import audio_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from tests.server.test_synthesize import FLOAT32, LINEAR16, events_of, request
from tests.support.sine import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

OGG_OPUS = audio_pb2.AUDIO_ENCODING_OGG_OPUS


def shapes_of(events: list[pb.SynthesizeResponse]) -> FloatArray:
    """All hops of a line [H, V], checked to follow each other."""
    rows: list[FloatArray] = []
    first = 0
    for timing in (event.timing for event in events if event.HasField("timing")):
        assert timing.first_sample == first
        weights = np.array(timing.weights, np.float32).reshape(-1, len(VISEMES))
        assert len(weights) == len(timing.openness) > 0
        first += len(weights) * timing.hop_samples
        rows.append(weights)
    return np.concatenate(rows)


async def test_a_line_that_asks_for_no_visemes_gets_none(service):
    assert not any(event.HasField("timing") for event in await events_of(service, request()))


async def test_shapes_are_those_of_the_sound_that_was_sent(service):
    events = await events_of(service, request(visemes=True))
    sound = b"".join(event.audio.data for event in events if event.HasField("audio"))
    whole = LipTracker(SAMPLE_RATE_HZ)(to_float(np.frombuffer(sound, "<i2")))
    np.testing.assert_allclose(shapes_of(events), whole.weights_HV, atol=1e-5)
    assert len(whole.weights_HV) == 21 * SAMPLES_PER_FRAME * 50 // SAMPLE_RATE_HZ


async def test_a_shape_is_there_before_its_sound(service):
    shaped = 0
    for event in await events_of(service, request(visemes=True)):
        if event.HasField("timing"):
            hops = len(event.timing.openness)
            shaped = event.timing.first_sample + hops * event.timing.hop_samples
        elif event.HasField("audio"):
            end = event.audio.first_sample + len(event.audio.data) // 2
            assert (
                end - shaped < SAMPLE_RATE_HZ // 50
            )  # all but a hop that the next frame completes


@pytest.mark.parametrize(
    ("encoding", "rate"), [(LINEAR16, 8000), (FLOAT32, 44100), (LINEAR16, 48000), (OGG_OPUS, 0)]
)
async def test_shapes_are_counted_in_the_samples_of_the_stream(service, encoding, rate):
    native = shapes_of(await events_of(service, request(visemes=True)))
    audio = {"encoding": encoding, "sample_rate_hz": rate}
    events = await events_of(service, request(visemes=True, audio=audio))
    np.testing.assert_allclose(shapes_of(events), native, atol=1e-5)
    hop = next(event.timing.hop_samples for event in events if event.HasField("timing"))
    assert hop == (rate or 48000) // 50


async def test_the_client_keeps_the_shapes_beside_the_sound(service):
    speech = service.client.synthesize("Halt!", visemes=True, pace=pb.PACE_UNPACED)
    async for audio in speech:
        assert speech.timings
        assert speech.timings[-1].first_sample <= audio.first_sample + SAMPLES_PER_FRAME
