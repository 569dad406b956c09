"""The language model's recipe, at dims that train in a second."""

import copy
import json
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from finetune.tiny import lm as recipe
from finetune.tiny.package import lm_config, tokenizer, write
from finetune.tiny.speakers import Speakers, unit
from finetune.tiny.teachers import TEACHERS, VOICES
from finetune.tiny.together import ALONE, Team, together
from kani_npc.lm.generate import generate
from kani_npc.lm.model import Lfm2
from kani_npc.prompt import build_prompt, positions
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder
from kani_npc.speech import Sampling
from tests.support.tiny_random import make_random_model

LINES = (
    "Halt! Who goes there?",
    "The wizard is tired.",
    "I sell bread.",
    "Follow the red fox, my friend.",
)


@pytest.fixture(scope="module")
def encode():
    return tokenizer()


@pytest.fixture
def tiny(encode) -> Lfm2:
    torch.manual_seed(0)
    return Lfm2(
        lm_config(
            encode, hidden_size=64, layers="ca", ff_size=96, audio_step=1.25, codebook_size=1000
        )
    )


@pytest.fixture
def examples(tiny, encode) -> recipe.Examples:
    return recipe.Examples(tiny.layout, encode, tiny.config.audio_step, Speakers.named(VOICES))


def spoken(count: int = 24, seed: int = 0) -> list[recipe.Spoken]:
    rng = np.random.default_rng(seed)
    return [
        recipe.Spoken(
            TEACHERS[i % 3].voice,
            TEACHERS[i % 3].tag,
            LINES[i % len(LINES)],
            rng.integers(0, 1000, (int(rng.integers(6, 14)), 4)).astype(np.int16),
        )
        for i in range(count)
    ]


