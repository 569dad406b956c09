"""Our model gives the published code's numbers: whole, step by step, and in training.

Tolerances are far below those of the vectors' README (1e-3 on logits, spread 0.68): same arithmetic, same kind of
machine, so a wrong rule cannot hide (the smallest of those moves logits by 0.065).
"""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from kani_npc.lm import Sampler, generate, load_lm, training_labels, training_loss
from kani_npc.lm.load import reference_gradients
from kani_npc.lm.model import ropes
from kani_npc.prompt import positions
from kani_npc.speech import Sampling
from tests.lm.models import GOLDEN, TINY, tiny_lm

LOGITS = {"atol": 5e-5, "rtol": 0.0}


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, **LOGITS)


def full_head(lm, hidden):
    return F.linear(hidden, lm.embed_tokens.weight)


def decode(golden, ids, step_positions, *, sees_itself=True):
    """Logits of every token after the prompt, fed one by one: [n, V]."""
    lm, prompt = golden.lm, golden.prompt
    state = lm.init_state(2, len(ids) + 1)
    lm.prefill(prompt, golden.speaker, state, slot=1)
    fed = ids[len(prompt.ids) - 1 : -1]
    # The prompt's last token is part of the published prefill, which always sees itself.
    where = [prompt.prefill_length, *step_positions.tolist()]
    rows = [
        lm.step(
            token[None], torch.tensor([position]), state, [1], _sees_itself=sees_itself or i == 0
        )
        for i, (token, position) in enumerate(zip(fed, where, strict=True))
    ]
    return full_head(lm, torch.cat(rows))


def test_a_prompt_has_the_published_logits_and_positions(golden):
    lm = golden.lm
    close(lm.logits(golden["prompt_ids"], golden.speaker), golden["greedy.prefill_logits"])
    speaker = golden.speaker is not None
    ours = positions(golden["prompt_ids"], lm.layout, lm.config.audio_step, speaker)
    assert ours.tolist() == golden["greedy.prefill_position_ids"].tolist()


def test_a_whole_utterance_has_the_published_logits_and_positions(golden):
    lm, ids = golden.lm, golden["grammar.sequence"]
    close(lm.logits(ids, golden.speaker), golden["grammar_full.logits"])
    ours = positions(ids, lm.layout, lm.config.audio_step, golden.speaker is not None)
    assert ours.tolist() == golden["grammar_full.position_ids"].tolist()


@pytest.mark.parametrize("run", ["greedy", "grammar", "grammar_rp"])
def test_the_published_decode_is_reproduced_with_its_self_masking(golden, run):
    visible_to_itself = bool(golden[f"{run}.self_visible"][1:].all())
    assert visible_to_itself == (golden.speaker is None)
    ours = decode(
        golden,
        golden[f"{run}.sequence"],
        golden[f"{run}.step_position_ids"],
        sees_itself=visible_to_itself,
    )
    close(ours, golden[f"{run}.step_logits"])
    if run == "greedy":
        assert ours.argmax(-1).tolist() == golden["greedy.new_tokens"].tolist()


def test_the_self_masking_of_the_published_decode_is_not_ours(golden):
    ours = decode(golden, golden["grammar.sequence"], golden["grammar.step_position_ids"])
    off = (ours - golden["grammar.step_logits"]).abs().max()
    assert off > 0.1 if golden.speaker is not None else off < 1e-4


def test_decoding_step_by_step_gives_the_corrected_logits(golden):
    ids, lm = golden["corrected.sequence"], golden.lm
    where = positions(ids, lm.layout, lm.config.audio_step, golden.speaker is not None)
    first = golden.prompt.num_inputs
    ours = decode(golden, ids, torch.from_numpy(where[first:-1]))
    theirs = golden["corrected.step_logits"]
    close(ours, theirs)
    assert ours.argmax(-1).tolist() == theirs.argmax(-1).tolist()


def test_generate_speaks_the_corrected_frames(golden):
    lm = golden.lm
    sampling = Sampling(greedy=True, repetition_penalty=1.0, min_frames=15, max_frames=15)
    start = (lm.layout.start_of_ai, lm.layout.start_of_speech)
    prompt = type(golden.prompt)((*golden.prompt.ids, *start), golden.prompt.with_speaker)
    ours = generate(lm, prompt, golden.speaker, sampling)
    theirs = lm.layout.to_frames(golden["corrected.sequence"].tolist())
    assert [tuple(frame) for frame in ours.T.tolist()] == theirs


