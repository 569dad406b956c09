"""Calls over gRPC-Web by hand: what is answered, to whom, and what becomes of clients that break off or do not read."""

import asyncio
import base64
import random
import socket

import grpc
import pytest
from aiohttp import ClientSession
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from kani_npc.cache import checked
from kani_npc.client import Client
from kani_npc.config import ServeSettings
from kani_npc.errors import SettingsError
from kani_npc.server import calls, web_calls
from kani_npc.server.app import SERVICES, listening
from kani_npc.server.web import web_server
from kani_npc.server.web_calls import WebCalls
from kani_npc.server.web_frames import message_frame
from kani_npc.v1 import audio_pb2, voice_service_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from tests.support.serving import SYNTHETIC, builtin_voices
from tests.support.sine import SineSynthesizer
from tests.web.conftest import CONTENT_TYPE, Answer, Web, parsed

SAY = "SpeechService/Synthesize"
INFO = "/kani_npc.v1.SpeechService/GetServerInfo"
EMPTY = message_frame(b"")
LONG = "x" * 500  # 40 s
UNPACED = pb.SynthesizeRequest(text="Halt!", pace=pb.PACE_UNPACED)


async def until(fact, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not fact():
            await asyncio.sleep(0.002)


def details(answer: Answer) -> status_pb2.Status:
    packed = answer.trailers["grpc-status-details-bin"]
    return status_pb2.Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))


def reason(answer: Answer) -> str:
    info = error_details_pb2.ErrorInfo()
    assert details(answer).details[0].Unpack(info)
    return info.reason


# What is there


async def test_a_line_is_the_same_over_both_wires(web):
    answer = await web.call(SAY, UNPACED)
    events = [pb.SynthesizeResponse.FromString(message) for message in answer.messages]
    assert [event.WhichOneof("event") for event in events] == ["header", *["audio"] * 5, "end"]
    speech = web.grpc.synthesize("Halt!", pace=pb.PACE_UNPACED)
    over_grpc = [audio async for audio in speech]
    assert [event.audio for event in events[1:-1]] == over_grpc
    assert events[0].header.seed == speech.header.seed
    assert (answer.status, answer.code) == (200, 0)


async def test_every_method_of_every_service_is_there_or_names_its_twin(web):
    pool = descriptor_pool.Default()
    for service in map(pool.FindServiceByName, SERVICES):
        for method in service.methods:
            # Of no sense to any method: none does anything, and all say what is wrong with it.
            answer = await web.post(f"/{service.full_name}/{method.name}", message_frame(b"\xff"))
            message = answer.trailers["grpc-message"]
            if method.client_streaming:
                assert answer.code == grpc.StatusCode.UNIMPLEMENTED.value[0]
                twins = [m.name for m in service.methods if not m.client_streaming]
                assert any(twin in message for twin in twins)
            else:
                assert reason(answer) == "MALFORMED_REQUEST", method.name


async def test_a_method_that_is_not_there_says_so(web):
    for path in ("/kani_npc.v1.SpeechService/Sing", "/no.Service/Method", "/"):
        answer = await web.post(path, EMPTY)
        assert (answer.status, answer.code) == (200, 12)


async def test_errors_have_the_details_that_they_have_over_grpc(web):
    answer = await web.call(SAY, pb.SynthesizeRequest())
    assert answer.code == 3 and reason(answer) == "INVALID_UTTERANCE"
    bad = error_details_pb2.BadRequest()
    assert details(answer).details[1].Unpack(bad) and bad.field_violations[0].field == "text"


def refusal(answer: Answer) -> dict[str, object]:
    """All that a refusal says."""
    status = details(answer)
    said: dict[str, object] = {"code": answer.code, "message": status.message}
    assert status.code == answer.code
    for packed in status.details:
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.BadRequest,
            error_details_pb2.RetryInfo,
        ):
            detail = kind()
            if packed.Unpack(detail):
                said[kind.DESCRIPTOR.name] = detail
    return said


async def refusal_over_grpc(web: Web, request: pb.SynthesizeRequest) -> dict[str, object]:
    call = web.grpc._stub.Synthesize(request)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    trailers = dict(tuple(pair) for pair in caught.value.trailing_metadata())
    packed = base64.b64encode(trailers["grpc-status-details-bin"]).decode()
    code = caught.value.code().value[0]
    return refusal(
        Answer(200, {}, [], {"grpc-status": str(code), "grpc-status-details-bin": packed})
    )


