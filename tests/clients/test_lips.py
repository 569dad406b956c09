"""Lip shapes of the shipped model: in every encoding, and the same on both ports."""

import urllib.request

import numpy as np
import pytest

from kani_npc.client import Client, line
from kani_npc.server.web_frames import message_frame
from kani_npc.v1 import audio_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from tests.clients.conftest import Service

TEXT = "Halt! Who goes there?"
HOPS_PER_S, VISEMES = 50, 15
ENCODINGS = [
    (audio_pb2.AUDIO_ENCODING_LINEAR16, 22_050),
    (audio_pb2.AUDIO_ENCODING_LINEAR16, 48_000),
    (audio_pb2.AUDIO_ENCODING_FLOAT32, 44_100),
    (audio_pb2.AUDIO_ENCODING_MULAW, 8_000),
    (audio_pb2.AUDIO_ENCODING_OGG_OPUS, 0),
]


def over_the_web(service: Service, request: pb.SynthesizeRequest) -> list[pb.SynthesizeResponse]:
    post = urllib.request.Request(
        service.web + "/kani_npc.v1.SpeechService/Synthesize",
        message_frame(request.SerializeToString()),
        {"Content-Type": "application/grpc-web+proto"},
    )
    with urllib.request.urlopen(post, timeout=100) as answer:
        body, events = answer.read(), []
    while body[0] == 0:
        size = int.from_bytes(body[1:5], "big")
        events.append(pb.SynthesizeResponse.FromString(body[5 : 5 + size]))
        body = body[5 + size :]
    return events


def shapes(timings: list[pb.SpeechTiming]) -> tuple[np.ndarray, np.ndarray]:
    """Weights [H, V] and openness [H] of a whole line, whose events must follow each other."""
    hop = 0
    for timing in timings:
        assert timing.first_sample == hop * timing.hop_samples
        assert len(timing.weights) == VISEMES * len(timing.openness) > 0
        hop += len(timing.openness)
    weights = np.array([w for timing in timings for w in timing.weights], np.float32)
    return weights.reshape(-1, VISEMES), np.array([o for t in timings for o in t.openness])


@pytest.mark.parametrize(("encoding", "rate_hz"), ENCODINGS)
async def test_shapes_come_in_every_encoding_and_on_both_ports(tiny: Service, encoding, rate_hz):
    how = {"encoding": encoding, "sample_rate_hz": rate_hz, "visemes": True}
    async with Client(tiny.grpc, timeout_s=100) as client:
        speech = client.synthesize(TEXT, **how)
        async for _ in speech:
            pass
    weights, openness = shapes(speech.timings)
    assert speech.header and speech.end
    length_s = speech.end.total_samples / speech.header.sample_rate_hz
    assert abs(len(weights) - length_s * HOPS_PER_S) <= 1
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-3)
    assert openness.min() >= 0 and openness.max() <= 1
    # It is speech: the mouth opens, closes, and has more shapes than one.
    assert openness.max() > 0.3 > openness[-3:].max() and len(set(weights.argmax(1))) > 4
    events = over_the_web(tiny, line(TEXT, **how))
    again, _ = shapes([event.timing for event in events if event.HasField("timing")])
    np.testing.assert_allclose(again, weights, atol=1e-5)
