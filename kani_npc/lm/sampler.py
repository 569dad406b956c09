"""Chooses codes: repetition penalty, temperature, top-k, top-p, then one counter-based draw.

Vectorised over rows, each with its own settings and its own random numbers, which depend on (seed, piece, attempt,
frame, sub-step) alone: neighbours, batch size and pre-emption do not matter. Nothing in `draw` waits for the device.
Knows no model and no streams' owners.

The draw, frozen as `SAMPLER_VERSION`:
  1. words = Philox4x32-10(counter = (piece, attempt, frame, sub-step), key = (seed's low 32 bits, its high 32 bits))
  2. u = (words[0] >> 8) / 2^24, one uniform in [0, 1)
  3. candidates in descending order of logit, equal ones by ascending id; weights exp(logit - best) in float64
  4. the first candidate whose running sum of weights exceeds u times the sum of all

B rows of one draw, S slots, N logits (C codes, and end_of_speech at k = 0), C codes in a codebook, K codebooks
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kani_npc.lm.upload import upload
from kani_npc.speech import Sampling
from kani_npc.tokens import TokenLayout

SAMPLER_VERSION = "philox4x32-10/1"

UNIFORM_BITS = 24  # exact in float32 and float64 alike
BLOCK_FRAMES = (
    64  # random numbers are made this many frames at a time: one frame's cost the same time
)

VECTOR = 16  # of float64

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox4x32(counter: Tensor, key: Tensor) -> Tensor:
    """Philox4x32-10 (Salmon et al. 2011): counter [..., 4], key [..., 2] -> [..., 4], 32-bit words in int64."""
    multipliers = counter.new_tensor(_MULTIPLIERS)
    weyl = counter.new_tensor(_WEYL)
    even, odd = (
        counter[..., 0::2],
        counter[..., 1::2],
    )  # words (0, 2) are multiplied, (1, 3) are mixed in
    for _ in range(10):
        # The product wraps around as a signed number but its 64 bits are right; the masks take the halves.
        product = even * multipliers
        even, odd = ((product >> 32) & _WORD).flip(-1) ^ odd ^ key, (product & _WORD).flip(-1)
        key = (key + weyl) & _WORD
    return torch.stack((even, odd), dim=-1).flatten(-2)


def uniforms(
    seed: int, piece: int, attempt: int, frames: range, num_codebooks: int, device: torch.device
) -> Tensor:
    """The uniforms of some frames, float64 [len(frames), K]."""
    frame = torch.arange(frames.start, frames.stop, device=device)[:, None].expand(
        -1, num_codebooks
    )
    sub_step = torch.arange(num_codebooks, device=device).expand(len(frames), -1)
    counter = torch.stack(
        (torch.full_like(frame, piece), torch.full_like(frame, attempt), frame & _WORD, sub_step),
        dim=-1,
    )
    key = torch.tensor((seed & _WORD, seed >> 32), device=device)
    return (philox4x32(counter, key)[..., 0] >> (32 - UNIFORM_BITS)).double() / 2**UNIFORM_BITS


def penalised(logits_BN: Tensor, seen_BN: Tensor, penalty_B: Tensor) -> Tensor:
    """Logits of what was said before divided by the penalty, or multiplied if negative (transformers' rule)."""
    penalty = penalty_B[:, None]
    return torch.where(
        seen_BN, torch.where(logits_BN < 0, logits_BN * penalty, logits_BN / penalty), logits_BN
    )


def candidates(
    logits_BN: Tensor, temperature_B: Tensor, top_k_B: Tensor, top_p_B: Tensor, max_k: int
) -> tuple[Tensor, Tensor]:
    """The best `max_k` ids and their weights (float64, 0 if excluded, any sum), best first.

    Both [B, max_k], and a few columns more whose weight is 0.

    Exactly top_k ids stay, equal logits in ascending order of id (transformers keeps all that equal the last); of
    these the fewest whose probabilities reach top_p. `max_k` is at least every row's top_k, or N.
    """
    num = logits_BN.shape[-1]
    max_k = min(max_k, num)
    # torch computes whole vectors of a row and what is left over in another way, with another rounding: what a row
    # weighs would depend on the rows before it.
    padding = -max_k % VECTOR
    # torch.topk does not say which of two equal logits it takes; a key that holds the id has no equals.
    bits = (logits_BN.float() + 0.0).view(torch.int32)  # + 0.0: there is one zero
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    keys = (ordered << 32) | torch.arange(num - 1, -1, -1, device=logits_BN.device)
    ids = num - 1 - (keys.topk(max_k, dim=-1).values & _WORD)
    scores = logits_BN.gather(-1, ids).double() / temperature_B[:, None]
    if padding:
        ids, scores = F.pad(ids, (0, padding)), F.pad(scores, (0, padding), value=float("-inf"))
    weights = (scores - scores[:, :1]).exp()
    weights = weights.masked_fill(
        torch.arange(ids.shape[1], device=ids.device) >= top_k_B[:, None], 0.0
    )
    before = weights.cumsum(-1) - weights
    return ids, weights.masked_fill(before >= top_p_B[:, None] * weights.sum(-1, keepdim=True), 0.0)


def choose(ids_BN: Tensor, weights_BN: Tensor, uniform_B: Tensor) -> Tensor:
    """The first id whose running sum of weights exceeds its uniform's share of the whole, [B]."""
    running = weights_BN.cumsum(-1)
    place = (running <= uniform_B[:, None] * running[:, -1:]).sum(-1, keepdim=True)
    return ids_BN.gather(-1, place)[:, 0]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The slots of a draw, and what the host knows about them."""

    slots: tuple[int, ...]
    index_B: Tensor
    max_k: int
    penalty: bool


class Sampler:
    """The choosing half of each slot: settings, codes said so far, random numbers. One thread's own."""

    def __init__(
        self, layout: TokenLayout, num_slots: int, device: torch.device | str = "cpu"
    ) -> None:
        self.layout = layout
        self.device = torch.device(device)
        self.frames = [0] * num_slots  # frames finished, per slot
        codebooks = layout.num_codebooks
        self._settings: list[Sampling] = [Sampling()] * num_slots
        self._draws: list[tuple[int, int, int]] = [(0, 0, 0)] * num_slots  # seed, piece, attempt
        self._reals_S = torch.ones(num_slots, 3, dtype=torch.float64, device=self.device)
        self._counts_S = torch.zeros(num_slots, 3, dtype=torch.long, device=self.device)
        self._counts_S[:, 0] = 1  # a slot that nobody has draws as well, where shapes are fixed
        self._seen_SKN = torch.zeros(
            num_slots, codebooks, layout.codebook_size + 1, dtype=torch.bool, device=self.device
        )
        self._uniforms_SFK = torch.zeros(
            num_slots, BLOCK_FRAMES, codebooks, dtype=torch.float64, device=self.device
        )
        self._broken_S = torch.zeros(num_slots, dtype=torch.bool, device=self.device)
        self._rows: _Rows | None = None

    def admit(
        self, slot: int, sampling: Sampling, seed: int, piece: int = 0, attempt: int = 0
    ) -> None:
        """Give a slot to a new guest: frame 0, nothing said. `piece` and `attempt` vary the random numbers."""
        self.frames[slot] = 0
        self._settings[slot] = sampling
        self._draws[slot] = (seed, piece, attempt)
        top_k = _width(sampling)
        reals = (sampling.temperature, sampling.top_p, sampling.repetition_penalty)
        self._reals_S[slot] = upload(torch.tensor(reals, dtype=torch.float64), self.device)
        self._counts_S[slot] = upload(torch.tensor((top_k, sampling.min_frames, 0)), self.device)
        self._seen_SKN[slot] = False
        self._broken_S[slot] = False
        self._refill(slot)
        self._rows = None

    def draw(self, logits_BN: Tensor, k: int, slots: Sequence[int]) -> Tensor:
        """Choose code k of the current frame of each slot: int64 [B]; codebook_size (at k = 0) is end_of_speech.

        The answer is always legal. Logits that are NaN or infinite mark the slot as broken (see `broken`).
        """
        rows = self._rows_of(slots)
        return self.draw_rows(logits_BN, k, rows.index_B, rows.max_k, penalties=rows.penalty)

    def draw_rows(
        self, logits_BN: Tensor, k: int, index: Tensor, max_k: int, *, penalties: bool = True
    ) -> Tensor:
        """`draw` for slots that a tensor names: fixed shapes, nothing of the host's. `max_k` is `widest` or more."""
        temperature, top_p, penalty = self._reals_S[index].unbind(-1)
        top_k, min_frames, frame = self._counts_S[index].unbind(-1)
        logits = logits_BN.float()
        self._broken_S[index] |= ~logits.amax(-1).isfinite()  # amax hands NaN on
        big = torch.finfo(torch.float32).max
        logits = logits.nan_to_num(nan=-big, posinf=big, neginf=-big)
        num = logits.shape[-1]
        if penalties:
            logits = penalised(logits, self._seen_SKN[index, k, :num], penalty.float())
        if k == 0:
            too_early = (frame < min_frames)[:, None] & (
                torch.arange(num, device=self.device) == num - 1
            )
            logits = logits.masked_fill(too_early, float("-inf"))
        ids, weights = candidates(logits, temperature, top_k, top_p, max_k)
        codes = choose(ids, weights, self._uniforms_SFK[index, frame % BLOCK_FRAMES, k])
        if penalties:
            self._seen_SKN[index, k, codes] = True
        return codes

    def next_frame(self, slots: Sequence[int]) -> None:
        """These slots have all codes of their frame."""
        self.next_frame_rows(self._rows_of(slots).index_B)
        self.note_frame(slots)

    def next_frame_rows(self, index_B: Tensor) -> None:
        """The device's half of `next_frame`."""
        self._counts_S[index_B, 2] += 1

    def note_frame(self, slots: Sequence[int]) -> None:
        """The host's half of `next_frame`."""
        for slot in slots:
            self.frames[slot] += 1
            if self.frames[slot] % BLOCK_FRAMES == 0:
                self._refill(slot)

    def at_limit(self, slot: int) -> bool:
        """Whether the slot has said as many frames as it may."""
        return self.frames[slot] >= self._settings[slot].max_frames

    def broken(self, slots: Sequence[int]) -> Tensor:
        """Which of these slots have met logits that are no numbers since they were admitted: bool [B], on the device.

        Their codes are legal but mean nothing. Whoever reads this decides; the answer belongs to the step's one wait.
        """
        return self._broken_S[self._rows_of(slots).index_B]

    def broken_rows(self, index_B: Tensor) -> Tensor:
        """`broken` for slots that a tensor names."""
        return self._broken_S[index_B]

    def widest(self, slots: Sequence[int]) -> int:
        """How many candidates a draw of these slots has to look at."""
        return max(_width(self._settings[slot]) for slot in slots)

    def _refill(self, slot: int) -> None:
        first = self.frames[slot]
        block = range(first, first + BLOCK_FRAMES)
        # Made by the host, which has time while a GPU computes; there they would be a hundred kernels.
        host = uniforms(*self._draws[slot], block, self.layout.num_codebooks, torch.device("cpu"))
        self._uniforms_SFK[slot] = upload(host, self.device)

    def _rows_of(self, slots: Sequence[int]) -> _Rows:
        key = tuple(slots)
        if self._rows is None or self._rows.slots != key:
            self._rows = _Rows(
                key,
                torch.tensor(key, device=self.device),
                self.widest(key),
                any(self._settings[slot].repetition_penalty != 1.0 for slot in key),
            )
        return self._rows


def _width(sampling: Sampling) -> int:
    """How many candidates a draw looks at."""
    return 1 if sampling.greedy else sampling.top_k
