"""From the bytes of an uploaded clip to mono sound that a voice can be made of, or to the reason why not.

Nothing in a file is believed: what its header claims is checked before a sample is decoded, and decoding stops at the
length that is allowed, whatever the header said. Sound is decoded, mixed and resampled in pieces, so memory is bounded
by MAX_CLIP_S at the encoder's rate and not by what a file unfolds into. Meant to run in `worker`'s process. Knows no
encoder.

The words of `BadAudio.reason`: unreadable, truncated, unsupported, too_large, too_long, non_finite, silence, clipping,
too_little_speech, several_speakers (the last is found by `enrollment`).
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import soundfile

from kani_npc.audio import StreamResampler
from kani_npc.errors import BadAudio
from kani_npc.speech import FloatArray

MAX_CLIP_BYTES = 32 << 20
MAX_CLIP_S = 60.0
MIN_SPEECH_S = 1.0
FRAME_S = 0.02
SAMPLE_RATES_HZ = (8_000, 192_000)
MAX_CHANNELS = 2

# Shares and levels, as the documentation states them.
MAX_CLIPPED_SHARE = 0.005  # of all samples; speech that is heard to be distorted has some per cent
FULL_SCALE = 0.999
SILENCE_DBFS = -55.0  # of the loud frames
SPEECH_BELOW_LOUD_DB = 30.0  # quieter than the loud frames by more is pause
SPEECH_OVER_FLOOR_DB = 9.0
# Speech always has closures and pauses well below its vowels. A steady hum, a tone or a fan has not.
LEAST_MODULATION_DB = 10.0

_SPARE_S = 0.15  # MP3 and OGG pad with up to a frame or two
_BLOCK_FRAMES = 1 << 15
_FORMATS = {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"}
_UNKNOWN_LENGTH = 0x7FFF_F000  # what programs that write to a pipe put for a length, or more


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip that was found good enough, and what was found."""

    samples: FloatArray  # mono, at the encoder's rate
    sample_rate_hz: int
    is_speech: np.ndarray  # bool, one for each whole frame of 20 ms
    file_format: str
    file_rate_hz: int
    channels: int
    clipped_share: float
    level_dbfs: float  # of the loud frames

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz

    @property
    def speech_s(self) -> float:
        return float(self.is_speech.sum()) * FRAME_S


def read(data: bytes, sample_rate_hz: int, *, field: str) -> Recording:
    """A clip as mono sound at `sample_rate_hz`, checked. Raises `BadAudio` for `field`."""
    file = _open(data, field)
    with file:
        rate, channels = file.samplerate, file.channels
        resample = StreamResampler(rate, sample_rate_hz) if rate != sample_rate_hz else None
        pieces: list[FloatArray] = []
        frames = clipped = 0
        for block in _blocks(file, field):
            frames += len(block)
            if frames > (MAX_CLIP_S + _SPARE_S) * rate:
                _too_long(field)
            if not np.isfinite(block).all():
                raise BadAudio(
                    "the clip has samples that are no numbers", reason="non_finite", field=field
                )
            clipped += int((np.abs(block) >= FULL_SCALE).sum())
            mono = block.mean(axis=1)
            pieces.append(resample(mono) if resample else mono)
        if resample:
            pieces.append(resample.flush())
        declared, file_format = file.frames, file.format
    if frames == 0 or frames < declared * 0.98:
        _truncated(field)

    samples = np.concatenate(pieces)
    levels = levels_dbfs(samples, sample_rate_hz)
    loud = float(np.quantile(levels, 0.95)) if len(levels) else -math.inf
    if loud < SILENCE_DBFS:
        raise BadAudio(
            f"the clip is silent: its loud parts are below {SILENCE_DBFS:.0f} dBFS",
            reason="silence",
            field=field,
        )
    clipped_share = clipped / (frames * channels)
    if clipped_share > MAX_CLIPPED_SHARE:
        raise BadAudio(
            f"the clip is clipped: {clipped_share:.1%} of its samples are at full scale, {MAX_CLIPPED_SHARE:.1%} "
            "may be; record it at a lower level",
            reason="clipping",
            field=field,
        )
    recording = Recording(
        samples,
        sample_rate_hz,
        _speech(levels, loud),
        file_format,
        rate,
        channels,
        clipped_share,
        loud,
    )
    if recording.speech_s < MIN_SPEECH_S:
        raise BadAudio(
            f"the clip has {recording.speech_s:.2f} s of speech; {MIN_SPEECH_S:.0f} s is needed",
            reason="too_little_speech",
            field=field,
        )
    return recording


