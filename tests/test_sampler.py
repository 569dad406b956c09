"""The sampler chooses what its frozen rules say, for each row by itself, and only what is legal."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from kani_npc.lm import SAMPLER_VERSION, Sampler
from kani_npc.lm.sampler import BLOCK_FRAMES, candidates, choose, penalised, philox4x32, uniforms
from kani_npc.speech import Sampling
from kani_npc.tokens import TokenLayout

GOLDEN = Path(__file__).parent / "golden"
OURS = json.loads((GOLDEN / "sampler.json").read_text())
UNITS = load_file(GOLDEN / "kani" / "units" / "units.safetensors")
CODES = 24
LAYOUT = TokenLayout(vocab_size=330 + 4 * CODES, audio_tokens_start=330)
CPU = torch.device("cpu")


def words(text: str) -> torch.Tensor:
    return torch.tensor([int(word, 16) for word in text.split()])


def logits(seed: int, rows: int = 1, num: int = CODES + 1) -> torch.Tensor:
    return 2 * torch.randn(rows, num, generator=torch.Generator().manual_seed(seed))


# --- random numbers


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, answer):
    """kat_vectors of Random123 1.14, philox4x32 with 10 rounds."""
    counters, keys = words(counter).expand(3, 4), words(key).expand(3, 2)
    assert torch.equal(philox4x32(counters, keys), words(answer).expand(3, 4))


def test_each_of_the_five_numbers_changes_the_random_number():
    base = uniforms(5, 1, 2, range(3, 5), 4, CPU)
    assert base.shape == (2, 4) and base.unique().numel() == 8
    others = [(6, 1, 2), (5 + 2**32, 1, 2), (5, 2, 2), (5, 1, 3)]
    for seed, piece, attempt in others:
        assert not torch.isclose(uniforms(seed, piece, attempt, range(3, 5), 4, CPU), base).any()


def test_uniforms_are_uniform_and_below_one():
    drawn = uniforms(7, 0, 0, range(5000), 4, CPU)
    assert drawn.min() >= 0 and drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.01 and abs(drawn.std() - 12**-0.5) < 0.01
    assert (drawn * 2**24 == (drawn * 2**24).floor()).all()


# --- the chain


def test_the_golden_vectors_are_of_this_version_and_chosen_again():
    assert OURS["sampler_version"] == SAMPLER_VERSION
    for case in OURS["cases"]:
        sampler = Sampler(LAYOUT, 3)
        sampler.admit(1, Sampling(**case["sampling"]), case["seed"], case["piece"], case["attempt"])
        for frame, (rows, codes) in enumerate(
            zip(case["logits_in_eighths"], case["codes"], strict=True)
        ):
            for k, row in enumerate(rows):
                row = torch.tensor([row[: CODES + (k == 0)]]) / 8
                assert sampler.draw(row, k, [1]).tolist() == [codes[k]], (
                    case["sampling"],
                    frame,
                    k,
                )
            sampler.next_frame([1])


def test_the_chain_is_the_published_one():
    """Golden unit: penalty 1.1 over seen ids, temperature 0.7, top-k 50, top-p 0.95 of transformers."""
    row, seen = UNITS["logits"][None], torch.zeros(1, 200, dtype=torch.bool)
    seen[0, UNITS["seen_ids"]] = True
    after_penalty = penalised(row, seen, torch.tensor([1.1]))
    torch.testing.assert_close(after_penalty[0], UNITS["after_repetition_1.1"])

    def weights_of(top_p: float) -> torch.Tensor:
        ids, weights = candidates(
            after_penalty, torch.tensor([0.7]), torch.tensor([50]), torch.tensor([top_p]), max_k=60
        )
        return torch.zeros(200, dtype=torch.float64).scatter(0, ids[0], weights[0])

    for top_p, name in ((1.0, "after_top_k_50"), (0.95, "after_top_p_0.95")):
        ours, theirs = weights_of(top_p), UNITS[name].double().softmax(0)
        torch.testing.assert_close(ours / ours.sum(), theirs, atol=1e-6, rtol=1e-5)
        assert ((ours > 0) == (theirs > 0)).all()


def test_equal_logits_are_taken_in_ascending_order_of_id_and_zero_has_no_sign():
    row = torch.tensor([[0.0, 1.0, -0.0, 1.0, -2.0, 1.0, 0.0]])
    ids, weights = candidates(row, torch.ones(1), torch.tensor([5]), torch.ones(1), max_k=5)
    assert ids[0, :5].tolist() == [1, 3, 5, 0, 2]
    assert (weights[0, :3] == weights[0, 0]).all() and (weights[0, 3:5] == weights[0, 3]).all()
    assert (weights[0, 5:] == 0).all()  # the columns that fill up a vector


def test_exactly_top_k_stay_even_among_equals():
    _, weights = candidates(
        torch.zeros(1, 9), torch.ones(1), torch.tensor([4]), torch.ones(1), max_k=9
    )
    assert (weights > 0).sum() == 4


def test_the_draw_follows_the_weights():
    row = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    ids, weights = candidates(row, torch.ones(1), torch.tensor([4]), torch.ones(1), max_k=4)
    drawn = uniforms(3, 0, 0, range(5000), 4, CPU).flatten()
    counts = Counter(choose(ids.expand(20000, -1), weights.expand(20000, -1), drawn).tolist())
    for code, probability in enumerate(row[0].softmax(0).tolist()):
        assert abs(counts[code] / 20000 - probability) < 0.015


def test_the_edges_of_the_uniform_choose_the_first_and_the_last():
    ids, weights = torch.tensor([[7, 3, 5]]), torch.tensor([[0.5, 0.25, 0.0]], dtype=torch.float64)
    assert choose(ids, weights, torch.tensor([0.0])).tolist() == [7]
    assert choose(ids, weights, torch.tensor([1 - 2**-24], dtype=torch.float64)).tolist() == [3]


# --- rows and slots


def random_sampling(draw) -> Sampling:
    return Sampling(
        temperature=draw(st.sampled_from([0.1, 0.7, 1.0, 3.0])),
        top_k=draw(st.sampled_from([1, 3, 50, 1000])),
        top_p=draw(st.sampled_from([0.1, 0.8, 1.0])),
        repetition_penalty=draw(st.sampled_from([0.8, 1.0, 1.1, 2.0])),
        greedy=draw(st.booleans()),
        min_frames=draw(st.integers(0, 3)),
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_rows_choices_do_not_depend_on_its_neighbours(data):
    slots = data.draw(st.permutations(range(4)))
    own = [random_sampling(data.draw) for _ in slots]
    together = Sampler(LAYOUT, 4)
    for slot in range(4):
        together.admit(slot, own[slot], seed=slot)
    said = {slot: [] for slot in slots}
    for frame in range(3):
        for k in range(4):
            rows = torch.cat(
                [logits(100 * frame + 10 * k + slot, num=CODES + (k == 0)) for slot in slots]
            )
            for slot, code in zip(slots, together.draw(rows, k, slots).tolist(), strict=True):
                said[slot].append(code)
        together.next_frame(slots)
    for slot in slots:
        alone = Sampler(LAYOUT, 1)
        alone.admit(0, own[slot], seed=slot)
        again = []
        for frame in range(3):
            for k in range(4):
                row = logits(100 * frame + 10 * k + slot, num=CODES + (k == 0))
                again.append(alone.draw(row, k, [0]).item())
            alone.next_frame([0])
        assert said[slot] == again


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data(), k=st.integers(0, 3))
def test_every_choice_is_legal_whatever_the_logits_are(data, k):
    value = st.one_of(
        st.floats(width=32), st.sampled_from([math.nan, math.inf, -math.inf, 3e38, -3e38])
    )
    num = CODES + (k == 0)
    row = torch.tensor([data.draw(st.lists(value, min_size=num, max_size=num))])
    sampler = Sampler(LAYOUT, 1)
    sampler.admit(0, random_sampling(data.draw), seed=1)
    code = sampler.draw(row, k, [0]).item()
    assert 0 <= code < num
    assert sampler.broken([0]).item() == (not row.amax().isfinite().item())


def test_a_broken_slot_is_whole_again_for_its_next_guest():
    sampler = Sampler(LAYOUT, 2)
    for slot in (0, 1):
        sampler.admit(slot, Sampling(), seed=1)
    rows = torch.cat((logits(1), torch.full((1, CODES + 1), math.nan)))
    sampler.draw(rows, 0, [0, 1])
    assert sampler.broken([0, 1]).tolist() == [False, True]
    sampler.admit(1, Sampling(), seed=1)
    assert sampler.broken([1]).tolist() == [False]


def test_a_slots_next_guest_remembers_nothing_of_the_last():
    used, fresh = Sampler(LAYOUT, 1), Sampler(LAYOUT, 1)
    used.admit(0, Sampling(repetition_penalty=3.0), seed=9)
    for frame in range(5):
        for k in range(4):
            used.draw(logits(frame, num=CODES + (k == 0)), k, [0])
        used.next_frame([0])
    for sampler in (used, fresh):
        sampler.admit(0, Sampling(repetition_penalty=3.0), seed=2)
    for k in range(4):
        row = logits(50 + k, num=CODES + (k == 0))
        assert torch.equal(used.draw(row, k, [0]), fresh.draw(row, k, [0]))


def test_end_of_speech_is_not_chosen_before_min_frames_and_is_after():
    sampler = Sampler(LAYOUT, 1)
    sampler.admit(0, Sampling(min_frames=3), seed=0)
    row = torch.zeros(1, CODES + 1)
    row[0, -1] = 50.0
    ended = []
    for _ in range(4):
        ended.append(sampler.draw(row, 0, [0]).item() == LAYOUT.codebook_size)
        sampler.next_frame([0])
    assert ended == [False, False, False, True]


def test_the_limit_of_frames_is_told():
    sampler = Sampler(LAYOUT, 1)
    sampler.admit(0, Sampling(max_frames=2), seed=0)
    limits = []
    for _ in range(3):
        limits.append(sampler.at_limit(0))
        sampler.next_frame([0])
    assert limits == [False, False, True]


def test_a_code_is_penalised_in_its_own_codebook_only():
    sampler = Sampler(LAYOUT, 1)
    sampler.admit(0, Sampling(greedy=True, repetition_penalty=2.0), seed=0)
    row = torch.zeros(1, CODES)
    row[0, 5], row[0, 6] = 3.0, 2.0
    assert [sampler.draw(row, k, [0]).item() for k in (1, 2, 1, 2)] == [5, 5, 6, 6]


def test_random_numbers_go_on_across_blocks():
    sampler = Sampler(LAYOUT, 1)
    sampling = Sampling(repetition_penalty=1.0, top_k=CODES, top_p=1.0)
    sampler.admit(0, sampling, seed=4)
    flat = torch.zeros(
        1, CODES
    )  # the code tells the uniform: the first code with (code + 1) / C > u
    said = []
    for _ in range(2 * BLOCK_FRAMES + 3):
        said.append(sampler.draw(flat, 3, [0]).item())
        sampler.next_frame([0])
    expected = (uniforms(4, 0, 0, range(len(said)), 4, CPU)[:, 3] * CODES).long().tolist()
    assert said == expected
