"""Per-character LoRA adapters of the language model: their files, and many of them in one step.

An adapter is low-rank: y = x W^T + (x down^T) up, for some matrices of the model. Training writes one as peft's folder
for an `Lfm2` (`read_peft`); a voice carries one as a single file (`Lora.to_bytes`). An `AdapterBank` has those that may
speak at one time side by side, so that rows with different ones go through the model together.

Knows no voices, no store and no slots. Whatever the adapted matrices are made of (see `packed`, `independent`), they
stay as they are: a low-rank product is added to what they give.

B rows, T tokens, K columns and N rows of a matrix, R rank, C columns of a bank
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from kani_npc.errors import CheckpointError
from kani_npc.lm.config import LmConfig
from kani_npc.lm.layers import Direct, Linear
from kani_npc.lm.model import Lfm2

# The last part of the module names in `Lfm2` that an adapter may have, of all layers: every matrix that tokens pass
# through. One list for training and serving; peft takes it as its target_modules.
LORA_TARGETS = ("in_proj", "out_proj", "qkv_proj", "w13", "w2")

MAX_LORA_RANK = 32

FORMAT = "kani_npc.lora.1"

# Where training notes which weights a peft folder was trained on; peft itself has no place for it.
BASE_FILE = "base.json"

# The matrices of a step's rows are copied side by side if they are at most so many bytes in all layers: one product of
# many is then two to five times as fast as many. That of large matrices is not (measured), and the copies are large.
_STACK_BYTES = 64 * 2**20
_MAX_PLANS = 64  # remembered; they come again frame after frame


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter: (down [R, K], up [R, N]) by the name of the module that they are for. The scale is in `up`."""

    base: str  # `weights_hash` of the model that it was trained on
    matrices: Mapping[str, tuple[Tensor, Tensor]]

    @property
    def rank(self) -> int:
        """Of its largest pair."""
        return max((down.shape[0] for down, _ in self.matrices.values()), default=0)

    @property
    def num_bytes(self) -> int:
        return sum(down.nbytes + up.nbytes for down, up in self.matrices.values())

    def half(self) -> "Lora":
        """The same, rounded to float16. Raises `CheckpointError` where that holds a value that it cannot."""
        halves = {name: (down.half(), up.half()) for name, (down, up) in self.matrices.items()}
        if not all(torch.isfinite(t).all() for pair in halves.values() for t in pair):
            raise CheckpointError("the adapter has values that float16 cannot hold")
        return Lora(self.base, halves)

    def to_bytes(self, *, in_8_bits: bool = False) -> bytes:
        """A safetensors file: `<module>.down`, `<module>.up`, and what it was trained on.

        In 8 bits rows are whole steps, which `<module>.down.step` and `.up.step` [R] say: powers of two, so that
        rounding what was rounded before changes nothing.
        """
        tensors = {
            f"{name}.{which}": tensor.contiguous()
            for name, pair in self.matrices.items()
            for which, tensor in zip(("down", "up"), pair, strict=True)
        }
        if in_8_bits:
            for name, tensor in list(tensors.items()):
                _, exponents = torch.frexp(tensor.float().abs().amax(1))
                step = torch.ldexp(
                    torch.ones(len(tensor)), exponents - 7
                )  # the largest value is 64 to 128
                steps = (tensor / step[:, None]).round().clamp(-127, 127)
                tensors[name], tensors[f"{name}.step"] = steps.to(torch.int8), step
        # One entry: several come in an order of chance, and a store names the same adapter by its hash.
        return serialise(tensors, {FORMAT: self.base})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Lora":
        """Raises `CheckpointError` for what is none."""
        try:
            tensors = parse(data)
            # The parser checked the header, but does not hand out what stands in it.
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        except (SafetensorError, ValueError, KeyError) as error:
            raise CheckpointError("the adapter is cut short, or no safetensors file") from error
        metadata = header.get("__metadata__", {})
        if FORMAT not in metadata:
            raise CheckpointError("this is no adapter; `python -m finetune publish` writes them")
        tensors = _whole(tensors)
        names = {key.rpartition(".")[0] for key in tensors}
        if tensors.keys() != {f"{name}.{which}" for name in names for which in ("down", "up")}:
            raise CheckpointError("the adapter has matrices that are no pairs of down and up")
        pairs = {name: (tensors[f"{name}.down"], tensors[f"{name}.up"]) for name in sorted(names)}
        return cls(metadata[FORMAT], pairs)

    def check(self, config: LmConfig, base: str) -> None:
        """Whether a model of these dims, its weights of this hash, can speak with it. Raises `CheckpointError`."""
        shapes = adaptable(config)
        if not self.matrices:
            raise CheckpointError("the adapter changes nothing: it has no matrices")
        for name, (down, up) in self.matrices.items():
            if name not in shapes:
                raise CheckpointError(
                    f"the adapter changes {name[:80]}, which is none of the model's "
                    f"{', '.join(LORA_TARGETS)} matrices"
                )
            if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[0]:
                raise CheckpointError(
                    f"the adapter's {name} is {list(down.shape)} and {list(up.shape)}, which is no pair"
                )
            if not 1 <= down.shape[0] <= MAX_LORA_RANK:
                raise CheckpointError(
                    f"the adapter's {name} has rank {down.shape[0]}; from 1 to {MAX_LORA_RANK} can be served"
                )
            if (up.shape[1], down.shape[1]) != shapes[name]:
                raise CheckpointError(
                    f"the adapter's {name} is for a matrix of {[up.shape[1], down.shape[1]]}; "
                    f"the model's has {list(shapes[name])}"
                )
            for tensor in (down, up):
                if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16):
                    raise CheckpointError(f"the adapter's {name} is {tensor.dtype}, no float")
                if not torch.isfinite(tensor).all():
                    raise CheckpointError(f"the adapter's {name} holds values that are not finite")
        if self.base != base:
            raise CheckpointError(
                f"the adapter was trained on the weights {self.base[:12]}…; this model has {base[:12]}…: "
                "serve the model that it was trained on, or train it again"
            )


