"""Weights in 8 or 4 bits: what makes a full-size model speak in real time on a CPU, which waits for its memory.

Only matrices are packed; norms, embeddings, attention and everything that is remembered stay float32. Knows no
checkpoint: a model is packed after it was loaded, and cannot be trained or saved any more.

A row's product depends neither on the number of rows nor on its neighbours: the kernels take row by row (checked by
the tests, to the bit).

N rows of a matrix, K columns
"""

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kani_npc.errors import ModelError
from kani_npc.lm.layers import Direct, Linear

if TYPE_CHECKING:
    from kani_npc.lm.model import Lfm2

Weights = Literal["float32", "bfloat16", "int8", "int4"]
"""How a language model's matrices are kept while it serves."""

WEIGHTS: tuple[Weights, ...] = get_args(Weights)

# A matrix of so many weights waits for memory, a smaller one for the operators around its product: of `tiny`'s, 1.75 ms
# a token with 16-bit inputs and 0.88 with bfloat16 ones (one thread).
MANY_WEIGHTS = 500_000
INT4_GROUP = 32  # weights of a row that share a scale and a zero
SPAN = 127 * 256  # levels of an input on either side of zero, such that its high byte is one


class Int8Linear(Direct):
    """A scale for each row; inputs are rounded to 1/32512 of their row's peak, which costs nothing that is heard.

    A row of inputs is multiplied as two rows of bytes, its high and its low ones: at the few rows that speak, time goes
    by the bytes of the weights. Products of bytes are summed up as integers, so nothing depends on the order of sums.
    Its kinds take the products that torch has for x86 CPUs with VNNI.
    """

    def __init__(self, weight_NK: Tensor) -> None:
        super().__init__()
        peak = weight_NK.abs().amax(dim=1).clamp_min(1e-12)
        weight = (weight_NK / peak[:, None] * 127).round().to(torch.int8)
        # No buffers: whatever moves, counts or saves tensors can do nothing with a library's own layout, and each that
        # is looked up costs a microsecond of a product's hundred.
        zero = torch.zeros(len(peak), dtype=torch.int64)
        self._weight = self._packed(weight, peak / 127 / SPAN, zero)
        self._span = torch.tensor(float(SPAN))

    @classmethod
    @cache
    def is_fast_here(cls) -> bool:
        """Whether this CPU and this torch have the product, tried out at its extremes, where others saturate."""
        try:
            if not torch.cpu._is_vnni_supported():
                return False
            ends, rows = torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 1.0] * 8)
            y = cls(rows[:, None].expand(16, 64))(2 * ends[:, None].expand(2, 64))
            return torch.equal(y, 128 * torch.outer(ends, rows))
        except (AttributeError, RuntimeError, NotImplementedError, TypeError):
            return False

    def forward(self, x: Tensor) -> Tensor:
        peak = x.abs().amax(-1, True)
        # A number in -SPAN..SPAN, as 256 * high + low, low in -128.5..127.5. One operator for each rounding: a fused
        # one would round elements beside torch's vectors differently. A row of zeros divides by zero; whatever comes
        # of it is multiplied by its peak.
        levels = x * (self._span / peak)
        high = levels.add(128.5).mul_(1 / 256).floor_()
        low = levels.sub_(high, alpha=256)
        low, high = self._product(torch.stack((low, high))).unbind(0)
        return low.add_(high, alpha=256).mul_(peak)

    @staticmethod
    def _packed(weight_NK: Tensor, scale_N: Tensor, zero_N: Tensor) -> Any:
        """What `_product` takes of weights in -127..127, what each row of them is worth, and the zeros of a
        symmetric packing."""
        raise NotImplementedError

    def _product(self, x: Tensor) -> Tensor:
        """With inputs rounded to whole numbers in -128..127."""
        raise NotImplementedError


class FbgemmInt8Linear(Int8Linear):
    """Reads the weights of one row's product nearly at the memory's rate: 0.6 to 0.75 of oneDNN's time.

    torch means to give up the quantised tensors that its weights are packed from; oneDNN takes over then.
    """

    @staticmethod
    def _packed(weight_NK: Tensor, scale_N: Tensor, zero_N: Tensor) -> Any:
        engine = torch.backends.quantized.engine  # which library packs is a setting of the process
        torch.backends.quantized.engine = "fbgemm"
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*quantized tensor creation", UserWarning)
                quantised_NK = torch.ops.aten._make_per_channel_quantized_tensor(
                    weight_NK, scale_N.double(), zero_N, 0
                )
            return torch.ops.quantized.linear_prepack(quantised_NK, None)
        finally:
            torch.backends.quantized.engine = engine

    def _product(self, x: Tensor) -> Tensor:
        # Rounds, and adds the 128 that make bytes.
        return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default(
            x, 1.0, 128, self._weight
        )


