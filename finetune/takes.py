"""One take of one line, from an actor's file to the sound that is trained on, or to the word for why not.

Checks, mixes to mono, resamples, trims, brings to one loudness, pads to whole frames. Unlike an upload to the service,
files come from the studio's own disk and takes may be short or long; what is measured is kept for the data report.
Knows no codec, no text and no other take.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
import soxr

from kani_npc.speaker.recording import (
    FRAME_S,
    FULL_SCALE,
    MAX_CLIPPED_SHARE,
    SAMPLE_RATES_HZ,
    SILENCE_DBFS,
    levels_dbfs,
)
from kani_npc.speech import FloatArray

LOUDNESS_LUFS = -23.0  # EBU R 128; about -20 dBFS of speech
PEAK = 0.95
LEAD_IN_S, TAIL_S = 0.04, 0.1
MIN_S, MAX_S = 0.3, 40.0  # of speech; the published model was trained up to 40 s
MAX_FILE_S = 120.0
LEAST_SNR_DB = 12.0


class Rejected(Exception):
    """A take that is not trained on. `reason` is one word of REASONS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


REASONS = {
    "missing": "there is no such file",
    "bad_row": "the line of the manifest cannot be read",
    "wrong_rate": "a file of less than 8 or more than 192 kHz",
    "unreadable": "the file is no sound, or breaks off",
    "non_finite": "samples that are no numbers",
    "silence": "nothing above -55 dBFS",
    "too_short": "less than 0.3 s between its silences",
    "too_long": "more than 40 s between its silences, or the longest that was asked for",
    "clipping": "more than 0.5 % of the samples at full scale",
    "noise": "the pauses are less than 12 dB below the speech",
    "no_text": "no letter and no digit in the text",
    "text_mismatch": "far more or fewer characters a second than the others have, or other words are heard",
    "other_speaker": "the speaker encoder hears somebody else than in the others",
}


@dataclass(frozen=True, slots=True)
class Take:
    """Sound that can be trained on, and what was found of the file that it came from."""

    samples: FloatArray  # mono, whole frames
    speech_s: float  # between the silences around it
    file_rate_hz: int
    channels: int
    loudness_lufs: float  # of the file
    clipped_share: float
    snr_db: float


def read(path: Path, sample_rate_hz: int, samples_per_frame: int, *, max_s: float = MAX_S) -> Take:
    """A file's take at `sample_rate_hz`. Raises `Rejected`."""
    if not path.is_file():
        raise Rejected("missing")
    try:
        with soundfile.SoundFile(path) as file:
            if not SAMPLE_RATES_HZ[0] <= file.samplerate <= SAMPLE_RATES_HZ[1]:
                raise Rejected("wrong_rate", f"{file.samplerate} Hz")
            if file.frames > MAX_FILE_S * file.samplerate:
                raise Rejected("too_long", f"a file of {file.frames / file.samplerate:.0f} s")
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
            is_whole = len(samples) >= 0.98 * file.frames
    except (OSError, ValueError, soundfile.LibsndfileError) as error:
        raise Rejected("unreadable") from error
    if not is_whole or len(samples) == 0:
        raise Rejected("unreadable")
    if not np.isfinite(samples).all():
        raise Rejected("non_finite")
    clipped_share = float((np.abs(samples) >= FULL_SCALE).mean())
    if clipped_share > MAX_CLIPPED_SHARE:
        raise Rejected("clipping", f"{clipped_share:.1%}")
    mono = soxr.resample(samples.mean(axis=1), rate, sample_rate_hz)
    first, end, snr_db = find_speech(mono, sample_rate_hz)
    speech_s = (end - first) / sample_rate_hz
    if speech_s < MIN_S:
        raise Rejected("too_short", f"{speech_s:.2f} s")
    if speech_s > max_s:
        raise Rejected("too_long", f"{speech_s:.1f} s")
    if snr_db < LEAST_SNR_DB:
        raise Rejected("noise", f"{snr_db:.0f} dB")
    lead_in, tail = round(LEAD_IN_S * sample_rate_hz), round(TAIL_S * sample_rate_hz)
    cut = np.pad(mono, (lead_in, tail))[first : end + lead_in + tail]
    loudness = _loudness(mono[first:end], sample_rate_hz)
    gain = min(10 ** ((LOUDNESS_LUFS - loudness) / 20), PEAK / float(np.abs(cut).max()))
    padded = np.pad(cut * np.float32(gain), (0, -len(cut) % samples_per_frame))
    return Take(
        padded.astype(np.float32),
        speech_s,
        rate,
        samples.shape[1],
        loudness,
        clipped_share,
        snr_db,
    )


def find_speech(samples: FloatArray, rate: int) -> tuple[int, int, float]:
    """Where speech begins and ends, and how far its loud parts are above its quiet ones, in dB. Raises `Rejected`."""
    length, levels = round(FRAME_S * rate), levels_dbfs(samples, rate)
    if len(levels) == 0:
        raise Rejected("too_short")
    loud, floor = float(np.quantile(levels, 0.95)), float(np.quantile(levels, 0.05))
    if loud < SILENCE_DBFS:
        raise Rejected("silence")
    # Well below the vowels, and above what the room makes.
    sounding = np.flatnonzero(levels > max(loud - 35, min(floor + 6, loud - 15)))
    return int(sounding[0]) * length, (int(sounding[-1]) + 1) * length, loud - floor


def _loudness(samples: FloatArray, rate: int) -> float:
    """Integrated, in LUFS (ITU-R BS.1770). Its blocks are 0.4 s: a shorter take is repeated."""
    block = math.ceil(0.4 * rate) + 1
    repeated = (
        np.tile(samples, math.ceil(block / len(samples))) if len(samples) < block else samples
    )
    loudness = float(pyloudnorm.Meter(rate).integrated_loudness(repeated))
    return loudness if math.isfinite(loudness) else -70.0
