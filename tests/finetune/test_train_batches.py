"""A batch is what the published collator makes, its loss the published one; packing changes neither."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from finetune import batches
from finetune.batches import EMPTY, Batch, Example, collate, epoch_rows, shares
from finetune.learner import Learner, Packed, PackedFlash, flash_kernel
from finetune.recipe import Loss
from kani_npc.lm import load_lm
from kani_npc.lm.loss import IGNORED
from kani_npc.prompt import training_row
from kani_npc.tokens import TokenLayout
from tests.lm.models import GOLDEN, TINY, VARIANTS, Golden, tiny_lm

LAYOUT, GAP = TINY.layout, TINY.conv_kernel - 1


@pytest.fixture(scope="module", params=VARIANTS)
def golden(request) -> Golden:
    folder = GOLDEN / request.param
    return Golden(load_lm(folder / "checkpoint"), folder, load_file(folder / "golden.safetensors"))


def as_batch(golden: Golden, ids_BT, mask_BT, speakers) -> Batch:
    lm = golden.lm
    rows = [
        [
            Example(
                ids[mask.bool()].numpy().astype(np.int32),
                # The published prompt ends before the two tokens that ours ends with.
                int((ids == lm.layout.start_of_speech).nonzero()[0]) + 1,
                None if speakers is None else speakers[i].numpy(),
            )
        ]
        for i, (ids, mask) in enumerate(zip(ids_BT, mask_BT, strict=True))
    ]
    step, width = lm.config.audio_step, lm.config.speaker_dim
    return collate(rows, lm.layout, step, width, Loss(), lm.config.conv_kernel - 1)


def example(rng: np.random.Generator, with_speaker: bool = True) -> Example:
    frames = rng.integers(0, LAYOUT.codebook_size, (int(rng.integers(1, 6)), 4)).tolist()
    text = [1, *rng.integers(3, 300, int(rng.integers(1, 5))).tolist()]
    ids = training_row(LAYOUT, lambda _: text, "", frames)
    speaker = rng.standard_normal(8).astype(np.float32) if with_speaker else None
    return Example(np.array(ids, dtype=np.int32), len(ids) - 4 * len(frames) - 2, speaker)


def batch_of(rows, loss: Loss | None = None) -> Batch:
    return collate(rows, LAYOUT, TINY.audio_step, TINY.speaker_dim, loss or Loss(), GAP)


def test_one_sequence_has_the_published_inputs_labels_positions_loss_and_gradients(golden):
    ids, speaker = golden["train.input_ids"], golden.speaker
    speakers = None if speaker is None else speaker[None]
    batch = as_batch(golden, ids[None], torch.ones_like(ids)[None], speakers)
    assert batch.labels_BT[0].tolist() == golden["train.labels"].tolist()
    assert batch.positions_BT[0].tolist() == golden["train.position_ids"].tolist()
    lm = load_lm(golden.folder / "checkpoint").requires_grad_(True)
    learner = Learner(lm, Loss(), gradient_checkpointing=True)
    logits = learner.logits(learner.hidden(batch))[0]
    torch.testing.assert_close(logits.detach(), golden["train.logits"], atol=5e-5, rtol=0.0)
    counted = int((batch.labels_BT[:, 1:] != IGNORED).sum())
    loss = learner(batch) / counted
    torch.testing.assert_close(loss.detach(), golden["train.loss"], atol=1e-5, rtol=0.0)
    loss.backward()
    norm = torch.stack([w.grad.norm() for w in lm.parameters() if w.grad is not None]).norm()
    torch.testing.assert_close(norm, golden["train.grad_norm"], atol=0.0, rtol=1e-4)


def test_a_padded_batch_has_the_published_labels_logits_and_loss(golden):
    mask = golden["batch.attention_mask"]
    speakers = golden.tensors.get("batch.speaker_emb")
    batch = as_batch(golden, golden["batch.input_ids"], mask, speakers)
    assert batch.labels_BT.tolist() == golden["batch.labels"].tolist()
    slots = [t for t in range(batch.ids_BT.shape[1]) if speakers is None or t != 1]
    assert batch.ids_BT[:, slots].tolist() == golden["batch.input_ids"].tolist()
    learner = Learner(golden.lm, Loss())
    logits = learner.logits(learner.hidden(batch))
    for row, length in enumerate(mask.sum(-1) + (speakers is not None)):
        torch.testing.assert_close(
            logits[row, :length], golden["batch.logits"][row, :length], atol=5e-5, rtol=0.0
        )
    counted = int((batch.labels_BT[:, 1:] != IGNORED).sum())
    torch.testing.assert_close(learner(batch) / counted, golden["batch.loss"], atol=1e-5, rtol=0.0)


def test_rows_become_the_published_sequences():
    rows = json.loads((GOLDEN / "units" / "units.json").read_text())["dataset_rows"]
    layout = TokenLayout(64410 + 4 * 4032, 64410)
    for row in rows:
        ids = training_row(
            layout,
            lambda text: [1, *(b + 10 for b in text.encode())],
            row["text"],
            row["codes"],
            row["language_tag"],
        )
        one = Example(np.array(ids, dtype=np.int32), ids.index(layout.start_of_speech) + 1)
        batch = collate([[one]], layout, 1.0, 128, Loss(), 2)
        assert batch.ids_BT[0].tolist() == row["input_ids"]
        assert batch.labels_BT[0].tolist() == row["labels"]


@pytest.mark.parametrize("loss", [Loss(), Loss(prompt=False), Loss(choices="legal")])
def test_packed_rows_have_the_loss_and_the_gradients_of_single_ones(loss):
    rng = np.random.default_rng(1)
    some = [example(rng, with_speaker=i != 3) for i in range(7)]
    lm = tiny_lm().requires_grad_(True)
    learner = Learner(lm, loss)

    def learned(rows) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        lm.zero_grad()
        total = learner(batch_of(rows, loss))
        total.backward()
        return total.detach(), {
            n: w.grad.clone() for n, w in lm.named_parameters() if w.grad is not None
        }

    alone, packed = learned([[e] for e in some]), learned([some[:3], some[3:5], some[5:]])
    torch.testing.assert_close(packed[0], alone[0], atol=1e-3, rtol=1e-6)
    assert packed[1].keys() == alone[1].keys()
    for name, gradient in alone[1].items():
        assert (packed[1][name] - gradient).norm() <= 1e-4 * gradient.norm() + 1e-6, name


def test_nothing_of_an_utterance_reaches_the_next_one_in_its_row():
    rng = np.random.default_rng(2)
    first, other, second = (example(rng) for _ in range(3))
    other = replace(first, ids=other.ids[rng.integers(0, len(other.ids), len(first.ids))])
    learner = Learner(tiny_lm(), Loss())
    start = first.num_inputs + GAP
    before, after = (learner.hidden(batch_of([[one, second]]))[0, start:] for one in (first, other))
    assert torch.equal(before, after)
    # Without the empty inputs between them the convolutions do reach over: what this test is for.
    near = [
        learner.hidden(collate([[one, second]], LAYOUT, 0.5, 8, Loss(), gap=0))[0, start - GAP :]
        for one in (first, other)
    ]
    assert not torch.equal(*near)


def test_inputs_that_are_nobodys_are_nothing_after_every_layer():
    rng = np.random.default_rng(3)
    batch = batch_of([[example(rng), example(rng)], [example(rng)]])
    hidden = Learner(tiny_lm(), Loss()).hidden(batch)
    empty = batch.segments_BT == EMPTY
    assert empty[0].sum() == GAP or empty[1].any()
    assert hidden[0][empty[0]].abs().max() == 0


def test_the_kernel_for_packed_rows_sees_what_the_mask_shows():
    """FlashAttention's function runs on CUDA alone; here plain attention by segments stands in its place."""

    def kernel(q, k, v, starts_q, starts_k, longest_q, longest_k, causal):
        assert causal and starts_q.dtype == torch.int32 and longest_q == longest_k
        assert q.dtype == torch.bfloat16
        pieces = []
        for start, stop in pairwise(starts_q.tolist()):
            assert stop - start <= longest_q
            one = [x[start:stop].transpose(0, 1) for x in (q, k, v)]
            pieces.append(F.scaled_dot_product_attention(*one, is_causal=True, enable_gqa=True))
        return torch.cat(pieces, dim=1).transpose(0, 1)

    rng = np.random.default_rng(4)
    batch = batch_of([[example(rng), example(rng)], [example(rng)]])
    size = batch.ids_BT.shape[1]
    q, k, v = (torch.randn(2, heads, size, 8).bfloat16() for heads in (4, 2, 2))
    masked, flash = Packed(batch.segments_BT), PackedFlash(batch.segments_BT, kernel)
    outs = []
    for past in (masked, flash):
        past.extend(k, v)
        outs.append(past.attend(q))
    real = (batch.segments_BT != EMPTY)[:, None, :, None].expand_as(q)
    torch.testing.assert_close(outs[0][real], outs[1][real], atol=2e-2, rtol=2e-2)