@pytest.mark.parametrize("first_over", ["grpc", "web"])
async def test_both_wires_share_one_queue_and_refuse_alike(start, first_over):
    web = await start(SineSynthesizer(speed=1.0, num_slots=1, max_waiting=0, speaker_space="sine"))
    long, halt = pb.SynthesizeRequest(text=LONG), pb.SynthesizeRequest(text="Halt!")
    if first_over == "grpc":
        first = asyncio.create_task(anext(aiter(web.grpc.synthesize(LONG))))
    else:
        first = asyncio.create_task(web.call(SAY, long, grpc_timeout="8S"))
    await until(lambda: web.sine.active == 1)
    over_web = refusal(await web.call(SAY, halt))
    assert over_web == await refusal_over_grpc(web, halt)
    assert over_web["code"] == 8
    assert over_web["ErrorInfo"].reason == "OVERLOADED"
    assert over_web["RetryInfo"].retry_delay.ToMilliseconds() > 0
    first.cancel()
    await asyncio.wait([first])


@pytest.mark.parametrize(
    "request_",
    [
        pb.SynthesizeRequest(),
        pb.SynthesizeRequest(text="x" * 20_001),
        pb.SynthesizeRequest(text="Halt!", voice="nobody"),
        pb.SynthesizeRequest(text="Halt!", npc="nobody"),
        pb.SynthesizeRequest(text="Halt!", audio={"sample_rate_hz": 7}),
        pb.SynthesizeRequest(text="Halt!", turn=3),
    ],
)
async def test_what_is_refused_is_refused_alike_on_both_wires(web, request_):
    over_web = refusal(await web.call(SAY, request_))
    assert over_web["code"] in (3, 5) and "ErrorInfo" in over_web
    assert over_web == await refusal_over_grpc(web, request_)


async def test_metadata_reach_the_servicer(web):
    voice = voice_service_pb2.Voice(id="troll", consent=SYNTHETIC)
    request = voice_service_pb2.CreateVoiceRequest(voice=voice)
    assert (await web.call("VoiceService/CreateVoice", request, kani_project="saga")).code == 0
    get = voice_service_pb2.GetVoiceRequest(id="troll")
    assert (await web.call("VoiceService/GetVoice", get, kani_project="saga")).code == 0
    assert (await web.call("VoiceService/GetVoice", get)).code == 5
    twice = await web.call("VoiceService/GetVoice", get, kani_project="two words")
    assert twice.code == 3


async def test_health_is_there_and_can_be_watched(web):
    path = "/grpc.health.v1.Health/"
    answer = await web.post(path + "Check", EMPTY)
    assert health_pb2.HealthCheckResponse.FromString(answer.messages[0]).status == 1
    unknown = health_pb2.HealthCheckRequest(service="nothing").SerializeToString()
    assert (await web.post(path + "Check", message_frame(unknown))).code == 5
    watch = await web.post(path + "Watch", EMPTY, grpc_timeout="200m")
    assert len(watch.messages) == 1 and watch.code == 4


# What is refused


@pytest.mark.parametrize(
    "content_type",
    ["application/grpc-web-text", "application/grpc-web+json", "text/plain", "application/json"],
)
async def test_another_content_type_is_refused(web, content_type):
    answer = await web.post(INFO, EMPTY, Content_Type=content_type)
    assert answer.status == 415


async def test_a_compressed_body_is_refused_and_not_unpacked(web):
    answer = await web.post(INFO, EMPTY, Content_Encoding="gzip")
    assert answer.status == 415


async def test_a_request_is_refused_while_it_is_read_and_not_after(web):
    sent = 0

    async def endless():
        nonlocal sent
        yield b"\0\0\0\0\0"
        while sent < 2**30:
            sent += 2**14
            yield b"x" * 2**14
            await asyncio.sleep(0)

    async with web.http.post(
        web.url + "/kani_npc.v1." + SAY, data=endless(), headers={"Content-Type": CONTENT_TYPE}
    ) as response:
        assert response.status == 200
        _, trailers = parsed(await response.read())
    assert (
        trailers["grpc-status"] == "3" and str(calls.MAX_REQUEST_BYTES) in trailers["grpc-message"]
    )
    assert sent < 2**26  # what the sockets took, far from the whole


async def test_a_request_of_just_the_size_is_taken_and_an_upload_may_be_larger(web):
    # No message at all, which is found after its size.
    for size, refused in ((calls.MAX_REQUEST_BYTES, False), (calls.MAX_REQUEST_BYTES + 1, True)):
        answer = await web.post(INFO, message_frame(b"\xff" * size))
        assert reason(answer) == ("REQUEST_TOO_LARGE" if refused else "MALFORMED_REQUEST")
    for size, refused in ((calls.MAX_UPLOAD_BYTES, False), (calls.MAX_UPLOAD_BYTES + 1, True)):
        answer = await web.post(
            "/kani_npc.v1.VoiceService/EnrollVoice", message_frame(b"\xff" * size)
        )
        assert reason(answer) == ("REQUEST_TOO_LARGE" if refused else "MALFORMED_REQUEST")


