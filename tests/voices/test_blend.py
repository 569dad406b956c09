"""Where a blend lies on the unit sphere."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.errors import InvalidRecord, SpaceMismatch
from kani_npc.speech import SpeakerEmbedding
from kani_npc.voices.blend import blend, join_licences
from kani_npc.voices.records import Parent, VoiceRecord
from tests.support.voices import embedding, voice

seeds = st.integers(0, 1000)
weights = st.floats(0.01, 10)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return 2 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))


def at(seed: int) -> VoiceRecord:
    return replace(voice(f"v{seed}", seed), revision=1)


@given(seeds, seeds, st.floats(0.0, 1.0))
def test_between_two_voices_it_divides_the_arc_as_the_weights_say(a: int, b: int, t: float) -> None:
    one, two = embedding(a).vector, embedding(b).vector
    mixed = blend([(at(a), 1 - t), (at(b), t)]).embedding.vector
    assert np.linalg.norm(mixed) == pytest.approx(1.0, abs=1e-6)
    arc = angle(one, two)
    assert angle(one, mixed) == pytest.approx(t * arc, abs=2e-3)
    assert angle(mixed, two) == pytest.approx((1 - t) * arc, abs=2e-3)


@given(
    st.lists(st.tuples(seeds, weights), min_size=2, max_size=6, unique_by=lambda s: s[0]), st.data()
)
def test_neither_the_order_nor_the_scale_of_the_weights_matters(shares, data) -> None:
    one = blend([(at(s), w) for s, w in shares]).embedding.vector
    shuffled = data.draw(st.permutations(shares))
    two = blend([(at(s), w * 7) for s, w in shuffled]).embedding.vector
    assert angle(one, two) < 1e-5


def test_a_voice_with_all_the_weight_is_itself_and_the_only_parent() -> None:
    blended = blend([(at(1), 1.0), (at(2), 0.0)])
    np.testing.assert_allclose(blended.embedding.vector, embedding(1).vector, atol=1e-7)
    assert blended.parents == (Parent("v1@1", 1.0),)


def test_voices_of_different_encoders_are_not_blended() -> None:
    foreign = VoiceRecord(id="foreign", embedding=embedding(0, "another"))
    with pytest.raises(SpaceMismatch, match="another, test-space"):
        blend([(at(1), 1.0), (foreign, 1.0)])


def test_what_has_no_middle_is_refused() -> None:
    opposite = SpeakerEmbedding(vector=-embedding(1).vector, space="test-space")
    with pytest.raises(InvalidRecord, match="opposites"):
        blend([(at(1), 1.0), (VoiceRecord(id="opposite", embedding=opposite), 1.0)])
    with pytest.raises(InvalidRecord, match="no embedding"):
        blend([(at(1), 1.0), (VoiceRecord(id="none"), 1.0)])


@pytest.mark.parametrize("wrong", [[1.0], [1.0] * 17, [0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0]])
def test_weights_that_mean_nothing_are_refused(wrong: list[float]) -> None:
    with pytest.raises(InvalidRecord):
        blend([(at(n), weight) for n, weight in enumerate(wrong)])


def test_a_blend_has_the_licences_of_all_that_has_a_share() -> None:
    licences = ("CC-BY-4.0", "Apache-2.0", "CC-BY-4.0", "", "MIT")
    shares = [
        (replace(at(n), licence=licence), float(n != 4)) for n, licence in enumerate(licences)
    ]
    assert blend(shares).licence == "CC-BY-4.0 AND Apache-2.0"


@pytest.mark.parametrize(
    ("licences", "together"),
    [
        (["", ""], ""),
        (["", "MIT"], "MIT"),
        (["MIT", "MIT"], "MIT"),
        (["MIT AND CC0-1.0", "CC0-1.0 AND ISC"], "MIT AND CC0-1.0 AND ISC"),
        (["MIT OR ISC", "CC0-1.0"], "(MIT OR ISC) AND CC0-1.0"),
        (["(MIT OR ISC) AND CC0-1.0", "MIT OR ISC"], "(MIT OR ISC) AND CC0-1.0"),
        (["a studio's own terms; ask)", "MIT"], "a studio's own terms; ask) AND MIT"),
    ],
)
def test_licences_hold_together_each_once(licences: list[str], together: str) -> None:
    assert join_licences(*licences) == together
