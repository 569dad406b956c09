"""Reproducible mode: a line's samples are the same bits alone and among neighbours that come, go and are cut off.

On the CPU in float32 and int8, with the shipped model, whose rows step together, and with a random one, whose widths
make them step one by one. How many cores there are makes no difference to the test, only to how often it can fail.
"""

import random
import time
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.model import SpeechModel, load_model
from kani_npc.errors import ModelError
from kani_npc.lm.independent import may_step_together
from kani_npc.models import resolve_model
from kani_npc.speech import (
    Audio,
    Finished,
    Pace,
    Sampling,
    SpeakerEmbedding,
    Utterance,
    Voice,
)

SAMPLING = Sampling(temperature=0.8, top_k=40, repetition_penalty=1.1, min_frames=8, max_frames=14)
MAX_SLOTS = 8
WORDS = "the old bridge is closed until seven silver coins are found".split()


@cache
def model(weights: str) -> SpeechModel:
    return load_model(resolve_model("tiny"), weights=weights, reproducible=True)


def utterance(id: str, seed: int) -> Utterance:
    draw = np.random.default_rng(seed)
    dims = model("int8").speaker_dim
    vector = draw.standard_normal(dims).astype(np.float32)
    space = model("int8").info.speaker_space
    embedding = SpeakerEmbedding(vector / np.linalg.norm(vector), space)
    text = " ".join(draw.choice(WORDS, size=draw.integers(1, 9)))
    return Utterance(
        id=id,
        text=text,
        voice=Voice(id="v", display_name="V", embedding=embedding),
        accent=None,
        sampling=SAMPLING.but(max_frames=int(draw.integers(8, 15))),
        seed=seed,
        pace=Pace.UNPACED,
    )


def engine(weights: str) -> Engine:
    return Engine(model(weights), EngineSettings(num_slots=MAX_SLOTS, watchdog=None))


def submit(to: Engine, line: Utterance) -> None:
    to.submit(line, [line.text], is_open=False, submitted_s=time.perf_counter())


def samples_of(events: list, id: str) -> list[np.ndarray]:
    return [
        event.what.chunk.samples
        for event in events
        if event.utterance_id == id and isinstance(event.what, Audio)
    ]


@cache
def alone(weights: str, seed: int) -> np.ndarray:
    solo, sound = engine(weights), []
    submit(solo, utterance("solo", seed))
    while solo.busy:
        events = solo.step()
        sound += samples_of(events, "solo")
    assert isinstance(events[-1].what, Finished)
    return np.concatenate(sound)


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("num_neighbours", [1, 3, 7])
@settings(max_examples=2, deadline=None)
@given(story=st.integers(0, 2**32 - 1))
def test_a_line_is_the_same_bits_alone_and_in_any_company(weights, num_neighbours, story):
    crowd, draw = engine(weights), random.Random(story)
    wanted = draw.randint(0, 2)
    # Who comes when: the line itself somewhere among the others, in slots that this order decides.
    arrivals = [f"n{n}" for n in range(num_neighbours)]
    arrivals.insert(draw.randint(0, num_neighbours), "line")
    seeds = {id: draw.randint(100, 999) for id in arrivals} | {"line": wanted}
    neighbours, sound = list(arrivals), []
    neighbours.remove("line")
    while arrivals or crowd.busy:
        for _ in range(draw.randint(0, 3)):
            if arrivals:
                id = arrivals.pop(0)
                submit(crowd, utterance(id, seeds[id]))
        if draw.random() < 0.1:
            crowd.cancel(draw.choice(neighbours))
        if crowd.busy:
            sound += samples_of(crowd.step(), "line")
    assert np.array_equal(np.concatenate(sound), alone(weights, wanted))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("weights", ["float32", "int8", "int4"])
def test_rows_that_step_together_are_the_rows_alone_to_the_bit(weights, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        lm = model(weights).lm
        assert may_step_together(lm)
        draw = torch.Generator().manual_seed(0)
        crowd, solo = lm.init_state(9, 160), lm.init_state(9, 160)
        for slot in range(9):
            length = 20 + 13 * slot
            for state in (crowd, solo):
                state.lengths[slot] = length
                state.lengths_S[slot] = length
            for filled, copy in zip(
                (crowd.keys, crowd.values), (solo.keys, solo.values), strict=True
            ):
                filled[:, slot, :, :length].normal_(generator=draw)
                copy[:, slot] = filled[:, slot]
            crowd.tails[:, slot].normal_(generator=draw)
            solo.tails[:, slot] = crowd.tails[:, slot]
        for num_rows in (2, 3, 5, 7, 8, 9):
            slots = torch.randperm(9, generator=draw)[:num_rows].tolist()
            ids = torch.randint(80, 4000, (num_rows,), generator=draw)
            where = 100 * torch.rand(num_rows, generator=draw)
            together = lm.step(ids, where, crowd, slots)
            logits = lm.codebook_logits(together, 0)
            for row, slot in enumerate(slots):
                one = lm.step(ids[row : row + 1], where[row : row + 1], solo, [slot])
                assert torch.equal(together[row], one[0])
                assert torch.equal(logits[row], lm.codebook_logits(one, 0)[0])
    finally:
        torch.set_num_threads(before)


def test_what_cannot_be_reproducible_is_refused():
    with pytest.raises(ModelError, match="not bfloat16"):
        load_model(resolve_model("tiny"), weights="bfloat16", reproducible=True)


def test_a_model_says_whether_it_is_reproducible_and_hashes_differently():
    usual = load_model(resolve_model("tiny"), weights="int8").info
    same = model("int8").info
    assert same.reproducible and not usual.reproducible
    assert same.content_hash != usual.content_hash


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_a_line_is_the_same_bits_alone_and_in_company():
    lines = [utterance(f"n{n}", 10 + n) for n in range(7)]
    sounds = []
    for company in ([], lines[:1], lines[:3], lines):
        loaded = load_model(resolve_model("tiny"), device="cuda", reproducible=True)
        crowd = Engine(loaded, EngineSettings(num_slots=MAX_SLOTS, watchdog=None))
        for one in (*company, utterance("line", 0)):
            submit(crowd, one)
        sound = []
        while crowd.busy:
            sound += samples_of(crowd.step(), "line")
        sounds.append(np.concatenate(sound))
    assert all(np.array_equal(sound, sounds[0]) for sound in sounds)
