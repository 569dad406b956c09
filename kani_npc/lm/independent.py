"""Makes a model's rows independent to the bit: what a row says does not depend on how many others step with it.

Products round differently from one batch size to the next. Packed matrices (see `packed`) do not, their kernels take
row by row; float32 ones are multiplied as a batch of single rows; and attention looks at each row's own tokens,
without padding up to its neighbours' (all as measured, operator by operator, on one kind of CPU with torch 2.13; the
tests ask again on the machine they run on).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kani_npc.errors import ModelError
from kani_npc.lm.layers import Direct, Linear

if TYPE_CHECKING:
    from kani_npc.lm.model import Lfm2

# torch computes this many float32 at a time; what is left over goes another way, with another rounding.
VECTOR = 32


class RowLinear(Direct):
    """Every row of a batch as a product of its own: [B, T, K] or [B, K] -> the same with N."""

    def __init__(self, weight_NK: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight_NK, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            return self.forward(x[:, None])[:, 0]
        return torch.bmm(x, self.weight.mT.expand(x.shape[0], -1, -1))


def make_rows_independent(lm: "Lfm2") -> "Lfm2":
    """The same model, changed in place. Raises `ModelError` for bfloat16 on the CPU, where no such product is known.

    On a GPU only the flag is set: there, the runner always takes the same number of rows and of remembered tokens.
    """
    lm.rows_are_independent = True
    if lm.device.type != "cpu":
        return lm
    if lm.dtype != torch.float32:
        raise ModelError("reproducible on a CPU are float32, int8 and int4 weights, not bfloat16")
    if lm.heads is None:
        lm.heads = [RowLinear(head) for head in lm.head_rows()]
    for layer in lm.layers:
        for module in list(layer.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, Linear):
                    setattr(module, name, RowLinear(child.weight.detach()))
    return lm


def may_step_together(lm: "Lfm2") -> bool:
    """Whether rows that step together round as each would alone; widths beside torch's vectors step one by one."""
    config = lm.config
    widths = (config.hidden_size, config.ff_size, config.head_dim // 2)
    return all(width % VECTOR == 0 for width in widths)
