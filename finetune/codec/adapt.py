"""Adapts a codec's decoder to the lines of a recipe, and says what it gained.

Files in the run's folder:
    recipe.json              what the folder is a run of; another recipe, codec or rows are refused
    checkpoints/             everything that a killed run goes on from, to the bit on a CPU
    delta.safetensors        the best decoder, as `kani_npc.codec.delta` reads it; absent where the base is best
    metrics.jsonl            losses, and mel distances on the lines that the best is chosen by
    report.json, report.md   before and after, on lines that nothing else was done with
    audio/                   some of those lines: recording, before, after

A step's crops are a function of seed and step.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from tqdm import tqdm

from finetune import checkpoints
from finetune.codec import judge
from finetune.codec.discriminators import Discriminators
from finetune.codec.lines import Batch, Crops, Line, cropped, read_lines, split
from finetune.codec.losses import (
    MelStftLoss,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)
from finetune.codec.recipe import Recipe
from finetune.speaking import codec_encoder_of, open_codec, speaker_encoder_of
from finetune.tiny.codec import (
    RESOLUTIONS,
    SpectralLoss,
    reconstruct,
    source_loss,
)
from kani_npc import models
from kani_npc.codec.delta import decoder_hash, save_delta, with_delta, with_own_decoder
from kani_npc.codec.delta import load as load_delta
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.nemo import fold_weight_norm, read_nemo
from kani_npc.codec.protocol import Codec
from kani_npc.codec.source_filter import HOPS_PER_FRAME, SourceFilterCodec
from kani_npc.errors import CodecError
from kani_npc.speaker.load import load_speaker_encoder

CHECKPOINTS, DELTA = "checkpoints", "delta.safetensors"
HEARD_LINES = 3  # of the report, kept as sound
RESOLUTIONS_PER_STEP = 2  # of the source-filter codec's


def run(recipe: Recipe, runs: Path) -> dict[str, Any]:
    """Trains in `runs`/NAME to the end of the schedule, or on from where it was stopped; returns the report.

    Raises `ValueError` for rows and recipes that do not fit, `KaniError` for a codec or a model, `OSError` for a disk.
    """
    if not recipe.data.train:
        raise ValueError("no rows to train on: give --rows, or data.train in the recipe")
    if recipe.machine.threads:
        torch.set_num_threads(recipe.machine.threads)
    torch.set_flush_denormal(True)
    codec, path = _open_codec(recipe)
    device = torch.device(recipe.machine.device)
    if isinstance(codec, SourceFilterCodec) and device.type != "cpu":
        raise ValueError('a source_filter codec is adapted on the CPU: machine.device = "cpu"')
    encoder = None
    if recipe.speaker_encoder != "none":
        given = recipe.speaker_encoder or None
        encoder = load_speaker_encoder(speaker_encoder_of(recipe.model, given))

    train, validation, test = split(
        read_lines(recipe.data.train, codec),
        recipe.data.held_out_share,
        with_test=not recipe.data.test,
    )
    if recipe.data.test:
        test = read_lines(recipe.data.test, codec)
        held_out = {line.text for line in test}
        train, validation = (
            [line for line in part if line.text not in held_out] for part in (train, validation)
        )
        if not train or not validation:
            raise ValueError("all lines are among those of data.test: none is left to train on")
    out = runs / recipe.name
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, recipe, codec, train)

    print(
        f"{recipe.name}: {len(train)} lines, {len(validation)} to choose by, {len(test)} to report on"
    )
    for name, text in asdict(recipe.expected).items():
        if text:
            print(f"  expected {name}: {text}", flush=True)
    trainer = Trainer(codec.to(device), recipe, train, validation, out)
    trainer.resume(_published_discriminators(path))
    trainer.run()

    rate = codec.sample_rate_hz
    speakers = judge.speaker_vectors(encoder, train, rate) if encoder is not None else {}
    tuned: Codec = codec
    if trainer.best_step:
        save_delta(out / DELTA, codec, trainer.best_codec())
        tuned = with_delta(codec, load_delta(out / DELTA))  # what is judged is what is served
    report = {
        "codec": codec.kind,
        "lines": {"train": len(train), "validation": len(validation)},
        "minutes": {"train": sum(len(line.samples_N) for line in train) / rate / 60},
        "steps": trainer.step,
        "best_step": trainer.best_step,
        "seconds": round(trainer.seconds, 1),
        "validation_mel_distance_db": {"before": trainer.base_score, "after": trainer.best_score},
        "delta_bytes": (out / DELTA).stat().st_size if trainer.best_step else 0,
        "test": judge.compare(judge.Judge(rate, encoder, speakers), codec, tuned, test),
    }
    judge.write(report, out)
    _write_audio(out / "audio", codec, tuned, test)
    return report


def _open_codec(recipe: Recipe) -> tuple[NanoCodec | SourceFilterCodec, Path]:
    folder = models.resolve_model(recipe.model)
    path = models.resolve_codec(recipe.codec or None, folder) or folder / "codec"
    # The shipped encoder belongs to the shipped codec; another one brings its own or none.
    encoder = recipe.codec_encoder or (None if recipe.codec else codec_encoder_of(recipe.model))
    codec = open_codec(Path(path), encoder)
    if not isinstance(codec, NanoCodec | SourceFilterCodec):
        raise CodecError(f"a {codec.kind} codec cannot be adapted")
    return codec, Path(path)


def _published_discriminators(path: Path) -> dict[str, Tensor]:
    return read_nemo(path)[1] if path.suffix == ".nemo" else {}


def _claim(out: Path, recipe: Recipe, codec: Codec, lines: Sequence[Line]) -> None:
    """The folder is of this run alone: weights, averages and steps of two would be mixed."""
    rows = hashlib.sha256()
    for line in lines:
        rows.update(line.codes_KF.numpy().tobytes())
    # How fast a machine is, and what is expected of it, are not what a run is.
    wanted = {
        k: v for k, v in asdict(recipe).items() if k not in ("name", "machine", "expected", "data")
    }
    wanted |= {"base": decoder_hash(codec), "rows": rows.hexdigest()}
    wanted = json.loads(json.dumps(wanted))
    file = out / "recipe.json"
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        other = sorted(
            key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key)
        )
        if other:
            raise ValueError(
                f"{out} holds a run with another {', '.join(other)}: choose another folder, or remove it"
            )
        return
    checkpoints.write(file, lambda path: path.write_text(json.dumps(wanted, indent=2) + "\n"))


class Trainer:
    """One run: a decoder, its average, discriminators if they are asked for, and where they are kept."""

    def __init__(
        self,
        base: NanoCodec | SourceFilterCodec,
        recipe: Recipe,
        train: Sequence[Line],
        validation: Sequence[Line],
        out: Path,
    ) -> None:
        self.base, self.recipe, self.out = base, recipe, out
        self.step = 0
        self.seconds = 0.0
        self.best_step, self.best_score, self.base_score = 0, float("inf"), float("inf")
        self._validation = validation
        o = recipe.optimiser
        self._crops = Crops(
            train,
            base.samples_per_frame,
            crop_frames=o.crop_frames,
            context_frames=o.context_frames,
        )
        self._codec = with_own_decoder(base)
        self._decoder = self._codec.decoder.float().requires_grad_(True).train()
        if isinstance(base, NanoCodec):
            for module in list(self._decoder.modules()):
                if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                    weight_norm(module)  # as it was trained
        self._average = {name: w.clone() for name, w in self._decoder.state_dict().items()}
        self._best = self._average
        self._optimiser = self._adam(self._decoder)
        device = base.device
        self._spectral: MelStftLoss | list[SpectralLoss] = (
            MelStftLoss(base.sample_rate_hz).to(device)
            if recipe.loss.spectral == "published"
            else [SpectralLoss(window, hop) for window, hop in RESOLUTIONS]
        )
        self._discriminators: Discriminators | None = None
        self._first_joint_step = 0
        if recipe.loss.adversarial:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(o.seed)
                self._discriminators = Discriminators(recipe.loss.discriminator_width).to(device)
            self._discriminator_optimiser = self._adam(self._discriminators)
            self._first_joint_step = o.discriminator_first

    def _adam(self, module: nn.Module) -> torch.optim.Optimizer:
        o = self.recipe.optimiser
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        return torch.optim.Adam(weights, lr=o.learning_rate, betas=o.betas)

    # --- where it is kept

    def resume(self, published: dict[str, Tensor]) -> None:
        """From the checkpoint; at a beginning, discriminators from `published` where they fit."""
        file = checkpoints.newest(self.out / CHECKPOINTS)
        if file is None:
            if (
                self._discriminators is not None
                and self.recipe.loss.discriminator_width == 1.0
                and self._discriminators.load_published(published)
            ):
                self._first_joint_step = 0  # they know a recording when they see one
            self.base_score = self.best_score = judge.mel_distance(self.base, self._validation)
            return
        kept = checkpoints.load(file)
        self._decoder.load_state_dict(kept["decoder"])
        self._average, self._best = (
            {name: weight.to(self.base.device) for name, weight in kept[which].items()}
            for which in ("average", "best")
        )
        self._optimiser.load_state_dict(kept["optimiser"])
        if self._discriminators is not None:
            self._discriminators.load_state_dict(kept["discriminators"])
            self._discriminator_optimiser.load_state_dict(kept["discriminator_optimiser"])
        for name in _KEPT:
            setattr(self, name, kept[name])
        self._forget_log()

    def save(self) -> None:
        kept: dict[str, Any] = {
            "decoder": self._decoder.state_dict(),
            "average": self._average,
            "best": self._best,
            "optimiser": self._optimiser.state_dict(),
            **{name: getattr(self, name) for name in _KEPT},
        }
        if self._discriminators is not None:
            kept["discriminators"] = self._discriminators.state_dict()
            kept["discriminator_optimiser"] = self._discriminator_optimiser.state_dict()
        checkpoints.save(self.out / CHECKPOINTS, self.step, kept, keep=2)

    def best_codec(self) -> NanoCodec | SourceFilterCodec:
        """The base with the best decoder so far, ready to decode."""
        return self._served(self._best)

    def _served(self, decoder: dict[str, Tensor]) -> NanoCodec | SourceFilterCodec:
        served = with_own_decoder(self.base)
        served.decoder.load_state_dict(fold_weight_norm(decoder))
        return served.eval()

    # --- training

    def run(self) -> None:
        """To the end of the schedule, or until nothing better comes."""
        o, w = self.recipe.optimiser, self.recipe.watch
        rows: list[dict[str, float]] = []
        started = time.monotonic() - self.seconds
        bar = tqdm(total=o.steps, initial=self.step, unit="step", desc="adapt", mininterval=1)
        with bar:
            while (progress := self._progress()) < 1 and not self._is_stuck():
                rows.append(self._train(progress))
                self.seconds = time.monotonic() - started
                bar.update()
                if self.step % w.log_every == 0:
                    means = _means(rows)
                    rows.clear()
                    self._log(means)
                    bar.set_postfix_str(" ".join(f"{k} {v:.3f}" for k, v in means.items()))
                if self.step % w.evaluate_every == 0:
                    self._evaluate()
                if self.step % w.save_every == 0:
                    self.save()
        if self.step % w.evaluate_every:
            self._evaluate()
        self.save()

    def _progress(self) -> float:
        o = self.recipe.optimiser
        spent = self.seconds / 60 / o.minutes if o.minutes else 0.0
        return max(self.step / o.steps, spent)

    def _is_stuck(self) -> bool:
        w = self.recipe.watch
        waited = self.step - max(self.best_step, self._first_joint_step)
        return w.patience > 0 and waited >= w.patience * w.evaluate_every

    def _evaluate(self) -> None:
        score = judge.mel_distance(self._served(self._average), self._validation)
        if not np.isfinite(score):
            raise ValueError(
                f"the decoder went to pieces before step {self.step}: a smaller rate is needed"
            )
        if score < self.best_score:
            self._best = {name: weight.clone() for name, weight in self._average.items()}
            self.best_step, self.best_score = self.step, score
        self._log({"validation_mel_distance_db": score})

    def _log(self, figures: dict[str, float]) -> None:
        row = {"step": self.step, "seconds": round(self.seconds, 1), **figures}
        with (self.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _forget_log(self) -> None:
        """Of steps after the checkpoint, which are taken again."""
        file = self.out / "metrics.jsonl"
        if file.exists():
            rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [row for row in rows if row.endswith("\n")]
            kept = [row for row in whole if json.loads(row)["step"] <= self.step]
            checkpoints.write(file, lambda p: p.write_text("".join(kept), encoding="utf-8"))

    def _train(self, progress: float) -> dict[str, float]:
        """One step at a point 0..1 of the schedule. Returns the losses."""
        o, weights = self.recipe.optimiser, self.recipe.loss
        rng = np.random.default_rng([o.seed, self.step])
        batch = self._crops.batch(rng, o.crops).to(self.base.device)
        rate = o.learning_rate * o.last_rate**progress
        alone = self.step < self._first_joint_step
        figures: dict[str, float] = {}
        with torch.set_grad_enabled(not alone):
            made_BN, loss, found = self._made(batch, rng)
        figures |= found
        if self._discriminators is not None:
            if alone or self.step % o.discriminator_every == 0:
                lost = discriminator_loss(
                    self._discriminators(batch.samples_BN), self._discriminators(made_BN.detach())
                )
                _update(self._discriminator_optimiser, lost, rate)
                figures["discriminator"] = lost.item()
            if not alone:
                # Only the decoder learns from these.
                self._discriminators.requires_grad_(False)
                with torch.no_grad():
                    real = self._discriminators(batch.samples_BN)
                fooled = self._discriminators(made_BN)
                self._discriminators.requires_grad_(True)
                adversarial, features = adversarial_loss(fooled), feature_loss(real, fooled)
                loss = loss + weights.adversarial * adversarial
                loss = loss + weights.feature_matching * features
                figures |= {"adversarial": adversarial.item(), "features": features.item()}
        if not alone:
            _update(self._optimiser, loss, rate, clip=o.clip)
            # The average begins short, or a short run would be judged by its base.
            keep = min(o.average, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                for name, weight in self._decoder.state_dict().items():
                    self._average[name].lerp_(weight, 1 - keep)
        self.step += 1
        return figures

    def _made(
        self, batch: Batch, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, dict[str, float]]:
        """The crops as the decoder makes them, and how far they are from the recordings in spectrum and pitch."""
        frames = batch.samples_BN.shape[1] // self.base.samples_per_frame
        codec = self._codec
        figures: dict[str, float] = {}
        other = batch.samples_BN.new_zeros(())
        if isinstance(codec, SourceFilterCodec):
            f0_BT = cast(Tensor, batch.f0_BT)
            made_BN, pitch = reconstruct(codec, codec.latents(batch.codes_BKF), f0_BT, rng)
            hops = frames * HOPS_PER_FRAME
            heard = [cropped(x, batch.first_B, HOPS_PER_FRAME, hops) for x in (*pitch, f0_BT)]
            other, figures = source_loss(type(pitch)(heard[0], heard[1]), heard[2])
        else:
            made_BN = codec.decoder(codec.quantizer.decode(batch.codes_BKF))
        size = batch.samples_BN.shape[1]
        made_BN = cropped(made_BN, batch.first_B, codec.samples_per_frame, size) * batch.valid_BN
        if isinstance(self._spectral, MelStftLoss):
            mel, stft = self._spectral(made_BN, batch.samples_BN)
            loss = self.recipe.loss.mel * mel + self.recipe.loss.stft * stft
            figures |= {"mel": mel.item(), "stft": stft.item()}
        else:
            chosen = rng.choice(len(self._spectral), RESOLUTIONS_PER_STEP, replace=False)
            losses = [self._spectral[int(i)](made_BN, batch.samples_BN) for i in chosen]
            loss = torch.stack(losses).mean()
            figures["spectral"] = loss.item()
        return made_BN, loss + other, figures


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each figure over the rows that have it: discriminators do not learn at every step."""
    names = {name: None for row in rows for name in row}
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


_KEPT = ("step", "seconds", "best_step", "best_score", "base_score", "_first_joint_step")


def _update(
    optimiser: torch.optim.Optimizer, loss: Tensor, rate: float, *, clip: float | None = None
) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], clip)
    optimiser.step()


def _write_audio(folder: Path, base: Codec, tuned: Codec, lines: Sequence[Line]) -> None:
    folder.mkdir(exist_ok=True)
    for number, line in enumerate(lines[:HEARD_LINES]):
        for name, samples in (
            ("recording", line.samples_N),
            ("before", base.decode(line.codes_KF)),
            ("after", tuned.decode(line.codes_KF)),
        ):
            file = folder / f"{number}-{name}.wav"
            soundfile.write(file, samples.cpu().numpy(), base.sample_rate_hz)
