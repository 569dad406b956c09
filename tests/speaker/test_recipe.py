"""How `tiny`'s speaker encoder is trained, and how its language model learns to take its voices from it."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from finetune.tiny import adapt, crowd, encoder
from finetune.tiny.lm import Examples, Spoken, losses
from finetune.tiny.package import lm_config, tokenizer
from finetune.tiny.speakers import speaker_vector
from finetune.tiny.teachers import TEACHERS
from kani_npc.lm.model import Lfm2
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder, hz, mel
from tests.support.clips import speechlike

VOICES = list(dict.fromkeys(teacher.voice for teacher in TEACHERS))


def test_names_of_the_crowd_are_unique_and_no_voices():
    names = [speaker.name for speaker in crowd.crowd()]
    assert len(names) == len(set(names))
    assert not set(names) & set(VOICES)


def test_held_out_scalings_are_not_trained_on_by_another_name():
    def places(teachers):
        return {(t.engine_voice, t.stretch) for t in teachers if t.engine == "flite"}

    members = crowd.crowd()
    held_out = places(s.teachers[0] for s in members if s.is_held_out)
    trained = places(s.teachers[0] for s in members if not s.is_held_out) | places(TEACHERS)
    assert len(held_out) == 4
    for voice, stretch in held_out:
        assert min(abs(stretch - other) for v, other in trained if v == voice) > 0.019


def heard(count: int = 6) -> list[encoder.Heard]:
    rng = np.random.default_rng(0)
    names = ["mira", "ada", "e-Andy", "e-Alex", "sltx105", "sltx096"]
    members = {speaker.name: speaker for speaker in crowd.crowd()}
    return [
        encoder.Heard(
            name,
            name in members and members[name].is_held_out,
            rng.standard_normal((64, 90)).astype(np.float16),
        )
        for name in names
        for _ in range(count)
    ]


def test_a_merged_group_with_a_held_out_member_is_held_out_whole():
    held = {speaker.name for speaker in crowd.crowd() if speaker.is_held_out}
    assert "e-Andy" in held and "e-Alex" not in held
    training, held_out = encoder._split(heard(), {"e-Andy": "e-Alex"})
    assert "e-Alex" not in training
    assert len(held_out["e-Alex"]) == 12
    assert set(held_out) == {"e-Alex", "sltx105"}
    training, held_out = encoder._split(heard(), {})
    assert set(held_out) == {"e-Andy", "sltx105"}


def test_equal_error_rate_is_none_where_nothing_overlaps_and_half_by_chance():
    same, different = np.linspace(0.6, 0.9, 50), np.linspace(-0.2, 0.5, 80)
    rate, threshold = encoder.equal_error_rate(same, different)
    assert rate == 0 and 0.5 < threshold <= 0.6
    rng = np.random.default_rng(0)
    rate, _ = encoder.equal_error_rate(rng.random(4000), rng.random(4000))
    assert rate == pytest.approx(0.5, abs=0.03)


def test_a_warped_spectrum_is_that_of_a_scaled_voice():
    """A band at some frequency moves to that frequency times the factor."""
    matrix = encoder._warp(64, 1.19)
    spectrum = torch.zeros(64)
    spectrum[30] = 1.0
    centres = np.linspace(mel(50.0), mel(7600.0), 66)[1:-1]
    moved = float((matrix @ spectrum @ torch.arange(64.0)) / (matrix @ spectrum).sum())
    expected = np.interp(mel(1.19 * hz(centres[30])), centres, np.arange(64))
    assert moved == pytest.approx(expected, abs=0.6)


def test_augmented_crops_stay_near_and_level_free():
    crops = torch.randn(8, 64, 120) / 3
    out = encoder.augmented(crops, torch.Generator().manual_seed(0))
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out.mean((1, 2)), torch.zeros(8), atol=1e-4, rtol=0)


def test_training_goes_on_where_it_stopped(tmp_path: Path):
    training, _ = encoder._split(heard(), {})

    def trained(*steps: int) -> dict[str, torch.Tensor]:
        checkpoint = tmp_path / f"{len(steps)}.pt"
        for until in steps:
            torch.manual_seed(0)
            net = LogMelEncoder(LogMelConfig("test-1", channels=8, pooled_channels=8, dim=8))
            encoder._train(net, training, checkpoint, 4, seed=0, until=until)
        return net.state_dict()

    for whole, pieces in zip(trained(4).values(), trained(2, 4).values(), strict=True):
        torch.testing.assert_close(whole, pieces)


# --- the language model ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encode():
    return tokenizer()


@pytest.fixture
def lm(encode) -> Lfm2:
    torch.manual_seed(0)
    config = lm_config(
        encode, hidden_size=64, layers="ca", ff_size=96, audio_step=1.25, codebook_size=1000
    )
    return Lfm2(config)


def spoken(voice: str) -> Spoken:
    codes = np.random.default_rng(1).integers(0, 1000, (8, 4)).astype(np.int16)
    return Spoken(voice, "en_us", "The wizard is tired.", codes)


def centroids() -> dict[str, torch.Tensor]:
    """Close to each other, as one person's scaled voices are."""
    torch.manual_seed(2)
    common = torch.randn(128)
    return {v: F.normalize(common + 0.5 * torch.randn(128), dim=0) for v in VOICES}


