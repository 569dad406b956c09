"""The causal decoder frame by frame, for many streams at once: exact, whatever the cutting.

Runs the weights of `network.Decoder` in another arrangement, because a step of one frame is bound by overhead, not by
arithmetic: time-major tensors, so that a convolution reads its window in place and an activation writes into the next
window; weights packed once for the CPU's convolution kernels; residual sums done by the convolution. On a GPU the same
steps run with that device's kernels; shapes depend on batch and frames only, and nothing waits for the device.

Shapes: S slots, B rows, K codebooks, F frames, T time steps of one layer, C channels, N samples.
"""

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as functional
from torch import Tensor

from kani_npc.codec.fsq import GroupFSQ
from kani_npc.codec.network import (
    LEAKY_SLOPE,
    CausalConv,
    CausalUp,
    Decoder,
    HalfSnake,
    Residual,
    ResidualMean,
)
from kani_npc.errors import CodecError

Rows = slice | Tensor  # rows of the state: neighbours in order, or an index


class NanoDecoderState:
    """The inputs that each layer still needs: one tensor [S, context, C] a layer, zero for a new stream."""

    def __init__(self, tensors: list[Tensor], num_slots: int) -> None:
        self.tensors = tensors
        self.num_slots = num_slots

    def reset(self, slots: Sequence[int] | Tensor) -> None:
        """Make these slots as new. Other slots do not notice."""
        rows = rows_of(slots, self.num_slots, self.tensors[0].device)
        for tensor in self.tensors:
            tensor[rows] = 0.0


def rows_of(slots: Sequence[int] | Tensor, num_slots: int, device: torch.device) -> Rows:
    """Which rows of the state these slots are. A tensor is taken as it is, so that a captured graph can refill it."""
    if isinstance(slots, Tensor):
        return slots
    slots = list(slots)
    if len(set(slots)) != len(slots) or any(not 0 <= slot < num_slots for slot in slots):
        raise ValueError(f"slots {slots} are not different rows of a state of {num_slots}")
    if slots and slots == list(range(slots[0], slots[0] + len(slots))):
        return slice(slots[0], slots[0] + len(slots))  # a view; an index costs a copy more
    return torch.tensor(slots, dtype=torch.long, device=device)


