"""What a server says about itself: GetServerInfo, health's neighbours, reflection."""

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from kani_npc import __version__
from kani_npc.v1 import audio_pb2
from tests.support.sine import SineSynthesizer


async def test_server_info_lists_what_a_request_may_name(service):
    info = await service.client.server_info()
    assert info.version == __version__
    assert [(v.id, v.display_name, v.accent, v.licence) for v in info.voices] == [
        ("guard", "Guard", "en-glasg", "Apache-2.0"),
        ("smith", "Smith", "en-us", ""),
    ]
    assert [(a.id, a.tag) for a in info.accents] == [("en-us", "en_us"), ("en-glasg", "en_glasg")]
    assert (info.default_voice, info.default_accent) == ("guard", "en-us")
    assert list(info.sample_rates_hz) == [8000, 16000, 22050, 24000, 44100, 48000]
    assert list(info.encodings) == [
        audio_pb2.AUDIO_ENCODING_LINEAR16,
        audio_pb2.AUDIO_ENCODING_FLOAT32,
        audio_pb2.AUDIO_ENCODING_MULAW,
        audio_pb2.AUDIO_ENCODING_OGG_OPUS,
    ]
    assert (info.model.name, info.model.licence) == ("sine", "Apache-2.0")
    assert (info.model.sample_rate_hz, info.model.samples_per_frame) == (22050, 1764)
    assert info.model.sampling.greedy and info.model.sampling.top_k == 50


async def test_everything_listed_can_be_asked_for(service):
    info = await service.client.server_info()
    for voice in info.voices:
        for accent in info.accents:
            for rate in info.sample_rates_hz:
                speech = service.client.synthesize(
                    "Oi", voice=voice.id, accent=accent.id, sample_rate_hz=rate
                )
                assert [audio async for audio in speech]


async def test_capacity_is_that_of_the_moment(start):
    service = await start(SineSynthesizer(num_slots=2, speed=2.0))
    async for _ in service.client.synthesize("x" * 50):
        capacity = (await service.client.server_info()).capacity
        assert (capacity.num_slots, capacity.active, capacity.waiting) == (2, 1, 0)
        break


async def test_reflection_knows_the_service_and_its_messages(service):
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="kani_npc.v1.SpeechService"),
    ]
    replies = [r async for r in stub.ServerReflectionInfo(iter(requests))]
    assert {s.name for s in replies[0].list_services_response.service} == {
        *(f"kani_npc.v1.{name}Service" for name in ("Speech", "Voice", "Npc", "Accent", "Lexicon")),
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    descriptors = b"".join(replies[1].file_descriptor_response.file_descriptor_proto)
    assert b"SynthesizeRequest" in descriptors


async def test_a_method_that_does_not_exist_is_unimplemented(service):
    call = service.channel.unary_unary("/kani_npc.v1.SpeechService/Sing")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
