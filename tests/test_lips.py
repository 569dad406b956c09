"""Lip shapes come from the sound alone, hop by hop, whatever pieces it comes in."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.lips import Shaper, visemes_at
from kani_npc.lips import HOPS_PER_S, NUM_MELS, VISEMES, LipTracker, Spectra, _network
from kani_npc.speech import FloatArray

GOLDEN = Path(__file__).parent / "golden" / "lips"
RATE_HZ = 22_050


def spoken(rate_hz: int = RATE_HZ) -> FloatArray:
    """A line of flite's slt, whose phones `truth` has."""
    samples, from_hz = soundfile.read(GOLDEN / "slt.flac", dtype="float32")
    return soxr.resample(samples, from_hz, rate_hz)


def truth(hops: int) -> np.ndarray:
    pairs = (pair.rpartition(":") for pair in (GOLDEN / "slt.phones").read_text().split())
    return visemes_at([(phone, float(end)) for phone, _, end in pairs], hops)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
def test_shapes_are_those_of_the_phones_that_were_said(rate_hz: int):
    shapes = LipTracker(rate_hz)(spoken(rate_hz))
    true = truth(len(shapes.weights_HV))
    share = (shapes.weights_HV.argmax(1) == true).mean()
    majority = np.bincount(true).max() / len(true)
    assert share > 0.5 > majority
    np.testing.assert_allclose(shapes.weights_HV.sum(1), 1.0, atol=1e-5)


def test_the_mouth_is_closed_in_silence_and_open_in_a_vowel():
    shapes = LipTracker(RATE_HZ)(spoken())
    true = truth(len(shapes.weights_HV))
    openness = shapes.openness_H
    assert openness[:5].max() < 0.2
    assert openness[true == VISEMES.index("aa")].mean() > 2 * openness[true == 0].mean()
    assert openness.min() >= 0 and openness.max() <= 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=12))
def test_any_cutting_of_the_sound_gives_the_same_shapes(cuts: list[int]):
    samples = spoken()[: 2 * RATE_HZ]
    tracker, first_hop, rows = LipTracker(RATE_HZ), 0, []
    for piece in np.split(samples, np.cumsum(cuts).clip(max=len(samples))):
        shapes = tracker(piece)
        assert shapes.first_hop == first_hop
        first_hop += len(shapes.weights_HV)
        rows.append(shapes.weights_HV)
    whole = LipTracker(RATE_HZ)(samples).weights_HV
    assert first_hop == len(samples) * HOPS_PER_S // RATE_HZ
    np.testing.assert_allclose(np.concatenate(rows), whole, atol=1e-5)


def test_a_shape_does_not_know_what_comes_after_it():
    samples = spoken()[:RATE_HZ]
    changed = samples.copy()
    changed[RATE_HZ // 2 :] = 0.5
    hops = HOPS_PER_S // 2
    before, after = (LipTracker(RATE_HZ)(sound).weights_HV for sound in (samples, changed))
    np.testing.assert_array_equal(before[:hops], after[:hops])
    assert np.abs(before[hops:] - after[hops:]).max() > 0.1


def test_what_serves_computes_what_was_trained():
    mels_HM = Spectra(RATE_HZ)(spoken())
    network = _network()
    trained = Shaper(torch.zeros(NUM_MELS), torch.ones(NUM_MELS), units=network.num_units)
    trained.load_state_dict({name: torch.tensor(w) for name, w in network.weights.items()})
    silence_HM = np.full((HOPS_PER_S, NUM_MELS), np.log(1e-7), np.float32)
    with torch.inference_mode():
        heard = torch.from_numpy(np.concatenate((silence_HM, mels_HM)))[None]
        scores = trained(heard)[0, HOPS_PER_S:].softmax(-1).numpy()
    np.testing.assert_allclose(LipTracker(RATE_HZ)(spoken()).weights_HV, scores, atol=1e-5)


def test_a_breathed_h_has_the_shape_of_the_vowel_after_it():
    names = [VISEMES[v] for v in visemes_at([("hh", 0.02), ("ow", 0.04), ("pau", 0.06)], 3)]
    assert names == ["oh", "oh", "sil"]
