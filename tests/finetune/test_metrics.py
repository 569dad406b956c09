"""The dashboard's figures are the published code's where those are right, and are computed where they are not."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from finetune.batches import Batch, collate
from finetune.learner import Learner
from finetune.metrics import THRESHOLDS, influence, measure
from finetune.recipe import Loss
from kani_npc.lm import load_lm
from tests.finetune.test_train_batches import as_batch, batch_of, example
from tests.lm.models import GOLDEN, TINY, VARIANTS, Golden, tiny_lm


def published(variant: str) -> tuple[Golden, Batch, dict]:
    folder = GOLDEN / variant
    golden = Golden(
        load_lm(folder / "checkpoint"), folder, load_file(folder / "golden.safetensors")
    )
    ids, speaker = golden["train.input_ids"], golden.speaker
    speakers = None if speaker is None else speaker[None]
    batch = as_batch(golden, ids[None], torch.ones_like(ids)[None], speakers)
    return golden, batch, json.loads((folder / "meta.json").read_text())


@pytest.mark.parametrize("variant", VARIANTS)
def test_perplexities_and_confusion_are_the_published_ones(variant):
    golden, batch, meta = published(variant)
    figures = measure(Learner(golden.lm, Loss()), [batch], influence_positions=0).figures
    assert len(meta["metrics"]) > 20
    for name, value in meta["metrics"].items():
        assert figures[name] == pytest.approx(value, rel=1e-3), name


@pytest.mark.parametrize("variant", ["a_plain_step1", "c_learn_step1"])
def test_influence_is_the_published_one_at_its_positions_and_another_at_the_frames(variant):
    golden, batch, meta = published(variant)
    learner = Learner(golden.lm, Loss())
    sequential = torch.arange(batch.ids_BT.shape[1], dtype=torch.float32)[None]
    for k in range(4):
        totals = influence(learner, batch, k, 10_000, positions_BT=sequential)
        right = influence(learner, batch, k, 10_000)
        for name, key in (
            ("text", "text"),
            ("same_layer", "same_layer"),
            ("cross_layer", "cross_layer"),
        ):
            theirs = meta["token_influence_all_positions"][f"layer_{k}_{key}_influence"]
            assert totals[name] / sum(totals.values()) == pytest.approx(theirs, rel=1e-3)
        assert totals != right


def test_batches_with_speakers_have_their_influence_too():
    rng = np.random.default_rng(0)
    batch = batch_of([[example(rng), example(rng)], [example(rng, with_speaker=False)]])
    learner = Learner(tiny_lm(), Loss())
    shares = measure(learner, [batch]).influence_shares
    assert set(shares) == {0, 1, 2, 3}
    for parts in shares.values():
        assert sum(parts.values()) == pytest.approx(1)
        assert parts["speaker"] > 0
    assert all(w.grad is None for w in learner.parameters())


def test_the_variance_is_that_of_attentions_outputs_and_every_such_layer_has_one():
    rng = np.random.default_rng(1)
    batch, lm = batch_of([[example(rng)], [example(rng)]]), tiny_lm()
    found = measure(Learner(lm, Loss()), [batch], influence_positions=0)
    assert set(found.output_variances) == set(TINY.attention_layers)
    # Twice as loud an output matrix is four times the variance, in that layer alone.
    first = TINY.attention_layers[-1]
    with torch.no_grad():
        lm.layers[first].self_attn.out_proj.weight.mul_(2)
    louder = measure(Learner(lm, Loss()), [batch], influence_positions=0)
    assert louder.output_variances[first] == pytest.approx(4 * found.output_variances[first])
    other = TINY.attention_layers[0]
    assert louder.output_variances[other] == pytest.approx(found.output_variances[other])


def test_a_model_that_knows_whose_turn_it_is_has_a_diagonal_confusion():
    rng = np.random.default_rng(2)
    batch, lm = batch_of([[example(rng) for _ in range(3)]]), tiny_lm()
    learner = Learner(lm, Loss())
    logits = learner.logits

    def sure(hidden):
        # The labels are asked in order: every other codebook's ids are pushed away.
        found = logits(hidden)
        labels = batch.labels_BT[:, 1:][batch.labels_BT[:, 1:] != -100]
        size, start = TINY.layout.codebook_size, TINY.layout.audio_tokens_start
        due = (labels - start).div(size, rounding_mode="floor")
        of = (torch.arange(found.shape[1]) - start).div(size, rounding_mode="floor")
        return found.masked_fill(of[None] != due[:, None], -1e4)

    learner.logits = sure
    found = measure(learner, [batch], influence_positions=0)
    assert np.allclose(found.confusion, np.eye(4))
    assert THRESHOLDS["min_diagonal"].verdict(found.figures["min_diagonal"]) == "good"


def test_alphas_are_those_of_the_layers():
    lm = tiny_lm()
    found = measure(Learner(lm, Loss()), [], influence_positions=0)
    assert list(found.alphas) == list(TINY.attention_layers)
    assert list(found.alphas.values()) == pytest.approx(lm.alphas().tolist())


def test_perplexity_among_legal_choices_is_at_most_that_among_all():
    rng = np.random.default_rng(3)
    some = [example(rng) for _ in range(3)]
    lm = tiny_lm()
    wide = measure(Learner(lm, Loss()), [batch_of([some])], influence_positions=0)
    legal = Loss(choices="legal")
    batch = collate([some], TINY.layout, TINY.audio_step, TINY.speaker_dim, legal, 2)
    narrow = measure(Learner(lm, legal), [batch], influence_positions=0)
    for k in range(4):
        assert narrow.perplexities[f"layer_{k}"] < wide.perplexities[f"layer_{k}"]
    assert "text" not in narrow.perplexities