def _whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is in 8 bits times its steps, in float32. Raises `CheckpointError` where they do not fit together."""
    whole = dict(tensors)
    for key in [key for key in tensors if key.endswith(".step")]:
        step = whole.pop(key)
        name = key.removesuffix(".step")
        rows = whole.get(name, step)
        # A step for each row and no other: their product could be of any size.
        if rows.dtype != torch.int8 or rows.ndim != 2 or step.shape != rows.shape[:1]:
            raise CheckpointError(f"the adapter's {name[:80]} is not in 8 bits with a step a row")
        whole[name] = rows * step.float()[:, None]
    return whole


def adaptable(config: LmConfig) -> dict[str, tuple[int, int]]:
    """The matrices that an adapter may change, and their [N, K], by module name."""
    with torch.device("meta"):
        lm = Lfm2(config)
    return {
        name: (module.weight.shape[0], module.weight.shape[1])
        for name, module in lm.named_modules()
        if isinstance(module, Linear) and name.rpartition(".")[2] in LORA_TARGETS
    }


def weights_hash(folder: str | Path) -> str:
    """Names a model folder's language model by its weight files: SHA-256, in hex. 0.6 s a gigabyte.

    Raises `CheckpointError` where there are none.
    """
    files = sorted(Path(folder).glob("model*.safetensors"))
    if not files:
        raise CheckpointError(f"{folder} has no model.safetensors")
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def note_base(adapter: str | Path, model: str | Path) -> None:
    """Writes beside peft's files which model folder's weights the adapter was trained on."""
    text = json.dumps({"weights": weights_hash(model)}) + "\n"
    (Path(adapter) / BASE_FILE).write_text(text, encoding="utf-8")


def read_peft(folder: str | Path, model: str | Path) -> Lora:
    """The adapter that peft wrote for the model in that folder.

    Raises `CheckpointError` for what is no LoRA, is more than one (DoRA, biases, whole modules), was trained on other
    weights than the folder's, or does not fit them.
    """
    folder = Path(folder)
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
        noted = folder / BASE_FILE
        trained_on = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} holds no whole adapter as peft writes it: {error}"
        ) from error
    _check_peft(config, folder)
    base = weights_hash(model)
    if trained_on.get("weights", base) != base:
        raise CheckpointError(f"{folder} was trained on other weights than those in {model}")
    scale = config["lora_alpha"] / (math.sqrt(config["r"]) if config["use_rslora"] else config["r"])
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for key, down in tensors.items():
        name, found, rest = key.removeprefix("base_model.model.").partition(".lora_A")
        if not found:
            if ".lora_B" not in key:
                raise CheckpointError(f"{folder} has {key}, which is no part of a LoRA")
            continue
        up = tensors.get(key.replace(".lora_A", ".lora_B"))
        if rest != ".weight" or up is None:
            raise CheckpointError(f"{folder} has {key} without its other half")
        pairs[name] = (down.float(), (up.float() * scale).T.contiguous())
    if 2 * len(pairs) != len(tensors):
        raise CheckpointError(f"{folder} has matrices that are no pairs")
    lora = Lora(base, pairs)
    lora.check(LmConfig.from_json(Path(model)), base)
    return lora


def _check_peft(config: object, folder: Path) -> None:
    """peft writes all of its options down; those that change what is computed must be as here."""
    plain = {
        "peft_type": "LORA",
        "bias": "none",
        "use_dora": False,
        "lora_bias": False,
        "fan_in_fan_out": False,
        "modules_to_save": None,
        "alpha_pattern": {},
        "rank_pattern": {},
    }
    if not isinstance(config, dict):
        raise CheckpointError(f"{folder / 'adapter_config.json'} is not a JSON object")
    for name, value in plain.items():
        if config.get(name, value) not in (value, None):
            raise CheckpointError(
                f"{folder} was trained with {name}={config[name]!r:.60}; only {value!r} can be served"
            )
    if not all(type(config.get(name)) in (int, float) for name in ("r", "lora_alpha")):
        raise CheckpointError(f"{folder / 'adapter_config.json'} lacks r or lora_alpha")
    if not 1 <= config["r"] <= MAX_LORA_RANK:
        raise CheckpointError(
            f"{folder} has rank {config['r']}; from 1 to {MAX_LORA_RANK} can be served"
        )
    config.setdefault("use_rslora", False)


def merge(lm: Lfm2, lora: Lora) -> Lfm2:
    """The model with the adapter in its weights, in place; before it is packed. Raises `CheckpointError`."""
    lora.check(lm.config, lora.base)
    modules = dict(lm.named_modules())
    with torch.no_grad():
        for name, (down, up) in lora.matrices.items():
            linear = modules[name]
            assert isinstance(linear, Linear), "a packed model cannot be changed"
            linear.weight += (up.float().T @ down.float()).to(linear.weight)
    return lm


# --- many in one step


Columns = tuple[int, int]  # of a bank, from and to


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How a step's rows find their columns: in one of these ways, by what is fastest."""

    one: Columns | None = None  # every row has the same
    stacked: Sequence[Columns | None] = ()  # each row's, copied side by side once for many steps
    rows: Sequence[tuple[int, Columns]] = ()  # each row that has some, as a product of its own
    masked: tuple[Columns, Tensor] | None = None  # those of all, and [B, 1, C] which are others'


