"""Sound as arrays: rounding to int16 at the engine's exit, resampling and encoding at the door.

Mono float32 in -1..1 throughout. Knows no wire and no model.
"""

from functools import cache
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

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


def to_mulaw(samples: FloatArray) -> NDArray[np.uint8]:
    """Samples in -1..1 as G.711 mu-law, one byte each: the nearest int16, its 14 upper bits encoded."""
    return _mulaw_table()[to_int16(samples).view(np.uint16)]


@cache
def _mulaw_table() -> NDArray[np.uint8]:
    """The byte of every int16 sample, [65536], at the index of its unsigned bits. (ITU-T G.711, table 2.)"""
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    biased = np.minimum(np.abs(linear), 8159) + 33  # 33..8192: the leading bit is the segment
    segment = np.minimum(np.frexp(biased.astype(np.float64))[1] - 6, 7)
    step = np.where(biased > 8191, 15, (biased >> (segment + 1)) & 15)
    return (((segment << 4) | step) ^ np.where(linear < 0, 0x7F, 0xFF)).astype(np.uint8)


class OggOpusStream:
    """One stream as an Ogg Opus file, page by page. Any cutting of the samples gives the same packets.

    48 kHz in. A piece may give nothing; `flush` gives what is left and ends the file. A page's position counts samples
    that a decoder has played by its end: the encoder's delay (RFC 7845's pre-skip) is not among them.
    """

    RATE_HZ = 48_000
    PAGE_S = 0.04  # becomes 60 ms, three packets; a page costs 30 bytes beside some 450 of sound

    def __init__(self) -> None:
        self._written = _Written()
        self._file = soundfile.SoundFile(
            self._written,  # pyright: ignore[reportArgumentType]  writes, tells and seeks, which is all that is asked
            "w",
            self.RATE_HZ,
            channels=1,
            format="OGG",
            subtype="OPUS",
        )
        _set_page_latency(self._file, self.PAGE_S)
        self._held = b""  # pages without sound, which wait for the first that has some
        self._delay = 0
        self.end_sample = 0  # position of the end of the last page that was given out

    def __call__(self, samples: FloatArray) -> bytes:
        """The pages that these samples complete, possibly none."""
        if len(samples):
            self._file.write(samples)
        return self._pages()

    def flush(self) -> bytes:
        """The last pages. Of a stream without a sample: none."""
        if not self._written.has_begun:
            return b""
        self._file.close()
        return self._pages()

    def _pages(self) -> bytes:
        data = self._held + self._written.take()
        before, at = self.end_sample, 0
        while at < len(data):  # RFC 3533, section 6
            granule = int.from_bytes(data[at + 6 : at + 14], "little")
            num_segments = data[at + 26]
            body = at + 27 + num_segments
            if data[body : body + 8] == b"OpusHead":
                self._delay = int.from_bytes(data[body + 10 : body + 12], "little")
            self.end_sample = max(self.end_sample, granule - self._delay)
            at = body + sum(data[at + 27 : body])
        self._held = data if self.end_sample == before and not self._file.closed else b""
        return b"" if self._held else data


class _Written:
    """A file in memory that is only ever written at its end, and emptied as it grows."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def has_begun(self) -> bool:
        return self._size > 0

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._size  # asked for the file's length only, before anything is written

    def read(self, size: int = -1) -> bytes:
        raise OSError("only written")


def _set_page_latency(file: soundfile.SoundFile, seconds: float) -> None:
    """Ogg pages of so much sound. libsndfile's own are a second long, and python-soundfile has no name for its command
    (SFC_SET_OGG_PAGE_LATENCY_MS), so that it is given by hand."""
    library: Any = soundfile
    milliseconds = library._ffi.new("double *", seconds * 1000)
    library._snd.sf_command(file._file, 0x1302, milliseconds, library._ffi.sizeof("double"))  # pyright: ignore[reportAttributeAccessIssue]