class StreamingDecoder:
    """Frames of codes to samples, statefully; see `protocol.StreamingDecoder`.

    Copies the decoder's weights as they are now. `dtype` float32 is exact; see `LOW_PRECISION_STAGES` for others.
    """

    def __init__(
        self, decoder: Decoder, quantizer: GroupFSQ, dtype: torch.dtype = torch.float32
    ) -> None:
        self._quantizer = quantizer
        self._pre = _Conv(decoder.pre_conv, torch.float32)
        self._stages = [
            _Stage(
                activation, up, residual, dtype if stage < LOW_PRECISION_STAGES else torch.float32
            )
            for stage, (activation, up, residual) in enumerate(decoder.stages)
        ]
        self._post_activation = _HalfSnake(decoder.post_activation, torch.float32)
        self._post = _Conv(decoder.post_conv, torch.float32)
        self._layers = [
            self._pre,
            *(layer for stage in self._stages for layer in stage.layers),
            self._post,
        ]
        for index, layer in enumerate(self._layers):
            layer.index = index

    def init_state(self, num_slots: int) -> NanoDecoderState:
        if num_slots < 1:
            raise ValueError(f"a state needs at least one slot, not {num_slots}")
        return NanoDecoderState([layer.zeros(num_slots) for layer in self._layers], num_slots)

    def __call__(
        self,
        codes_BKF: Tensor,
        state: NanoDecoderState,
        slots: Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """The next F frames of B streams: [B, F * samples_per_frame] float32.

        Raises `CodecError` for codes that are none; codes that are on a GPU already are taken on trust, because to
        look at them would wait for the device.
        """
        device = self._post.bias.device
        if slots is None:
            slots = range(state.num_slots)
        if codes_BKF.device.type == "cpu":
            self._quantizer.check(codes_BKF)
        if codes_BKF.shape[0] != len(slots):
            raise CodecError(
                f"codes are for {codes_BKF.shape[0]} streams, but {len(slots)} slots are named"
            )
        batch, _, frames = codes_BKF.shape
        if not batch or not frames:
            return torch.zeros(batch, frames and 0, device=device)
        rows = rows_of(slots, state.num_slots, device)
        with torch.inference_mode():
            samples = self._step(codes_BKF.to(device), state.tensors, rows)
        return samples.clamp(
            -1.0, 1.0
        )  # out here, so that what is handed out is an ordinary tensor

    def _step(self, codes_BKF: Tensor, tails: list[Tensor], rows: Rows) -> Tensor:
        x = self._pre(self._quantizer.decode(codes_BKF).transpose(1, 2), None, tails, rows)
        for stage in self._stages:
            x = stage(x, tails, rows)
        return self._post(x.float(), self._post_activation, tails, rows)[..., 0]


# Stages, from the first, whose weights and activations may be in another dtype than float32.
LOW_PRECISION_STAGES = 5


class _HalfSnake:
    """`network.HalfSnake`, time-major, written straight into its place in the next layer's window."""

    def __init__(self, activation: HalfSnake, dtype: torch.dtype) -> None:
        alpha = activation.alpha.detach().flatten()
        self.split = alpha.numel()
        self.alpha = alpha.to(dtype)
        self.inverse = (alpha + 1e-9).reciprocal().to(dtype)

    def __call__(self, x_BTC: Tensor, out_BTC: Tensor) -> None:
        snake = x_BTC[..., : self.split]
        bend = torch.mul(snake, self.alpha).sin_().square_()
        torch.addcmul(snake, bend, self.inverse, out=out_BTC[..., : self.split])
        torch.ops.aten.leaky_relu.out(
            x_BTC[..., self.split :], LEAKY_SLOPE, out=out_BTC[..., self.split :]
        )


class _Layer:
    """A layer with a window: `context` inputs it remembers, then the new ones."""

    index: int

    def __init__(
        self, context: int, channels: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.context, self.channels, self.dtype, self.device = context, channels, dtype, device

    def zeros(self, num_slots: int) -> Tensor:
        return torch.zeros(
            num_slots, self.context, self.channels, dtype=self.dtype, device=self.device
        )

    def window(
        self, x_BTC: Tensor, activation: _HalfSnake | None, tails: list[Tensor], rows: Rows
    ) -> Tensor:
        """[B, context + T, C]: what was, then what is; what is needed next time goes back to the state."""
        batch, steps, _ = x_BTC.shape
        tail, context = tails[self.index], self.context
        window = torch.empty(
            batch, context + steps, self.channels, dtype=self.dtype, device=self.device
        )
        if isinstance(rows, slice):
            tail = tail[rows]
            window[:, :context].copy_(tail)
        else:
            torch.index_select(tail, 0, rows, out=window[:, :context])
        if activation is None:
            window[:, context:].copy_(x_BTC)
        else:
            activation(x_BTC, window[:, context:])
        if isinstance(rows, slice):
            tail.copy_(window[:, steps:])
        else:
            tail.index_copy_(0, rows, window[:, steps:])
        return window


@cache
def _has_packed_convolution(dtype: torch.dtype) -> bool:
    """Whether torch has oneDNN's convolution with weights packed ahead, the operator that torch's compiler uses.

    Not a documented one, so it is tried out; without it the ordinary convolution runs, several times slower.
    """
    x, weight, bias = (
        torch.ones(1, 4, 1, 8, dtype=dtype),
        torch.ones(4, 4, 1, 3, dtype=dtype),
        torch.ones(4, dtype=dtype),
    )
    try:
        packed = torch.ops.mkldnn._reorder_convolution_weight(
            weight, (0, 0), (1, 1), (1, 1), 1, list(x.shape)
        )
        y = torch.ops.mkldnn._convolution_pointwise(
            x, packed, bias, (0, 0), (1, 1), (1, 1), 1, "none", [], ""
        )
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
    return torch.equal(y, torch.full_like(y, 13.0))


class _Conv(_Layer):
    """`network.CausalConv` on its window."""

    def __init__(self, conv: CausalConv, dtype: torch.dtype) -> None:
        super().__init__(conv.context, conv.in_channels, dtype, conv.weight.device)
        assert conv.bias is not None
        self.bias = conv.bias.detach().to(dtype)
        self.dilation = (1, conv.dilation[0])
        weight = conv.weight.detach().to(dtype)[
            :, :, None
        ]  # [out, in, 1, kernel]: a picture of height 1
        self.packed = self.device.type == "cpu" and _has_packed_convolution(dtype)
        if self.packed:
            shape = [1, self.channels, 1, self.context + 64]
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(
                weight, (0, 0), (1, 1), self.dilation, 1, shape
            )
        else:
            self.weight = weight.contiguous(memory_format=torch.channels_last)

    def __call__(
        self,
        x_BTC: Tensor,
        activation: _HalfSnake | None,
        tails: list[Tensor],
        rows: Rows,
        add: Tensor | None = None,
    ) -> Tensor:
        """[B, T, out channels], plus `add` where given."""
        window = self.window(x_BTC, activation, tails, rows)
        x = window[:, None].permute(0, 3, 1, 2)  # channels-last, no copy
        geometry = ((0, 0), (1, 1), self.dilation, 1)
        if not self.packed:
            y = functional.conv2d(x, self.weight, self.bias, dilation=self.dilation)
            y = y[:, :, 0].transpose(1, 2)
            return y if add is None else y.add_(add)
        if add is None:
            y = torch.ops.mkldnn._convolution_pointwise(
                x, self.weight, self.bias, *geometry, "none", [], ""
            )
        else:
            y = torch.ops.mkldnn._convolution_pointwise(
                x,
                add[:, None].permute(0, 3, 1, 2),
                self.weight,
                self.bias,
                *geometry,
                "add",
                1.0,
                None,
                [],
                None,
            )
        return y[:, :, 0].transpose(1, 2)


class _Up(_Layer):
    """`network.CausalUp` as four multiply-adds: two inputs, now and before, each spread over `rate` outputs."""

    def __init__(self, up: CausalUp, dtype: torch.dtype) -> None:
        super().__init__(1, up.in_channels, dtype, up.weight.device)
        assert up.bias is not None
        weight = up.weight.detach().to(
            dtype
        )  # [2 * out, 1, 2 * rate]: first half now, second half before
        self.weight = weight.view(up.out_channels, 2, 2, up.rate).permute(1, 2, 3, 0).contiguous()
        self.bias = up.bias.detach().to(dtype)

    def __call__(
        self, x_BTC: Tensor, activation: _HalfSnake, tails: list[Tensor], rows: Rows
    ) -> Tensor:
        window = self.window(x_BTC, activation, tails, rows)
        batch, steps, channels = window.shape
        pairs = window.view(batch, steps, 1, channels // 2, 2).movedim(4, 0).contiguous()
        first, second = pairs[0], pairs[1]
        y = torch.addcmul(self.bias, first[:, 1:], self.weight[0, 0])  # [B, T, rate, out]
        y.addcmul_(first[:, :-1], self.weight[0, 1])
        y.addcmul_(second[:, 1:], self.weight[1, 0])
        y.addcmul_(second[:, :-1], self.weight[1, 1])
        return y.flatten(1, 2)


class _Residual:
    """`network.Residual`: the sum with its input is done by the second convolution."""

    def __init__(self, block: Residual, dtype: torch.dtype) -> None:
        self.activation = _HalfSnake(block.input_activation, dtype)
        self.conv = _Conv(block.input_conv, dtype)
        self.skip_activation = _HalfSnake(block.skip_activation, dtype)
        self.skip_conv = _Conv(block.skip_conv, dtype)

    def __call__(self, x_BTC: Tensor, tails: list[Tensor], rows: Rows) -> Tensor:
        y = self.conv(x_BTC, self.activation, tails, rows)
        return self.skip_conv(y, self.skip_activation, tails, rows, add=x_BTC)


class _Stage:
    """Up to the next rate, then the mean of the residual chains."""

    def __init__(
        self, activation: HalfSnake, up: CausalUp, residual: ResidualMean, dtype: torch.dtype
    ) -> None:
        self.dtype = dtype
        self.activation, self.up = _HalfSnake(activation, dtype), _Up(up, dtype)
        self.chains = [[_Residual(block, dtype) for block in chain] for chain in residual.chains]
        blocks = [block for chain in self.chains for block in chain]
        self.layers = [
            self.up,
            *(conv for block in blocks for conv in (block.conv, block.skip_conv)),
        ]

    def __call__(self, x_BTC: Tensor, tails: list[Tensor], rows: Rows) -> Tensor:
        x = self.up(x_BTC.to(self.dtype), self.activation, tails, rows)
        ends = []
        for chain in self.chains:
            h = x
            for block in chain:
                h = block(h, tails, rows)
            ends.append(h)
        for other in ends[1:]:
            ends[0].add_(other)
        return ends[0].div_(len(ends))
