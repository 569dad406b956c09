"""In reproducible mode neighbours do not matter, whatever the scheduler does with them.

Of every priority and pace, in several pieces, for fewer rows than slots, cut off anywhere. What is compared is finer
than samples; `test_reproducible` compares those, with the shipped model.
"""

import math
import random
import time
from dataclasses import replace

import numpy as np
import pytest

from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.messages import Failed
from kani_npc.engine.model import SpeechModel
from kani_npc.speech import (
    Audio,
    FloatArray,
    Int16Array,
    Pace,
    Priority,
    Sampling,
    Utterance,
)
from tests.support.random_model import independent_model, line, random_model

SAMPLED = Sampling(temperature=1.5, top_k=8, min_frames=9, max_frames=14)
TEXTS = (
    "Halt!",
    "Who goes there?",
    "No.",
    "Fresh fish, two coins!",
    "The bridge is out, go round.",
)


@pytest.fixture(autouse=True)
def _finer_than_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest bits of the sound in float32, in place of its samples: rounding to int16 would hide differences."""

    def lowest_bits(samples: FloatArray) -> Int16Array:
        return np.ascontiguousarray(samples).view(np.int32).astype(np.int16)

    monkeypatch.setattr("kani_npc.engine.runner.to_int16", lowest_bits)


def an_engine(model: SpeechModel, num_slots: int, max_rows: int) -> Engine:
    settings = EngineSettings(
        num_slots,
        max_rows,
        max_frames=20,
        max_prompt_tokens=100,
        max_lead_s=math.inf,
        watchdog=None,
    )
    return Engine(model, settings)


def run(
    engine: Engine, coming: dict[int, list[Utterance]], going: dict[int, list[str]]
) -> dict[str, list[int]]:
    """The sound of every line, of which some come and go before the steps of those numbers."""
    heard: dict[str, list[int]] = {}
    step = 0
    while engine.busy or step <= max(coming):
        for utterance in coming.get(step, ()):
            # Two pieces: a slot that goes on must be as independent as one that begins.
            pieces = [utterance.text, "Halt!"]
            engine.submit(utterance, pieces, is_open=False, submitted_s=time.perf_counter())
        for id in going.get(step, ()):
            engine.cancel(id)
        for event in engine.step():
            assert not isinstance(event.what, Failed), event
            if isinstance(event.what, Audio):
                heard.setdefault(event.utterance_id, []).extend(event.what.chunk.samples.tolist())
        step += 1
    return heard


def a_stranger(id: str, chance: random.Random) -> Utterance:
    return replace(
        line(
            id,
            chance.choice(TEXTS),
            voice=chance.choice([None, 0, 1, 2]),
            seed=chance.randrange(1000),
            sampling=chance.choice([SAMPLED, Sampling(greedy=True, max_frames=14)]),
        ),
        priority=chance.choice(list(Priority)),
        pace=chance.choice(list(Pace)),
        pause_s=chance.choice([0.0, 0.1]),
    )


OURS = line("ours", TEXTS[3], voice=1, seed=5, sampling=SAMPLED)


@pytest.mark.parametrize("neighbours", [1, 3, 7])
def test_a_line_is_the_same_bits_alone_and_among_random_neighbours(neighbours: int):
    alone = run(an_engine(independent_model(), 1, 1), {0: [OURS]}, {})["ours"]
    assert len(alone) > 18 * 1764
    for round in range(2):
        chance = random.Random(100 * neighbours + round)
        coming: dict[int, list[Utterance]] = {}
        going: dict[int, list[str]] = {}
        order = [OURS, *(a_stranger(f"n{i}", chance) for i in range(neighbours))]
        chance.shuffle(order)  # who comes first sits in the first slot
        for utterance in order:
            coming.setdefault(chance.choice([0, 0, 3, 8]), []).append(utterance)
            if utterance is not OURS and chance.random() < 0.4:
                going.setdefault(chance.randrange(5, 20), []).append(utterance.id)
        rows = chance.randint(1, neighbours + 1)
        heard = run(an_engine(independent_model(), neighbours + 1, rows), coming, going)
        assert heard["ours"] == alone


def test_without_the_mode_neighbours_change_roundings():
    """What the mode is for, and that the test above can fail."""
    alone = run(an_engine(random_model(), 1, 1), {0: [OURS]}, {})["ours"]
    neighbours = [line(f"n{i}", TEXTS[i], voice=2, seed=i, sampling=SAMPLED) for i in range(3)]
    among = run(an_engine(random_model(), 4, 4), {0: [OURS, *neighbours]}, {})["ours"]
    assert among != alone
