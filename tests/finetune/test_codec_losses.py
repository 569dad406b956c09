"""Losses and discriminators of a codec's adaptation: the published numbers, and what they are zero for."""

import pytest
import torch

from finetune.codec.discriminators import Discriminators
from finetune.codec.judge import SpectralDistance
from finetune.codec.losses import (
    MelStftLoss,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)

WIDTH = 1 / 32


def sound(seed: int, rows: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(rows, 4 * 1764, generator=torch.Generator().manual_seed(seed))


def test_discriminators_have_the_published_dims_and_names():
    judges = Discriminators()
    shapes = {name: list(weight.shape) for name, weight in judges.state_dict().items()}
    periods, bands = (
        {name for name in shapes if name.startswith(f"discriminators.{i}.")} for i in (0, 1)
    )
    assert len(periods) == 5 * 6 * 3 and len(bands) == 2 * 5 * 6 * 3
    prefix = "discriminators.0.discriminators.4.conv_layers.3.conv"
    assert shapes[f"{prefix}.parametrizations.weight.original1"] == [1024, 512, 5, 1]
    prefix = "discriminators.1.discriminators.1.discriminators.0.conv_layers.1.conv"
    assert shapes[f"{prefix}.parametrizations.weight.original1"] == [32, 32, 3, 9]
    assert sum(weight.numel() for weight in judges.parameters()) == pytest.approx(42.05e6, rel=1e-3)


def test_discriminators_take_the_weights_of_a_published_file_in_any_order():
    torch.manual_seed(0)
    judges, theirs = Discriminators(WIDTH), Discriminators(WIDTH)
    swapped = {"0": "2", "1": "0"}
    state = {}
    for key, value in theirs.state_dict().items():
        _, index, rest = key.split(".", 2)
        state[f"discriminator.discriminators.{swapped[index]}.{rest}"] = value
    first = {key: value for key, value in state.items() if ".discriminators.2." in key[:32]}
    assert not judges.load_published(first)
    wanted = theirs.state_dict()
    same = [torch.equal(value, wanted[key]) for key, value in judges.state_dict().items()]
    assert any(same) and not all(same)
    assert judges.load_published(state)
    assert all(torch.equal(value, wanted[key]) for key, value in judges.state_dict().items())


def test_every_discriminator_scores_every_row_and_its_layers_are_seen():
    torch.manual_seed(0)
    judged = Discriminators(WIDTH)(sound(0))
    assert len(judged) == 5 + 2 * 5
    for scores, seen in judged:
        assert len(seen) == 6 and seen[-1] is scores and scores.shape[:2] == (2, 1)
        assert torch.isfinite(scores).all()


def test_adversarial_losses_are_zero_where_the_judges_are_right_or_fooled():
    def judged(score: float) -> list:
        return [(torch.full((2, 1, 3, 4), score), [torch.full((2, 1, 3, 4), score)])]

    real, made = judged(1.0), judged(0.0)
    assert discriminator_loss(real, made) == 0 and discriminator_loss(made, real) == 1
    assert adversarial_loss(real) == 0 and adversarial_loss(made) == 1
    assert feature_loss(real, real) == 0 and feature_loss(real, made) == 1


def test_spectral_losses_are_those_of_their_formula():
    loss = MelStftLoss(22_050)
    made, true = sound(0), sound(1)
    assert loss(true, true) == (0, 0)
    # One resolution by hand: L1 of log(|X| + 1), hop of a quarter of the window.
    window, expected = torch.hann_window(2048, periodic=False), []
    for samples in (made, true):
        spectrum = torch.stft(samples, 2048, 512, window=window, return_complex=True)
        expected.append(torch.log(torch.sqrt(spectrum.abs() ** 2 + 1e-5) + 1))
    one = (torch.log(loss._magnitudes(made, 2048) + 1) - expected[1]).abs().mean()
    assert one == pytest.approx(float((expected[0] - expected[1]).abs().mean()), rel=1e-5)
    # Mel filters of height 1: at 320 bands the middles of the upper ones are bins' own, nearly.
    mel_GQ = loss.get_buffer("mel2048")
    assert mel_GQ.shape == (320, 1025) and 0.8 < mel_GQ[200:].amax(1).min() <= 1


def test_spectral_losses_have_gradients_at_silence():
    made = torch.zeros(1, 4 * 1764, requires_grad=True)
    mel, stft = MelStftLoss(22_050)(made, sound(0, rows=1))
    (mel + stft).backward()
    assert made.grad is not None and torch.isfinite(made.grad).all()


def test_a_sound_twice_as_loud_is_six_decibels_away():
    true = 20 * sound(0, rows=1)[0]
    mel, stft = SpectralDistance(22_050)(2 * true, true)
    assert mel == pytest.approx(6.02, abs=0.02) and stft == pytest.approx(6.02, abs=0.02)
