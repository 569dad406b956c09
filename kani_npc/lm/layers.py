"""The smallest parts of the language model, which its full-precision and its packed form share."""

from typing import Any

import torch
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


class Epsilon:
    """What keeps a norm from dividing by zero: the number, and a tensor of it for operators that take no number."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.tensor = torch.tensor(value, device="cpu")  # also in a model on the meta device


def rms_norm(x: Tensor, weight: Tensor, eps: Epsilon) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight, means over the last dim; `weight` is of that dim or of the last two.

    On a CPU torch's own is fourteen operators, a fifth of a small model's token. Five do for serving, and differ in the
    last bit or two.
    """
    size = x.shape[-1]
    if torch.is_grad_enabled() or x.dtype != torch.float32 or x.device.type != "cpu":
        if weight.ndim == 1:
            return F.rms_norm(x, (size,), weight, eps.value)
        return F.rms_norm(x, (size,), eps=eps.value) * weight
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return (x * torch.addcmul(eps.tensor, norm, norm, value=1 / size).rsqrt_()).mul_(weight)