def test_a_batch_is_what_serving_would_feed(tiny, examples, encode):
    line = spoken(1)[0]
    batch = examples.batch([examples.example(line, tag=line.tag)])
    prompt = build_prompt(tiny.layout, encode.encode, line.text, line.tag, with_speaker=True)
    codes = tiny.layout.to_ids(line.codes_FK.tolist())
    assert tuple(batch.ids_BT[0, : len(prompt.ids)].tolist()) == prompt.ids
    assert batch.ids_BT[0, len(prompt.ids) :][: len(codes)].tolist() == codes
    assert batch.speaker_BD is not None
    where = batch.positions_BT[0]
    first = len(prompt.ids)  # start_of_speech, the speaker's slot counted
    for t in range(4 * len(line.codes_FK)):
        assert where[first + t] == prompt.position(t // 4, t % 4, tiny.config.audio_step)


def test_targets_are_the_codes_then_the_end_then_nothing(examples):
    line = spoken(1)[0]
    targets = examples.batch([examples.example(line, tag=None)]).targets_BFK[0]
    length = len(line.codes_FK)
    assert targets[:length].tolist() == line.codes_FK.tolist()
    assert targets[length].tolist() == [1000, -100, -100, -100]
    assert (targets[length + 1 :] == recipe.IGNORED).all()


def test_the_loss_is_the_one_of_full_logits_restricted_to_legal_tokens(tiny, examples):
    line = spoken(1)[0]
    batch = examples.batch([examples.example(line, tag=line.tag)])
    got, _ = recipe.losses(tiny, batch)
    assert batch.speaker_BD is not None
    logits = tiny.logits(batch.ids_BT[0], batch.speaker_BD[0])
    layout, first = tiny.layout, batch.num_prompt
    for k in range(1, 4):
        rows = logits[first + k :: 4][: len(line.codes_FK)]
        legal = rows[:, layout.codebook_start(k) :][:, : layout.codebook_size]
        right = torch.from_numpy(line.codes_FK[:, k].astype(np.int64))
        expected = torch.nn.functional.cross_entropy(legal, right)
        torch.testing.assert_close(got[k], expected, rtol=0.01, atol=0.01)  # bfloat16 products


def test_an_epoch_says_every_line_once_and_some_in_a_row(examples):
    lines = spoken(400)
    rows = examples.epoch(lines, random.Random(0))
    assert sum(len(row.codes_FK) for row in rows) == sum(len(line.codes_FK) for line in lines)
    assert len(rows) < len(lines)
    assert {row.voice for row in rows} >= {TEACHERS[0].voice, None}
    groups = list(examples.batches(rows, 2048, random.Random(0)))
    assert sum(map(len, groups)) == len(rows)
    assert all(len({row.shape for row in group}) == 1 for group in groups)


def test_lines_in_a_row_are_no_longer_than_a_request_may_be(examples, monkeypatch):
    monkeypatch.setattr(recipe, "JOINED", 1.0)
    few_frames = np.zeros((20, 4), np.int16)  # so that the text is what makes it long
    line = recipe.Spoken(TEACHERS[0].voice, "en_us", "grumbletonk " * 15, few_frames)
    rows = examples.epoch([line] * 60, random.Random(0))  # raises InvalidUtterance for one
    assert 20 < len(rows) < 60
    assert sum(len(row.codes_FK) for row in rows) == 60 * 20


def test_the_due_symbols_walk_through_the_text_and_end_with_its_pause(examples):
    example = examples.example(spoken(1)[0], tag="en_us")
    due = recipe.due_symbols(example).tolist()
    text = [i for i in example.ids[3:-4] if i != 0]
    assert len(due) == len(example.codes_FK)
    assert due[0] == text[0]
    assert due[-1] == text[-1]
    assert set(due) <= set(text)


def test_corrupted_codes_are_still_codes_and_mostly_the_right_ones():
    codes = np.random.default_rng(0).integers(0, 1000, (64, 20, 4))
    wrong = recipe.corrupted(codes, np.random.default_rng(1))
    assert wrong.min() >= 0
    assert wrong.max() < 1000
    assert 0.05 < (wrong != codes).mean() < 0.25


def test_training_learns_lines_by_heart_and_then_says_them(tiny, examples, encode, tmp_path):
    lines = spoken(2)
    trainer = recipe.Trainer(tiny, tmp_path / "lm.pt")
    rows = [examples.example(replace(line, voice=TEACHERS[0].voice), tag="en_us") for line in lines]
    for step in range(80):
        for group in examples.batches(rows, 4096, random.Random(step)):
            trainer.train(examples.batch(group), 1.0)
    prompt = build_prompt(tiny.layout, encode.encode, lines[0].text, "en_us", with_speaker=True)
    vector = torch.from_numpy(Speakers.named(VOICES).vectors[TEACHERS[0].voice])
    codes = generate(tiny.eval(), prompt, vector, Sampling(greedy=True, repetition_penalty=1.0))
    assert codes.T.tolist() == lines[0].codes_FK.tolist()


def test_muon_multiplies_in_float32_where_the_device_is_slow_at_bfloat16(
    encode, examples, tmp_path, monkeypatch
):
    """It rounds to bfloat16 by itself, which takes fifteen times as long on CPUs without AVX-512."""
    rows = [examples.example(line, tag=line.tag) for line in spoken(4)]
    batch = examples.batch(next(examples.batches(rows, 512, random.Random(0))))

    def moved(fast: bool) -> torch.Tensor:
        """How one step moves a matrix; only Muon asks this module what the device is good at."""
        monkeypatch.setattr(recipe, "multiplies_bfloat16", lambda _: fast)
        torch.manual_seed(0)
        lm = recipe.new_lm(encode, 1.06, recipe.Dims(hidden_size=128, layers="c", ff_size=96))
        weight = lm.layers[0].feed_forward.w2.weight
        before = weight.detach().clone()
        recipe.Trainer(lm, tmp_path / "lm.pt").train(batch, 1.0)
        return weight.detach() - before

    exact, rounded = moved(fast=False), moved(fast=True)
    error = (exact - rounded).norm() / exact.norm()
    assert 1e-4 < error < 0.5  # small singular values are made large, and their rounding with them
    with recipe.Float32Products():
        assert torch.ones(1).bfloat16().dtype == torch.float32


def test_a_stopped_training_goes_on_where_it_was(tiny, examples, tmp_path):
    rows = [examples.example(line, tag=line.tag) for line in spoken(8)]
    batch = examples.batch(next(examples.batches(rows, 512, random.Random(0))))
    trainer = recipe.Trainer(tiny, tmp_path / "lm.pt")
    for _ in range(5):
        trainer.train(batch, 0.5)
    trainer.save()
    straight = trainer.train(batch, 0.5)

    again = recipe.Trainer(Lfm2(tiny.config), tmp_path / "lm.pt")
    again.resume()
    assert again.step == 5
    torch.testing.assert_close(again.train(batch, 0.5), straight)
    for name, weight in again.lm.state_dict().items():
        torch.testing.assert_close(weight, tiny.state_dict()[name])


def one_batch(examples: recipe.Examples, step: int, rank: int) -> recipe.Batch:
    """One of a team's of two at a step; the second's has no speaker."""
    line = replace(spoken(1)[0], text=LINES[(2 * step + rank) % len(LINES)])
    return examples.batch([examples.example(line, tag=line.tag, with_speaker=rank == 0)])


def three_steps(team: Team, trainer: recipe.Trainer, examples: recipe.Examples) -> None:
    torch.set_flush_denormal(True)
    trainer.team = team
    for step in range(3):
        trainer.train(one_batch(examples, step, team.rank), 0.5)
    trainer.save()


def test_two_processes_learn_what_one_does_from_both_their_batches(
    tiny, examples, tmp_path, monkeypatch
):
    trainers = [recipe.Trainer(copy.deepcopy(tiny), tmp_path / f"{i}.pt") for i in range(3)]
    with together(2, three_steps, trainers[1], examples) as team:
        three_steps(team, trainers[0], examples)
    assert (tmp_path / "0.pt").exists()
    assert not (tmp_path / "1.pt").exists()  # the first process keeps what is everybody's
    assert trainers[0].tokens == sum(
        one_batch(examples, step, rank).ids_BT.numel() for step in range(3) for rank in range(2)
    )

    of_one = recipe.losses
    alone = trainers[2]
    for step in range(3):
        pair = [one_batch(examples, step, rank) for rank in range(2)]

        def of_both(lm: Lfm2, _: recipe.Batch, pair: list[recipe.Batch] = pair):
            return tuple(
                torch.stack(x).mean(0) for x in zip(*(of_one(lm, b) for b in pair), strict=True)
            )

        monkeypatch.setattr(recipe, "losses", of_both)
        alone.train(pair[0], 0.5)
    for name, weight in alone.lm.state_dict().items():
        torch.testing.assert_close(
            trainers[0].lm.state_dict()[name], weight, atol=1e-5, rtol=1e-4, msg=name
        )
        moved = (weight - tiny.state_dict()[name]).abs().max()
        assert moved > 1e-3 or weight.ndim < 2, name


def test_shares_are_as_many_for_each_and_as_long_in_each_step(examples):
    rows = examples.epoch(spoken(400), random.Random(0))
    groups = list(examples.batches(rows, 512, random.Random(0)))
    assert recipe.shares(groups, ALONE, random.Random(1)) == groups
    teams = [Team(rank, 3) for rank in range(3)]
    shares = [recipe.shares(groups, team, random.Random(1)) for team in teams]
    assert {len(share) for share in shares} == {len(groups) // 3}
    taken = [id(group) for share in shares for group in share]
    assert len(set(taken)) == len(taken) == len(groups) // 3 * 3
    steps = [
        sorted(sum(row.shape[0] + 4 * row.shape[1] for row in group) for group in step)
        for step in zip(*shares, strict=True)
    ]
    assert sum(longest for *_, longest in steps) < 1.02 * sum(sum(step) / 3 for step in steps)


def test_a_run_of_two_processes_is_one_training_and_goes_on_with_one(tmp_path, monkeypatch):
    # No C++ compiler there: steps of a second, not of a minute.
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = [
        replace(line, text=LINES[i % 4] + " " + LINES[i // 4 % 4])
        for i, line in enumerate(spoken(48))
    ]
    np.savez(
        tmp_path / "codes.npz",
        codes=np.concatenate([line.codes_FK for line in lines]).T,
        lengths=[len(line.codes_FK) for line in lines],
        voice=[line.voice for line in lines],
        tag=[line.tag for line in lines],
        text=[line.text for line in lines],
        held_out=[i % 8 == 0 for i in range(len(lines))],
    )
    heard = close_voices()
    np.savez(
        tmp_path / "embeddings.npz",
        space=heard.space,
        speaker=VOICES,
        centroid=np.stack([heard.vectors[voice] for voice in VOICES]),
        utterance_speaker=np.repeat(VOICES, 20),
        utterance=np.concatenate([heard.utterances[voice] for voice in VOICES]),
    )
    run = partial(recipe.run, tmp_path, tokens=512, evaluate_every=2, device="cpu")
    dims = recipe.Dims(hidden_size=128, layers="c", ff_size=96)
    with pytest.raises(ValueError, match="1 threads are not enough for 2 processes"):
        run(minutes=0.05, dims=dims, threads=1, processes=2)
    run(minutes=0.05, dims=dims, processes=2)
    two = [json.loads(row) for row in (tmp_path / "lm_log.jsonl").read_text().splitlines()]
    assert two[-1]["step"] >= len(two) >= 1
    assert 300 < two[-1]["tokens"] / two[-1]["step"] < 700
    run(minutes=0.08)
    rows = [json.loads(row) for row in (tmp_path / "lm_log.jsonl").read_text().splitlines()]
    assert rows[: len(two)] == two
    assert rows[-1]["step"] > two[-1]["step"]
    with pytest.raises(ValueError, match="take another folder"):
        run(minutes=0.1, dims=recipe.Dims(), processes=2)


def test_a_corpus_without_a_batch_is_refused(tiny, examples, tmp_path):
    trainer = recipe.Trainer(tiny, tmp_path / "lm.pt")
    with pytest.raises(ValueError, match="0 utterances do not make a batch"):
        recipe.fit(ALONE, trainer, examples, [], [], tmp_path / "log.jsonl", 0.1, 512)


def test_a_pass_has_all_that_the_voices_say_and_half_of_what_the_crowd_says(
    tiny, examples, tmp_path, monkeypatch
):
    said = [*spoken(40), *(replace(line, voice="e-m1") for line in spoken(400))]
    heard: list[recipe.Spoken] = []
    monkeypatch.setattr(recipe.Examples, "epoch", lambda _, lines, rng: heard.extend(lines) or [])
    trainer = recipe.Trainer(tiny, tmp_path / "lm.pt")
    with pytest.raises(ValueError, match="do not make a batch"):
        recipe.fit(ALONE, trainer, examples, said, [], tmp_path / "log.jsonl", 0.1, 512)
    assert heard[:40] == said[:40]
    assert 150 < len(heard[40:]) < 250 and all(line.voice == "e-m1" for line in heard[40:])


def test_a_rate_that_refines_falls_from_the_start():
    rates = [recipe.rate(1000, tenths / 10, refines=True) for tenths in range(11)]
    assert rates == sorted(set(rates), reverse=True)
    assert rates[0] == recipe.REFINING_RATE < recipe.rate(1000, 0.3) == 1.0
    assert recipe.rate(0, 0.0, refines=True) == recipe.rate(0, 0.0) < 0.1


def close_voices() -> Speakers:
    """Close to each other, as one person's scaled voices are."""
    rng = np.random.default_rng(2)
    common = rng.standard_normal(128, np.float32)
    vectors = {
        v: unit(common + np.float32(0.5) * rng.standard_normal(128, np.float32)) for v in VOICES
    }
    heard = {
        v: np.stack(
            [unit(x + np.float32(0.02) * rng.standard_normal(128, np.float32)) for _ in range(20)]
        )
        for v, x in vectors.items()
    }
    return Speakers("test-1", vectors, heard)


def test_speakers_of_a_training_batch_are_drawn_and_near_their_voice(tiny, encode):
    speakers = close_voices()
    examples = recipe.Examples(tiny.layout, encode, tiny.config.audio_step, speakers)
    rows = [examples.example(replace(spoken(1)[0], voice=v), tag="en_us") for v in VOICES]
    once, again = (examples.batch(rows, np.random.default_rng(0)).speaker_BD for _ in range(2))
    other = examples.batch(rows, np.random.default_rng(1)).speaker_BD
    assert once is not None and again is not None and other is not None
    torch.testing.assert_close(once, again)
    assert not torch.equal(once, other)
    torch.testing.assert_close(once.norm(dim=1), torch.ones(len(VOICES)))
    for drawn, voice in zip(once, VOICES, strict=True):
        assert drawn @ torch.from_numpy(speakers.vectors[voice]) > 0.85
    judged = examples.batch(rows).speaker_BD
    assert judged is not None
    np.testing.assert_allclose(judged.numpy(), np.stack(list(speakers.vectors.values())))


def test_rows_without_a_speaker_stay_without_one(tiny, examples):
    row = [examples.example(spoken(1)[0], tag="en_us", with_speaker=False)]
    batch = examples.batch(row, np.random.default_rng(0))
    assert batch.speaker_BD is None
    assert torch.isfinite(recipe.losses(tiny, batch)[0]).all()


def test_a_model_is_begun_from_another_ones_weights_with_a_projection_of_its_own_for_another_speaker_encoder(
    tmp_path, encode
):
    model = make_random_model(tmp_path)
    with pytest.raises(ValueError, match="other dims"):
        recipe.begun_from(model, encode)
    given = recipe.new_lm(encode, 1.06)
    write(model, given, encode, TEACHERS)
    begun = recipe.begun_from(model, encode)
    torch.testing.assert_close(
        begun.embed_tokens.weight, given.embed_tokens.weight, rtol=0.01, atol=1e-4
    )
    assert begun.config.audio_step == 1.06
    assert not torch.allclose(
        begun.speaker_emb_projection.weight, given.speaker_emb_projection.weight, atol=0.01
    )

    def encoder(folder: Path, weights: float) -> Path:
        made = LogMelEncoder(LogMelConfig("tiny-2", channels=4, pooled_channels=8))
        for weight in made.parameters():
            torch.nn.init.constant_(weight, weights)
        made.save(folder)
        return folder

    encoder(model / "speaker", 0.5)
    same, other = encoder(tmp_path / "same", 0.5), encoder(tmp_path / "other", 0.25)
    projections = [
        recipe.begun_from(model, encode, speaker=speaker).speaker_emb_projection.weight
        for speaker in (same, other, tmp_path / "none")
    ]
    kept = [torch.allclose(p, given.speaker_emb_projection.weight, atol=0.01) for p in projections]
    assert kept == [True, False, False]


def test_a_model_of_other_dims_is_kept_with_them_and_not_gone_on_with_in_others(tmp_path, encode):
    dims = recipe.Dims(hidden_size=128, layers="ca", ff_size=96)
    trainer = recipe.Trainer(recipe.new_lm(encode, 1.06, dims), tmp_path / "lm.pt")
    trainer.save()
    lm = recipe.trained(tmp_path)
    assert lm.config.hidden_size == 128 and lm.config.num_layers == 2 and lm.config.ff_size == 96
    np.savez(
        tmp_path / "codes.npz",
        **{name: np.array(["x"]) for name in ("voice", "tag", "text")},
        held_out=np.array([False]),
        lengths=np.array([1]),
        codes=np.zeros((4, 1), np.int16),
    )
    with pytest.raises(ValueError, match="hidden_size=128"):
        recipe.run(tmp_path, dims=recipe.Dims(), minutes=0.01)


@pytest.mark.parametrize("dims", [{"hidden_size": 200}, {"layers": "cax"}, {"ff_size": 100}])
def test_dims_that_make_no_model_are_refused(dims):
    with pytest.raises(ValueError, match=str(next(iter(dims.values())))):
        recipe.Dims(**dims)


def test_held_out_lines_are_also_judged_with_wrong_texts(tiny, examples):
    right, wrong = recipe.held_out_nll(tiny.eval(), examples, spoken(12))
    assert len(right) == 4
    assert all(6 < nll < 8 for nll in [*right, wrong])  # untrained: the log of a thousand codes


def test_positions_of_a_batch_follow_the_published_rule(tiny, examples):
    rows = [examples.example(line, tag=None, with_speaker=False) for line in spoken(1)]
    batch = examples.batch(rows)
    assert batch.speaker_BD is None
    expected = positions(batch.ids_BT[0], tiny.layout, tiny.config.audio_step, speaker=False)
    assert batch.positions_BT[0].tolist() == expected.tolist()
