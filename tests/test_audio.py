"""Rounding once, resampling exactly."""

import numpy as np
import soxr
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.audio import StreamResampler, to_float, to_int16

RATES = (8000, 16000, 22050, 24000, 44100, 48000)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)


def test_every_int16_survives_the_way_to_float_and_back():
    every = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(to_int16(to_float(every)), every)
    assert to_float(every).dtype == np.float32


def test_what_is_too_loud_is_clipped_and_not_wrapped():
    loud = np.array([-9.0, -1.0, 0.0, 1.0, 9.0], np.float32)
    np.testing.assert_array_equal(to_int16(loud), [-32768, -32767, 0, 32767, 32767])


@given(
    to_hz=st.sampled_from(RATES),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
    n=st.integers(0, 4000),
)
def test_any_cutting_resamples_to_the_same_bits(to_hz, cuts, n):
    whole = noise(n)
    resampler = StreamResampler(22050, to_hz)
    edges = sorted(min(c, n) for c in cuts)
    pieces = [resampler(part) for part in np.split(whole, edges)] + [resampler.flush()]
    expected = soxr.resample(whole, 22050, to_hz) if n else whole
    np.testing.assert_array_equal(np.concatenate(pieces), expected)


def test_a_stream_without_sound_flushes_to_nothing():
    assert len(StreamResampler(22050, 48000).flush()) == 0
