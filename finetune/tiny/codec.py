"""Trains the source-filter codec: first encoder and decoder together, then the decoder alone on the codes of
`encode`, while the language model already trains on them. Both stages hear the crowd's vocal-tract scalings too: a
decoder that has not heard them gives their codes the voice of the nearest speaker that it knows.

The true pitch drives the source while training, so that the spectral losses compare like with like; pitch and
voicing learn from losses of their own. Mel cepstra are compared as well: STFT losses spend themselves on noise and on
what lies between harmonics.

Resumable: the newest checkpoint holds everything, the batch of a step is a function of seed and step. The learning rate
follows steps or minutes, whichever is further, so a busy machine ends with fewer steps, not with an unfinished decay.

Files in the recipe's folder: `codec_joint.pt` and `codec_decoder.pt` (checkpoints of the two stages),
`codec_log.jsonl` (a row every fifty steps), and `codec/` (the exported codec, its encoder's weights included).

Shapes: B rows, N samples, T hops, as in `kani_npc.codec.source_filter`.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from finetune.device import AUTO, autocast, device_of
from finetune.speaking import TINY_CODEC_ENCODER
from finetune.tiny import crowd
from finetune.tiny.data import SAMPLES_PER_HOP, shards
from finetune.tiny.encode import shard_codes
from finetune.tiny.teachers import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, VOICES
from finetune.tiny.together import ALONE, Team, check_processes, train_together
from kani_npc.codec.source_filter import (
    ENCODER_FILE,
    HOPS_PER_FRAME,
    Pitch,
    SourceFilterCodec,
    SourceFilterConfig,
    SynthesisState,
    Tails,
    mel_filters,
)
from kani_npc.errors import CodecError

BATCH = 8
FRAMES_PER_SEGMENT = 16
CHECKPOINT_EVERY = 250
LOG_EVERY = 50

_WARM_UP_STEPS = 100
_PEAK_RATE = {"joint": 8e-4, "decoder": 5e-4}
_LAST_RATE = {"joint": 0.08, "decoder": 0.02}  # of the peak
RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128), (256, 64))  # window, hop
_CEPSTRAL_WEIGHT = 3.0  # beside the STFT's
_NEARLY_NONE = 0.01  # of a new block's outputs; with none its other weights had no gradients

# Blocks at 12.5 Hz cost a stream next to nothing. With two, and two for the pitch, the decoder did not say all that is
# in the codes: a network with five came nearer to the teachers' cepstra in a tenth of the training.
DIMS = SourceFilterConfig(frame_blocks=6, pitch_blocks=4)
# The decoder alone hears so many times as much of the voices whose copies were understood worst, beside their teachers.
_TIMES = {"mira": 2, "tobin": 3, "greta": 4, "finn": 2}
_TIMES_CROWD = 2


def run(
    folder: Path,
    *,
    steps: int = 12_000,
    minutes: float = 30.0,
    freeze_encoder: bool = False,
    init: Path | None = None,
    threads: int = 2,
    processes: int = 1,
    seed: int = 0,
    device: str = AUTO,
) -> None:
    """Trains one stage to its end, or on from its newest checkpoint, and exports the codec.

    `init` is a codec folder that the first stage begins with, such as the shipped one; with no steps it stays as it is.
    `processes` share each step and the `threads`, on a CPU. Raises `ModelError` for a device that is not here,
    `CodecError` for a codec that `DIMS` has no place for, `ValueError` for one to begin with when the encoder is frozen
    already, and for processes that there are no threads or no CPU for or that cannot share a step.
    """
    if init is not None and freeze_encoder:
        raise ValueError(
            "a codec to begin with is for the first stage; the decoder goes on from it"
        )
    check_processes(processes, threads, device)
    if BATCH % processes:
        raise ValueError(f"{processes} processes cannot share the {BATCH} segments of a step")
    stage = "decoder" if freeze_encoder else "joint"
    prepare = partial(_prepared, folder, stage, init, threads // processes, seed, device)
    log = Log(folder / "codec_log.jsonl", stage)
    trainer, _ = train_together(processes, prepare, partial(_fit, log, steps, minutes))
    trainer.codec.cpu().eval().save(folder / "codec", encoder=folder / "codec" / ENCODER_FILE)


def _prepared(
    folder: Path, stage: str, init: Path | None, threads: int, seed: int, device: str
) -> tuple["Trainer", "Segments"]:
    """What a stage trains, where it stopped, and on what."""
    where = device_of(device)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    codec = SourceFilterCodec(DIMS, with_encoder=True)
    if init is not None:
        take_over(codec, init)
    if stage == "decoder":
        path = folder / "codec_joint.pt"
        _load(codec, torch.load(path, weights_only=True, map_location="cpu"), path)
        segments = Segments(_with_codes(folder))
    else:
        segments = Segments(_spoken(folder))
    trainer = Trainer(codec.to(where), stage, folder / f"codec_{stage}.pt", seed)
    trainer.resume()
    return trainer, segments


def _fit(
    log: "Log", steps: int, minutes: float, team: Team, trainer: "Trainer", segments: "Segments"
) -> None:
    trainer.team = team
    started = time.monotonic() - trainer.seconds
    while steps and ((progress := max(trainer.step / steps, trainer.seconds / 60 / minutes)) < 1):
        batch = segments.batch(_rng(trainer.seed, trainer.stage, trainer.step))
        figures = trainer.train(batch.share(team), progress)
        trainer.seconds = team.first_says(time.monotonic() - started)
        if team.is_first:
            log.add(figures)
            if trainer.step % LOG_EVERY == 0:
                log.write(trainer.step, trainer.seconds)
        if trainer.step % CHECKPOINT_EVERY == 0:
            trainer.save()
    trainer.save()


def take_over(codec: SourceFilterCodec, folder: Path) -> None:
    """Gives a codec the weights of a codec folder, encoder included; blocks that the folder lacks begin as nearly none.

    An encoder that is not in the folder is the shipped one. Raises `CodecError` for weights that the codec has no place
    for, or of other shapes.
    """
    beside = folder / ENCODER_FILE
    given = SourceFilterCodec.from_folder(
        folder, encoder=beside if beside.exists() else TINY_CODEC_ENCODER
    ).state_dict()
    own = codec.state_dict()
    strange = [name for name in given if name not in own or own[name].shape != given[name].shape]
    if strange:
        raise CodecError(f"{folder} has weights of another form than this recipe's: {strange[:3]}")
    for name in codec.load_state_dict(given, strict=False).missing_keys:
        if name.endswith("pointwise.scale"):
            own[name].fill_(_NEARLY_NONE)


@dataclass(frozen=True, slots=True)
class Batch:
    samples_BN: Tensor
    f0_BT: Tensor
    codes_BKF: Tensor | None  # of the frozen encoder, which saw the whole utterance

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        codes_BKF = None if self.codes_BKF is None else self.codes_BKF.to(device)
        return Batch(self.samples_BN.to(device), self.f0_BT.to(device), codes_BKF)

    def share(self, team: Team) -> "Batch":
        """The rows of one process."""
        codes_BKF = None if self.codes_BKF is None else self.codes_BKF[team.rank :: team.size]
        samples_BN = self.samples_BN[team.rank :: team.size]
        return Batch(samples_BN, self.f0_BT[team.rank :: team.size], codes_BKF)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One utterance to train on, its arrays mapped from files."""

    voice: str
    pcm_N: NDArray[np.int16]
    f0_T: NDArray[np.float32]
    codes_KF: NDArray[np.int16] | None