def test_flash_attention_that_cannot_run_is_said_and_not_needed():
    cpu = torch.device("cpu")
    assert flash_kernel("auto", cpu) is None
    with pytest.raises(ValueError, match="flash-attn"):
        flash_kernel("flash_attention_2", cpu)


def test_a_masked_prompt_teaches_the_codes_and_the_end_alone():
    rng = np.random.default_rng(5)
    one = example(rng)
    labels = batch_of([[one]], Loss(prompt=False)).labels_BT[0]
    asked = labels[labels != IGNORED].tolist()
    assert asked == one.ids[one.num_prompt :].tolist()
    assert asked[-2:] == [LAYOUT.end_of_speech, LAYOUT.end_of_ai]
    legal = batch_of([[one]], Loss(choices="legal")).labels_BT[0]
    assert legal[legal != IGNORED].tolist() == asked[:-1]


def test_legal_choices_are_those_of_serving():
    """The loss of each label by the logits that a step chooses from."""
    rng = np.random.default_rng(6)
    one, loss = example(rng), Loss(choices="legal")
    lm = tiny_lm()
    batch = batch_of([[one]], loss)
    learner = Learner(lm, loss)
    hidden = learner.hidden(batch)[0]
    total = 0.0
    for t, label in enumerate(batch.labels_BT[0].tolist()):
        if label == IGNORED:
            continue
        end = label == LAYOUT.end_of_speech
        k, code = (
            (0, LAYOUT.codebook_size)
            if end
            else divmod(label - LAYOUT.audio_tokens_start, LAYOUT.codebook_size)
        )
        logits = lm.codebook_logits(hidden[t - 1 : t], k)
        total += F.cross_entropy(logits, torch.tensor([code])).item()
    assert learner(batch).item() == pytest.approx(total, rel=1e-5)


