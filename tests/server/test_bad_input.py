"""What cannot be spoken is answered with a status, a reason and the field at fault; never a hang, never a traceback."""

import asyncio
import math

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from kani_npc.server.calls import MAX_REQUEST_BYTES
from kani_npc.v1 import audio_pb2, sampling_pb2
from kani_npc.v1 import speech_service_pb2 as pb


def sampling(**values) -> sampling_pb2.Sampling:
    return sampling_pb2.Sampling(**values)


async def refusal(service, request) -> tuple[str, error_details_pb2.ErrorInfo, str, str]:
    """Status, info, field at fault and message with which a request is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in service.stub.Synthesize(request, timeout=10):
            pass
    status = rpc_status.from_call(caught.value)
    assert status.message == caught.value.details()
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status.details[0].Unpack(info)
    if len(status.details) > 1:
        status.details[1].Unpack(bad)
    assert info.domain == "kani-npc"
    field = bad.field_violations[0].field if bad.field_violations else ""
    return caught.value.code().name, info, field, caught.value.details()


def say(text="Halt!", **fields) -> pb.SynthesizeRequest:
    return pb.SynthesizeRequest(text=text, **fields)


def chosen(**values) -> pb.SynthesizeRequest:
    return say(sampling=sampling_pb2.Sampling(**values))


def sound(**values) -> pb.SynthesizeRequest:
    return say(audio=audio_pb2.AudioFormat(**values))


UNSPEAKABLE = {
    "no text": (say(""), "text"),
    "blanks only": (say(" \t\n "), "text"),
    "emoji only": (say("\U0001f600\U0001f44d\u200d"), "text"),
    "control characters only": (say("\x00\x07\x1b\x7f"), "text"),
    "signs only": (say("?!... --"), "text"),
    "20,001 characters of text": (say("Halt! " * 3_333 + "No."), "text"),
    "60 kB of text": (say("a" * 60_000), "text"),
    "60 kB of blanks": (say(" " * 60_000), "text"),
    "unknown encoding": (sound(encoding=17), "audio.encoding"),
    "negative encoding": (sound(encoding=-1), "audio.encoding"),
    "unknown rate": (sound(sample_rate_hz=11025), "audio.sample_rate_hz"),
    "negative rate": (sound(sample_rate_hz=-8000), "audio.sample_rate_hz"),
    "NaN temperature": (chosen(temperature=math.nan), "sampling.temperature"),
    "zero temperature": (chosen(temperature=0), "sampling.temperature"),
    "infinite top_p": (chosen(top_p=math.inf), "sampling.top_p"),
    "NaN penalty": (chosen(repetition_penalty=math.nan), "sampling.repetition_penalty"),
    "negative top_k": (chosen(top_k=-1), "sampling.top_k"),
    "min above max frames": (chosen(min_frames=9, max_frames=3), "sampling.min_frames"),
    "minutes of frames": (chosen(max_frames=9000), "sampling.max_frames"),
    "negative seed": (say(seed=-1), "seed"),
    "seed and vary": (say(seed=1, vary=True), "vary"),
    "unknown priority": (say(priority=99), "priority"),
    "unknown pace": (say(pace=99), "pace"),
    "a turn of nobody": (say(turn=1), "turn"),
    "negative start_within_ms": (say(start_within_ms=-1), "start_within_ms"),
}


@pytest.mark.parametrize("what", UNSPEAKABLE)
async def test_what_cannot_be_spoken_is_refused_with_its_field(service, what):
    request, field = UNSPEAKABLE[what]
    status, info, named, message = await refusal(service, request)
    assert (status, info.reason, named) == ("INVALID_ARGUMENT", "INVALID_UTTERANCE", field)
    assert message and "\n" not in message
    assert service.sine.utterances == []


@pytest.mark.parametrize(
    ("request_", "reason", "listing"),
    [
        (say(npc="nobody"), "NPC_NOT_FOUND", "ListNpcs"),
        (say(voice="nobody"), "VOICE_NOT_FOUND", "ListVoices"),
        (say(voice="guard@7"), "REVISION_NOT_FOUND", "revision"),
        (say(accent="martian"), "ACCENT_NOT_FOUND", "ListAccents"),
    ],
)
async def test_an_unknown_name_says_which_list_to_call(service, request_, reason, listing):
    status, info, _, message = await refusal(service, request_)
    assert (status, info.reason) == ("NOT_FOUND", reason)
    assert listing in message and len(message) < 200


@pytest.mark.parametrize("name", ["Guard", "x" * 10_000, "guard@", "guard@0", "guard@1@1"])
@pytest.mark.parametrize("field", ["npc", "voice"])
async def test_what_can_be_nobodys_name_is_refused_as_such(service, field, name):
    status, _, violation, message = await refusal(service, say(**{field: name}))
    assert status == "INVALID_ARGUMENT" and violation == field and len(message) < 300


@pytest.mark.parametrize(
    "text",
    [
        "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",  # Hebrew
        "\u202eevil\u202c \u0645\u0631\u062d\u0628\u0627",  # Arabic, with an override of direction
        "Halt!\x00\x1b[31m Who \U0001f600 goes there?",
        "e\u0301\u0300\u0301" * 50,
    ],
)
async def test_odd_text_is_spoken_without_what_is_invisible(service, text):
    events = [e async for e in service.stub.Synthesize(say(text, pace=pb.PACE_UNPACED), timeout=10)]
    assert events[-1].WhichOneof("event") == "end"
    assert not set(service.sine.utterances[0].text) & set("\x00\x1b\u202e\u202c\U0001f600")


async def test_a_request_of_100_kb_is_refused_by_its_size(service):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in service.stub.Synthesize(say("a" * 100_000), timeout=10):
            pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # to ask again would not help
    assert str(MAX_REQUEST_BYTES) in caught.value.details()


@pytest.mark.parametrize(
    "data",
    [
        b"\x12\x04\xff\xfe\xfd\xfc",  # text that is not UTF-8
        b"\x12\x7fshort",  # a length beyond the end
        b"\xff" * 40,
    ],
)
async def test_bytes_that_are_no_request_are_refused(service, data):
    call = service.channel.unary_stream("/kani_npc.v1.SpeechService/Synthesize")(data, timeout=10)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "UTF-8" in caught.value.details()


async def test_what_nobody_foresaw_is_internal_with_an_id_and_no_word_of_the_line(
    service, monkeypatch, caplog
):
    def broken(utterance, more=None):
        raise ValueError(f"cannot say {utterance.text}")

    monkeypatch.setattr(service.sine, "synthesize", broken)
    status, info, _, message = await refusal(service, say("my secret plan"))
    assert (status, info.reason) == ("INTERNAL", "INTERNAL")
    assert info.metadata["error_id"] in message and info.metadata["error_id"] in caplog.text
    assert "ValueError" in caplog.text and "broken" in caplog.text  # what and where, for us
    assert "ValueError" not in message and "secret" not in message + caplog.text
    assert (await service.client.server_info()).capacity.active == 0  # and the service goes on


async def test_no_refusal_and_no_log_repeats_a_players_text(service, caplog):
    secret = "my secret plan "
    for request in (say(secret * 1_400), say(secret, seed=-1), say(secret, voice="nobody")):
        *_, message = await refusal(service, request)
        assert "secret" not in message
    assert "secret" not in caplog.text


async def test_refusals_by_the_hundred_cost_nobody_else_anything(service):
    bad = (refusal(service, say("", seed=-1)) for _ in range(200))
    good = service.client.synthesize("Halt!", pace=pb.PACE_UNPACED)
    await asyncio.gather(*bad)
    assert len([audio async for audio in good]) == 5


async def test_a_compressed_request_is_refused_and_not_unfolded(service):
    """50 KB that gRPC would make 50 MB of before anybody could look at them."""
    call = service.channel.unary_unary("/kani_npc.v1.VoiceService/ImportVoice")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(bytes(50 << 20), compression=grpc.Compression.Gzip, timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "gzip" in caught.value.details()
