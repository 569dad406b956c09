"""Enrolling over gRPC-Web: the same voice, the same refusals and the same reports as over gRPC."""

import base64

import pytest
from google.rpc import error_details_pb2, status_pb2

from kani_npc.v1 import voice_service_pb2 as pb
from tests.support.clips import encoded, speechlike, wav
from tests.support.serving import SYNTHETIC, said
from tests.web.conftest import Answer

NOISE = b"no sound at all"


def request(*clips: bytes, consent=SYNTHETIC) -> pb.EnrollVoiceRequest:
    return pb.EnrollVoiceRequest(voice=pb.Voice(id="ada", consent=consent), clips=clips)


def info(answer: Answer) -> error_details_pb2.ErrorInfo:
    data = answer.trailers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(data + "=" * (-len(data) % 4)))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


@pytest.mark.timeout(300)  # a worker is a fresh Python with torch, of the least priority
async def test_a_voice_enrolled_by_a_browser_speaks_in_a_games_next_line(web):
    # Twelve megabytes: no line of any other method may be as long.
    sound = speechlike(30.0, rate_hz=48_000)
    clips = [
        wav(sound, 48_000, "FLOAT"),
        wav(sound, 48_000, "FLOAT"),
        encoded(speechlike(), 16_000, "OGG"),
    ]
    answer = await web.call("VoiceService/EnrollVoice", request(*clips))
    assert answer.code == 0, answer.trailers
    enrolled = pb.EnrollVoiceResponse.FromString(answer.messages[0])
    assert (enrolled.voice.id, enrolled.voice.source) == ("ada", pb.VOICE_SOURCE_ENROLLED)
    assert [clip.file_format for clip in enrolled.clips] == ["WAV", "WAV", "OGG"]
    speech = await said(web.grpc, voice="ada")
    assert speech.header and speech.header.voice_revision == 1


@pytest.mark.timeout(300)
async def test_what_cannot_be_enrolled_is_refused_by_name(web):
    answer = await web.call("VoiceService/EnrollVoice", request(NOISE))
    assert answer.code == 3 and info(answer).reason == "BAD_AUDIO"
    assert info(answer).metadata["audio"] == "unreadable"
    answer = await web.call("VoiceService/EnrollVoice", request(NOISE, consent=None))
    assert answer.code == 9 and info(answer).reason == "CONSENT_REQUIRED"
