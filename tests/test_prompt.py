"""Prompts, positions and training rows are the published ones."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.prompt import build_prompt, positions, training_row
from kani_npc.tokens import TokenLayout

UNITS = json.loads((Path(__file__).parent / "golden/kani/units/units.json").read_text())
LAYOUT = TokenLayout(80538, 64410)


def encode(text: str) -> list[int]:
    """The stand-in tokenizer of the golden files: BOS, then every byte + 10."""
    return [1, *(byte + 10 for byte in text.encode())]


@pytest.mark.parametrize("case", UNITS["prompts"])
def test_prompts_are_the_published_ones_and_the_two_tokens_that_follow_them(case):
    prompt = build_prompt(LAYOUT, encode, case["text"], case["language_tag"])
    assert list(prompt.ids) == [*case["input_ids"], LAYOUT.start_of_ai, LAYOUT.start_of_speech]


@pytest.mark.parametrize("case", UNITS["positions"])
def test_positions_are_the_published_ones(case):
    ours = positions(case["input_ids"], LAYOUT, case["audio_step"], speaker=False)
    np.testing.assert_allclose(
        ours, case["position_ids"], rtol=0, atol=1e-6 if case["audio_step"] == 0.1 else 0
    )


@pytest.mark.parametrize("case", UNITS["dataset_rows"])
def test_training_rows_are_the_published_ones(case):
    assert (
        training_row(LAYOUT, encode, case["text"], case["codes"], case["language_tag"])
        == case["input_ids"]
    )


def test_a_speaker_takes_the_second_place_and_moves_all_that_follows_by_one():
    ids = training_row(LAYOUT, encode, "Abc", [(1, 2, 3, 4), (5, 6, 7, 8)])
    without = positions(ids, LAYOUT, 0.25, speaker=False)
    with_speaker = positions(ids, LAYOUT, 0.25, speaker=True)
    assert with_speaker.tolist() == [without[0], without[0] + 1, *(without[1:] + 1)]


def test_positions_of_a_padded_batch_are_those_of_its_rows():
    short, long = (
        encode("ab"),
        [*encode("ab"), *LAYOUT.to_ids([(0, 1, 2, 3)]), LAYOUT.end_of_speech],
    )
    padded = [*short, *[LAYOUT.pad] * (len(long) - len(short))]
    batch = positions([padded, long], LAYOUT, 0.5, speaker=True)
    assert (
        batch[0, : len(short) + 1].tolist() == positions(short, LAYOUT, 0.5, speaker=True).tolist()
    )
    assert batch[1].tolist() == positions(long, LAYOUT, 0.5, speaker=True).tolist()


@given(
    text=st.text(max_size=30),
    tag=st.none() | st.sampled_from(["en_us", " EN_scou "]),
    num_frames=st.integers(1, 20),
    step=st.sampled_from([0.25, 0.5, 1.0]),
    speaker=st.booleans(),
)
def test_what_is_fed_while_speaking_stands_where_training_put_it(
    text, tag, num_frames, step, speaker
):
    prompt = build_prompt(LAYOUT, encode, text, tag, with_speaker=speaker)
    frames = [(i, 2, 3, 4) for i in range(num_frames)]
    trained = positions([*prompt.ids, *LAYOUT.to_ids(frames)], LAYOUT, step, speaker)
    assert trained[: prompt.prefill_length].tolist() == list(range(prompt.prefill_length))
    fed = [prompt.position(frame, k, step) for frame in range(num_frames) for k in range(4)]
    assert fed == trained[prompt.prefill_length : -1].tolist()


def test_a_prompt_counts_its_speaker():
    without = build_prompt(LAYOUT, encode, "Hi.")
    speaking = build_prompt(LAYOUT, encode, "Hi.", with_speaker=True)
    assert without.ids == speaking.ids
    assert (without.num_inputs, speaking.num_inputs) == (len(without.ids), len(without.ids) + 1)
    assert speaking.first_audio_position == speaking.prefill_length + 1 == speaking.num_inputs