class _AdaptedLinear(Direct):
    """What a matrix of the model gives, and the low-rank products of the rows that have one."""

    def __init__(self, bank: "AdapterBank", inner: nn.Module, shape: tuple[int, int]) -> None:
        super().__init__()
        self.inner, self._bank = inner, [bank]  # a list: it is none of this module's parts
        num_rows, num_columns = shape
        self.down = torch.zeros(bank.num_columns, num_columns, dtype=bank.dtype, device=bank.device)
        self.up = torch.zeros(bank.num_columns, num_rows, dtype=bank.dtype, device=bank.device)
        # Of the last plan: matrices as its products take them.
        self._of: _Plan | None = None
        self._down, self._up = self.down, self.up

    def load(self, columns: Columns, pair: tuple[Tensor, Tensor] | None) -> None:
        for ours, part in zip((self.down, self.up), pair or (None, None), strict=True):
            ours[slice(*columns)] = 0.0
            if part is not None:
                ours[columns[0] : columns[0] + len(part)] = part.to(ours)

    def forward(self, x_BTK: Tensor) -> Tensor:
        y_BTN = self.inner(x_BTK)
        plan = self._bank[0].plan
        if plan.rows:
            for row, columns in plan.rows:
                at = slice(*columns)
                y_BTN[row].addmm_(x_BTK[row] @ self.down[at].T, self.up[at])
            return y_BTN
        if plan is not self._of:
            self._prepare(plan)
        if plan.stacked:
            return y_BTN.baddbmm_(torch.bmm(x_BTK, self._down), self._up)
        h = F.linear(x_BTK, self._down)
        if plan.masked is not None:
            # Filled and not multiplied: what another row's adapter makes of this one may be infinite.
            h.masked_fill_(plan.masked[1], 0.0)
        y_BTN.view(-1, y_BTN.shape[-1]).addmm_(h.view(-1, h.shape[-1]), self._up)
        return y_BTN

    def _prepare(self, plan: _Plan) -> None:
        if plan.stacked:
            rank = max(columns[1] - columns[0] for columns in plan.stacked if columns)
            down = self.down.new_zeros(len(plan.stacked), rank, self.down.shape[1])
            up = self.up.new_zeros(len(plan.stacked), rank, self.up.shape[1])
            for row, columns in enumerate(plan.stacked):
                if columns is not None:
                    down[row, : columns[1] - columns[0]] = self.down[slice(*columns)]
                    up[row, : columns[1] - columns[0]] = self.up[slice(*columns)]
            self._down, self._up = down.mT, up
        else:
            columns = plan.one or (plan.masked[0] if plan.masked else None)
            assert columns is not None
            self._down, self._up = self.down[slice(*columns)], self.up[slice(*columns)]
        self._of = plan