class Segments:
    """Draws random stretches of whole frames, with their codes where there are any."""

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self._recorded = recorded

    def batch(self, rng: np.random.Generator) -> Batch:
        frames = FRAMES_PER_SEGMENT
        samples = np.zeros((BATCH, frames * SAMPLES_PER_FRAME), np.float32)
        f0 = np.zeros((BATCH, frames * HOPS_PER_FRAME), np.float32)
        codes: list[NDArray[np.int16]] = []
        for row in range(BATCH):
            one = self._recorded[int(rng.integers(len(self._recorded)))]
            spare = len(one.pcm_N) // SAMPLES_PER_FRAME - frames
            first = int(rng.integers(max(0, spare) + 1))
            pitch = one.f0_T[first * HOPS_PER_FRAME :][: f0.shape[1]]
            sound = one.pcm_N[first * SAMPLES_PER_FRAME :][: samples.shape[1]]
            f0[row, : len(pitch)] = pitch
            samples[row, : len(sound)] = sound.astype(np.float32) / 32_768
            if one.codes_KF is not None:
                # What is too short goes on with its last frame, which is silent.
                piece = one.codes_KF[:, first : first + frames]
                codes.append(np.pad(piece, ((0, 0), (0, frames - piece.shape[1])), mode="edge"))
        codes_BKF = torch.from_numpy(np.stack(codes)).long() if codes else None
        return Batch(torch.from_numpy(samples), torch.from_numpy(f0), codes_BKF)


