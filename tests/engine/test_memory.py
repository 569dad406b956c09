"""How many streams a budget holds, worked out by hand for the published size; and the shapes of frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.worker import FULL
from kani_npc.engine.memory import CONTEXT_BYTES, MemoryNeeds, buckets, memory_needs, spans
from kani_npc.errors import ModelError
from kani_npc.lm.config import LmConfig

TOKENS = 1024 + 4 * 500


def published() -> MemoryNeeds:
    return memory_needs(
        LmConfig.from_json(FULL),
        max_tokens=TOKENS,
        bytes_per_value=2,
        lm_weight_bytes=740 * 10**6,
        codec_weight_bytes=126 * 10**6,
        codec_slot_bytes=182_616 * 4,
        samples_per_frame=1764,
    )


def test_a_slot_of_the_published_model_is_its_keys_values_tails_codes_and_the_decoders_inputs():
    # 6 layers x (keys and values) x 8 heads x 64 wide x 2 bytes = 12 288 bytes a token.
    expected = 12_288 * TOKENS + 10 * 2 * 1024 * 2 + 4 * 4033 + 182_616 * 4
    assert published().slot_bytes == expected
    assert published().fixed_bytes == CONTEXT_BYTES + 866 * 10**6


def test_three_gigabytes_hold_thirty_two_streams_of_the_published_model():
    assert published().slots_within(3 * 2**30, max_rows=64) >= 32


@given(
    budget=st.integers(0, 2**36),
    fixed=st.integers(0, 2**33),
    slot=st.integers(1, 2**27),
    row=st.integers(0, 2**27),
    rows=st.integers(1, 256),
)
def test_what_is_promised_fits_and_one_more_would_not(budget, fixed, slot, row, rows):
    def takes(slots: int) -> int:
        return fixed + (slots + 1) * slot + min(slots, rows) * row

    needs = MemoryNeeds(fixed, slot, row)
    if takes(1) > budget:
        with pytest.raises(ModelError, match="hold no stream"):
            needs.slots_within(budget, rows)
    else:
        slots = needs.slots_within(budget, rows)
        assert takes(slots) <= budget < takes(slots + 1)


@given(rows=st.integers(1, 300))
def test_every_number_of_rows_has_a_frame_less_than_twice_as_large(rows):
    shapes = buckets(rows)
    assert shapes[-1] == rows and list(shapes) == sorted(set(shapes))
    for wanted in range(1, rows + 1):
        assert min(shape for shape in shapes if shape >= wanted) < 2 * wanted


@given(tokens=st.integers(1, 9000))
def test_attention_goes_no_further_than_there_can_be_tokens(tokens):
    assert spans(tokens)[-1] == tokens and list(spans(tokens)) == sorted(set(spans(tokens)))