def _open(data: bytes, field: str) -> soundfile.SoundFile:
    if len(data) > MAX_CLIP_BYTES:
        raise BadAudio(
            f"the clip has {len(data) >> 20} MiB; {MAX_CLIP_BYTES >> 20} MiB may be",
            reason="too_large",
            field=field,
        )
    if not _is_familiar(data):
        raise BadAudio("the clip is not WAV, FLAC, OGG or MP3", reason="unreadable", field=field)
    if data[:4] == b"RIFF":
        _check_riff(data, field)
    if data[:4] == b"OggS":
        _check_ogg(data, field)
    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.LibsndfileError, ValueError, TypeError, OverflowError):
        raise BadAudio(
            "the clip cannot be read; its header is damaged", reason="unreadable", field=field
        ) from None
    low, high = SAMPLE_RATES_HZ
    problem = None
    if file.format not in _FORMATS:
        problem = f"the clip is {file.format}; WAV, FLAC, OGG and MP3 are read"
    elif not low <= file.samplerate <= high:
        problem = f"the clip has {file.samplerate} samples a second; {low} to {high} are read"
    elif not 1 <= file.channels <= MAX_CHANNELS:
        problem = f"the clip has {file.channels} channels; mono and stereo are read"
    if problem:
        file.close()
        raise BadAudio(problem, reason="unsupported", field=field)
    if file.frames > (MAX_CLIP_S + _SPARE_S) * file.samplerate:
        file.close()
        _too_long(field)
    return file


def _blocks(file: soundfile.SoundFile, field: str) -> Iterator[FloatArray]:
    """The file's sound in pieces [frames, channels]."""
    while True:
        try:
            block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, ValueError):
            _truncated(field)
        if len(block) == 0:
            return
        yield np.asarray(block, dtype=np.float32)


def _is_familiar(data: bytes) -> bool:
    return (
        data[:4] in (b"RIFF", b"RF64", b"fLaC", b"OggS")
        or data[:3] == b"ID3"
        or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)
    )


def _check_riff(data: bytes, field: str) -> None:
    """A WAV's sound is as long as its header says: the decoder would take what is there."""
    at, bytes_a_second = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt " and at + 20 <= len(data):
            bytes_a_second = int.from_bytes(data[at + 16 : at + 20], "little")
        if name == b"data":
            if size < _UNKNOWN_LENGTH and at + 8 + size > len(data):
                if bytes_a_second and size > (MAX_CLIP_S + _SPARE_S) * bytes_a_second:
                    _too_long(field)
                _truncated(field)
            return
        at += 8 + size + size % 2
    _truncated(field)


def _check_ogg(data: bytes, field: str) -> None:
    """The last page is whole."""
    page = data.rfind(b"OggS")
    segments = data[page + 27 : page + 27 + data[page + 26]] if page + 26 < len(data) else b""
    if page + 27 > len(data) or len(segments) < data[page + 26]:
        _truncated(field)
    if page + 27 + len(segments) + sum(segments) > len(data):
        _truncated(field)


def _too_long(field: str) -> NoReturn:
    raise BadAudio(
        f"the clip is longer than {MAX_CLIP_S:.0f} s; cut it", reason="too_long", field=field
    )


def _truncated(field: str) -> NoReturn:
    raise BadAudio(
        "the clip breaks off before its end; upload it again", reason="truncated", field=field
    )


def levels_dbfs(samples: FloatArray, sample_rate_hz: int) -> FloatArray:
    """dBFS of each whole frame of 20 ms."""
    length = round(FRAME_S * sample_rate_hz)
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    return 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-12)


def _speech(levels: FloatArray, loud: float) -> np.ndarray:
    """Which frames are speech, by their energy: near the loud ones, and clear of the recording's floor."""
    floor = float(np.quantile(levels, 0.1))
    if loud - floor < LEAST_MODULATION_DB:
        return np.zeros(len(levels), dtype=bool)
    # A recording without pauses has a floor that is speech; it must not push the threshold to the vowels.
    threshold = max(loud - SPEECH_BELOW_LOUD_DB, min(floor + SPEECH_OVER_FLOOR_DB, loud - 15))
    return levels > threshold
