"""Recipes: what a training run is to do, as a TOML or YAML file. Frozen, read once, unknown keys refused.

Says what is to be learned from what, not how many machines do it: a step is of so many rows whatever the number of
processes. Knows no model and no data.
"""

import dataclasses
import re
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from finetune.rows import Source
from kani_npc.lm.adapters import LORA_TARGETS, MAX_LORA_RANK

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run of this recipe takes and gives, for whoever is about to start one; shown at its start."""

    time: str = ""
    memory: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """Rows and how they are read. A source is a path, or a table of `rows.Source`'s fields."""

    train: tuple[Source, ...]
    validation: tuple[Source, ...] = ()
    validation_share: float = 0.0  # of the training rows, where there is no `validation`
    max_s: float = 40.0  # longer rows are left out, as published
    frames_per_s: float = 12.5
    drop_repeated_frames: bool = True  # as published; `tiny` was trained with them
    speaker_dropout: float = 0.0  # share of the utterances that are read without a speaker
    # Most of an utterance's codes that are read as others, while what is to be learned stays: a small model that was
    # never shown an error does not find back from one of its own. How many is drawn, from none up.
    wrong_codes: float = 0.0
    pack_tokens: int = 0  # several utterances a row, up to so many inputs; 0: one a row
    shuffle_seed: int = 42


@dataclass(frozen=True, slots=True)
class Loss:
    """What is asked of the model. As published: every token, prompt and text included, among all of the vocabulary."""

    prompt: bool = True
    # "legal": only codes and the end of speech, each among what serving chooses from. `tiny` was trained so.
    choices: Literal["vocabulary", "legal"] = "vocabulary"


@dataclass(frozen=True, slots=True)
class Lora:
    rank: int = 16
    alpha: float = 16.0
    dropout: float = 0.1
    rslora: bool = False
    targets: tuple[str, ...] = LORA_TARGETS


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW with a cosine to nothing. The defaults are the published pre-training's."""

    learning_rate: float = 9e-4
    warmup: float = 2000  # steps; below 1 a share of all
    epochs: float = 5.0
    steps: int = 0  # instead of `epochs`
    rows_per_step: int = 288  # over all processes
    rows_at_once: int = 6  # of one process; the rest is accumulated
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 3.0
    alpha_rate_ratio: float = 1.5  # of the learned rope factors
    seed: int = 42


@dataclass(frozen=True, slots=True)
class Machine:
    """How it is computed; changes nothing but speed, memory and rounding."""

    precision: Literal["float32", "bf16"] = "float32"  # bf16: where the device multiplies it
    sharding: Literal["none", "fsdp"] = "none"  # of several processes: DDP, or FSDP2
    gradient_checkpointing: bool = False
    attention: Literal["auto", "sdpa", "flash_attention_2"] = "auto"
    cpu: bool = False  # even where there is a GPU
    threads: int = 0  # of a process on the CPU; 0: torch's own choice


