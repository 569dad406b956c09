"""What a language model remembers of each stream: keys and values, convolution tails, lengths. Slot axis first.

Tensors and integers; knows no tokens, no prompts, and not who sits in a slot. Rows are independent: resetting or
stepping one slot leaves the others' numbers alone.

S slots, B rows of one step, T tokens at most, H hidden, G kv heads, D head width, K convolution kernel
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kani_npc.lm.config import LmConfig


@dataclass(frozen=True, slots=True)
class Rows:
    """The slots that take one step together, and where their tensors are.

    Neighbouring slots (one slot, or all of them: the usual cases) are a view of the state; others are gathered.
    """

    slots: tuple[int, ...]
    index_B: Tensor  # the same, on the device
    view: slice | None  # the same, where they are neighbours in ascending order


class LmState:
    """Static memory for `num_slots` streams of at most `max_tokens` tokens each (speaker slot included).

    `lengths` is how many tokens each slot has seen. It is kept twice, here and on the device, so that neither the
    host nor a captured graph has to ask the other.
    """

    def __init__(
        self,
        config: LmConfig,
        num_slots: int,
        max_tokens: int,
        inv_freq_RD: Tensor,
        dtype: torch.dtype,
    ) -> None:
        assert num_slots > 0 and max_tokens > 0
        device = inv_freq_RD.device
        self.num_slots = num_slots
        self.max_tokens = max_tokens
        self.inv_freq_RD = inv_freq_RD  # a snapshot: serving weights do not change under a state
        attention = len(config.attention_layers)
        kv_shape = (attention, num_slots, config.num_kv_heads, max_tokens, config.head_dim)
        self.keys = torch.zeros(kv_shape, dtype=dtype, device=device)
        self.values = torch.zeros(kv_shape, dtype=dtype, device=device)
        tail_shape = (
            config.num_layers - attention,
            num_slots,
            config.conv_kernel - 1,
            config.hidden_size,
        )
        self.tails = torch.zeros(tail_shape, dtype=dtype, device=device)
        self.lengths = [0] * num_slots
        self.lengths_S = torch.zeros(num_slots, dtype=torch.long, device=device)
        self._rows: Rows | None = None

    def reset(self, slots: Iterable[int]) -> None:
        """Make rows clean for new guests.

        Old keys and values are masked, but a masked NaN of a failed guest would still be one: they are cleared too.
        """
        for slot in slots:
            self.keys[:, slot, :, : self.lengths[slot]] = 0
            self.values[:, slot, :, : self.lengths[slot]] = 0
            self.set_length(slot, 0)
            self.tails[:, slot] = 0

    def rows(self, slots: Sequence[int]) -> Rows:
        """The rows of a step; the last answer is kept, since the same slots mostly step again."""
        key = tuple(slots)
        if self._rows is None or self._rows.slots != key:
            assert key and len(set(key)) == len(key), "a step needs slots, each once"
            run = range(key[0], key[0] + len(key))
            view = slice(run.start, run.stop) if key == tuple(run) else None
            self._rows = Rows(key, torch.tensor(key, device=self.lengths_S.device), view)
        return self._rows

    def set_length(self, slot: int, length: int) -> None:
        """This slot has so many tokens."""
        self.lengths[slot] = length
        self.lengths_S[slot] = length

    def advance(self, rows: Rows) -> None:
        """These rows have a token more."""
        for slot in rows.slots:
            self.lengths[slot] += 1
        if rows.view is not None:
            self.lengths_S[rows.view].add_(1)
        else:
            self.lengths_S[rows.index_B] += 1
