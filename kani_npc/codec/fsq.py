"""Group finite scalar quantisation: latents to codes and back, without learned weights.

Knows levels and groups only; no codec, no audio. The rule is NeMo's `GroupFiniteScalarQuantizer`
(reference: NanoCodec, levels 9, 8, 8, 7 in four groups), reproduced code for code by the golden vectors.

Shapes: B batch, K codebooks (= groups), F frames, D = K * L latent rows, L levels a group; group g owns
latent rows g * L .. g * L + L - 1.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kani_npc.errors import CodecError

# tanh is scaled to stay this far inside the outermost level, so that no latent rounds beyond it (as published).
EDGE = 1e-3


class GroupFSQ(nn.Module):
    """`num_groups` equal groups; each turns one small vector a frame into one code of `codebook_size`.

    Buffers are derived from the levels and never saved. Raises `CodecError` for levels below 2.
    """

    table: Tensor
    base: Tensor
    middle: Tensor
    scale: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(self, levels_per_group: Sequence[int], num_groups: int) -> None:
        super().__init__()
        levels = [int(n) for n in levels_per_group]
        if not levels or min(levels) < 2 or num_groups < 1:
            raise CodecError(
                f"levels {levels} in {num_groups} groups are no quantiser: two levels and one group at least"
            )
        self.levels_per_group = tuple(levels)
        self.num_groups = num_groups
        self.codebook_size = math.prod(levels)

        n = torch.tensor(levels)
        base = torch.cumprod(torch.tensor([1, *levels[:-1]]), 0)
        middle = n // 2
        digits = (torch.arange(self.codebook_size)[:, None] // base) % n
        scale = (n - 1) / 2 * (1 - EDGE)
        offset = torch.where(n % 2 == 0, 0.5, 0.0)
        for name, value in {
            "table": (digits - middle) / middle,  # [codebook_size, L]
            "base": base,
            "middle": middle,
            "scale": scale,
            "offset": offset,
            # tan where the FSQ paper has atanh: the published weights were trained with tan.
            "shift": torch.tan(offset / scale),
        }.items():
            self.register_buffer(name, value, persistent=False)

    @property
    def latent_size(self) -> int:
        """Latent rows a frame: all groups together."""
        return self.num_groups * len(self.levels_per_group)

    def check(self, codes_BKF: Tensor) -> None:
        """Raises `CodecError` unless the codes are integers of this quantiser. Waits for the device."""
        if codes_BKF.ndim != 3 or codes_BKF.shape[1] != self.num_groups:
            raise CodecError(
                f"codes have shape {list(codes_BKF.shape)}; expected [batch, {self.num_groups}, frames]"
            )
        if codes_BKF.is_floating_point() or codes_BKF.is_complex() or codes_BKF.dtype == torch.bool:
            raise CodecError(f"codes are {codes_BKF.dtype}; expected integers")
        if codes_BKF.numel():
            low, high = (int(edge) for edge in torch.aminmax(codes_BKF))
            if low < 0 or high >= self.codebook_size:
                wrong = low if low < 0 else high
                raise CodecError(
                    f"code {wrong} is outside the codebook, 0 to {self.codebook_size - 1}"
                )

    def decode(self, codes_BKF: Tensor) -> Tensor:
        """Codes [B, K, F] in range (see `check`) -> latents [B, D, F], each level as its value."""
        batch, _, frames = codes_BKF.shape
        values = self.table[codes_BKF.long()]  # [B, K, F, L]
        return values.transpose(2, 3).reshape(batch, self.latent_size, frames)

    def encode(self, latents_BDF: Tensor) -> Tensor:
        """Latents [B, D, F], any real numbers -> the nearest codes [B, K, F] int64."""
        digits = torch.round(self._compress(latents_BDF)).long() + self.middle
        return (digits * self.base).sum(-1).movedim(1, 2)

    def quantize(self, latents_BDF: Tensor) -> Tensor:
        """Latents [B, D, F] -> `decode(encode(latents))`, differentiable: rounding passes gradients."""
        compressed = self._compress(latents_BDF)
        rounded = compressed + (torch.round(compressed) - compressed).detach()
        return (rounded / self.middle).permute(0, 2, 3, 1).reshape(latents_BDF.shape)

    def _compress(self, latents_BDF: Tensor) -> Tensor:
        """Each latent on its level's scale, before rounding: [B, F, K, L]."""
        rows = latents_BDF.shape[1]
        if rows != self.latent_size:
            raise CodecError(f"latents have {rows} rows a frame; expected {self.latent_size}")
        grouped = latents_BDF.unflatten(1, (self.num_groups, -1)).permute(0, 3, 1, 2)
        return self.scale * torch.tanh(grouped + self.shift) - self.offset