def _spoken(folder: Path) -> list[Recorded]:
    """Corpus and scalings, without codes."""
    return [one for _, shard in _shards(folder) for one in shard]


def _with_codes(folder: Path) -> list[Recorded]:
    """The same with their codes, as often as the decoder shall hear each."""
    recorded: list[Recorded] = []
    for name, shard in _shards(folder):
        codes = shard_codes(folder, name, [len(one.pcm_N) for one in shard])
        for one, codes_KF in zip(shard, codes, strict=True):
            times = _TIMES.get(one.voice, 1) if one.voice in VOICES else _TIMES_CROWD
            recorded += times * [replace(one, codes_KF=codes_KF)]
    return recorded


def _shards(folder: Path) -> Iterator[tuple[str, list[Recorded]]]:
    """What may be trained on of corpus and scalings, shard by shard with its name."""
    for shard in shards(folder / "corpus"):
        if not shard.is_held_out:
            yield (
                shard.name,
                [Recorded(u.voice, shard.pcm(u), shard.f0(u), None) for u in shard.utterances],
            )
    for speaker in crowd.crowd():
        if speaker.is_scaling and not speaker.is_held_out:
            for name, spoken in crowd.read_shards(folder / "crowd", speaker):
                f0 = np.load(folder / "crowd" / f"{name}.f0.npy", mmap_mode="r")
                scaled: list[Recorded] = []
                for said, pcm_N in spoken:
                    pitch = f0[said.offset // SAMPLES_PER_HOP :][: said.samples // SAMPLES_PER_HOP]
                    scaled.append(Recorded(speaker.name, pcm_N, pitch, None))
                yield name, scaled


class Trainer:
    """One stage of training: a codec, an optimiser and where they are kept. The processes of a team have equal ones."""

    def __init__(self, codec: SourceFilterCodec, stage: str, checkpoint: Path, seed: int) -> None:
        self.codec = codec.train()
        self.team = ALONE
        self.stage = stage
        self.checkpoint = checkpoint
        self.seed = seed
        self.step = 0
        self.seconds = 0.0
        codec.encoder_weights.requires_grad_(stage == "joint")
        self._weights = [weight for weight in codec.parameters() if weight.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._weights, betas=(0.8, 0.99), weight_decay=0.01, fused=True
        )
        self._losses = {w: SpectralLoss(w, hop).to(codec.device) for w, hop in RESOLUTIONS}
        self._cepstral = CepstralLoss().to(codec.device)

    def resume(self) -> None:
        if not self.checkpoint.exists():
            return
        kept = torch.load(self.checkpoint, weights_only=True, map_location=self.codec.device)
        _load(self.codec, kept, self.checkpoint)
        self._optimiser.load_state_dict(kept["optimiser"])
        self.step, self.seconds = kept["step"], kept["seconds"]

    def save(self) -> None:
        """The first process's is everybody's."""
        if not self.team.is_first:
            return
        kept = {
            "weights": self.codec.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        _write_whole(self.checkpoint, lambda path: torch.save(kept, path))

    def train(self, batch: Batch, progress: float) -> dict[str, float]:
        """One step at a point 0..1 of the schedule. Returns the losses."""
        rng = _rng(self.seed, f"{self.stage} losses", self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate(progress)
        losses, figures = self._forward(batch.to(self.codec.device), rng)
        self._optimiser.zero_grad()
        losses.backward()
        self.team.average_gradients(self._weights)
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimiser.step()
        self.step += 1
        return figures

    def _rate(self, progress: float) -> float:
        last = _LAST_RATE[self.stage]
        decay = last + (1 - last) * 0.5 * (1 + np.cos(np.pi * min(1.0, progress)))
        return _PEAK_RATE[self.stage] * min(1.0, (self.step + 1) / _WARM_UP_STEPS) * float(decay)

    def _forward(self, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        codec = self.codec
        if batch.codes_BKF is None:
            with autocast(codec.device):
                latents_BFZ = codec.encoder_weights(batch.samples_BN)
            quantised_BFZ = codec.quantiser.quantize(latents_BFZ.float().mT).mT
        else:
            quantised_BFZ = codec.latents(batch.codes_BKF)
        made_BN, pitch = reconstruct(codec, quantised_BFZ, batch.f0_BT, rng)

        window, _ = RESOLUTIONS[int(rng.integers(len(RESOLUTIONS)))]
        stft = self._losses[window](made_BN, batch.samples_BN)
        cepstral = self._cepstral(made_BN, batch.samples_BN)
        source, figures = source_loss(pitch, batch.f0_BT)
        return stft + _CEPSTRAL_WEIGHT * cepstral + source, {
            "stft": stft.item(),
            "cepstral": cepstral.item(),
            **figures,
        }


def reconstruct(
    codec: SourceFilterCodec, quantised_BFZ: Tensor, f0_BT: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Pitch]:
    """Sound [B, N] with the true pitch as its source, from latents [B, F, Z]; and the pitch that they say."""
    rows = len(quantised_BFZ)
    pitch = codec.decoder.pitch(quantised_BFZ, Tails())
    with autocast(quantised_BFZ.device):
        harmonic_BTG, noise_BTG = codec.decoder.envelope(quantised_BFZ, Tails())
    state = SynthesisState.zeros(rows, quantised_BFZ.device)
    state.sample_BN += torch.from_numpy(rng.integers(1 << 30, size=(rows, 1))).to(state.sample_BN)
    made_BN = codec.decoder.synthesis(
        harmonic_BTG.float(), noise_BTG.float(), f0_BT.double(), state
    )
    return made_BN, pitch


def source_loss(pitch: Pitch, f0_BT: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Of pitch and voicing, which no spectral loss reaches, against the true pitch in Hz, 0 where unvoiced."""
    voiced_BT = (f0_BT > 0).float()
    octaves_BT = torch.log2(f0_BT.clamp_min(50.0) / 100)
    pitch_error = (
        (pitch.octaves_BT - octaves_BT).abs() * voiced_BT
    ).sum() / voiced_BT.sum().clamp_min(1)
    voicing_error = functional.binary_cross_entropy_with_logits(pitch.voicing_BT, voiced_BT)
    agreement = ((pitch.voicing_BT > 0) == (voiced_BT > 0)).float().mean()
    figures = {"f0_semitones": 12 * pitch_error.item(), "voicing_accuracy": agreement.item()}
    return 3 * pitch_error + 0.5 * voicing_error, figures


class SpectralLoss(nn.Module):
    """Log magnitude L1 + half the spectral convergence + log mel L1, at one resolution."""

    _window: Tensor
    _mel_GQ: Tensor

    def __init__(self, window: int, hop: int) -> None:
        super().__init__()
        self._hop = hop
        self._floor = window / 256 * 1e-3  # magnitudes grow with the window
        mel_GQ = mel_filters(22_050, window, min(80, window // 8)).T
        self.register_buffer("_window", torch.hann_window(window), persistent=False)
        self.register_buffer("_mel_GQ", mel_GQ, persistent=False)

    def forward(self, made_BN: Tensor, true_BN: Tensor) -> Tensor:
        made, true = self._magnitudes(made_BN), self._magnitudes(true_BN)
        loss = _log_distance(made, true, 2 * self._floor)
        loss = loss + 0.5 * (made - true).norm() / true.norm().clamp_min(1e-3)
        return loss + _log_distance(self._mel_GQ @ made, self._mel_GQ @ true, self._floor)

    def _magnitudes(self, samples_BN: Tensor) -> Tensor:
        window = self._window
        spectrum = torch.stft(
            samples_BN, len(window), self._hop, window=window, return_complex=True
        )
        return spectrum.abs()


class CepstralLoss(nn.Module):
    """L1 of mel cepstra, their slopes and the slopes' slopes, in units of each coefficient's spread in the true sound.

    The features that recognisers of the hidden-Markov kind listen to: 26 bands from 130 to 6800 Hz, 13 coefficients,
    slopes over 4 and 2 of the windows, which are 10 ms apart (Davis and Mermelstein 1980; Furui 1986).
    """

    _WINDOW, _HOP, _BANDS, _COEFFICIENTS = 512, 220, 26, 13
    _BAND_LIMITS_HZ = (130.0, 6_800.0)
    _FLOOR = 1e-3  # of a band's power

    _window: Tensor
    _bands_GQ: Tensor
    _cosines_CG: Tensor

    def __init__(self) -> None:
        super().__init__()
        low, high = (2595 * np.log10(1 + hz / 700) for hz in self._BAND_LIMITS_HZ)
        edges_hz = 700 * (10 ** (np.linspace(low, high, self._BANDS + 2) / 2595) - 1)
        bins_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, self._WINDOW // 2 + 1)
        triangles = [np.interp(bins_hz, edges_hz[i : i + 3], (0, 1, 0)) for i in range(self._BANDS)]
        centres = (np.arange(self._BANDS) + 0.5) / self._BANDS
        cosines = np.cos(np.pi * np.outer(np.arange(self._COEFFICIENTS), centres))
        cosines *= np.sqrt(2 / self._BANDS)
        self.register_buffer("_window", torch.hann_window(self._WINDOW), persistent=False)
        for name, matrix in (("_bands_GQ", np.stack(triangles)), ("_cosines_CG", cosines)):
            self.register_buffer(name, torch.tensor(matrix, dtype=torch.float32), persistent=False)

    def forward(self, made_BN: Tensor, true_BN: Tensor) -> Tensor:
        distances: list[Tensor] = []
        for made_BCT, true_BCT in zip(
            self._features(made_BN), self._features(true_BN), strict=True
        ):
            spread_C1 = true_BCT.std(dim=(0, 2))[:, None].clamp_min(0.1)
            distances.append(((made_BCT - true_BCT).abs() / spread_C1).mean())
        return torch.stack(distances).mean()

    def _features(self, samples_BN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        spectrum_BQT = torch.stft(
            samples_BN, self._WINDOW, self._HOP, window=self._window, return_complex=True
        )
        power_BQT = spectrum_BQT.real.square() + spectrum_BQT.imag.square()
        cepstra = self._cosines_CG @ torch.log(self._bands_GQ @ power_BQT + self._FLOOR)
        slopes = cepstra[..., 4:] - cepstra[..., :-4]
        return cepstra, slopes, slopes[..., 2:] - slopes[..., :-2]


class Log:
    """Means of the last steps, printed and appended as JSON."""

    def __init__(self, path: Path, stage: str) -> None:
        self._path, self._stage = path, stage
        self._rows: list[dict[str, float]] = []

    def add(self, figures: dict[str, float]) -> None:
        self._rows.append(figures)

    def write(self, step: int, seconds: float) -> None:
        means = {name: float(np.mean([row[name] for row in self._rows])) for name in self._rows[0]}
        self._rows.clear()
        figures = " ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(f"{self._stage} step {step} {seconds / 60:.1f} min {figures}", flush=True)
        row: dict[str, Any] = {
            "stage": self._stage,
            "step": step,
            "seconds": round(seconds, 1),
            **means,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def _log_distance(made: Tensor, true: Tensor, floor: float) -> Tensor:
    return (torch.log(made + floor) - torch.log(true + floor)).abs().mean()


def _rng(seed: int, purpose: str, step: int) -> np.random.Generator:
    return np.random.default_rng([seed, step, *purpose.encode()])


def _load(codec: SourceFilterCodec, kept: dict[str, Any], path: Path) -> None:
    try:
        codec.load_state_dict(kept["weights"])
    except RuntimeError as error:
        raise CodecError(
            f"{path} is of a codec with other dims; move it away to begin anew, or name its exported folder with --init"
        ) from error


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    unfinished = path.with_suffix(".part")
    write(unfinished)
    os.replace(unfinished, path)
