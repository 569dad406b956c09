"""The causal decoder frame by frame, for many streams at once: exact, whatever the cutting.

Runs the weights of `network.Decoder` in another arrangement, because a step of one frame is bound by overhead, not by
arithmetic: time-major tensors, so that a convolution reads its window in place and an activation writes into the next
window; weights packed once for the CPU's convolution kernels; residual sums done by the convolution. Threads share a
step by chains of residual blocks, which meet five times, not by operators, which would meet six hundred times. On a GPU
the same steps run with that device's kernels; shapes depend on batch and frames only, and nothing waits for the device.

Shapes: S slots, B rows, K codebooks, F frames, T time steps of one layer, C channels, N samples.
"""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

mkldnn = torch.ops.mkldnn  # oneDNN, on CPUs only

# On a CPU four frames are as fast a second as more, stay in the cache, and keep oneDNN from a layout of its
# bfloat16 weights (432 channels, more than 85 steps) that it takes 100 ms a call to reach.
CPU_FRAMES_A_PASS = 4
FRAMES_A_PASS = 64  # elsewhere: bounds the memory of a whole utterance

# What a chain must have to do, in multiplications a tap, to be worth another thread: some 0.1 ms.
WORTH_A_THREAD = 100_000

Rows = slice | Tensor  # rows of the state: neighbours in order, or an index


class NanoDecoderState:
    """The inputs that each layer still needs: one tensor [S, context, C] a layer, zero for a new stream."""

    def __init__(self, tensors: list[Tensor], num_slots: int) -> None:
        self.tensors = tensors
        self.num_slots = num_slots
        # Working memory, not state. It is here because two states may be at work at once, and kept because on a CPU
        # fresh memory costs page faults: a third of a one-frame step when every layer asked for its own.
        self._scratch: dict[tuple[str, torch.dtype], Tensor] = {}
        self._beside: list[NanoDecoderState] = []

    def beside(self, worker: int) -> "NanoDecoderState":
        """The same state with working memory of another worker's own; number 0 is who holds the state."""
        while len(self._beside) < worker:
            self._beside.append(NanoDecoderState(self.tensors, self.num_slots))
        return self if worker == 0 else self._beside[worker - 1]

    @property
    def num_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    def reset(self, slots: Sequence[int] | Tensor) -> None:
        """Make these slots as new. Other slots do not notice."""
        rows = rows_of(slots, self.num_slots, self.tensors[0].device)
        for tensor in self.tensors:
            tensor[rows] = 0.0

    def scratch(self, use: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Uninitialised working memory, the same for the same `use`: valid until the next call that names it."""
        size = math.prod(shape)
        held = self._scratch.get((use, dtype))
        if held is None or held.numel() < size:
            held = torch.empty(size, dtype=dtype, device=self.tensors[0].device)
            self._scratch[use, dtype] = held
        return held[:size].view(*shape)


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

    Copies the decoder's weights as they are now. `dtype` is that of the residual convolutions, where all the time
    goes: float32 is exact; with bfloat16 they are twice as fast, and the noise is 49 dB below the (synthetic)
    sound. What they are added to stays float32: in bfloat16 throughout, the noise rises by 12 dB. On a GPU float32 is
    exact only where torch.backends.cudnn.allow_tf32 is off, which is the process's to decide.
    """

    def __init__(
        self, decoder: Decoder, quantizer: GroupFSQ, dtype: torch.dtype = torch.float32
    ) -> None:
        self._quantizer = quantizer
        self._pre = _Conv(decoder.pre_conv, 1, torch.float32)
        self._stages: list[_Stage] = []
        steps = 1
        for activation, up, residual in decoder.stages:
            steps *= up.rate
            self._stages.append(_Stage(activation, up, residual, steps, dtype))
        self._post_activation = _HalfSnake(decoder.post_activation)
        self._post = _Conv(decoder.post_conv, steps, torch.float32)
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
        rows = rows_of(slots, state.num_slots, device)
        limit = CPU_FRAMES_A_PASS if device.type == "cpu" else FRAMES_A_PASS
        pieces = [torch.zeros(len(slots), 0, device=device)]
        if len(slots):
            with torch.inference_mode(), _threads_for_chains(device) as threads:
                for piece in codes_BKF.to(device).split(limit, dim=2):
                    if piece.shape[2]:
                        pieces.append(self._step(piece, state, rows, threads))
        # Out here, so that what is handed out is an ordinary tensor and not an inference-mode one.
        return torch.cat(pieces, dim=1).clamp_(-1.0, 1.0)

    def _step(self, codes_BKF: Tensor, state: NanoDecoderState, rows: Rows, threads: int) -> Tensor:
        x = self._pre(self._quantizer.decode(codes_BKF).transpose(1, 2), None, state, rows)
        for stage in self._stages:
            x = stage(x, state, rows, threads)
        return self._post(x, self._post_activation, state, rows)[..., 0]


@contextmanager
def _threads_for_chains(device: torch.device) -> Iterator[int]:
    """How many threads may take chains of a step. Meanwhile operators have one each, this thread's and its helpers'."""
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        yield 1
        return
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


@cache
def _helpers(count: int) -> ThreadPoolExecutor:
    """Threads for all decoders of this process, with one thread each for their operators."""
    return ThreadPoolExecutor(count, "kani-codec", torch.set_num_threads, (1,))


if hasattr(os, "register_at_fork"):  # not on Windows
    # A copy of this process has none of its threads.
    os.register_at_fork(after_in_child=_helpers.cache_clear)


class _HalfSnake:
    """`network.HalfSnake`, time-major, written straight into its place in the next layer's window."""

    def __init__(self, activation: HalfSnake) -> None:
        self.alpha = activation.alpha.detach().flatten()
        self.inverse = (self.alpha + 1e-9).reciprocal()
        self.split = self.alpha.numel()

    def __call__(self, x_BTC: Tensor, out_BTC: Tensor, state: NanoDecoderState) -> None:
        # Leaky ReLU everywhere first: one long run is several times faster than the short runs of half the channels.
        torch.ops.aten.leaky_relu.out(x_BTC, LEAKY_SLOPE, out=out_BTC)
        snake = x_BTC[..., : self.split]
        bend = state.scratch("bend", (*x_BTC.shape[:2], self.split), x_BTC.dtype)
        torch.mul(snake, self.alpha, out=bend).sin_().square_()
        torch.addcmul(snake, bend, self.inverse, out=out_BTC[..., : self.split])


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
        self, x_BTC: Tensor, activation: _HalfSnake | None, state: NanoDecoderState, rows: Rows
    ) -> Tensor:
        """[B, context + T, C]: what was, then what is; what is needed next time goes back to the state."""
        batch, steps, _ = x_BTC.shape
        tail, context = state.tensors[self.index], self.context
        window = state.scratch("window", (batch, context + steps, self.channels), self.dtype)
        if isinstance(rows, slice):
            tail = tail[rows]
            window[:, :context].copy_(tail)
        else:
            torch.index_select(tail, 0, rows, out=window[:, :context])
        new = window[:, context:]
        if activation is None:
            new.copy_(x_BTC)
        elif self.dtype == torch.float32:
            activation(x_BTC, new, state)
        else:  # activations are float32 always
            exact = state.scratch("exact", x_BTC.shape, torch.float32)
            activation(x_BTC.float(), exact, state)
            new.copy_(exact)
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
        packed = mkldnn._reorder_convolution_weight(
            weight, (0, 0), (1, 1), (1, 1), 1, list(x.shape)
        )
        y = mkldnn._convolution_pointwise(
            x, packed, bias, (0, 0), (1, 1), (1, 1), 1, "none", [], ""
        )
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
    return torch.equal(y, torch.full_like(y, 13.0))