def test_map_takes_each_centroid_to_its_vector_and_leaves_no_room_for_more():
    own = torch.stack(list(centroids().values()))
    vectors = torch.stack([torch.from_numpy(speaker_vector(v)) for v in VOICES])
    smallest = adapt.speaker_map(own, vectors)
    torch.testing.assert_close(own @ smallest.T, vectors, atol=1e-5, rtol=0)
    across = torch.linalg.svd(own, full_matrices=True)[2][len(VOICES) :]
    torch.testing.assert_close(
        across @ smallest.T, torch.zeros(len(across), 128), atol=1e-4, rtol=0
    )


def test_folded_model_says_with_centroids_what_it_said_with_its_vectors(lm, encode):
    vectors = torch.stack([torch.from_numpy(speaker_vector(v)) for v in VOICES])
    folded = Lfm2(lm.config)
    folded.load_state_dict(lm.state_dict())
    adapt.fold(folded, adapt.speaker_map(torch.stack(list(centroids().values())), vectors))
    own = {voice: centroid[None] for voice, centroid in centroids().items()}
    plain = Examples(lm.layout, encode, lm.config.audio_step)
    recorded = adapt.Recorded(lm.layout, encode, lm.config.audio_step, own)
    with torch.no_grad():
        for voice in VOICES:
            row = [plain.example(spoken(voice), tag="en_us")]
            before, after = plain.batch(row), recorded.batch(row)
            assert before.speaker_BD is not None and after.speaker_BD is not None
            a = lm.hidden(before.ids_BT, before.positions_BT, before.speaker_BD)
            b = folded.hidden(after.ids_BT, after.positions_BT, after.speaker_BD)
            torch.testing.assert_close(a, b, atol=1e-3, rtol=0)


def test_speakers_of_a_batch_are_drawn_and_near_their_voice(lm, encode):
    own = {v: F.normalize(c + 0.02 * torch.randn(20, 128), dim=1) for v, c in centroids().items()}
    recorded = adapt.Recorded(lm.layout, encode, lm.config.audio_step, own)
    rows = [recorded.example(spoken(voice), tag="en_us") for voice in VOICES]
    once, again = (recorded.batch(rows, np.random.default_rng(0)).speaker_BD for _ in range(2))
    other = recorded.batch(rows, np.random.default_rng(1)).speaker_BD
    assert once is not None and again is not None and other is not None
    torch.testing.assert_close(once, again)
    assert not torch.equal(once, other)
    torch.testing.assert_close(once.norm(dim=1), torch.ones(len(VOICES)))
    for drawn, voice in zip(once, VOICES, strict=True):
        assert drawn @ centroids()[voice] > 0.85
    fixed = recorded.batch(rows).speaker_BD
    assert fixed is not None
    torch.testing.assert_close(fixed[0], F.normalize(own[VOICES[0]].mean(0), dim=0))


def test_rows_without_a_speaker_stay_without_one(lm, encode):
    own = {voice: centroid[None] for voice, centroid in centroids().items()}
    recorded = adapt.Recorded(lm.layout, encode, lm.config.audio_step, own)
    row = [recorded.example(spoken(VOICES[0]), tag="en_us", with_speaker=False)]
    batch = recorded.batch(row, np.random.default_rng(0))
    assert batch.speaker_BD is None
    assert torch.isfinite(losses(lm, batch)[0]).all()


def test_embedding_of_a_crop_is_the_one_that_serving_makes():
    torch.manual_seed(0)
    net = LogMelEncoder(LogMelConfig("test-1")).eval()
    sound = speechlike()
    log_mels = net.log_mels(torch.from_numpy(sound))
    with torch.no_grad():
        ours = encoder.embeddings(net, [log_mels, log_mels[:, : random.Random(0).randint(50, 99)]])
    np.testing.assert_allclose(ours[0].numpy(), net.embed(sound), atol=1e-6)
