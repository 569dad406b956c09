"""Recordings for tests of enrolment: sound with the rhythm and harmonics of speech, in any file format."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile

from kani_npc.speaker.enrollment import unit


def speechlike(
    seconds: float = 3.0,
    *,
    rate_hz: int = 16_000,
    pitch_hz: float = 120.0,
    bright: float = 1.0,
    peak: float = 0.5,
    seed: int = 0,
) -> np.ndarray:
    """Syllables of a buzzing source, four a second, with pauses between them. [N] float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * 1.3 * time))) / rate_hz
    harmonics = np.arange(1, int(3_400 / pitch_hz))
    gains = harmonics ** (-1.5 / bright)
    sound = sum(
        g * np.sin(h * phase + rng.uniform(0, 6.28)) for h, g in zip(harmonics, gains, strict=True)
    )
    envelope = np.clip(np.sin(2 * np.pi * 2.0 * time), 0, None) ** 0.5 + 1e-4
    sound = sound * envelope + 1e-4 * rng.standard_normal(len(time))
    return (peak * sound / np.abs(sound).max()).astype(np.float32)


def wav(samples: np.ndarray, rate_hz: int = 16_000, subtype: str = "PCM_16") -> bytes:
    """[N] or [N, channels] as a WAV file."""
    return encoded(samples, rate_hz, "WAV", subtype)


def encoded(
    samples: np.ndarray, rate_hz: int, file_format: str, subtype: str | None = None
) -> bytes:
    """[N] or [N, channels] as a file of any format that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=file_format, subtype=subtype)
    return file.getvalue()


@dataclass
class SpectrumEncoder:
    """The plainest speaker encoder there is: how loud each of twenty-four bands is on average."""

    space: str = "spectrum"
    sample_rate_hz: int = 16_000
    change_threshold: float = 0.98

    def embed(self, samples_N: np.ndarray) -> np.ndarray:
        padded = np.pad(samples_N, (0, max(0, 512 - len(samples_N))))
        frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::256] * np.hanning(512)
        power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)[1:193].reshape(24, 8).mean(axis=1)
        log_power = np.log(power + 1e-9)
        return unit(log_power - log_power.mean() + 1e-6)
