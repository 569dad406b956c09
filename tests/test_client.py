"""The client believes no stream that is not whole, and says in plain values what the service answered."""

import asyncio
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import ClassVar

import grpc
import numpy as np
import pytest
import soundfile
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from kani_npc.client import Client, ServiceError, Speech
from kani_npc.v1 import audio_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import speech_service_pb2_grpc as rpc

LINEAR16, FLOAT32 = audio_pb2.AUDIO_ENCODING_LINEAR16, audio_pb2.AUDIO_ENCODING_FLOAT32
SAMPLES = np.linspace(-1, 1, 1000)


def header(encoding=LINEAR16) -> pb.SynthesizeResponse:
    return pb.SynthesizeResponse(header=pb.SpeechHeader(encoding=encoding, sample_rate_hz=24000))


def audio(first_sample: int, num_samples: int, encoding=LINEAR16) -> pb.SynthesizeResponse:
    piece = SAMPLES[first_sample : first_sample + num_samples]
    data = piece.astype("<f4") if encoding == FLOAT32 else (piece * 32767).astype("<i2")
    return pb.SynthesizeResponse(
        audio=pb.SpeechAudio(data=data.tobytes(), first_sample=first_sample)
    )


def end(total_samples: int) -> pb.SynthesizeResponse:
    return pb.SynthesizeResponse(end=pb.SpeechEnd(total_samples=total_samples))


