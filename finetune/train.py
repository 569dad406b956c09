"""Trains the language model by a recipe: an adapter for a character, or all of its weights, on one device or many.

    runs/NAME/recipe.json           what was asked for
    runs/NAME/adapter/ or model/    the result: the best by the validation rows, or the last
    runs/NAME/metrics.jsonl         a line of figures each time the run was looked at
    runs/NAME/checkpoints/          what it goes on from
    runs/NAME/tensorboard/          the same figures as curves
    runs/NAME/report.html           all of it on one page

A step is of so many rows over all processes, and its loss is their sum over the number of their labels: the number of
processes changes how fast a run is, and not what it learns. What is drawn in a step follows from seed and step, so a
run goes on after a kill with the numbers that it would have had.
"""

import contextlib
import dataclasses
import importlib.util
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.tensor import DTensor
from tqdm import tqdm

from finetune import batches, beginning, checkpoints, report
from finetune.batches import Batch, Examples, Row
from finetune.device import multiplies_bfloat16
from finetune.learner import Learner, flash_kernel
from finetune.metrics import Metrics, measure
from finetune.recipe import Optimiser, Recipe
from kani_npc.lm.model import Lfm2
from kani_npc.text.tokenizer import load_tokenizer

# Held-out rows are read in one go, so that their number is no reason to wait.
EVALUATED_AT_ONCE = 8
MEASURED_ROWS = 64  # of the dashboard's figures
READING_TIMEOUT = timedelta(hours=6)
PROJECT = "kani-npc"  # what trackers call all runs together; tensorboard has a folder of that name


class TrainingFailed(ValueError):
    """Going on would make nothing of use. Says what to change."""


@dataclass
class Progress:
    """Where a run is; part of every checkpoint."""

    step: int = 0  # steps done
    epoch: int = 0
    step_of_epoch: int = 0
    labels: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_step: int = 0
    num_worse: int = 0  # evaluations since the best one

    @property
    def is_best(self) -> bool:
        return self.num_worse == 0


def run(recipe: Recipe, runs: Path = Path("runs")) -> Path:
    """Trains to the end, or on from the newest checkpoint; returns the run's folder.

    Raises `ValueError` (`TrainingFailed` on the way) for what cannot be trained, `KaniError` for a model that cannot be
    used, `OSError` for a disk that is full.
    """
    folder = runs / recipe.name
    trainer = Trainer(recipe, folder)
    trainer.begin()
    trainer.fit()
    trainer.finish()
    return folder