@dataclass(frozen=True, slots=True)
class Watch:
    """When the run is looked at and kept, in steps; 0: never."""

    evaluate_every: int = 100
    patience: int = 0  # evaluations without a better one until it stops
    save_every: int = 500
    keep: int = 2
    metrics_every: int = 0  # the dashboard's; always at the end
    influence_positions: int = 32
    report_to: tuple[str, ...] = ("tensorboard",)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`model` is a name that `kani-npc serve` would take: `tiny`, a folder, or a hub name.

    `start`: "weights" goes on from the model's; "scratch" keeps its config and tokenizer and draws new ones; "lfm2"
    makes a speaking model of a plain LFM2, adding what `[speech]` says (the published pre-training's beginning).
    """

    name: str
    model: str
    data: Data
    start: Literal["weights", "scratch", "lfm2"] = "weights"
    expected: Expected = field(default_factory=Expected)
    loss: Loss = field(default_factory=Loss)
    lora: Lora | None = None  # absent: all weights
    optimiser: Optimiser = field(default_factory=Optimiser)
    machine: Machine = field(default_factory=Machine)
    watch: Watch = field(default_factory=Watch)
    # config.json fields of a model that starts from a plain LFM2.
    speech: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        def check(ok: bool, what: str) -> None:
            if not ok:
                raise ValueError(what)

        o, w, d = self.optimiser, self.watch, self.data
        check(bool(self.name) and Path(self.name).name == self.name, "name is not a folder's name")
        check(bool(d.train), "data.train names no rows")
        check(0 <= d.validation_share < 1, "data.validation_share is not from 0 to 1")
        check(not (d.validation and d.validation_share), "data: validation or validation_share")
        check(0 <= d.speaker_dropout <= 1, "data.speaker_dropout is not from 0 to 1")
        check(0 <= d.wrong_codes < 1, "data.wrong_codes is not from 0 to 1")
        check(d.pack_tokens >= 0, "data.pack_tokens is negative")
        check(o.learning_rate > 0, "optimiser.learning_rate is not positive")
        check(o.rows_at_once > 0, "optimiser.rows_at_once is not positive")
        check(o.rows_per_step > 0, "optimiser.rows_per_step is not positive")
        check(o.epochs > 0 or o.steps > 0, "optimiser: neither epochs nor steps")
        check(o.warmup >= 0, "optimiser.warmup is negative")
        check(w.keep > 0, "watch.keep is not positive")
        check(not w.patience or self.has_validation, "watch.patience wants validation rows")
        known = {"tensorboard", "wandb"}
        check(set(w.report_to) <= known, f"watch.report_to: {sorted(known)} are known")
        check(bool(self.speech) == (self.start == "lfm2"), 'speech goes with start = "lfm2"')
        if self.lora is not None:
            check(self.start == "weights", 'lora goes with start = "weights"')
            check(
                0 < self.lora.rank <= MAX_LORA_RANK,
                f"lora.rank is not from 1 to {MAX_LORA_RANK}, the most that is served",
            )
            unknown = set(self.lora.targets) - set(LORA_TARGETS)
            check(
                bool(self.lora.targets) and not unknown,
                f"lora.targets are among {', '.join(LORA_TARGETS)}",
            )

    @property
    def has_validation(self) -> bool:
        return bool(self.data.validation) or self.data.validation_share > 0

    def but(self, *, rows: Path | None = None, name: str = "") -> "Recipe":
        """The same for other rows, under another name; what is not given stays."""
        data = self.data
        if rows is not None:
            data = dataclasses.replace(data, train=(Source(str(rows)),))
        return dataclasses.replace(self, data=data, name=name or self.name)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def read(path: Path) -> Recipe:
    """The recipe in a TOML or YAML file. Raises `ValueError` that names the file and the key."""
    return read_as(Recipe, path)


def read_as(kind: type[T], path: Path) -> T:
    """A file as these dataclasses, for recipes of every kind: YAML if it is called so, else TOML. Raises as `read`."""
    parsed = _from_yaml if path.suffix in (".yaml", ".yml") else tomllib.loads
    try:
        return _made(kind, parsed(path.read_text(encoding="utf-8")), "")
    except FileNotFoundError:
        raise ValueError(f"there is no {path}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    except (OSError, ValueError) as wrong:
        raise ValueError(f"{path}: {wrong}") from None


class _Yaml(yaml.SafeLoader):
    """Plain words mean what they do in YAML 1.2 and TOML. To 1.1, which PyYAML reads, 1e-3 is a text, 1:30 the number
    90, 010 the number 8 and `no` false; and of a key that stands twice it takes the last."""

    yaml_implicit_resolvers: typing.ClassVar[dict[Any, Any]] = {}

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"{key.value} stands twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return node


for _tag, _words in {
    "null": r"(~|null|Null|NULL|)$",
    "bool": r"(true|True|TRUE|false|False|FALSE)$",
    "int": r"[-+]?(0|[1-9][0-9_]*)$",  # 20_000 is 1.1's and TOML's
    "float": r"[-+]?(\.[0-9]+|(0|[1-9][0-9_]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$",
    "merge": r"<<$",
}.items():
    _Yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_words), None)


def _from_yaml(text: str) -> Any:
    """Raises `ValueError` of one line."""
    try:
        return yaml.load(text, _Yaml)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        where = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{wrong.problem}{where}") from None
    except yaml.YAMLError as wrong:
        raise ValueError(" ".join(str(wrong).split())) from None


def parse(values: dict[str, Any]) -> Recipe:
    """Raises `ValueError` for keys that are not known, are missing, or have values of another kind."""
    return _made(Recipe, values, "")


def _made(kind: type[T], values: Any, where: str) -> T:
    if not isinstance(values, dict):
        raise ValueError(f"{where or 'the recipe'} is not a table")
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(typing.cast(Any, kind))}
    prefix = f"{where}." if where else ""
    unknown = sorted(set(values) - set(known), key=str)  # a key in YAML may be a number
    if unknown:
        raise ValueError(f"unknown key {prefix}{unknown[0]}; there are {', '.join(known)}")
    for name, one in known.items():
        has_default = (
            one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING
        )
        if name not in values and not has_default:
            raise ValueError(f"{prefix}{name} is missing")
    return kind(
        **{name: _value(hints[name], value, prefix + name) for name, value in values.items()}
    )


def _value(kind: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:  # TOML has no such value, JSON and YAML have
            return None
        return _value(next(one for one in inner if one is not type(None)), value, where)
    if origin is Literal:
        if value not in inner:
            raise ValueError(f"{where} is {value!r}; it can be {', '.join(map(str, inner))}")
        return value
    if kind is Source:
        return _made(Source, {"path": value} if isinstance(value, str) else value, where)
    if dataclasses.is_dataclass(kind):
        return _made(typing.cast(type, kind), value, where)
    if origin in (tuple, typing.get_origin(typing.Sequence[str])):
        if not isinstance(value, list):
            raise ValueError(f"{where} is not a list")
        if origin is tuple and inner[-1] is not Ellipsis and len(value) != len(inner):
            raise ValueError(f"{where} is not {len(inner)} values")
        return tuple(_value(inner[0], one, where) for one in value)
    if origin is dict:
        kind = dict
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} is {value!r}, not {kind.__name__}")
    return value
