"""How near a decoder's copies are to the recordings, and the table of before and after.

Every figure is of one line: its codes decoded, beside its recording. The lines are the same before and after, so the
difference is judged by pairs. Knows no training.
"""

import json
import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from finetune.bootstrap import drawn, interval
from finetune.codec.lines import Line
from kani_npc.codec.protocol import Codec
from kani_npc.codec.source_filter import mel_filters
from kani_npc.speaker.enrollment import unit
from kani_npc.speaker.protocol import SpeakerEncoder
from kani_npc.speech import FloatArray

_WINDOW, _HOP, _BANDS = 1024, 256, 80
_FLOOR = 4e-3  # of magnitudes, some 80 dB below a vowel's
_PESQ_HZ = 16_000
_LEAST_S = 0.5  # of a line, for STOI and PESQ: both look at stretches of some 0.4 s

# What each figure is, and whether more of it is better.
FIGURES = {
    "mel_distance_db": ("mel distance, dB (80 bands, windows of 1024)", False),
    "stft_distance_db": ("STFT distance, dB (windows of 1024)", False),
    "pesq": ("PESQ, wide band (1 to 4.6)", True),
    "stoi": ("STOI (0 to 1)", True),
    "similarity": ("speaker similarity (cosine to the speaker's recordings)", True),
    "pitch_semitones": ("pitch error, semitones", False),
    "voicing_accuracy": ("voiced where the recording is (0 to 1)", True),
}


class SpectralDistance:
    """Mean differences of log magnitudes, in dB."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._mel_GQ = mel_filters(sample_rate_hz, _WINDOW, _BANDS).T
        self._window = torch.hann_window(_WINDOW)

    def __call__(self, made_N: Tensor, true_N: Tensor) -> tuple[float, float]:
        """(mel, STFT)."""
        made, true = self._magnitudes(made_N), self._magnitudes(true_N)
        return _decibels(self._mel_GQ @ made, self._mel_GQ @ true), _decibels(made, true)

    def _magnitudes(self, samples_N: Tensor) -> Tensor:
        return torch.stft(samples_N, _WINDOW, _HOP, window=self._window, return_complex=True).abs()


def _decibels(made: Tensor, true: Tensor) -> float:
    distance = (torch.log(made + _FLOOR) - torch.log(true + _FLOOR)).abs().mean()
    return float(distance) * 20 / math.log(10)


def mel_distance(codec: Codec, lines: Sequence[Line]) -> float:
    """In dB, over all lines: what the best weights are chosen by."""
    distance = SpectralDistance(codec.sample_rate_hz)
    return float(
        np.mean([distance(codec.decode(line.codes_KF).cpu(), line.samples_N)[0] for line in lines])
    )


def speaker_vectors(
    encoder: SpeakerEncoder, lines: Sequence[Line], rate: int
) -> dict[str, FloatArray]:
    """Each speaker's mean embedding, of these lines' recordings."""
    by_speaker: dict[str, list[FloatArray]] = {}
    for line in lines:
        by_speaker.setdefault(line.speaker, []).append(_embed(encoder, line.samples_N, rate))
    return {speaker: unit(np.mean(own, axis=0)) for speaker, own in by_speaker.items()}


def _embed(encoder: SpeakerEncoder, samples_N: Tensor, rate: int) -> FloatArray:
    return encoder.embed(soxr.resample(samples_N.numpy(), rate, encoder.sample_rate_hz))


class Judge:
    """Figures of lines. What is not installed (PESQ, STOI, pyworld) or not given (an encoder) is left out."""

    def __init__(
        self, rate: int, encoder: SpeakerEncoder | None, speakers: dict[str, FloatArray]
    ) -> None:
        self._rate, self._encoder, self._speakers = rate, encoder, speakers
        self._distance = SpectralDistance(rate)
        self._pesq = _pesq() if find_spec("pesq") else None
        self._stoi = _stoi() if find_spec("pystoi") else None
        self._pitch = _pitch(rate) if find_spec("pyworld") else None

    def line(self, samples_N: Tensor, line: Line) -> dict[str, float]:
        """The figures that can be taken of a copy [N] of this line."""
        mel, stft = self._distance(samples_N, line.samples_N)
        found = {"mel_distance_db": mel, "stft_distance_db": stft}
        if line.samples_N.shape[0] >= _LEAST_S * self._rate:
            true, made = (
                soxr.resample(samples.numpy(), self._rate, _PESQ_HZ)
                for samples in (line.samples_N, samples_N)
            )
            if self._pesq and (value := self._pesq(true, made)) is not None:
                found["pesq"] = value
            if self._stoi:
                found["stoi"] = self._stoi(true, made)
        if self._encoder is not None and line.speaker in self._speakers:
            vector = _embed(self._encoder, samples_N, self._rate)
            found["similarity"] = float(vector @ self._speakers[line.speaker])
        if self._pitch:
            found |= self._pitch(line.samples_N.numpy(), samples_N.numpy())
        return found


def _pesq() -> Callable[[FloatArray, FloatArray], float | None]:
    from pesq import PesqError, pesq  # pyright: ignore[reportMissingImports]

    def measure(true: FloatArray, made: FloatArray) -> float | None:
        try:
            return float(pesq(_PESQ_HZ, true, made, "wb"))
        except PesqError:  # it finds no utterance in what is nearly silent
            return None

    return measure


def _stoi() -> Callable[[FloatArray, FloatArray], float]:
    from pystoi import stoi  # pyright: ignore[reportMissingImports]

    return lambda true, made: float(stoi(true, made, _PESQ_HZ))


def _pitch(rate: int) -> Callable[[FloatArray, FloatArray], dict[str, float]] | None:
    from finetune.tiny.data import SAMPLE_RATE_HZ, f0_track

    def measure(true: FloatArray, made: FloatArray) -> dict[str, float]:
        wanted, found = f0_track(true), f0_track(made)
        both = (wanted > 0) & (found > 0)
        figures = {"voicing_accuracy": float(((wanted > 0) == (found > 0)).mean())}
        if both.any():
            error = np.abs(12 * np.log2(found[both] / wanted[both]))
            figures["pitch_semitones"] = float(error.mean())
        return figures

    return measure if rate == SAMPLE_RATE_HZ else None


def compare(judge: Judge, base: Codec, tuned: Codec, lines: Sequence[Line]) -> dict[str, Any]:
    """Means before and after, and what the difference is worth: 95 % of the resampled lines' mean differences."""
    before = [judge.line(base.decode(line.codes_KF).cpu(), line) for line in lines]
    after = [judge.line(tuned.decode(line.codes_KF).cpu(), line) for line in lines]
    recorded = [judge.line(line.samples_N, line) for line in lines]
    figures: dict[str, Any] = {}
    for name in FIGURES:
        pairs = [
            (b[name], a[name], r[name])
            for b, a, r in zip(before, after, recorded, strict=True)
            if name in b and name in a and name in r
        ]
        if not pairs:
            continue
        values_LC = np.array(pairs)
        gain_L = values_LC[:, 1] - values_LC[:, 0]
        figures[name] = {
            "before": float(values_LC[:, 0].mean()),
            "after": float(values_LC[:, 1].mean()),
            "recording": float(values_LC[:, 2].mean()),
            "difference": float(gain_L.mean()),
            "interval": interval(gain_L[drawn(len(gain_L))].mean(axis=1)),
            "lines": len(pairs),
        }
    seconds = sum(line.samples_N.shape[0] for line in lines) / base.sample_rate_hz
    return {"lines": len(lines), "seconds": round(seconds, 1), "figures": figures}


