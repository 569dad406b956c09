"""Adapters in one batch say what the models that they are merged into say; a file that does not fit is refused."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from kani_npc.errors import CheckpointError
from kani_npc.lm.adapters import (
    BASE_FILE,
    FORMAT,
    LORA_TARGETS,
    MAX_LORA_RANK,
    AdapterBank,
    Lora,
    adaptable,
    merge,
    read_peft,
    weights_hash,
)
from kani_npc.lm.independent import make_rows_independent
from kani_npc.lm.load import load_lm, save_lm
from kani_npc.lm.model import Lfm2
from kani_npc.lm.packed import Weights, pack
from kani_npc.prompt import Prompt, build_prompt
from tests.lm.models import TINY
from tests.support.adapters import random_lora, write_peft

CLOSE = 1e-4  # of logits around 1, float32
NUM_STEPS = 6
# Widths that every packing takes, and that may step together where rows are independent.
CONFIG = replace(
    TINY, hidden_size=64, num_heads=1, num_kv_heads=1, ff_size=128, initializer_range=0.5
)


def fresh(seed: int = 0) -> Lfm2:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Lfm2(CONFIG).eval().requires_grad_(False)


LM = fresh()


def encode(text: str) -> list[int]:
    return [1, *(3 + byte % 300 for byte in text.encode())]


def prompt_of(row: int) -> Prompt:
    return build_prompt(LM.layout, encode, "x" * (3 + 5 * row), with_speaker=False)


def said(lm: Lfm2, seats: list[int], bank: AdapterBank | None = None) -> Tensor:
    """Logits [rows, steps, C] of codes that are fed, not chosen: row i has `seats[i]`, and a prompt of a length of
    its own."""
    state = lm.init_state(len(seats), 64)
    rows = range(len(seats))
    for row, seat in enumerate(seats):
        prompt = prompt_of(row)
        if bank is None or not seat:
            lm.prefill(prompt, None, state, row)
            continue
        with bank.applied([seat]):
            lm.prefill(prompt, None, state, row, 0, 4)  # in portions, as the engine does
            lm.prefill(prompt, None, state, row, 4)
    logits: list[Tensor] = []
    for step in range(NUM_STEPS):
        ids = torch.tensor([100 + (7 * step + row) % 60 for row in rows])
        where = torch.tensor([10.0 + row + step for row in rows])
        if bank is None:
            hidden = lm.step(ids, where, state, list(rows))
        else:
            with bank.applied(seats):
                hidden = lm.step(ids, where, state, list(rows))
        logits.append(lm.codebook_logits(hidden, 1))
    return torch.stack(logits, dim=1)


def filled(lm: Lfm2, loras: list[Lora]) -> AdapterBank:
    bank = AdapterBank(lm, num_seats=len(loras))
    for seat, lora in enumerate(loras, start=1):
        bank.load(seat, lora)
    return bank


LORAS = [random_lora(CONFIG, seed=seed, rank=rank) for seed, rank in enumerate((4, 32, 1, 7))]


@pytest.mark.parametrize(
    "seats", [[0, 1, 2, 3, 4], [2, 2, 2, 2, 2], [0, 0, 4, 0, 1], [1, 4, 1, 4, 0]]
)
def test_rows_with_different_adapters_say_what_their_merged_models_say(seats):
    together = said(LM, seats, filled(LM, LORAS))
    plain = said(LM, [0] * 5)
    for row, seat in enumerate(seats):
        model = merge(fresh(), LORAS[seat - 1]) if seat else LM
        assert (together[row] - said(model, [0] * 5)[row]).abs().max() < CLOSE
        assert ((together[row] - plain[row]).abs().max() > 0.1) == bool(seat)


def test_large_matrices_are_not_copied_and_say_the_same(monkeypatch):
    seats = [1, 4, 0, 4, 2]
    copied = filled(LM, LORAS)
    usual = said(LM, seats, copied)
    monkeypatch.setattr("kani_npc.lm.adapters._STACK_BYTES", 0)
    apart = filled(LM, LORAS)
    assert (said(LM, seats, apart) - usual).abs().max() < CLOSE
    assert copied.plan.stacked and len(apart.plan.rows) == 4


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_a_packed_model_s_rows_have_the_adapter_in_full_precision(weights: Weights):
    """Beside it packing rounds; what the adapter itself adds is not rounded, so it moves the logits as it did."""
    packed = pack(fresh(), weights)
    bank = filled(packed, LORAS)
    moved = said(packed, [1, 2, 0, 4, 3], bank) - said(packed, [0] * 5)
    expected = said(LM, [1, 2, 0, 4, 3], filled(LM, LORAS)) - said(LM, [0] * 5)
    likeness = torch.cosine_similarity(moved.flatten(1), expected.flatten(1), dim=1)
    assert likeness[[0, 1, 3, 4]].min() > 0.9 and torch.equal(moved[2], 0 * moved[2])


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_independent_rows_are_the_same_bits_whoever_steps_along(weights: Weights):
    lm = make_rows_independent(pack(fresh(), weights) if weights != "float32" else fresh())
    bank = filled(lm, LORAS)
    crowd = said(lm, [1, 2, 0, 4, 3], bank)
    for others in ([1, 0, 0, 0, 0], [1, 4, 4, 4, 4], [1, 1, 2, 1, 0]):
        assert torch.equal(said(lm, others, bank)[0], crowd[0])
    assert torch.equal(said(lm, [1], bank)[0], crowd[0])


def test_fixed_shapes_say_what_free_ones_say():
    bank = filled(LM, LORAS)
    seats = [3, 0, 1, 2, 3]
    expected = said(LM, seats, bank)
    state = LM.init_state(6, 64)
    for row, seat in enumerate(seats):
        with bank.applied([seat]):
            LM.prefill(prompt_of(row), None, state, row)
    index = torch.tensor([*range(5), 5])  # one row to spare
    for step in range(NUM_STEPS):
        ids = torch.tensor([100 + (7 * step + row) % 60 for row in range(6)])
        where = torch.tensor([10.0 + row + step for row in range(6)])
        with bank.applied_to(torch.tensor([*seats, 0]), 4):
            hidden = LM.step_rows(ids, where, state, index, 64)
        assert (LM.codebook_logits(hidden, 1)[:5] - expected[:, step]).abs().max() < CLOSE


def test_a_seat_that_is_given_to_another_keeps_nothing_of_the_first():
    bank = filled(LM, [LORAS[1]])
    bank.load(1, LORAS[0])
    expected = said(LM, [1, 0], filled(LM, [LORAS[0]]))
    assert torch.equal(said(LM, [1, 0], bank), expected)
    with bank.applied_to(
        torch.tensor([1]), 1
    ):  # takes all columns of the seat, the unused ones too
        state = LM.init_state(1, 64)
        fixed = LM.step_rows(torch.tensor([100]), torch.tensor([1.0]), state, torch.tensor([0]), 64)
    state = LM.init_state(1, 64)
    with bank.applied([1]):
        free = LM.step(torch.tensor([100]), torch.tensor([1.0]), state, [0])
    assert (fixed - free).abs().max() < CLOSE


def test_an_adapter_that_overflows_does_not_reach_its_neighbours():
    wild = random_lora(CONFIG, size=1e37)
    wild = Lora(
        wild.base, {name: (3e38 * down.sign(), up) for name, (down, up) in wild.matrices.items()}
    )
    bank = filled(LM, [wild, LORAS[0]])
    beside = said(LM, [1, 2, 0], bank)
    assert not torch.isfinite(beside[0]).all()
    calm = said(LM, [2, 2, 0], bank)
    assert (beside[1:] - calm[1:]).abs().max() < CLOSE


def test_outside_of_its_rows_a_bank_leaves_the_model_as_it_was():
    lm = fresh()
    before = [*lm.named_modules()]
    said(lm, [1, 0], filled(lm, LORAS))
    assert [*lm.named_modules()] == before


# --- files


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    save_lm(LM, folder)
    return folder


@pytest.fixture
def adapter(model, tmp_path) -> Path:
    return write_peft(tmp_path / "adapter", model)


def test_what_peft_writes_is_read_and_says_what_peft_says(model, adapter):
    lora = read_peft(adapter, model)
    assert lora.matrices.keys() == adaptable(CONFIG).keys() and lora.rank == 4
    theirs = peft.PeftModel.from_pretrained(load_lm(model), str(adapter))
    ids = torch.arange(100, 120)
    ours = merge(load_lm(model), lora).logits(ids)
    expected = theirs.merge_and_unload().logits(ids)
    assert (ours - expected).abs().max() < CLOSE
    assert (ours - LM.logits(ids)).abs().max() > 0.1


def test_an_adapter_s_file_gives_it_back(model, adapter):
    lora = read_peft(adapter, model)
    assert len({lora.to_bytes() for _ in range(8)}) == 1  # stores name it by its hash
    again = Lora.from_bytes(lora.to_bytes())
    again.check(CONFIG, weights_hash(model))
    for name, pair in lora.matrices.items():
        assert all(torch.equal(*both) for both in zip(pair, again.matrices[name], strict=True))
    assert Lora.from_bytes(lora.half().to_bytes()).num_bytes * 2 == lora.num_bytes


def test_in_8_bits_an_adapter_is_a_quarter_and_what_it_adds_is_the_same_to_a_hundredth():
    lora = random_lora(CONFIG, rank=32)
    small = lora.to_bytes(in_8_bits=True)
    assert len(small) < 0.3 * len(lora.to_bytes())
    again = Lora.from_bytes(small)
    again.check(CONFIG, lora.base)
    for name, (down, up) in lora.matrices.items():
        product = up.T @ down
        ours = again.matrices[name]
        assert (ours[1].T @ ours[0] - product).norm() < 0.02 * product.norm()
    assert again.to_bytes(in_8_bits=True) == small  # it is not rounded twice


@pytest.mark.parametrize(
    "lies",
    [
        {"step": torch.ones(5)},
        {"step": torch.ones(4, 1)},
        {"step": torch.ones(10**6), "rows": torch.ones(1, 10**6, dtype=torch.int8)},
        {"rows": torch.ones(4, 64)},
        {"rows": torch.ones(4, dtype=torch.int8)},
        {"rows": None},
        {"step": None},
        {"step": torch.full((4,), torch.nan)},
    ],
)
def test_steps_that_are_not_one_for_each_row_are_refused(tmp_path, lies):
    lora = LORAS[0]
    (tmp_path / "adapter").write_bytes(lora.to_bytes(in_8_bits=True))
    tensors = load_file(tmp_path / "adapter")
    name = f"{next(iter(lora.matrices))}.down"
    told = {
        name: lies.get("rows", tensors[name]),
        f"{name}.step": lies.get("step", tensors[f"{name}.step"]),
    }
    tensors = {key: value for key, value in (tensors | told).items() if value is not None}
    with pytest.raises(CheckpointError, match=r"in 8 bits|no float|not finite"):
        Lora.from_bytes(save(tensors, {FORMAT: lora.base})).check(CONFIG, lora.base)


@pytest.mark.parametrize("length", [0, 5, 200, -1])
def test_a_file_that_is_cut_short_is_refused(length):
    with pytest.raises(CheckpointError, match="cut short"):
        Lora.from_bytes(LORAS[0].to_bytes()[:length])


def change(lora: Lora, name: str | None = None, **parts: Tensor) -> Lora:
    first = next(iter(lora.matrices))
    down, up = lora.matrices[first]
    pair = (parts.get("down", down), parts.get("up", up))
    matrices = dict(lora.matrices)
    del matrices[first]
    return Lora(lora.base, {name or first: pair, **matrices})


@pytest.mark.parametrize(
    ("lora", "why"),
    [
        (random_lora(replace(CONFIG, ff_size=256)), r"is for a matrix of \[512, 64\]"),
        (random_lora(CONFIG, rank=MAX_LORA_RANK + 1), "has rank 33; from 1 to 32"),
        (random_lora(CONFIG, base="other"), "trained on the weights other"),
        (change(LORAS[0], name="embed_tokens"), "changes embed_tokens, which is none of"),
        (change(LORAS[0], name="layers.9.conv.in_proj"), "changes layers.9.conv.in_proj"),
        (change(LORAS[0], down=torch.zeros(4)), "is no pair"),
        (change(LORAS[0], up=torch.zeros(5, 192)), "is no pair"),
        (change(LORAS[0], down=torch.full((4, 64), torch.nan)), "not finite"),
        (change(LORAS[0], down=torch.zeros(4, 64, dtype=torch.int64)), "is torch.int64"),
        (Lora("base", {}), "changes nothing"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(lora: Lora, why: str):
    with pytest.raises(CheckpointError, match=why):
        Lora.from_bytes(lora.to_bytes()).check(CONFIG, "base")


def test_a_pair_without_its_other_half_is_refused(tmp_path, adapter, model):
    data = load_file(adapter / "adapter_model.safetensors")
    del data[next(key for key in data if "lora_B" in key)]
    save_file(data, adapter / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="without its other half"):
        read_peft(adapter, model)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("use_dora", True),
        ("bias", "all"),
        ("modules_to_save", ["embed_tokens"]),
        ("peft_type", "LOHA"),
        ("alpha_pattern", {"w2": 3}),
        ("r", 64),
    ],
)
def test_what_is_more_than_lora_is_refused(adapter, model, option, value):
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {option: value}))
    with pytest.raises(CheckpointError, match="can be served"):
        read_peft(adapter, model)


def test_an_adapter_of_other_weights_is_refused(adapter, model, tmp_path):
    other = tmp_path / "other"
    save_lm(fresh(seed=1), other)
    with pytest.raises(CheckpointError, match="other weights"):
        read_peft(adapter, other)
    (adapter / BASE_FILE).unlink()  # whoever trained it did not say on what
    assert read_peft(adapter, other).base == weights_hash(other)


def test_an_adapter_folder_that_is_not_whole_is_refused(adapter, model):
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="no whole adapter"):
        read_peft(adapter, model)
    weights.unlink()
    with pytest.raises(CheckpointError, match="no whole adapter"):
        read_peft(adapter, model)


def test_training_adapts_every_matrix_that_tokens_pass_through():
    """One list for both sides: a matrix that is renamed or new must be thought of."""
    ours = {name.rpartition(".")[2] for name, m in LM.named_modules() if hasattr(m, "weight")}
    norms = {name for name in ours if "norm" in name}
    others = {"conv", "embed_tokens", "speaker_emb_projection"}
    assert ours - norms - others == set(LORA_TARGETS)
    assert copy.copy(LORA_TARGETS) == tuple(sorted(LORA_TARGETS))