def test_speaker_dropout_takes_the_speakers_slot_from_its_share_of_utterances():
    rng = np.random.default_rng(7)
    one = example(rng)
    drawn = [batches.without_some_speakers(0.3, 1, 0)(i, one) for i in range(1000)]
    assert 250 < sum(e.speaker is None for e in drawn) < 350
    again = [batches.without_some_speakers(0.3, 1, 1)(i, one) for i in range(1000)]
    assert [e.speaker is None for e in drawn] != [e.speaker is None for e in again]
    mixed = batch_of([[one], [replace(one, speaker=None)]])
    assert mixed.speakers_ND.shape == (1, 8)
    learner = Learner(tiny_lm(), Loss())
    both = learner(mixed)
    alone = learner(batch_of([[one]])) + learner(batch_of([[replace(one, speaker=None)]]))
    torch.testing.assert_close(both, alone, atol=1e-4, rtol=1e-6)


def test_packing_fills_rows_and_leaves_nobody_out():
    rng = np.random.default_rng(8)
    lengths = rng.integers(20, 300, 500)
    rows = epoch_rows(lengths, np.arange(500), 1000, GAP, seed=3)
    assert sorted(i for row in rows for i in row) == list(range(500))
    used = [sum(lengths[i] for i in row) + GAP * (len(row) - 1) for row in rows]
    assert max(used) <= 1000 and np.mean(used) > 950
    assert rows == epoch_rows(lengths, np.arange(500), 1000, GAP, seed=3)
    assert rows != epoch_rows(lengths, np.arange(500), 1000, GAP, seed=4)


def test_processes_share_a_step_and_none_is_left_waiting():
    lengths = np.array([5, 9, 3, 7, 8])
    rows = [(i,) for i in range(5)]
    mine = [shares(rows, lengths, 2, process, 2) for process in (0, 1)]
    assert len(mine[0]) == len(mine[1])
    assert sorted(row for batches_ in mine for batch in batches_ for row in batch) == rows
    alone = shares(rows, lengths, 2, 0, 1)
    assert alone == [mine[0][0], mine[1][0], mine[0][1]]
    empty = Learner(tiny_lm().requires_grad_(True), Loss())(batch_of(mine[1][1]))
    empty.backward()
    assert empty.item() == 0


def test_wrong_codes_are_others_of_their_codebook_and_what_is_learned_stays():
    layout = TokenLayout(vocab_size=220, audio_tokens_start=20)
    frames = np.random.default_rng(0).integers(0, 50, (60, 4)).tolist()
    ids = np.array(training_row(layout, lambda _: [1, 5, 6], "x", frames), dtype=np.int32)
    example = Example(ids, 7)
    batch = collate([[example]] * 8, layout, 1.0, 4, Loss(), GAP)
    wrong = batches.with_wrong_codes(batch, layout, 0.5, seed=3)
    changed = wrong.ids_BT != batch.ids_BT
    assert 0.1 < changed.float().mean() < 0.4
    assert torch.equal(wrong.labels_BT, batch.labels_BT)
    is_code = (batch.ids_BT >= 20) & (batch.ids_BT < 220)
    assert not changed[~is_code].any()
    assert torch.equal((wrong.ids_BT[is_code] - 20) // 50, (batch.ids_BT[is_code] - 20) // 50)
    again = batches.with_wrong_codes(batch, layout, 0.5, seed=3)
    assert torch.equal(again.ids_BT, wrong.ids_BT)