class OnednnInt8Linear(Int8Linear):
    """Where FBGEMM's is not to be had."""

    @staticmethod
    def _packed(weight_NK: Tensor, scale_N: Tensor, zero_N: Tensor) -> Any:
        return torch.ops.onednn.qlinear_prepack(weight_NK, None), scale_N, zero_N, None

    def _product(self, x: Tensor) -> Tensor:
        return torch.ops.onednn.qlinear_pointwise.default(
            x.add(128).round_().to(torch.uint8),
            1.0,
            128,
            *self._weight,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )


class PortableInt8Linear(Direct):
    """The same for small matrices and for other CPUs.

    Inputs are rounded to bfloat16, which costs 1.6e-3 of the result's size.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, weight_NK: Tensor) -> None:
        super().__init__()
        peak = weight_NK.abs().amax(dim=1).clamp_min(1e-12)
        # Rounded before the weights are, so that its rounding is none of theirs.
        scale = (peak / 127).bfloat16()
        packed = (weight_NK / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
        self.register_buffer("weight", packed)
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).bfloat16()
        y = torch.ops.aten._weight_int8pack_mm(rows, self.weight, self.scale)
        return y.to(x.dtype).view(*x.shape[:-1], -1)


class Int4Linear(Direct):
    """A scale and a zero for each `INT4_GROUP` weights; inputs as `PortableInt8Linear`."""

    weight: Tensor
    scale_and_zero: Tensor

    def __init__(self, weight_NK: Tensor) -> None:
        super().__init__()
        groups = weight_NK.unflatten(1, (-1, INT4_GROUP))
        low, high = groups.amin(dim=2), groups.amax(dim=2)
        scale = ((high - low) / 15).clamp_min(1e-12).bfloat16()
        zero = (low + 8 * scale).bfloat16()  # the kernel's rule: w = (q - 8) * scale + zero
        levels = ((groups - zero[..., None]) / scale[..., None] + 8).round().clamp(0, 15)
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels.flatten(1).int(), 1)
        self.register_buffer("weight", packed)
        both = torch.stack((scale, zero), dim=-1).transpose(0, 1).contiguous()
        self.register_buffer("scale_and_zero", both)  # [K / group, N, 2]

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).bfloat16()
        y = torch.ops.aten._weight_int4pack_mm_for_cpu(
            rows, self.weight, INT4_GROUP, self.scale_and_zero
        )
        return y.to(x.dtype).view(*x.shape[:-1], -1)


class Float32Head(Direct):
    """A head of weights in bfloat16 whose sums stay float32: logits rounded to 8 bits are often equal."""

    def __init__(self, weight_NK: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight_NK.float(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.float(), self.weight)


def keep_logits_exact(lm: "Lfm2") -> "Lfm2":
    """The same model in bfloat16 with heads in float32, in place: 66 MB at the full size."""
    with torch.no_grad():
        lm.heads = [Float32Head(head) for head in lm.head_rows()]
    return lm


def can_pack(lm: "Lfm2", weights: Weights) -> bool:
    """Whether this model's widths can be packed so. With K not a multiple of 16 the int8 kernel writes anywhere."""
    return all(_fits(linear.weight, weights) for linear in _linears(lm))


def pack(lm: "Lfm2", weights: Weights) -> "Lfm2":
    """The same model, its matrices packed in place; it serves on the CPU from now on.

    Raises `ModelError` for a model whose widths cannot be packed.
    """
    if weights not in ("int8", "int4"):
        raise ModelError(f"{weights!r} is no packing; there are int8 and int4")
    if not can_pack(lm, weights):
        step = 16 if weights == "int8" else INT4_GROUP
        raise ModelError(
            f"this model's widths are no multiples of {step}: {weights} cannot hold it"
        )
    kind = _int8 if weights == "int8" else Int4Linear
    with torch.no_grad():
        for layer in lm.layers:
            for module in list(layer.modules()):
                for name, child in list(module.named_children()):
                    if isinstance(child, Linear):
                        setattr(module, name, kind(child.weight.float()))
        # The head's share of the drift is as large as all other matrices' together, and its share of the bytes small.
        lm.heads = [_int8(head.float()) for head in lm.head_rows()]
    return lm


def _int8(weight_NK: Tensor) -> Int8Linear | PortableInt8Linear:
    """In the form that is multiplied soonest."""
    if weight_NK.numel() >= MANY_WEIGHTS:
        for kind in (FbgemmInt8Linear, OnednnInt8Linear):
            if kind.is_fast_here():
                return kind(weight_NK)
    return PortableInt8Linear(weight_NK)


def _linears(lm: "Lfm2") -> list[Linear]:
    return [m for layer in lm.layers for m in layer.modules() if isinstance(m, Linear)]


def _fits(weight_NK: Tensor, weights: Weights) -> bool:
    rows, columns = weight_NK.shape
    if weights == "int4":
        return rows % 16 == 0 and columns % INT4_GROUP == 0
    return columns % 16 == 0
