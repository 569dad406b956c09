"""8- and 4-bit weights: close to what they were made of, and a row the same whoever is beside it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.errors import ModelError
from kani_npc.lm import Lfm2, pack, packed
from kani_npc.lm.packed import (
    FbgemmInt8Linear,
    Int4Linear,
    OnednnInt8Linear,
    PortableInt8Linear,
    can_pack,
)
from tests.lm.models import TINY, tiny_lm
from tests.lm.test_state import Stream, prompt_of, speaker_of, step

NEEDS_VNNI = pytest.mark.skipif(not FbgemmInt8Linear.is_fast_here(), reason="needs a CPU with VNNI")
INT8 = [pytest.param(kind, marks=NEEDS_VNNI) for kind in (FbgemmInt8Linear, OnednnInt8Linear)]
KINDS = (*INT8, PortableInt8Linear, Int4Linear)


def model(ff_size: int = 64) -> Lfm2:
    return tiny_lm(config=replace(TINY, ff_size=ff_size))


def relative_error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(48, 32), (4033 // 16 * 16, 256), (64, 4608)])
def test_a_packed_matrix_multiplies_as_the_matrix_does(kind, shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 3, shape[1], generator=torch.Generator().manual_seed(1))
    got = kind(weight)(x)
    assert got.dtype == torch.float32 and got.shape == (2, 3, shape[0])
    assert relative_error(got, x @ weight.T) < (0.1 if kind is Int4Linear else 0.01)


@pytest.mark.parametrize("kind", INT8)
def test_inputs_of_8_bit_weights_keep_their_small_values_beside_a_large_one(kind):
    draw = torch.Generator().manual_seed(0)
    weight = torch.randint(-127, 128, (48, 256), generator=draw) / 127
    weight[:, 0] = 1.0  # every row's peak: nothing is lost of the weights
    x = torch.randn(5, 256, generator=draw) * torch.logspace(-20, 20, 5)[:, None]
    x[:, 7] *= 50
    errors = (kind(weight)(x) - x @ weight.T).norm(dim=1) / (x @ weight.T).norm(dim=1)
    assert errors.max() < 2e-3
    assert not kind(weight)(torch.zeros(1, 256)).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_stays_none_and_in_its_row(kind, bad):
    x = torch.ones(3, 64)
    x[1, 5] = bad
    finite = kind(torch.ones(32, 64))(x).isfinite()
    assert finite[[0, 2]].all() and not finite[1].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(96, 64), (1024, 1536), (4033 // 16 * 16, 256)])
@pytest.mark.parametrize("threads", [1, 2])
@settings(max_examples=8, deadline=None)
@given(rows=st.integers(1, 33), order=st.randoms(use_true_random=False))
def test_a_row_is_the_same_to_the_bit_in_any_company_and_place(kind, shape, threads, rows, order):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        generator = torch.Generator().manual_seed(rows)
        linear = kind(torch.randn(shape, generator=generator))
        x = torch.randn(rows, shape[1], generator=generator)
        places = list(range(rows))
        order.shuffle(places)
        together = linear(x[places])
        for place, row in zip(together, places, strict=True):
            assert torch.equal(place, linear(x[row : row + 1])[0])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", [*INT8, PortableInt8Linear])
def test_where_the_fast_product_is_not_to_be_had_another_takes_its_place(kind, monkeypatch):
    for fast in (FbgemmInt8Linear, OnednnInt8Linear):
        monkeypatch.setattr(fast, "is_fast_here", lambda fast=fast: fast is kind)
    monkeypatch.setattr(packed, "MANY_WEIGHTS", 0)
    assert int8_kinds(pack(model(), "int8")) == {kind}


@NEEDS_VNNI
def test_both_fast_products_multiply_the_same_levels():
    draw = torch.Generator().manual_seed(0)
    weight, x = torch.randn(96, 1024, generator=draw), torch.randn(7, 1024, generator=draw)
    one, other = FbgemmInt8Linear(weight)(x), OnednnInt8Linear(weight)(x)
    assert relative_error(one, other) < 1e-6


@NEEDS_VNNI
def test_packing_says_nothing_and_leaves_the_process_as_it_was(recwarn):
    engine = torch.backends.quantized.engine
    FbgemmInt8Linear(torch.ones(32, 64))
    assert torch.backends.quantized.engine == engine and not recwarn.list


def test_small_matrices_take_the_product_that_has_fewer_operators_around_it():
    assert int8_kinds(pack(model(), "int8")) == {PortableInt8Linear}


def int8_kinds(lm: Lfm2) -> set[type]:
    kinds = {type(m) for layer in lm.layers for m in layer.modules() if "Int8" in type(m).__name__}
    return kinds | {type(head) for head in lm.heads or ()}


@pytest.mark.parametrize(
    ("kind", "library", "product"),
    [
        (FbgemmInt8Linear, "quantized", "linear_with_input_q_dq_qweight_dq_output_fp32"),
        (OnednnInt8Linear, "onednn", "qlinear_pointwise"),
    ],
)
def test_a_product_that_saturates_or_is_missing_is_noticed(kind, library, product, monkeypatch):
    def saturated(*arguments, **_):
        return torch.full((2, 2, 16), -32768.0)

    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: True)
    for broken in (saturated, lambda *_: (_ for _ in ()).throw(RuntimeError("no kernel"))):
        monkeypatch.setattr(getattr(torch.ops, library), product, SimpleNamespace(default=broken))
        kind.is_fast_here.cache_clear()
        assert not kind.is_fast_here()
    monkeypatch.undo()
    kind.is_fast_here.cache_clear()


@pytest.mark.parametrize(("weights", "least"), [("int8", 0.999), ("int4", 0.94)])
def test_a_packed_model_says_much_the_same_step_by_step(weights, least):
    exact, packed = model(), pack(model(), weights)
    logits: dict[str, list[torch.Tensor]] = {"exact": [], "packed": []}
    for name, lm in (("exact", exact), ("packed", packed)):
        state, streams = lm.init_state(3, 64), [Stream(1, slot=2), Stream(2, slot=0)]
        for stream in streams:
            lm.prefill(stream.prompt, stream.speaker, state, stream.slot)
        for fed in range(8):
            step(state, streams, lm)
            k = fed % 4
            hidden = torch.stack([stream.hidden[-1] for stream in streams])
            logits[name].append(lm.codebook_logits(hidden, k).flatten())
    both = torch.stack([torch.cat(logits["exact"]), torch.cat(logits["packed"])])
    assert torch.corrcoef(both)[0, 1] > least


def test_the_packed_head_is_one_codebook_and_at_first_the_end_of_speech():
    exact, packed = tiny_lm(), pack(tiny_lm(), "int8")
    hidden = torch.randn(2, TINY.hidden_size, generator=torch.Generator().manual_seed(0))
    for k in range(4):
        expected = exact.codebook_logits(hidden, k)
        got = packed.codebook_logits(hidden, k)
        assert got.shape == expected.shape
        assert relative_error(got, expected) < 0.02


def test_a_packed_prompt_is_read_in_pieces_as_whole_to_the_bit():
    lm = pack(tiny_lm(), "int8")
    prompt, speaker = prompt_of("Halt! Who goes"), speaker_of(1)
    whole, pieces = lm.init_state(1, 40), lm.init_state(2, 40)
    lm.prefill(prompt, speaker, whole, 0)
    for start, stop in ((0, 7), (7, 8), (8, prompt.prefill_length)):
        lm.prefill(prompt, speaker, pieces, 1, start, stop)
    assert torch.equal(pieces.keys[0, 1], whole.keys[0, 0])


def test_widths_that_the_kernels_would_misread_are_refused():
    """bfloat16 int8 products with K not a multiple of 16 are garbage or a crash, without an error."""
    for weights in ("int8", "int4"):
        assert not can_pack(model(ff_size=40), weights)
        with pytest.raises(ModelError, match="no multiples"):
            pack(model(ff_size=40), weights)
    assert can_pack(model(ff_size=48), "int8") and not can_pack(model(ff_size=48), "int4")


def test_the_weights_that_a_token_meets_are_counted_the_same_before_and_after_packing():
    assert model().num_matrix_weights == sum(
        parameter.numel()
        for name, parameter in model().layers.named_parameters()
        if "norm" not in name and not name.endswith("conv.weight")
    )
    assert pack(model(), "int8").num_matrix_weights == model().num_matrix_weights
