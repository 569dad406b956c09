"""The silence around a line, however it is cut into pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.server.delivery import Finisher
from kani_npc.voices.records import Delivery

RATE_HZ = 1000  # a sample is a millisecond


def line(*lengths: int) -> np.ndarray:
    """Quiet and loud stretches by turns."""
    levels = [0.001 if i % 2 == 0 else 0.5 for i in range(len(lengths))]
    return np.repeat(np.array(levels, np.float32), lengths)


def finished(samples: np.ndarray, cuts: list[int], delivery: Delivery) -> np.ndarray:
    finisher = Finisher(delivery, RATE_HZ)
    pieces = np.split(samples, sorted(min(c, len(samples)) for c in cuts))
    return np.concatenate([*map(finisher, pieces), finisher.flush()])


@pytest.mark.parametrize("before", [0, 30, 100, 300])
@pytest.mark.parametrize("after", [0, 30, 100, 300])
def test_both_edges_are_as_long_as_was_asked_for(before, after):
    sound = finished(line(before, 50, 400, 50, after), [], Delivery(edge_silence_ms=100))
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    assert loud[0] == 100 and len(sound) - loud[-1] - 1 == 100
    assert len(sound) == 100 + 50 + 400 + 50 + 100  # the pause within stays


def test_without_a_delivery_the_samples_are_the_engines():
    samples = line(10, 20, 30)
    assert finished(samples, [7, 30], Delivery()).tobytes() == samples.tobytes()


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 240), max_size=6),
    edge_ms=st.integers(0, 50),
)
def test_any_cutting_gives_the_same_samples(lengths, cuts, edge_ms):
    delivery = Delivery(edge_silence_ms=edge_ms, gain_db=-3.0)
    whole, cut = (finished(line(*lengths), c, delivery) for c in ([], cuts))
    assert whole.tobytes() == cut.tobytes()
