"""G.711 as everybody computes it, and Ogg Opus that is a whole file however it was cut."""

import hashlib
import io
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.audio import OggOpusStream, to_float, to_mulaw

# Of audioop.lin2ulaw (CPython 3.11, the last but one to have it) for -32768..32767 in the order of their unsigned bits.
AUDIOOP_SHA256 = "617fa4850d68d3906597e949f7625fb2fc46db479e29707f33159b3d131721cb"
SPEECHLIKE = (
    0.4 * np.sin(np.arange(100_000) / 30) * np.sin(np.arange(100_000) / 5000)
    + 0.01 * np.random.default_rng(0).standard_normal(100_000)
).astype(np.float32)


def every_int16() -> np.ndarray:
    return np.arange(65536, dtype=np.uint16).view(np.int16)


def pages(data: bytes) -> list[tuple[int, int, bytes]]:
    """(flags, granule position, body) of each page of an Ogg file."""
    found, at = [], 0
    while at < len(data):
        assert data[at : at + 4] == b"OggS"
        body = at + 27 + data[at + 26]
        end = body + sum(data[at + 27 : body])
        found.append(
            (data[at + 5], int.from_bytes(data[at + 6 : at + 14], "little"), data[body:end])
        )
        at = end
    return found


def encoded(
    samples: np.ndarray, cuts: list[int]
) -> tuple[list[tuple[int, int, bytes]], list[int], list[int]]:
    """All pages, and for each piece given out how much had been fed and where it ends."""
    stream, data, fed, ends = OggOpusStream(), b"", [], []
    for start, end in zip([0, *cuts], [*cuts, len(samples)], strict=True):
        piece = stream(samples[start:end])
        data += piece
        if piece:
            fed.append(end)
            ends.append(stream.end_sample)
    data += stream.flush()
    ends.append(stream.end_sample)
    return pages(data), fed, ends


def test_mulaw_is_what_the_standard_library_made_of_every_sample():
    digest = hashlib.sha256(to_mulaw(to_float(every_int16())).tobytes())
    assert digest.hexdigest() == AUDIOOP_SHA256


def test_mulaw_comes_back_within_half_a_step_and_in_order():
    code = to_mulaw(to_float(np.arange(-32768, 32768).astype(np.int16)))
    mantissa, segment = (~code & 15).astype(int), (~code >> 4 & 7).astype(int)
    size = ((2 * mantissa + 33) << segment) - 33  # G.711's decoder, in 14 bits
    linear = 4 * np.where(code & 128, size, -size)
    error = np.abs(linear - np.arange(-32768, 32768))
    assert (error <= (4 << segment) + 4)[1000:-1000].all()  # clipped beyond 32124
    assert (np.diff(linear) >= 0).all()


@settings(max_examples=20)
@given(st.lists(st.integers(1, 30_000), max_size=12).map(sorted))
def test_any_cutting_gives_the_same_packets(cuts):
    samples = SPEECHLIKE[:30_001]
    whole, _, _ = encoded(samples, [])
    cut, _, ends = encoded(samples, cuts)
    # A page may hold its packets differently grouped; what a decoder gets is their bodies one after the other.
    assert b"".join(body for _, _, body in cut[2:]) == b"".join(body for _, _, body in whole[2:])
    assert ends == sorted(ends) and ends[-1] == len(samples)


def test_the_first_frame_gives_a_page_and_no_sound_waits_for_a_tenth_of_a_second():
    _, fed, ends = encoded(SPEECHLIKE, list(range(3840, len(SPEECHLIKE), 3840)))
    assert fed[0] == 3840 and ends[0] > 0
    lag_ms = [(f - e) / 48 for f, e in zip(fed, ends, strict=False)]
    assert max(lag_ms) < 100


def test_positions_are_of_samples_that_can_be_heard_and_the_last_is_exact():
    all_pages, _, ends = encoded(SPEECHLIKE, [10_000, 50_000])
    delay = int.from_bytes(all_pages[0][2][10:12], "little")
    assert all_pages[0][2].startswith(b"OpusHead") and delay > 0
    granules = [granule for _, granule, _ in all_pages[2:]]
    assert ends[-1] == granules[-1] - delay == len(SPEECHLIKE)
    assert [flags & 4 for flags, _, _ in all_pages] == [0] * (len(all_pages) - 1) + [4]


@pytest.mark.parametrize("num", [1, 300, 960, 3840, 48_000, 99_999])
def test_a_decoder_gets_as_many_samples_as_were_written(num):
    stream = OggOpusStream()
    data = stream(SPEECHLIKE[:num]) + stream.flush()
    samples, rate_hz = soundfile.read(io.BytesIO(data))
    assert (len(samples), rate_hz, stream.end_sample) == (num, 48_000, num)
    if num > 10_000:
        assert np.corrcoef(samples, SPEECHLIKE[:num])[0, 1] > 0.99


def test_a_stream_without_a_sample_is_nothing():
    assert OggOpusStream().flush() == b""


@pytest.mark.skipif(shutil.which("opusdec") is None, reason="a judge where it is installed")
def test_the_reference_decoder_hears_the_same():
    stream = OggOpusStream()
    data = stream(SPEECHLIKE) + stream.flush()
    command = ["opusdec", "--quiet", "--float", "--rate", "48000", "-", "-"]
    made = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    heard = np.frombuffer(made, "<f4")
    ours, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert len(heard) == len(SPEECHLIKE)
    assert np.abs(heard - ours).max() < 1e-3