async def test_a_body_that_ends_in_the_middle_or_never_comes_is_given_up(web, monkeypatch):
    monkeypatch.setattr(web_calls, "MAX_SILENCE_S", 0.2)
    reader, writer = await raw(web, INFO, EMPTY[:3], length=5)
    await asyncio.wait_for(reader.readuntil(b"nothing came for"), 5)
    writer.close()
    reader, writer = await raw(web, INFO, EMPTY[:3], length=5)
    writer.close()
    await until(lambda: web.sine.active == 0)
    assert (await web.post(INFO, EMPTY)).code == 0


async def test_random_bytes_never_break_the_server(web, caplog):
    draw = random.Random(1)
    for _ in range(150):
        body = bytearray(message_frame(UNPACED.SerializeToString()))
        for _ in range(draw.randint(1, 4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        del body[draw.randint(1, len(body)) :]
        answer = await web.post("/kani_npc.v1." + SAY, bytes(body), grpc_timeout="1S")
        assert answer.status == 200 and answer.code in (0, 3, 4, 5)
    for junk in (
        b"\0" * 400,
        b"POST / HTTP/9\r\n\r\n",
        b"\xff\xfe GET\r\n" * 20,
        b"PRI * HTTP/2.0\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(*web.host.split(":"))
        writer.write(junk)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert (await web.post(INFO, EMPTY)).code == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# Time, leaving, reading slowly


async def test_a_deadline_ends_the_line_and_says_so(start):
    web = await start(SineSynthesizer(speed=1.0))
    answer = await web.call(SAY, pb.SynthesizeRequest(text=LONG), grpc_timeout="400m")
    assert answer.code == 4 and answer.messages
    await until(lambda: web.sine.active == 0)


async def raw(
    web: Web, path: str, body: bytes, *, length: int | None = None, receive_buffer: int = 0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A POST by hand, of which nothing is read."""
    host, port = web.host.split(":")
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=client, limit=2**12)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {web.host}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {length or len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("pace", [pb.PACE_REALTIME, pb.PACE_UNPACED])
async def test_a_client_that_leaves_frees_its_slot(start, pace):
    web = await start(SineSynthesizer(speed=2.0))
    request = pb.SynthesizeRequest(text=LONG, pace=pace).SerializeToString()
    _, writer = await raw(web, "/kani_npc.v1." + SAY, message_frame(request))
    await until(lambda: web.sine.frames_made > 3)
    writer.transport.abort()
    made = web.sine.frames_made
    await until(lambda: web.sine.active == 0)
    assert web.sine.frames_made <= made + 3


async def test_a_client_that_leaves_the_queue_is_never_begun(start):
    web = await start(SineSynthesizer(num_slots=1, speed=1.0))
    frame = message_frame(pb.SynthesizeRequest(text=LONG).SerializeToString())
    _, first = await raw(web, "/kani_npc.v1." + SAY, frame)
    await until(lambda: web.sine.active == 1)
    _, second = await raw(web, "/kani_npc.v1." + SAY, frame)
    await until(lambda: web.sine.waiting == 1)
    second.close()
    await until(lambda: web.sine.waiting == 0)
    first.close()
    await until(lambda: web.sine.active == 0)
    assert len(web.sine.utterances) == 1


async def test_a_client_that_never_reads_is_bounded_and_harms_nobody(start):
    """What the port itself takes of a stream without an end, behind which everything else waits."""
    sent, ended = 0, False

    async def endless(_request, _context):
        nonlocal sent, ended
        try:
            while True:
                yield bytes(3528)
                sent += 3528
        finally:
            ended = True

    handler = grpc.unary_stream_rpc_method_handler(endless, response_serializer=bytes)
    port_calls = WebCalls([])
    port_calls.add_registered_method_handlers("test.Endless", {"Stream": handler})
    web = await start()
    async with web_server(port_calls, "127.0.0.1", 0, (), 0.2) as port:
        alone = Web(f"http://127.0.0.1:{port}", web.sine, web.grpc, web.http)
        _, writer = await raw(alone, "/test.Endless/Stream", EMPTY, receive_buffer=4096)
        await until(lambda: sent > 0)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert (
            sent < 2**19
        )  # the kernel's 128 KiB, aiohttp's and asyncio's 64 KiB each, the client's
        assert (await web.call(SAY, UNPACED)).code == 0
        writer.close()
        await until(lambda: ended)


async def test_a_client_that_never_reads_is_given_up_in_the_end(start, monkeypatch):
    monkeypatch.setattr(calls, "MAX_STALL_S", 0.3)
    monkeypatch.setattr(web_calls, "FAREWELL_S", 0.3)
    monkeypatch.setattr(checked, "UNPACED_HELD_S", 2)
    web = await start()
    # Bytes enough that what is held before the first of them leaves fills every buffer on the way.
    audio = {"encoding": audio_pb2.AUDIO_ENCODING_FLOAT32, "sample_rate_hz": 48_000}
    request = pb.SynthesizeRequest(text=LONG, pace=pb.PACE_UNPACED, audio=audio)
    frame = message_frame(request.SerializeToString())
    reader, writer = await raw(web, "/kani_npc.v1." + SAY, frame, receive_buffer=4096)
    await until(lambda: web.sine.active == 1)
    await until(lambda: web.sine.active == 0)
    await asyncio.sleep(1.0)  # well after the farewell
    # What the kernel had, and no end: nothing more is kept for who may never come.
    assert b"grpc-status" not in await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_one_connection_carries_call_after_call(web):
    reader, writer = await asyncio.open_connection(*web.host.split(":"))
    for _ in range(3):
        writer.write(
            f"POST {INFO} HTTP/1.1\r\nHost: {web.host}\r\nContent-Type: application/grpc-web\r\n"
            f"Content-Length: {len(EMPTY)}\r\n\r\n".encode()
            + EMPTY
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        _, trailers = parsed(await reader.readexactly(length))
        assert trailers["grpc-status"] == "0"
    writer.close()


async def test_draining_refuses_new_lines_and_ends_running_ones():
    sine = SineSynthesizer(speed=4.0)
    settings = ServeSettings(address="127.0.0.1:0", web_address="127.0.0.1:0", drain_s=5.0)
    running = listening(sine, builtin_voices(), settings)
    at = await running.__aenter__()
    async with Client(at.grpc) as client, ClientSession() as http:
        web = Web(f"http://{at.web}", sine, client, http)
        line = asyncio.create_task(web.call(SAY, pb.SynthesizeRequest(text="x" * 20)))
        await until(lambda: sine.active == 1)
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        await asyncio.sleep(0.1)
        refused = await web.call(SAY, UNPACED)
        assert refused.code == 14 and reason(refused) == "ENGINE_CLOSED"
        answer = await line
        assert answer.code == 0 and len(answer.messages) == 22
        await asyncio.wait_for(stopping, 5)


# Who may ask


async def test_pages_of_other_origins_may_call_only_if_they_are_named(start):
    web = await start(web_origins="https://game.example, http://localhost:3000")
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,kani-project",
    }
    async with web.http.options(
        web.url + INFO, headers={"Origin": "https://game.example", **preflight}
    ) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://game.example"
        assert "kani-project" in response.headers["Access-Control-Allow-Headers"]
    async with web.http.options(
        web.url + INFO, headers={"Origin": "https://evil.example", **preflight}
    ) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers
    allowed = await web.post(INFO, EMPTY, Origin="http://localhost:3000")
    assert allowed.code == 0 and "grpc-status" in allowed.headers["Access-Control-Expose-Headers"]
    for origin in ("https://evil.example", "http://game.example", "null"):
        assert (await web.post(INFO, EMPTY, Origin=origin)).status == 403
    assert (await web.post(INFO, EMPTY, Origin=web.url)).code == 0  # the console's own


async def test_any_origin_may_call_where_that_was_asked_for(start):
    web = await start(web_origins="*")
    answer = await web.post(INFO, EMPTY, Origin="https://anything.example")
    assert answer.code == 0
    assert answer.headers["Access-Control-Allow-Origin"] == "https://anything.example"


async def test_a_foreign_name_for_this_machine_is_refused(start):
    web = await start(web_origins="https://voices.studio.example")
    assert (await web.post(INFO, EMPTY, Host="evil.example:80")).status == 403
    for name in ("localhost:1234", "127.0.0.1", "[::1]:8051", "voices.studio.example"):
        assert (await web.post(INFO, EMPTY, Host=name)).code == 0


# Where it listens


def test_the_web_port_is_beside_the_other_one_or_off():
    assert ServeSettings().web == ("127.0.0.1", 8051)
    assert ServeSettings(address="[::1]:50051").web == ("::1", 8051)
    assert ServeSettings(address="127.0.0.1:0").web is None
    assert ServeSettings(web_address="off").web is None
    assert ServeSettings(web_address="[::]:80").web == ("::", 80)
    for wrong in ("8051", "localhost:http", ":80"):
        with pytest.raises(SettingsError, match="web_address"):
            ServeSettings(web_address=wrong)
    for wrong in ("game.example", "https://game.example/", "ftp://game.example"):
        with pytest.raises(SettingsError, match="web_origins"):
            ServeSettings(web_origins=wrong)


async def test_a_port_that_is_taken_is_an_error_that_names_the_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        settings = ServeSettings(address="127.0.0.1:0", web_address=address)
        with pytest.raises(SettingsError, match=rf"{address}.*--web-address"):
            async with listening(SineSynthesizer(), builtin_voices(), settings):
                pass