def test_the_sampler_chooses_the_published_tokens_under_repetition_penalty(golden):
    """grammar_rp: penalty 1.1, then the argmax among the codebook's codes; teacher-forced with the published logits."""
    layout = golden.lm.layout
    sampler = Sampler(layout, 1)
    sampler.admit(0, Sampling(greedy=True, repetition_penalty=1.1, min_frames=15), seed=0)
    theirs = layout.to_frames(golden["grammar_rp.sequence"].tolist())
    size = layout.codebook_size
    for i, frame in enumerate(theirs):
        for k, code in enumerate(frame):
            row = golden["grammar_rp.step_logits"][2 + 4 * i + k]
            logits = row[layout.codebook_start(k) :][:size]
            if k == 0:
                logits = torch.cat((logits, row[layout.end_of_speech][None]))
            assert sampler.draw(logits[None], k, [0]).tolist() == [code]
        sampler.next_frame([0])


def test_the_heads_are_rows_of_the_whole_head(golden):
    lm, layout = golden.lm, golden.lm.layout
    hidden = torch.randn(3, lm.config.hidden_size)
    whole = full_head(lm, hidden)
    for k in range(4):
        ours = lm.codebook_logits(hidden, k)
        close(
            ours[:, : layout.codebook_size],
            whole[:, layout.codebook_start(k) :][:, : layout.codebook_size],
        )
        assert ours.shape[1] == layout.codebook_size + (k == 0)
    close(lm.codebook_logits(hidden, 0)[:, -1], whole[:, layout.end_of_speech])


def test_training_has_the_published_loss_and_gradients(golden):
    lm = load_lm(golden.folder / "checkpoint").requires_grad_(True)
    ids, speaker = golden["train.input_ids"], golden.speaker
    logits = lm.logits(ids, speaker)
    close(logits.detach(), golden["train.logits"])
    labels = training_labels(ids[None], lm.layout, speaker is not None)
    assert labels[0].tolist() == golden["train.labels"].tolist()
    where = positions(ids, lm.layout, lm.config.audio_step, speaker is not None)
    assert where.tolist() == golden["train.position_ids"].tolist()

    loss = training_loss(logits[None], labels)
    torch.testing.assert_close(loss.detach(), golden["train.loss"], atol=1e-5, rtol=0.0)
    loss.backward()
    ours = reference_gradients(lm)
    theirs = {
        name: tensor for name, tensor in golden.tensors.items() if name.startswith("train.grad.")
    }
    assert len(theirs) >= 4
    for name, gradient in theirs.items():
        mine = ours[name.removeprefix("train.grad.")]
        assert (mine - gradient).norm() <= 1e-4 * gradient.norm(), name
    norm = torch.stack([gradient.norm() for gradient in ours.values()]).norm()
    torch.testing.assert_close(norm, golden["train.grad_norm"], atol=0.0, rtol=1e-4)


def test_a_padded_batch_has_the_published_labels_logits_and_loss(golden):
    lm, ids = golden.lm, golden["batch.input_ids"]
    speakers = golden.tensors.get("batch.speaker_emb")
    where = positions(ids, lm.layout, lm.config.audio_step, speakers is not None)
    logits = full_head(lm, lm.hidden(ids, torch.from_numpy(where), speakers))
    labels = training_labels(ids, lm.layout, speakers is not None)
    assert labels.tolist() == golden["batch.labels"].tolist()
    for row, length in enumerate(golden["batch.attention_mask"].sum(-1) + (speakers is not None)):
        close(logits[row, :length], golden["batch.logits"][row, :length])
    torch.testing.assert_close(
        training_loss(logits, labels), golden["batch.loss"], atol=1e-5, rtol=0.0
    )


def test_the_loss_over_accumulated_batches_is_the_sum_over_their_labels(golden):
    logits, labels = golden["batch.logits"], golden["batch.labels"]
    counted = int((labels[:, 1:] != -100).sum())
    mean = training_loss(logits, labels)
    torch.testing.assert_close(training_loss(logits, labels, num_items=2 * counted), mean / 2)


@pytest.mark.parametrize("i", [0, 1, 2])
def test_rope_frequencies_and_tables_are_the_published_ones(i):
    units = load_file(GOLDEN / "units" / "units.safetensors")
    weight, alpha_min, alpha_max = units[f"rope{i}.args"].tolist()
    config = replace(TINY, hidden_size=64, alpha_min=alpha_min, alpha_max=alpha_max)
    lm = tiny_lm(config=config)
    lm.alpha_weights["1"].fill_(weight)
    inv_freq = lm.inv_freq()[:1]
    torch.testing.assert_close(lm.alphas()[0], units[f"rope{i}.alpha"], atol=1e-6, rtol=0)
    torch.testing.assert_close(inv_freq[0], units[f"rope{i}.inv_freq"], atol=1e-7, rtol=1e-6)
    [(cos, sin)] = ropes(units[f"rope{i}.positions"][None], inv_freq, torch.float32)
    half = config.head_dim // 2
    sign = torch.cat((-torch.ones(half), torch.ones(half)))  # ours carries the rotation's sign
    torch.testing.assert_close(cos[0, :, 0], units[f"rope{i}.cos"], atol=1e-5, rtol=0)
    torch.testing.assert_close(sin[0, :, 0] * sign, units[f"rope{i}.sin"], atol=1e-5, rtol=0)
