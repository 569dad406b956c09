"""The smallest parts of the language model, which its full-precision and its packed form share."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class Direct(nn.Module):
    """A module whose call is its forward.

    nn.Module's own call looks for hooks first, 4 us each, which 60 times a step is half as long as the arithmetic of a
    small model. Whole layers keep it, so tools that wrap layers (sharding, checkpointing) find what they need.
    """

    def __call__(self, *args: Any) -> Tensor:
        return self.forward(*args)


class Linear(Direct, nn.Linear):
    """Without bias: nothing in this model has one. One of torch's own, so that tools for adapters know it."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    def reset_parameters(self) -> None:
        """Nothing is drawn here: the model draws its weights, or a checkpoint fills them in."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)