class _Conv(_Layer):
    """`network.CausalConv` on its window. `steps`: time steps of a frame, for which the weights are packed."""

    def __init__(self, conv: CausalConv, steps: int, dtype: torch.dtype) -> None:
        super().__init__(conv.context, conv.in_channels, dtype, conv.weight.device)
        assert conv.bias is not None
        self.bias = conv.bias.detach().to(dtype)
        # To the kernels a sound is a picture of height 1: weights [out, in, 1, kernel].
        weight = conv.weight.detach().to(dtype)[:, :, None]
        self.geometry = ((0, 0), (1, 1), (1, conv.dilation[0]), 1)
        self.packed = self.device.type == "cpu" and _has_packed_convolution(dtype)
        if self.packed:
            shape = [1, self.channels, 1, self.context + steps]
            self.weight = mkldnn._reorder_convolution_weight(weight, *self.geometry, shape)
        else:
            self.weight = weight.contiguous(memory_format=torch.channels_last)

    def __call__(
        self, x_BTC: Tensor, activation: _HalfSnake | None, state: NanoDecoderState, rows: Rows
    ) -> Tensor:
        """[B, T, out channels]."""
        x = _picture(self.window(x_BTC, activation, state, rows))
        if self.packed:
            y = mkldnn._convolution_pointwise(
                x, self.weight, self.bias, *self.geometry, "none", [], ""
            )
        else:
            y = functional.conv2d(x, self.weight, self.bias, dilation=self.geometry[2])
        return y[:, :, 0].transpose(1, 2)

    def added(
        self,
        total_BTC: Tensor,
        x_BTC: Tensor,
        activation: _HalfSnake,
        state: NanoDecoderState,
        rows: Rows,
    ) -> Tensor:
        """`total_BTC` with this layer's output added in place."""
        if not self.packed or self.dtype != total_BTC.dtype:
            return total_BTC.add_(self(x_BTC, activation, state, rows))
        x = _picture(self.window(x_BTC, activation, state, rows))
        sums = ("add", 1.0, None, [], None)
        mkldnn._convolution_pointwise_(
            _picture(total_BTC), x, self.weight, self.bias, *self.geometry, *sums
        )
        return total_BTC


def _picture(x_BTC: Tensor) -> Tensor:
    """[B, C, 1, T], channels last in memory: no copy."""
    return x_BTC[:, None].permute(0, 3, 1, 2)


