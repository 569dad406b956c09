"""Trains the lip shapes of `kani_npc/lips.py` on what synthetic teachers say of their own phones, and judges them.

    python -m finetune.lips            speaks, trains, judges, writes kani_npc/lips.safetensors and docs/lips.json

flite says when each phone of a line ends (`-psdur`), so every 20 ms of its speech has a true viseme. The network hears
that speech at random levels, with formants moved by resampling, and as the codec's copy of it, which is what the
service sends. Judged on voices that were left out: one training without each of the four, so the network that is
shipped, which has heard them all, is better than what is reported. About ten minutes on two cores.
"""

import json
import math
import random
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import soxr
import torch
import torch.nn.functional as F
import typer
from safetensors.torch import save_file
from torch import Tensor, nn

from finetune.tiny.lines import mixed
from kani_npc.codec.source_filter import ENCODER_FILE, SourceFilterCodec
from kani_npc.lips import HOPS_PER_S, NUM_MELS, OPENNESS, VISEMES, Spectra
from kani_npc.speech import FloatArray

CODEC, ASSETS = Path("kani_npc/tiny/codec"), Path("finetune/assets/tiny")
RATE_HZ = 22_050
VOICES = ("slt", "rms", "awb", "kal16")
STRETCHES = (0.88, 1.0, 1.12)
UNITS = 80
# flite's phones (CMU's radio set) to the common visemes. `hh` takes the shape of the phone after it.
_PHONES = {
    "sil": "pau h# brth sil", "PP": "p b m", "FF": "f v", "TH": "th dh", "DD": "t d dx", "kk": "k g",
    "CH": "ch jh sh zh", "SS": "s z", "nn": "n l ng en el nx em", "RR": "r er axr", "aa": "aa ae ah ay aw ax",
    "E": "eh ey", "ih": "ih iy ix y", "oh": "ao ow oy", "ou": "uw uh w",
}  # fmt: skip
VISEME_OF = {phone: viseme for viseme, phones in _PHONES.items() for phone in phones.split()}


@dataclass(frozen=True, slots=True)
class Line:
    """What a teacher said: its spectra [H, M], as it is and as the codec's copy, and the true visemes [H]."""

    voice: str
    spectra: tuple[FloatArray, ...]
    visemes_H: np.ndarray
    level_H: FloatArray  # dB, for the baseline that knows nothing else


def speak(voice: str, text: str, stretch: float) -> tuple[FloatArray, list[tuple[str, float]]]:
    """Samples at 22 050 Hz, and its phones with the second at which each ends. Raises `CalledProcessError`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.wav"
        stretched = f"duration_stretch={stretch}"
        command = [
            "flite",
            "-voice",
            voice,
            "--setf",
            stretched,
            "-psdur",
            "-t",
            text,
            "-o",
            str(path),
        ]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        samples, rate_hz = soundfile.read(path, dtype="float32")
    # Slower, then faster again: the pace stays, the formants move.
    samples = soxr.resample(samples, rate_hz * stretch, RATE_HZ)
    phones = [pair.rpartition(":") for pair in said.split()]
    return samples, [(phone, float(end) / stretch) for phone, _, end in phones]


def visemes_at(phones: Sequence[tuple[str, float]], hops: int) -> np.ndarray:
    """The viseme in the middle of each hop, as an index: [H]."""
    names = [VISEME_OF.get(phone, "") for phone, _ in phones]
    for i in reversed(range(len(names))):
        if not names[i]:  # hh
            names[i] = names[i + 1] if i + 1 < len(names) else "sil"
    middles = (np.arange(hops) + 0.5) / HOPS_PER_S
    which = np.searchsorted([end for _, end in phones], middles).clip(max=len(phones) - 1)
    return np.array([VISEMES.index(name) for name in names])[which]


def corpus(lines_each: int, seed: int) -> list[Line]:
    """Every voice says its own lines, none of which is of those that `tiny` is judged by."""
    texts = mixed(seed, held_out=False)
    chance = random.Random(seed)
    asked = [
        (voice, next(texts), STRETCHES[chance.choice((0, 1, 1, 2))])
        for voice in VOICES
        for _ in range(lines_each)
    ]
    codec = SourceFilterCodec.from_folder(CODEC, encoder=ASSETS / ENCODER_FILE)
    with ThreadPoolExecutor(2) as pool:
        spoken = list(pool.map(lambda one: speak(*one), asked))
    return [_line(voice, *said, codec) for (voice, _, _), said in zip(asked, spoken, strict=True)]


def _line(
    voice: str, samples: FloatArray, phones: list[tuple[str, float]], codec: SourceFilterCodec
) -> Line:
    whole = np.pad(samples, (0, -len(samples) % codec.samples_per_frame)).astype(np.float32)
    with torch.inference_mode():
        copy = codec.decode(codec.encode(torch.from_numpy(whole))).numpy()
    mels = [Spectra(RATE_HZ)(sound) for sound in (whole, copy)]
    hop = RATE_HZ // HOPS_PER_S
    frames = whole[: len(mels[0]) * hop].reshape(-1, hop)
    level = 10 * np.log10((frames**2).mean(1) + 1e-8)
    return Line(voice, tuple(mels), visemes_at(phones, len(mels[0])), level.astype(np.float32))


class Shaper(nn.Module):
    """What `kani_npc.lips.Network` runs, hop by hop."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean_M: Tensor, scale_M: Tensor, units: int = UNITS) -> None:
        super().__init__()
        self.register_buffer("mean", mean_M)
        self.register_buffer("scale", scale_M)
        self.gru = nn.GRU(NUM_MELS, units, batch_first=True)
        self.head = nn.Linear(units, len(VISEMES))

    def forward(self, mels_BHM: Tensor) -> Tensor:
        """Scores [B, H, V]."""
        hidden, _ = self.gru((mels_BHM - self.mean) * self.scale)
        return self.head(hidden)