def markdown(report: dict[str, Any]) -> str:
    """The table for people."""
    test = report["test"]
    rows = [
        "# Codec adaptation",
        "",
        f"{report['lines']['train']} lines ({report['minutes']['train']:.1f} min) trained on, "
        f"{report['lines']['validation']} to choose by; {test['lines']} lines ({test['seconds']:.0f} s) for this "
        "table, which nothing else was done with.",
        f"{report['steps']} steps, the weights of step {report['best_step']} kept.",
        "",
        "| on held-out lines | before | after | difference (95 %) | recording |",
        "|---|---|---|---|---|",
    ]
    for name, (words, up) in FIGURES.items():
        if name not in test["figures"]:
            rows.append(f"| {words} | - | - | not measured | - |")
            continue
        f = test["figures"][name]
        low, high = f["interval"]
        better = "better" if (low > 0 if up else high < 0) else ""
        worse = "worse" if (high < 0 if up else low > 0) else ""
        verdict = better or worse or "no clear difference"
        rows.append(
            f"| {words} | {f['before']:.3f} | {f['after']:.3f} | {f['difference']:+.3f} "
            f"({low:+.3f} to {high:+.3f}), {verdict} | {f['recording']:.3f} |"
        )
    rows += ["", f"Delta: {report['delta_bytes'] / 1e6:.2f} MB." if report["delta_bytes"] else ""]
    return "\n".join(rows).rstrip() + "\n"


def write(report: dict[str, Any], folder: Path) -> None:
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")
