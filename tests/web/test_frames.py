"""gRPC-Web's framing, bytes in and bytes out."""

import base64
import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.server.errors import MalformedRequest
from kani_npc.server.web_frames import (
    message_frame,
    message_in,
    metadata_in,
    timeout_in,
    trailers_frame,
)
from tests.web.conftest import parsed


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_message_is_read_as_it_was_framed(message):
    assert message_in(message_frame(message)) == message


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_one_message_or_are_refused(body):
    with suppress(MalformedRequest):
        assert message_frame(message_in(body)) == body


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "five bytes"),
        (b"\0\0\0\0", "five bytes"),
        (b"\1\0\0\0\0", "compressed"),
        (b"\x80\0\0\0\0", "no message"),
        (b"\0\0\0\0\2x", "2 bytes and 1"),
        (b"\0\xff\xff\xff\xffx", "4294967295 bytes and 1"),
        (message_frame(b"one") + message_frame(b"two"), "one message"),
    ],
)
def test_what_is_not_exactly_one_message_is_refused(body, says):
    with pytest.raises(MalformedRequest, match=says):
        message_in(body)


def test_trailers_carry_any_text_and_bytes_in_ascii():
    frame = trailers_frame(
        3, "zwölf % \r\n日本", [("Etag", "abc"), ("details-bin", b"\0\xff\x80\1")]
    )
    _, trailers = parsed(frame)
    assert trailers == {
        "grpc-status": "3",
        "grpc-message": "zw%C3%B6lf %25 %0D%0A%E6%97%A5%E6%9C%AC",
        "etag": "abc",
        "details-bin": "AP+AAQ",
    }


def test_metadata_is_what_the_caller_said_and_not_what_http_said():
    found = metadata_in(
        [
            ("Host", "localhost"),
            ("Content-Type", "application/grpc-web"),
            ("grpc-timeout", "1S"),
            ("Sec-Fetch-Mode", "cors"),
            ("Kani-Project", "saga"),
            ("Kani-Project", "other"),
            ("trace-bin", base64.b64encode(b"\0\1").decode() + ",AP8"),
            ("User-Agent", "Mozilla"),
            ("X-User-Agent", "grpc-web-something/1"),
        ]
    )
    assert found == (
        ("kani-project", "saga"),
        ("kani-project", "other"),
        ("trace-bin", b"\0\1"),
        ("trace-bin", b"\0\xff"),
        ("user-agent", "grpc-web-something/1"),
    )


@pytest.mark.parametrize(
    ("key", "value"), [("trace-bin", "%%%"), ("name", "zwölf"), ("name", "\t")]
)
def test_metadata_that_grpc_could_not_carry_is_refused(key, value):
    with pytest.raises(MalformedRequest):
        metadata_in([(key, value)])


def test_a_deadline_has_up_to_eight_digits_and_a_unit():
    assert timeout_in(None) == math.inf
    assert [timeout_in(f"7{unit}") for unit in "HMSmun"] == pytest.approx(
        [25200, 420, 7, 7e-3, 7e-6, 7e-9]
    )
    for wrong in ("", "7", "S", "-1S", "1.5S", "123456789S", "7s", "٣S"):
        with pytest.raises(MalformedRequest):
            timeout_in(wrong)