def leave() -> None:
    """Says goodbye to the other processes, where there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()


class Trainer:
    """A model, its data, an optimiser, and where they are kept. Every process has one."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        if recipe.machine.threads:
            torch.set_num_threads(recipe.machine.threads)
        for package in recipe.watch.report_to:
            # accelerate passes over what is not installed.
            if importlib.util.find_spec(package) is None:
                raise ValueError(f"watch.report_to: {package} is not installed")
        self.lm, self.source = beginning.open_model(recipe)
        self.accelerator = accelerator = _accelerator(recipe, folder, self.lm)
        flash_kernel(recipe.machine.attention, accelerator.device)  # says at once what is missing
        self._check_tags()
        with accelerator.main_process_first():
            self.examples, self.held_out = self._read_examples()
        self.adapted = (
            beginning.with_lora(self.lm, recipe.lora, recipe.model) if recipe.lora else None
        )
        learner = Learner(
            self.lm,
            recipe.loss,
            attention=recipe.machine.attention,
            gradient_checkpointing=recipe.machine.gradient_checkpointing,
        )
        optimiser = _adamw(learner, recipe.optimiser)
        self.learner, prepared = accelerator.prepare(learner, optimiser)
        # Not before: sharding makes others of them.
        self._weights = [w for w in self.learner.parameters() if w.requires_grad]
        self.optimiser: torch.optim.Optimizer = prepared.optimizer
        self.progress = Progress()
        self.gap = self.lm.config.conv_kernel - 1
        self.plan = self._plan(0)
        optimiser_ = recipe.optimiser
        self.num_steps = optimiser_.steps or math.ceil(optimiser_.epochs * len(self.plan))

    def begin(self) -> None:
        """Takes up what an earlier run left, and says what is going to happen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_recipe()
        found = checkpoints.newest(self.folder / "checkpoints") if self.is_main else None
        found = self._from_main(found)
        if found is not None:
            self._resume(found)
        self._forget_what_was_undone()
        wandb = {"name": self.recipe.name, "dir": str(self.folder)}
        self.accelerator.init_trackers(PROJECT, init_kwargs={"wandb": wandb})
        if not self.is_main:
            return
        trained = sum(w.numel() for w in self._weights)
        counts = ", ".join(f"{n} left out {why}" for why, n in self.examples.skipped.items())
        print(
            f"{self.recipe.name}: {trained / 1e6:.2f} M weights to learn, {len(self.examples)} rows"
            + (f" ({counts})" if counts else "")
            + f", {len(self.held_out)} held out, {self.num_steps} steps of {self.recipe.optimiser.rows_per_step} rows, "
            f"{self.accelerator.num_processes} process(es) on {self.accelerator.device.type}"
            + (f", from step {self.progress.step}" if found else ""),
            flush=True,
        )
        for name, text in dataclasses.asdict(self.recipe.expected).items():
            if text:
                print(f"  expected {name}: {text}", flush=True)

    # --- the loop

    def fit(self) -> None:
        watch, progress = self.recipe.watch, self.progress
        losses: list[float] = []
        bar = tqdm(
            total=self.num_steps,
            initial=progress.step,
            unit="step",
            desc=self.recipe.name,
            disable=not self.is_main,
        )
        started, before_s = time.monotonic(), progress.seconds
        if progress.step == 0 and len(self.held_out):
            self._log({"step": 0, "validation_loss": self.validation_loss()})
        with bar:
            for rows in self._steps():
                loss, norm, rate = self.train(rows)
                losses.append(loss)
                bar.update()
                bar.set_postfix(loss=f"{loss:.3f}")
                progress.seconds = before_s + time.monotonic() - started
                is_last = progress.step == self.num_steps
                if is_last or _is_due(progress.step, watch.evaluate_every):
                    self._look(losses, norm, rate)
                    losses.clear()
                stops = watch.patience and progress.num_worse >= watch.patience
                if is_last or stops or _is_due(progress.step, watch.save_every):
                    self._save()
                if stops:
                    self._say(
                        f"no better in {progress.num_worse} evaluations: stopped at step {progress.step}"
                    )
                    return

    def _steps(self) -> Iterator[list[Row]]:
        """The rows of each step that is still to be done."""
        progress, watch = self.progress, self.recipe.watch
        if watch.patience and progress.num_worse >= watch.patience:
            return
        self.plan = self._plan(progress.epoch)
        while progress.step < self.num_steps:
            if progress.step_of_epoch == len(self.plan):
                progress.epoch, progress.step_of_epoch = progress.epoch + 1, 0
                self.plan = self._plan(progress.epoch)
            yield self.plan[progress.step_of_epoch]

    def _plan(self, epoch: int) -> list[list[Row]]:
        data, size = self.recipe.data, self.recipe.optimiser.rows_per_step
        rows = batches.epoch_rows(
            self.examples.num_inputs,
            np.arange(len(self.examples)),
            data.pack_tokens,
            self.gap,
            self.recipe.optimiser.seed + epoch,
        )
        return [rows[i : i + size] for i in range(0, len(rows), size)]

    def train(self, rows: Sequence[Row]) -> tuple[float, float, float]:
        """One step. Returns its loss (nats a label), the gradient's norm before clipping, and the learning rate."""
        settings, progress, processes = (
            self.recipe.optimiser,
            self.progress,
            self.accelerator.num_processes,
        )
        # Dropout's draws: the step's own, so that a run that goes on has the ones it would have had.
        torch.manual_seed(_seed(settings.seed, progress.step, self.accelerator.process_index))
        counted = self.examples.num_labels(self.recipe.loss)
        num_labels = int(sum(counted[i] for row in rows for i in row))
        rate = settings.learning_rate * rate_share(progress.step, self.num_steps, settings.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["rate_ratio"]
        self.learner.train()
        mine = batches.shares(
            rows,
            self.examples.num_inputs,
            settings.rows_at_once,
            self.accelerator.process_index,
            processes,
        )
        total = torch.zeros((), device=self.accelerator.device)
        for number, some in enumerate(mine, start=1):
            batch = self._batch(self.examples, some, progress.epoch)
            together = number == len(mine)
            with contextlib.nullcontext() if together else self.accelerator.no_sync(self.learner):
                loss = self.learner(batch)
                # Processes' gradients are averaged; what is wanted is their sum over the labels of all.
                self.accelerator.backward(loss * (processes / num_labels))
            total += loss.detach()
        self._average_ignored_gradients()
        norm = clip(self._weights, settings.clip)
        loss = self._sum(total).item() / num_labels
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingFailed(
                f"step {progress.step + 1}: the loss is {loss}, its gradient {norm}; the last checkpoint is kept. "
                "Try a lower learning_rate, or float32"
            )
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        progress.step += 1
        progress.step_of_epoch += 1
        progress.labels += num_labels
        return loss, norm, rate

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Nats a label over all held-out rows."""
        self.learner.eval()
        rows = [(i,) for i in range(len(self.held_out))]
        mine = batches.shares(
            rows,
            self.held_out.num_inputs,
            EVALUATED_AT_ONCE,
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )
        total = torch.zeros((), device=self.accelerator.device)
        for some in mine:
            total += self.learner(self._batch(self.held_out, some))
        return self._sum(total).item() / int(self.held_out.num_labels(self.recipe.loss).sum())

    def _batch(self, examples: Examples, rows: Sequence[Row], epoch: int | None = None) -> Batch:
        data, config = self.recipe.data, self.lm.config
        share = data.speaker_dropout if epoch is not None else 0.0
        drawn = batches.without_some_speakers(share, self.recipe.optimiser.seed, epoch or 0)
        batch = batches.collate(
            [[drawn(i, examples[i]) for i in row] for row in rows],
            config.layout,
            config.audio_step,
            config.speaker_dim,
            self.recipe.loss,
            self.gap,
        )
        if data.wrong_codes and epoch is not None:
            drawn_by = (
                self.recipe.optimiser.seed,
                self.progress.step,
                *(i for r in rows for i in r),
            )
            batch = batches.with_wrong_codes(
                batch, config.layout, data.wrong_codes, _seed(*drawn_by)
            )
        return batch.to(self.accelerator.device)

    # --- looking at it

    def _forget_what_was_undone(self) -> None:
        """Figures of steps after the checkpoint: they are going to be made again."""
        path = self.folder / "metrics.jsonl"
        if self.is_main and path.exists():
            lines = path.read_text().splitlines(keepends=True)
            # The last one may be half a line, of a process that was killed.
            kept = [
                x for x in lines if x.endswith("\n") and json.loads(x)["step"] <= self._begun_at
            ]
            checkpoints.write(path, lambda draft: draft.write_text("".join(kept)))

    @property
    def _begun_at(self) -> int:
        """The last step whose figures stand; -1 before the first."""
        return self.progress.step or -1

    def _look(self, losses: Sequence[float], norm: float, rate: float) -> None:
        progress = self.progress
        figures: dict[str, float] = {
            "step": progress.step,
            "epoch": round(progress.epoch + progress.step_of_epoch / len(self.plan), 3),
            "loss": sum(losses) / len(losses),
            "gradient_norm": norm,
            "learning_rate": rate,
            "labels": progress.labels,
            "seconds": round(progress.seconds, 2),
        }
        if len(self.held_out):
            figures["validation_loss"] = loss = self.validation_loss()
            if loss < progress.best_loss:
                progress.best_loss, progress.best_step, progress.num_worse = loss, progress.step, 0
                self._write_result()
            else:
                progress.num_worse += 1
        if _is_due(progress.step, self.recipe.watch.metrics_every):
            found = self._measure()
            figures |= found.figures if found else {}
        self._log(figures)

    def _measure(self) -> Metrics | None:
        """The dashboard's figures of the weights as they are now, on the main process; None on the others.

        On a plain model of its own, an adapter merged into it: what is measured is neither sharded nor wrapped.
        """
        state, _ = get_state_dict(self.learner, (), options=_whole(False))
        if not self.is_main:
            self.accelerator.wait_for_everyone()
            return None
        weights = beginning.merged(_named(state), self.recipe.lora)
        with torch.device("meta"):
            lm = Lfm2(self.lm.config)
        lm.load_state_dict(weights, assign=True)
        plain = Learner(lm.to(self.accelerator.device).requires_grad_(False), self.recipe.loss)
        some = self.held_out if len(self.held_out) else self.examples
        rows: list[Row] = [(i,) for i in range(min(MEASURED_ROWS, len(some)))]
        found = measure(
            plain,
            [
                self._batch(some, rows[i : i + EVALUATED_AT_ONCE])
                for i in range(0, len(rows), EVALUATED_AT_ONCE)
            ],
            influence_positions=self.recipe.watch.influence_positions,
        )
        self.accelerator.wait_for_everyone()
        return found

    def _log(self, figures: dict[str, float]) -> None:
        step = int(figures["step"])
        self.accelerator.log({k: v for k, v in figures.items() if k != "step"}, step=step)
        if self.is_main:
            with (self.folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(figures) + "\n")

    def finish(self) -> None:
        """The result, where no validation has chosen one, and the report."""
        progress = self.progress
        if not len(self.held_out):
            self._write_result()
        found = self._measure()
        if found is not None:
            self.accelerator.log(found.figures, step=progress.step)
            rows = [json.loads(x) for x in (self.folder / "metrics.jsonl").read_text().splitlines()]
            page = report.write(
                self.folder, self.recipe.to_json(), self._facts(rows, found), rows, found
            )
            self._say(f"{self.result_folder}: {progress.step} steps, {self._best()}; {page}")
        for tracker in self.accelerator.trackers:
            tracker.finish()

    def _best(self) -> str:
        progress = self.progress
        if not len(self.held_out):
            return "no rows held out"
        return f"best at step {progress.best_step} with {progress.best_loss:.4f} nats a label of the rows held out"

    def _facts(self, rows: Sequence[dict[str, float]], found: Metrics) -> dict[str, str]:
        progress = self.progress
        before = [x["validation_loss"] for x in rows if x["step"] == 0 and "validation_loss" in x]
        expected = self.recipe.expected
        device = self.accelerator.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        precision = "bf16" if self.accelerator.mixed_precision == "bf16" else "float32"
        facts = {
            "model": self.recipe.model,
            "result": f"{self.result_folder.name}/: {self._best()}",
            "before": f"{before[0]:.4f} nats a label of the rows held out" if before else "",
            "weights learned": f"{sum(w.numel() for w in self._weights):,}",
            "rows": f"{len(self.examples)}, and {len(self.held_out)} held out",
            "rows left out": ", ".join(f"{n} {why}" for why, n in self.examples.skipped.items()),
            "steps": f"{progress.step} of {self.num_steps}, {progress.labels:,} labels",
            "time": f"{progress.seconds / 60:.1f} minutes"
            + (f" (expected: {expected.time})" if expected.time else ""),
            "expected memory": expected.memory,
            "expected result": expected.result,
            "computed": f"{self.accelerator.num_processes} process(es), {name}, {precision}",
            "figures of": f"the last step's weights, {min(MEASURED_ROWS, len(self.held_out) or len(self.examples))} "
            + ("rows held out" if len(self.held_out) else "training rows"),
        }
        return {name: value for name, value in facts.items() if value}

    # --- what is kept

    @property
    def result_folder(self) -> Path:
        return self.folder / ("adapter" if self.adapted is not None else "model")

    def _write_result(self) -> None:
        state, _ = get_state_dict(self.learner, (), options=_whole(self.adapted is not None))
        if self.is_main:
            weights = _named(state)
            if self.adapted is not None:
                checkpoints.write(
                    self.result_folder,
                    lambda path: beginning.write_adapter(self.adapted, weights, path),
                )
            else:
                checkpoints.write(
                    self.result_folder,
                    lambda path: beginning.write_model(self.lm.config, weights, self.source, path),
                )
        self.accelerator.wait_for_everyone()

    def _save(self) -> None:
        model, optimiser = get_state_dict(
            self.learner, self.optimiser, options=_whole(self.adapted is not None)
        )
        if self.is_main:
            state = {
                "model": model,
                "optimiser": optimiser,
                "progress": dataclasses.asdict(self.progress),
            }
            watch = self.recipe.watch
            checkpoints.save(self.folder / "checkpoints", self.progress.step, state, watch.keep)
        self.accelerator.wait_for_everyone()

    def _resume(self, path: Path) -> None:
        state = checkpoints.load(path)
        set_state_dict(
            self.learner,
            self.optimiser,
            model_state_dict=state["model"],
            optim_state_dict=state["optimiser"],
            options=_whole(self.adapted is not None, reading=True),
        )
        self.progress = Progress(**state["progress"])

    def _check_recipe(self) -> None:
        """A run goes on by the recipe it was begun with."""
        # How it is computed and watched may change on the way.
        asked = {k: v for k, v in self.recipe.to_json().items() if k not in _MAY_CHANGE}
        asked = json.loads(json.dumps(asked))
        path = self.folder / "recipe.json"
        if path.exists() and (self.folder / "checkpoints").exists():
            begun = json.loads(path.read_text())
            changed = sorted(k for k in asked if asked[k] != begun.get(k))
            if changed:
                raise ValueError(
                    f"{self.folder} was begun with another {', '.join(changed)}; give the recipe another name, "
                    "or remove the folder"
                )
        self.accelerator.wait_for_everyone()
        if self.is_main:
            checkpoints.write(path, lambda draft: draft.write_text(json.dumps(asked, indent=2)))

    # --- data

    def _read_examples(self) -> tuple[Examples, Examples]:
        data, config = self.recipe.data, self.lm.config
        encode = load_tokenizer(self.source)
        if encode.vocab_size > config.layout.base:
            raise ValueError(
                f"{self.source}: the tokenizer has {encode.vocab_size} ids of text, "
                f"the model {config.layout.base}"
            )
        made_by = beginning.tokenizer_hash(self.source)
        examples = batches.read(data.train, data, config, encode.encode, made_by)
        if data.validation:
            held_out = batches.read(data.validation, data, config, encode.encode, made_by)
        else:
            examples, held_out = examples.split(data.validation_share, data.shuffle_seed)
        for what, some, wanted in (
            ("train", examples, True),
            ("validation", held_out, self.recipe.has_validation),
        ):
            if wanted and not len(some):
                why = ", ".join(f"{n} {reason}" for reason, n in examples.skipped.items())
                raise ValueError(
                    f"data.{what} has no row that can be used" + (f": {why}" if why else "")
                )
        return examples, held_out

    def _check_tags(self) -> None:
        known = self.lm.config.language_tags
        for source in (*self.recipe.data.train, *self.recipe.data.validation):
            if known and source.tag is not None and source.tag.lower() not in known:
                raise ValueError(f"tag {source.tag!r} is none of the model's: {', '.join(known)}")

    # --- processes

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    def _say(self, text: str) -> None:
        if self.is_main:
            tqdm.write(text)

    def _sum(self, value: Tensor) -> Tensor:
        return self.accelerator.reduce(value, reduction="sum")  # pyright: ignore[reportReturnType]

    def _from_main(self, value: Any) -> Any:
        if not dist.is_initialized():
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]

    def _average_ignored_gradients(self) -> None:
        """Of what FSDP does not shard (it knows no single numbers): the learned rope factors."""
        if not self.accelerator.is_fsdp2:
            return
        for weight in self._weights:
            if weight.grad is not None and not isinstance(weight.grad, DTensor):
                dist.all_reduce(weight.grad)
                weight.grad /= self.accelerator.num_processes


_MAY_CHANGE = ("machine", "watch", "expected")


def rate_share(step: int, num_steps: int, warmup: float) -> float:
    """The learning rate's share of its peak in step 0, 1, ...: up from nothing, then down a cosine to nothing.

    transformers' `get_cosine_schedule_with_warmup`, which the published training takes. `warmup` is in steps, or a
    share of them below 1.
    """
    first = warmup if warmup >= 1 else math.ceil(warmup * num_steps)
    if step < first:
        return step / max(1, first)
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, num_steps - first)))


def clip(weights: Sequence[Tensor], most: float) -> float:
    """Scales all gradients so that their norm together is at most `most`; returns what it was.

    torch's own cannot add up gradients that are sharded and others that are not.
    """
    squares: dict[bool, Tensor] = {}
    for weight in weights:
        if weight.grad is None:
            continue
        is_sharded = isinstance(weight.grad, DTensor)
        own = weight.grad.to_local() if isinstance(weight.grad, DTensor) else weight.grad
        square = own.float().square().sum()
        squares[is_sharded] = squares.get(is_sharded, torch.zeros_like(square)) + square
    if True in squares:
        dist.all_reduce(squares[True])
    norm = math.sqrt(sum(float(square) for square in squares.values()))
    if most and norm > most:
        for weight in weights:
            if weight.grad is not None:
                weight.grad.mul_(most / norm)
    return norm


def _adamw(learner: Learner, settings: Optimiser) -> torch.optim.Optimizer:
    named = [(name, w) for name, w in learner.named_parameters() if w.requires_grad]
    factors = [w for name, w in named if ".alpha_weights." in name]
    others = [w for name, w in named if ".alpha_weights." not in name]
    groups: list[dict[str, Any]] = [
        {"params": others, "weight_decay": settings.weight_decay, "rate_ratio": 1.0}
    ]
    if factors:
        groups.append(
            {"params": factors, "weight_decay": 0.0, "rate_ratio": settings.alpha_rate_ratio}
        )
    return torch.optim.AdamW(
        groups, settings.learning_rate, betas=settings.betas, eps=settings.eps, fused=True
    )


def _accelerator(recipe: Recipe, folder: Path, lm: Lfm2) -> Any:
    from accelerate import Accelerator, PartialState
    from accelerate.state import AcceleratorState
    from accelerate.utils import (
        DistributedType,
        FullyShardedDataParallelPlugin,
        InitProcessGroupKwargs,
        ProjectConfiguration,
    )

    machine = recipe.machine
    # It keeps one state a process: another run's precision would be an error.
    AcceleratorState._reset_state(reset_partial_state=True)
    on_cpu = machine.cpu or not torch.cuda.is_available()
    rounds = machine.precision == "bf16" and multiplies_bfloat16(
        torch.device("cpu" if on_cpu else "cuda")
    )
    accelerator = Accelerator(
        mixed_precision="bf16" if rounds else "no",
        cpu=on_cpu,
        log_with=list(recipe.watch.report_to) or None,
        project_config=ProjectConfiguration(str(folder), str(folder / "tensorboard")),
        # The first process reads all rows, and the others wait for it.
        kwargs_handlers=[InitProcessGroupKwargs(timeout=READING_TIMEOUT)],
    )
    if machine.sharding == "fsdp" and accelerator.num_processes > 1:
        plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2,
            reshard_after_forward=True,
            auto_wrap_policy="transformer_based_wrap",
            transformer_cls_names_to_wrap=["Layer"],
            ignored_modules=[lm.alpha_weights] if len(lm.alpha_weights) else None,
            cpu_ram_efficient_loading=False,
        )
        if rounds:
            plugin.set_mixed_precision("bf16")
        # accelerate takes the plugin where there is an accelerator only. Told afterwards, it shards elsewhere too.
        for state in (PartialState(), accelerator.state):
            state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = plugin
    return accelerator


def _whole(only_trained: bool, *, reading: bool = False) -> StateDictOptions:
    """All of a sharded model in one process's memory; of an adapted one what is trained."""
    return StateDictOptions(
        full_state_dict=True,
        cpu_offload=not reading,
        ignore_frozen_params=only_trained,
        strict=not only_trained,
    )


def _named(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """A learner's weights by the language model's own names."""
    return {name.removeprefix("lm."): weight for name, weight in state.items()}


def _is_due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)
