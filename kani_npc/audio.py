"""Sound as arrays: rounding to int16 at the engine's exit, resampling at the door.

Mono float32 in -1..1 throughout. Knows no wire and no model.
"""

import numpy as np
import soxr

from kani_npc.speech import FloatArray, Int16Array

INT16_SCALE = 32767  # both ways, so that an int16 sample comes back as itself


def to_int16(samples: FloatArray) -> Int16Array:
    """Samples in -1..1 to int16: times 32767, half to even, clipped."""
    return np.clip(np.rint(samples * INT16_SCALE), -32768, 32767).astype(np.int16)


def to_float(samples: Int16Array) -> FloatArray:
    """Int16 samples as float32 in -1..1; `to_int16` gives them back exactly."""
    return samples.astype(np.float32) / np.float32(INT16_SCALE)


class StreamResampler:
    """Changes the sample rate of one stream. Any cutting of the input gives the samples of one whole conversion.

    In float32 only: int16 streams of soxr 1.1 differ from run to run by up to 2 steps. It holds back up to a frame
    at first, so a piece may give nothing; `flush` gives what is left and ends the stream.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = soxr.ResampleStream(from_hz, to_hz, num_channels=1, dtype="float32")

    def __call__(self, samples: FloatArray) -> FloatArray:
        """The next samples at the new rate, possibly none."""
        return self._stream.resample_chunk(samples)

    def flush(self) -> FloatArray:
        """The last samples."""
        return self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