class AdapterBank:
    """Adapters of one model, `num_seats` of them, each in a seat of `MAX_LORA_RANK` columns. Seat 0 is no adapter.

    The model computes with them inside `applied`, and outside as if there were none. Their matrices are made when the
    first adapter is loaded.
    """

    def __init__(self, lm: Lfm2, num_seats: int) -> None:
        self._lm = lm
        self.num_seats = num_seats
        self.num_columns = num_seats * MAX_LORA_RANK
        self.dtype, self.device = lm.dtype, lm.device
        self.plan = _Plan()
        self._ranks = [0] * (1 + num_seats)
        self._plans: dict[tuple[int, ...], _Plan] = {}

    @cached_property
    def _linears(self) -> dict[str, tuple[nn.Module, str, _AdaptedLinear]]:
        """By module name: whose part it is, as what, and what takes its place."""
        found: dict[str, tuple[nn.Module, str, _AdaptedLinear]] = {}
        for name, shape in adaptable(self._lm.config).items():
            path, _, attribute = name.rpartition(".")
            parent = self._lm.get_submodule(path)
            inner = parent.get_submodule(attribute)
            found[name] = (parent, attribute, _AdaptedLinear(self, inner, shape))
        return found

    @cached_property
    def bytes_per_seat(self) -> int:
        shapes = adaptable(self._lm.config).values()
        return MAX_LORA_RANK * sum(map(sum, shapes)) * self.dtype.itemsize

    @torch.inference_mode()
    def load(self, seat: int, lora: Lora) -> None:
        """Puts an adapter that was checked into a seat that no row has."""
        assert 1 <= seat <= self.num_seats
        for name, (_, _, linear) in self._linears.items():
            linear.load(self._columns(seat, MAX_LORA_RANK), lora.matrices.get(name))
        self._ranks[seat] = lora.rank
        self._plans.clear()

    @contextmanager
    def applied(self, seats: Sequence[int]) -> Iterator[None]:
        """Inside, the model's next rows have the adapters in these seats, row by row; a prompt is one row.

        Where the model's rows are independent, each has a product of its own.
        """
        key = tuple(seats)
        if not any(key):
            yield
            return
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._planned(key)
        with self._in_place(plan):
            yield

    @contextmanager
    def applied_to(self, seats_B: Tensor, num_seats: int) -> Iterator[None]:
        """The same for seats that a tensor names, all of them among the first `num_seats`: with fixed shapes and no
        question to the host."""
        width = num_seats * MAX_LORA_RANK
        owners = 1 + torch.arange(width, device=self.device) // MAX_LORA_RANK
        others = (owners != seats_B[:, None])[:, None]
        with self._in_place(_Plan(masked=((0, width), others))):
            yield

    @contextmanager
    def _in_place(self, plan: _Plan) -> Iterator[None]:
        self.plan = plan
        try:
            # Past nn.Module's own __setattr__, which would take a tenth of a small model's step.
            for parent, attribute, linear in self._linears.values():
                parent._modules[attribute] = linear
            yield
        finally:
            for parent, attribute, linear in self._linears.values():
                parent._modules[attribute] = linear.inner

    def _columns(self, seat: int, num_columns: int) -> Columns:
        first = (seat - 1) * MAX_LORA_RANK
        return first, first + num_columns

    def _planned(self, seats: tuple[int, ...]) -> _Plan:
        columns = [self._columns(seat, self._ranks[seat]) if seat else None for seat in seats]
        alone = [(row, own) for row, own in enumerate(columns) if own is not None]
        if self._lm.rows_are_independent:
            return _Plan(rows=alone)
        if len(set(seats)) == 1:
            return _Plan(one=columns[0])
        if len(alone) > 1 and len(seats) * self.bytes_per_seat <= _STACK_BYTES:
            return _Plan(stacked=columns)
        return _Plan(rows=alone)
