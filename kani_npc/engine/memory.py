"""How many streams fit a GPU's memory, and the shapes that its frames are captured in. Integers only: no tensors.

weights + codec + context and graphs + rows x working memory + slots x (keys and values + the rest) <= budget
"""

from dataclasses import dataclass

from kani_npc.errors import ModelError
from kani_npc.lm.config import LmConfig

# CUDA's own context, its libraries' workspaces and the captured graphs. An estimate: nobody has measured it here.
CONTEXT_BYTES = 600 * 2**20

SPAN_STEP = 64  # remembered tokens, as attention kernels like them


@dataclass(frozen=True, slots=True)
class MemoryNeeds:
    """What a model takes on a device: `fixed_bytes` once, `slot_bytes` for each slot, `row_bytes` for each row."""

    fixed_bytes: int
    slot_bytes: int
    row_bytes: int

    def slots_within(self, budget_bytes: int, max_rows: int) -> int:
        """How many slots fit. At most `max_rows` of them step together.

        Raises `ModelError` where not even one does, and says what would.
        """
        # Rows cost as much again as long as every slot may step.
        free = budget_bytes - self.fixed_bytes - self.slot_bytes  # the spare slot
        slots = free // (self.slot_bytes + self.row_bytes)
        if slots >= max_rows:
            slots = (free - max_rows * self.row_bytes) // self.slot_bytes
        if slots < 1:
            least = self.fixed_bytes + 2 * self.slot_bytes + self.row_bytes
            raise ModelError(
                f"{_gib(budget_bytes)} of video memory hold no stream of this model; it takes {_gib(least)}"
            )
        return int(slots)


def memory_needs(
    config: LmConfig,
    *,
    max_tokens: int,
    bytes_per_value: int,
    lm_weight_bytes: int,
    codec_weight_bytes: int,
    codec_slot_bytes: int,
    samples_per_frame: int,
) -> MemoryNeeds:
    """By the dims. `max_tokens` is a slot's longest, prompt and codes; `bytes_per_value` of keys, values and tails."""
    kv_width = config.num_kv_heads * config.head_dim
    attention = len(config.attention_layers)
    keys_and_values = attention * 2 * max_tokens * kv_width * bytes_per_value
    tails = (config.num_layers - attention) * (config.conv_kernel - 1) * config.hidden_size
    codes = config.layout.num_codebooks * (
        config.layout.codebook_size + 1
    )  # said so far, a byte each
    # One layer's keys and values are gathered at a time; the sound's widest layers are 48 values a sample.
    row = 2 * max_tokens * kv_width * bytes_per_value + 4 * 48 * samples_per_frame
    return MemoryNeeds(
        fixed_bytes=CONTEXT_BYTES + lm_weight_bytes + codec_weight_bytes,
        slot_bytes=keys_and_values + tails * bytes_per_value + codes + codec_slot_bytes,
        row_bytes=row,
    )


def buckets(max_rows: int) -> tuple[int, ...]:
    """The numbers of rows that frames are made for: powers of two, and last `max_rows` itself."""
    return (*(1 << n for n in range((max_rows - 1).bit_length())), max_rows)


def spans(max_tokens: int) -> tuple[int, ...]:
    """The numbers of remembered tokens that attention goes over: a quarter, a half and all there can be."""
    parts = (-(-max_tokens // share // SPAN_STEP) * SPAN_STEP for share in (4, 2))
    return tuple(sorted({*(part for part in parts if part < max_tokens), max_tokens}))


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.1f} GB"
