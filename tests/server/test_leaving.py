"""Clients that leave, stay silent or never read; and a server that is asked to stop."""

import asyncio
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kani_npc.cache import checked
from kani_npc.client import Client, ServiceError
from kani_npc.config import ServeSettings
from kani_npc.errors import SettingsError
from kani_npc.server import calls
from kani_npc.server.app import SERVICE, server
from kani_npc.v1 import speech_service_pb2 as pb
from tests.server.conftest import SETTINGS
from tests.support.serving import builtin_voices
from tests.support.sine import SAMPLES_PER_FRAME, SineSynthesizer

FRAME_S = 0.08
LONG = "x" * 500  # 40 s
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def until(fact, timeout_s: float = 5.0) -> float:
    """Waits until `fact()`; how long it took, in seconds."""
    clock = asyncio.get_running_loop().time
    started_s = clock()
    while not fact():
        assert clock() < started_s + timeout_s
        await asyncio.sleep(0.002)
    return clock() - started_s


@pytest.mark.parametrize("pace", [pb.PACE_REALTIME, pb.PACE_UNPACED])
async def test_a_cancelled_line_frees_its_slot_within_a_frame(start, pace):
    service = await start(SineSynthesizer(speed=2.0))
    speech = service.client.synthesize(LONG, pace=pace)

    async def listen() -> None:
        async for _ in speech:
            pass

    listening = asyncio.create_task(listen())
    await until(lambda: service.sine.frames_made > 3)
    speech.interrupt()
    made = service.sine.frames_made
    assert await until(lambda: service.sine.active == 0) < FRAME_S
    assert service.sine.frames_made <= made + 1
    await listening
    assert speech.end is None


async def test_a_line_that_waits_for_its_listener_is_freed_as_fast(start):
    service = await start(SineSynthesizer())  # far ahead at once, so that pacing waits
    speech = service.client.synthesize(LONG)
    async for audio in speech:
        if audio.first_sample >= 6 * SAMPLES_PER_FRAME:
            speech.interrupt()
    assert await until(lambda: service.sine.active == 0) < FRAME_S


async def test_a_deadline_frees_the_slot_and_says_so(start):
    service = await start(SineSynthesizer(speed=1.0))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in service.stub.Synthesize(pb.SynthesizeRequest(text=LONG), timeout=0.3):
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await until(lambda: service.sine.active == 0) < FRAME_S


async def test_a_client_that_vanishes_frees_its_slot(start):
    service = await start(SineSynthesizer(speed=2.0))
    speech = service.client.synthesize(LONG)
    async for _ in speech:
        break
    assert service.sine.active == 1
    await service.client.close()
    await until(lambda: service.sine.active == 0)
    assert service.sine.frames_made < len(LONG)  # the line was not said to its end


async def test_a_line_cancelled_in_the_queue_is_never_begun(start):
    service = await start(SineSynthesizer(num_slots=1, speed=1.0))
    first = service.client.synthesize(LONG)
    async for _ in first:
        waiting = asyncio.create_task(anext(aiter(service.client.synthesize("never"))))
        await until(lambda: service.sine.waiting == 1)
        waiting.cancel()
        await until(lambda: service.sine.waiting == 0)
        break
    assert [u.text for u in service.sine.utterances] == [LONG]


@pytest.mark.parametrize("pace", [pb.PACE_REALTIME, pb.PACE_UNPACED])
async def test_a_client_that_never_reads_is_bounded_and_harms_nobody(start, pace, monkeypatch):
    monkeypatch.setattr(checked, "UNPACED_HELD_S", 2)  # so much is made before any of it leaves
    service = await start(SineSynthesizer())
    host, port = service.address.split(":")
    reader, writer = await never_reading_call(
        host, int(port), pb.SynthesizeRequest(text=LONG, pace=pace)
    )
    await until(lambda: service.sine.active == 1)
    await asyncio.sleep(0.2)
    # 64 KiB of HTTP/2 window is 1.5 s of sound; behind it the line waits, unmade.
    assert service.sine.frames_made * FRAME_S < 6.0
    other = service.client.synthesize("Halt!", pace=pb.PACE_UNPACED)
    assert len([audio async for audio in other]) == 5
    writer.close()  # and when it goes, its slot is free
    await until(lambda: service.sine.active == 0)
    del reader