class _Up(_Layer):
    """`network.CausalUp` as four multiply-adds: two inputs, now and before, each spread over `rate` outputs."""

    def __init__(self, up: CausalUp) -> None:
        super().__init__(1, up.in_channels, torch.float32, up.weight.device)
        assert up.bias is not None
        # [2 * out, 1, 2 * rate]: first half now, second half before
        weight = up.weight.detach()
        self.weight = weight.view(up.out_channels, 2, 2, up.rate).permute(1, 2, 3, 0).contiguous()
        self.bias = up.bias.detach()

    def __call__(
        self, x_BTC: Tensor, activation: _HalfSnake, state: NanoDecoderState, rows: Rows
    ) -> Tensor:
        window = self.window(x_BTC, activation, state, rows)
        batch, steps, channels = window.shape
        pairs = window.view(batch, steps, 1, channels // 2, 2).movedim(4, 0).contiguous()
        first, second = pairs[0], pairs[1]
        y = torch.addcmul(self.bias, first[:, 1:], self.weight[0, 0])  # [B, T, rate, out]
        y.addcmul_(first[:, :-1], self.weight[0, 1])
        y.addcmul_(second[:, 1:], self.weight[1, 0])
        y.addcmul_(second[:, :-1], self.weight[1, 1])
        return y.flatten(1, 2)


class _Shares(dict[int, list[list[int]]]):
    """By number of threads, which chains each takes: the longest first, each to who has least to do so far."""

    def __init__(self, costs: list[int]) -> None:
        super().__init__()
        self._costs = costs

    def __missing__(self, threads: int) -> list[list[int]]:
        shares: list[list[int]] = [[] for _ in range(min(threads, len(self._costs)))]
        for chain in sorted(range(len(self._costs)), key=self._costs.__getitem__, reverse=True):
            min(shares, key=lambda share: sum(self._costs[one] for one in share)).append(chain)
        self[threads] = shares
        return shares


class _Residual:
    """`network.Residual`."""

    def __init__(self, block: Residual, steps: int, dtype: torch.dtype) -> None:
        self.activation = _HalfSnake(block.input_activation)
        self.conv = _Conv(block.input_conv, steps, dtype)
        self.skip_activation = _HalfSnake(block.skip_activation)
        self.skip_conv = _Conv(block.skip_conv, steps, dtype)

    def add_to(self, x_BTC: Tensor, state: NanoDecoderState, rows: Rows) -> Tensor:
        """Input and output in one: the residual sum is done in place, by the second convolution."""
        y = self.conv(x_BTC, self.activation, state, rows)
        return self.skip_conv.added(x_BTC, y, self.skip_activation, state, rows)


class _Stage:
    """Up to the next rate, then the mean of the residual chains. `steps`: time steps of a frame after it."""

    def __init__(
        self,
        activation: HalfSnake,
        up: CausalUp,
        residual: ResidualMean,
        steps: int,
        dtype: torch.dtype,
    ) -> None:
        self.activation, self.up = _HalfSnake(activation), _Up(up)
        self.chains = [
            [_Residual(block, steps, dtype) for block in chain] for chain in residual.chains
        ]
        blocks = [block for chain in self.chains for block in chain]
        self._shares = _Shares([len(c) * (c[0].skip_conv.context + 1) for c in self.chains])
        self.layers = [
            self.up,
            *(conv for block in blocks for conv in (block.conv, block.skip_conv)),
        ]

    def __call__(self, x_BTC: Tensor, state: NanoDecoderState, rows: Rows, threads: int) -> Tensor:
        x = self.up(x_BTC, self.activation, state, rows)
        mine, *others = self._shares[threads if x.numel() * x.shape[2] >= WORTH_A_THREAD else 1]
        if others:
            helped = [
                _helpers(len(others)).submit(self._run, share, x, state.beside(worker), rows)
                for worker, share in enumerate(others, start=1)
            ]
            outputs = self._run(mine, x, state, rows)
            for future in helped:
                outputs |= future.result()
            total = outputs[0]
            for chain in range(1, len(self.chains)):  # in one order, whoever was first
                total.add_(outputs[chain])
        else:  # the same sum with less memory
            total = self._chain(0, x, state, rows, "total")
            for chain in range(1, len(self.chains)):
                total.add_(self._chain(chain, x, state, rows, "chain"))
        return total.div_(len(self.chains))

    @torch.inference_mode()
    def _run(
        self, chains: list[int], x_BTC: Tensor, state: NanoDecoderState, rows: Rows
    ) -> dict[int, Tensor]:
        """What these chains make of it, each in memory of its own."""
        return {i: self._chain(i, x_BTC, state, rows, f"chain {i}") for i in chains}

    def _chain(
        self, chain: int, x_BTC: Tensor, state: NanoDecoderState, rows: Rows, use: str
    ) -> Tensor:
        h = state.scratch(use, x_BTC.shape, x_BTC.dtype).copy_(x_BTC)
        for block in self.chains[chain]:
            h = block.add_to(h, state, rows)
        return h
