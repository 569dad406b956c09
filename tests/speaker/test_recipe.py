"""How `tiny`'s speaker encoder is trained."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from finetune.tiny import crowd, encoder
from finetune.tiny.package import MODEL_FOLDER
from finetune.tiny.teachers import TEACHERS, VOICES
from kani_npc.errors import ModelError
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder, hz, mel
from tests.support.clips import speechlike


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
    assert len(held_out) == 8
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


def test_embedding_of_a_crop_is_the_one_that_serving_makes():
    torch.manual_seed(0)
    net = LogMelEncoder(LogMelConfig("test-1")).eval()
    sound = speechlike()
    log_mels = net.log_mels(torch.from_numpy(sound))
    with torch.no_grad():
        ours = encoder.embeddings(net, [log_mels, log_mels[:, : random.Random(0).randint(50, 99)]])
    np.testing.assert_allclose(ours[0].numpy(), net.embed(sound), atol=1e-6)


def test_a_trained_encoder_is_taken_as_it_is_and_one_of_another_space_refused(tmp_path: Path):
    shipped = MODEL_FOLDER / "speaker"
    encoder._taken_over(shipped).save(tmp_path / "same")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "same" / file).read_bytes() == (shipped / file).read_bytes()
    LogMelEncoder(LogMelConfig("tiny-1", channels=8, pooled_channels=8)).save(tmp_path / "older")
    with pytest.raises(ModelError, match="'tiny-2', but of 'tiny-1'"):
        encoder._taken_over(tmp_path / "older")