async def test_a_client_that_never_reads_is_given_up_in_the_end(start, monkeypatch):
    monkeypatch.setattr(calls, "MAX_STALL_S", 0.3)
    monkeypatch.setattr(checked, "UNPACED_HELD_S", 2)
    service = await start(SineSynthesizer())
    host, port = service.address.split(":")
    reader, writer = await never_reading_call(
        host, int(port), pb.SynthesizeRequest(text=LONG, pace=pb.PACE_UNPACED)
    )
    await until(lambda: service.sine.active == 1)
    await until(lambda: service.sine.active == 0)
    # Should it read after all, it learns why: windows as large as they go, for the connection and the stream.
    largest = (2**30).to_bytes(4, "big")
    for stream in (0, 1):
        writer.write(b"\x00\x00\x04\x08\x00" + stream.to_bytes(4, "big") + largest)
    received = b""
    async with asyncio.timeout(5):
        while b"nobody read this stream" not in received:
            received += await reader.read(2**16)
    assert service.sine.frames_made < len(LONG)
    writer.close()


async def never_reading_call(host: str, port: int, request: pb.SynthesizeRequest):
    """Opens Synthesize with HTTP/2 by hand, and reads nothing: gRPC's own clients read ahead of their callers."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return (
            len(payload).to_bytes(3, "big")
            + bytes([kind, flags])
            + stream.to_bytes(4, "big")
            + payload
        )

    def header(name: bytes, value: bytes) -> bytes:  # literal, neither indexed nor compressed
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    headers = b"".join(
        header(name, value)
        for name, value in [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/kani_npc.v1.SpeechService/Synthesize"),
            (b":authority", b"localhost"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        ]
    )
    body = request.SerializeToString()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    writer.write(frame(4, 0, 0, b""))  # SETTINGS
    writer.write(frame(1, 4, 1, headers))  # HEADERS, complete
    writer.write(frame(0, 1, 1, b"\x00" + len(body).to_bytes(4, "big") + body))  # DATA, the last
    await writer.drain()
    return reader, writer


async def test_health_is_serving_for_the_process_and_the_service(service):
    stub = health_pb2_grpc.HealthStub(service.channel)
    for name in ("", SERVICE):
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert reply.status == SERVING


async def test_draining_finishes_the_running_line_refuses_new_ones_and_tells_health():
    sine = SineSynthesizer(speed=4.0)
    running = server(sine, builtin_voices(), SETTINGS)
    address = await running.__aenter__()
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await health.read()).status == SERVING
        async with Client(address, timeout_s=10) as client:
            speech = client.synthesize("x" * 20)
            audio = aiter(speech)
            await anext(audio)
            stopping = asyncio.create_task(running.__aexit__(None, None, None))
            assert (await health.read()).status == NOT_SERVING
            with pytest.raises(ServiceError) as caught:
                async for _ in client.synthesize("too late"):
                    pass
            assert caught.value.status == "UNAVAILABLE"
            assert caught.value.retry_after_s is not None
            assert len([piece async for piece in audio]) == 19  # to its end
            assert speech.end is not None
            # The health watcher is still there; the end does not wait for it.
            await asyncio.wait_for(stopping, 2.0)
    assert [u.text for u in sine.utterances] == ["x" * 20]


async def test_draining_ends_what_takes_too_long():
    sine = SineSynthesizer(speed=1.0)
    settings = ServeSettings(address="127.0.0.1:0", drain_s=0.2)
    running = server(sine, builtin_voices(), settings)
    async with Client(await running.__aenter__(), timeout_s=10) as client:
        audio = aiter(client.synthesize(LONG))
        await anext(audio)
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        with pytest.raises(ServiceError) as caught:
            async for _ in audio:
                pass
        assert (caught.value.status, caught.value.reason) == ("UNAVAILABLE", "ENGINE_CLOSED")
        await asyncio.wait_for(stopping, 2.0)
    assert sine.active == 0


@pytest.mark.parametrize("listening", [True, False])
async def test_an_address_that_cannot_be_had_is_one_clear_line(listening):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}" if listening else "192.0.2.1:50051"
        with pytest.raises(SettingsError, match=address) as caught:
            async with server(SineSynthesizer(), builtin_voices(), ServeSettings(address=address)):
                pass
    assert "\n" not in str(caught.value)