def train(lines: Sequence[Line], *, epochs: int, seed: int) -> Shaper:
    """On crops of two seconds."""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    every = torch.from_numpy(np.concatenate([mel for line in lines for mel in line.spectra]))
    shaper = Shaper(every.mean(0), 1 / every.std(0).clamp(min=0.1))
    crop, batch = 2 * HOPS_PER_S, 32
    steps = epochs * max(1, 2 * sum(len(line.visemes_H) for line in lines) // (crop * batch))
    optimiser = torch.optim.AdamW(shaper.parameters(), lr=4e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, steps)
    for step in range(steps):
        mels_BHM = torch.zeros(batch, crop, NUM_MELS)
        truth_BH = torch.full((batch, crop), -100)
        for b in range(batch):
            line = chance.choice(lines)
            start = chance.randrange(max(1, len(line.visemes_H) - crop))
            mel = _another_voice(chance.choice(line.spectra)[start : start + crop], chance)
            mels_BHM[b, : len(mel)] = torch.from_numpy(mel)
            truth_BH[b, : len(mel)] = torch.from_numpy(line.visemes_H[start : start + crop])
        scores = shaper(mels_BHM)
        # The state of a crop that starts in the middle of a word knows nothing yet.
        loss = F.cross_entropy(
            scores[:, 5:].flatten(0, 1), truth_BH[:, 5:].flatten(), label_smoothing=0.05
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(shaper.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} of {steps}: {loss.item():.3f}", flush=True)
    return shaper.eval()


def _another_voice(mel_HM: FloatArray, chance: random.Random) -> FloatArray:
    """The same speech from another mouth and microphone: formants and tilt moved, -24 to +6 dB."""
    bands = np.arange(NUM_MELS)
    from_band = (bands * chance.uniform(0.92, 1.08) + chance.uniform(-1, 1)).clip(0, NUM_MELS - 1)
    low = np.floor(from_band).astype(int).clip(max=NUM_MELS - 2)
    moved = mel_HM[:, low] + (from_band - low) * (mel_HM[:, low + 1] - mel_HM[:, low])
    tilt = chance.uniform(-1.5, 1.5) * (bands / NUM_MELS - 0.5)
    return (moved + tilt + math.log(10) / 10 * chance.uniform(-24, 6)).astype(np.float32)


@torch.inference_mode()
def judge(shaper: Shaper, lines: Sequence[Line], trained_on: Sequence[Line]) -> dict[str, Any]:
    """Shares of hops whose likeliest viseme is the true one, beside two that hear less.

    The majority baseline always says the commonest viseme. The energy baseline knows each hop's level in steps of 3 dB,
    and says what was commonest at that level in training.
    """
    truth = np.concatenate([line.visemes_H for line in lines])
    count = np.bincount(np.concatenate([line.visemes_H for line in trained_on]), minlength=15)
    by_level = np.zeros((64, len(VISEMES)))
    for line in trained_on:
        np.add.at(by_level, (_steps(line.level_H), line.visemes_H), 1)
    best = np.where(by_level.sum(1) > 0, by_level.argmax(1), count.argmax())
    level = np.concatenate([best[_steps(line.level_H)] for line in lines])
    heard: dict[str, Any] = {
        "hops": len(truth),
        "majority": float((truth == count.argmax()).mean()),
        "energy": float((truth == level).mean()),
        "openness_error_energy": float(np.abs(OPENNESS[level] - OPENNESS[truth]).mean()),
    }
    for i, what in enumerate(("speech", "codec_copy")):
        rows = [shaper(torch.from_numpy(line.spectra[i])[None])[0].softmax(-1) for line in lines]
        weights = torch.cat(rows).numpy()
        heard[what] = float((weights.argmax(1) == truth).mean())
        near = weights.argsort(1)[:, -3:]
        heard[f"{what}_in_best_three"] = float((near == truth[:, None]).any(1).mean())
        heard[f"openness_error_{what}"] = float(np.abs(weights @ OPENNESS - OPENNESS[truth]).mean())
    return {key: round(value, 4) for key, value in heard.items()}


def _steps(level_H: FloatArray) -> np.ndarray:
    return ((level_H + 90) / 3).astype(int).clip(0, 63)


def main(
    lines_each: Annotated[int, typer.Option(help="Of each of the four voices.")] = 300,
    epochs: int = 16,
    threads: int = 2,
    seed: int = 0,
    weights: Path = Path("kani_npc/lips.safetensors"),
    report: Path = Path("docs/lips.json"),
) -> None:
    """Speaks, trains, judges, writes."""
    torch.set_num_threads(threads)
    lines = corpus(lines_each, seed)
    figures: dict[str, Any] = {}
    for voice in VOICES:
        others = [line for line in lines if line.voice != voice]
        left_out = [line for line in lines if line.voice == voice]
        figures[voice] = judge(train(others, epochs=epochs, seed=seed), left_out, others)
        print(voice, figures[voice], flush=True)
    shaper = train(lines, epochs=epochs, seed=seed)
    save_file({name: tensor.contiguous() for name, tensor in shaper.state_dict().items()}, weights)
    what = "share of 20 ms hops whose likeliest viseme is the teacher's, on voices left out of training"
    report.write_text(
        json.dumps({"what": what, "lines_each": lines_each, "voices": figures}, indent=2) + "\n"
    )


if __name__ == "__main__":
    typer.run(main)
