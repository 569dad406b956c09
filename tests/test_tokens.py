"""The vocabulary: what is legal, what the model's output means, and what is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.errors import CheckpointError
from kani_npc.tokens import TokenLayout

UNITS = json.loads((Path(__file__).parent / "golden/kani/units/units.json").read_text())
LAYOUT = TokenLayout(80538, 64410)


def test_the_published_vocabulary_is_derived_from_two_numbers():
    assert (LAYOUT.base, LAYOUT.codebook_size) == (64400, 4032)
    markers = (
        LAYOUT.start_of_speech,
        LAYOUT.end_of_speech,
        LAYOUT.start_of_human,
        LAYOUT.end_of_human,
    )
    assert markers == (64401, 64402, 64403, 64404)
    assert (LAYOUT.start_of_ai, LAYOUT.end_of_ai, LAYOUT.pad) == (64405, 64406, 64407)
    assert [LAYOUT.codebook_start(k) for k in range(4)] == [64410, 68442, 72474, 76506]


@pytest.mark.parametrize("case", UNITS["post_processing"], ids=lambda case: case["name"])
def test_output_is_read_and_refused_as_published(case):
    # The published package hands a later codebook's code in an earlier place to its codec; we refuse it.
    if "error" in case or case["name"] == "too_high_first_slot":
        with pytest.raises(ValueError):
            LAYOUT.to_frames(case["out_ids"])
        return
    frames = LAYOUT.to_frames(case["out_ids"])
    assert len(frames) == case["length"]
    assert [[frame[k] for frame in frames] for k in range(4)] == case["codes"][0]


@given(st.lists(st.tuples(*[st.integers(0, 4031)] * 4), max_size=20))
def test_frames_survive_being_written_as_ids(frames):
    ids = [1, 50, LAYOUT.start_of_speech, *LAYOUT.to_ids(frames), LAYOUT.end_of_speech]
    assert LAYOUT.to_frames(ids) == frames


@pytest.mark.parametrize(
    ("vocab_size", "audio_tokens_start"), [(100, 100), (100, 200), (101, 60), (100, 5), (0, 0)]
)
def test_a_vocabulary_without_equal_codebooks_is_refused(vocab_size, audio_tokens_start):
    with pytest.raises(CheckpointError, match="equal codebooks"):
        TokenLayout(vocab_size, audio_tokens_start)