@asynccontextmanager
async def saying(*events: pb.SynthesizeResponse, then_wait: bool = False):
    """A client of a server that says these events, whatever it is asked."""

    class Parrot(rpc.SpeechServiceServicer):
        async def Synthesize(self, request, context):
            for event in events:
                yield event
            if then_wait:
                await asyncio.Event().wait()

    server = grpc.aio.server()
    rpc.add_SpeechServiceServicer_to_server(Parrot(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with Client(f"127.0.0.1:{port}", timeout_s=10) as client:
        yield client
    await server.stop(None)


async def heard(speech: Speech) -> int:
    return sum([len(piece.data) // speech.sample_bytes async for piece in speech])


@pytest.mark.parametrize("encoding", [LINEAR16, FLOAT32])
async def test_a_whole_line_is_heard_to_its_end(encoding):
    events = header(encoding), audio(0, 300, encoding), audio(300, 700, encoding), end(1000)
    async with saying(*events) as client:
        speech = client.synthesize("Halt!")
        assert await heard(speech) == 1000
    assert speech.header.sample_rate_hz == 24000 and speech.end.total_samples == 1000


@pytest.mark.parametrize(
    "events",
    [
        (header(), audio(0, 300), audio(400, 600), end(1000)),  # a gap
        (header(), audio(0, 300), audio(200, 800), end(1000)),  # an overlap
        (header(), audio(0, 300), end(1000)),  # a tail that is missing
        (header(), audio(0, 1000)),  # no end
        (),
    ],
)
async def test_a_line_that_is_not_whole_is_an_error(events):
    async with saying(*events) as client:
        with pytest.raises(ServiceError) as caught:
            await heard(client.synthesize("Halt!"))
    assert caught.value.status == "DATA_LOSS"


async def test_events_that_it_does_not_know_are_skipped():
    unknown = pb.SynthesizeResponse.FromString(b"\x2a\x03abc")  # field 5, kept for notices
    async with saying(header(), unknown, audio(0, 10), unknown, end(10)) as client:
        assert await heard(client.synthesize("Halt!")) == 10


async def test_an_interrupted_line_ends_quietly_and_without_an_end():
    async with saying(header(), audio(0, 10), then_wait=True) as client:
        speech = client.synthesize("Halt!")
        async for _ in speech:
            asyncio.get_running_loop().call_later(0.05, speech.interrupt)
        assert speech.end is None


async def test_a_cancelled_listener_stays_cancelled():
    async with saying(header(), then_wait=True) as client:
        task = asyncio.create_task(heard(client.synthesize("Halt!")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("encoding", [LINEAR16, FLOAT32])
async def test_a_line_as_a_wav_file_reads_back_as_it_was(tmp_path, encoding):
    async with saying(header(encoding), audio(0, 1000, encoding), end(1000)) as client:
        result = await client.say_to_wav("Halt!", tmp_path / "halt.wav")
    assert result.total_samples == 1000
    kind = "float32" if encoding == FLOAT32 else "int16"
    samples, rate_hz = soundfile.read(tmp_path / "halt.wav", dtype=kind)
    assert rate_hz == 24000
    expected = SAMPLES.astype(np.float32) if encoding == FLOAT32 else (SAMPLES * 32767)
    np.testing.assert_array_equal(samples, expected.astype(kind))


async def test_nobody_there_is_unavailable():
    async with Client("127.0.0.1:9", timeout_s=5) as client:
        for call in (heard(client.synthesize("Halt!")), client.server_info()):
            with pytest.raises(ServiceError) as caught:
                await call
            assert caught.value.status == "UNAVAILABLE" and str(caught.value)


@asynccontextmanager
async def crowded(times: int, code: grpc.StatusCode, *, after: int = 0, **how):
    """A client of a server that has no room for the first `times` calls, found after `after` events, then a line."""

    class Crowded(rpc.SpeechServiceServicer):
        calls: ClassVar[list[float]] = []

        async def Synthesize(self, request, context):
            self.calls.append(time.monotonic())
            events = header(), audio(0, 10), end(10)
            for event in events[:after]:
                yield event
            if len(self.calls) <= times:
                status = status_pb2.Status(code=code.value[0], message="no room")
                delay = error_details_pb2.RetryInfo(retry_delay={"nanos": 600_000_000})
                status.details.add().Pack(delay)
                await context.abort_with_status(rpc_status.to_status(status))
            for event in events[after:]:
                yield event

    server = grpc.aio.server()
    rpc.add_SpeechServiceServicer_to_server(Crowded(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with Client(f"127.0.0.1:{port}", **how) as client:
        yield client, Crowded.calls
    await server.stop(None)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_a_line_that_found_no_room_is_asked_for_again_when_the_server_says(code):
    async with crowded(2, code, tries=3) as (client, calls):
        assert await heard(client.synthesize("Halt!")) == 10
    waits = np.diff(calls)
    assert len(waits) == 2 and (waits >= 0.6).all()


async def test_tries_come_to_an_end_and_other_errors_are_not_tried_again():
    no_room, wrong = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND
    for code, tries, expected in ((no_room, 1, 1), (no_room, 2, 2), (wrong, 4, 1)):
        async with crowded(9, code, tries=tries) as (client, calls):
            with pytest.raises(ServiceError) as caught:
                await heard(client.synthesize("Halt!"))
        assert (caught.value.status, len(calls)) == (code.name, expected)


async def test_a_line_that_was_heard_is_never_begun_again():
    async with crowded(9, grpc.StatusCode.UNAVAILABLE, after=2, tries=4) as (client, calls):
        with pytest.raises(ServiceError):
            await heard(client.synthesize("Halt!"))
    assert len(calls) == 1


async def test_a_wait_that_is_longer_than_the_deadline_is_not_begun():
    no_room = grpc.StatusCode.RESOURCE_EXHAUSTED
    async with crowded(9, no_room, tries=4, timeout_s=0.5) as (client, calls):
        with pytest.raises(ServiceError) as caught:
            await heard(client.synthesize("Halt!"))
    assert (caught.value.status, len(calls)) == ("RESOURCE_EXHAUSTED", 1)


async def test_an_interrupted_wait_ends_quietly():
    async with crowded(9, grpc.StatusCode.UNAVAILABLE, tries=4) as (client, calls):
        speech = client.synthesize("Halt!")
        asyncio.get_running_loop().call_later(0.3, speech.interrupt)
        assert await heard(speech) == 0
    assert len(calls) == 1


@pytest.mark.parametrize(
    "options",
    [{"seed": 2**63}, {"sample_rate_hz": 2**31}, {"sampling": {"top_k": 0.5}}, {"voice": "\udcff"}],
)
async def test_a_value_that_the_wire_cannot_carry_is_refused_before_it_is_sent(options):
    async with Client("127.0.0.1:9") as client:
        with pytest.raises(ServiceError) as caught:
            client.synthesize("Halt!", **options)
    assert caught.value.status == "INVALID_ARGUMENT"


def test_the_client_runs_without_torch():
    code = "import sys, kani_npc.client; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
