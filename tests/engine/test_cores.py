"""One thread or all: whichever makes a frame sooner on the machine as it is."""

import asyncio
import itertools
import sys
import time
from pathlib import Path

import pytest
import torch

from kani_npc.engine import model as engine_model
from kani_npc.engine.cores import FasterThreads, apart
from kani_npc.engine.runner import Runner
from kani_npc.engine.scheduler import StepPlan
from tests.engine.test_runner import begin
from tests.support.random_model import random_model


def frames(threads: FasterThreads, seconds: dict[int, float], count: int, rows: int = 1) -> list:
    """The threads that `count` frames took, where so many take so long."""
    taken = []
    for _ in range(count):
        taken.append(threads.choose(2, rows))
        threads.note(seconds[taken[-1]])
    return taken


@pytest.mark.parametrize(("one", "two", "better"), [(1.0, 1.2, 1), (1.2, 1.0, 2)])
def test_what_is_faster_is_found_in_the_first_frames_and_kept(one, two, better):
    threads, seconds = FasterThreads(), {1: one, 2: two}
    frames(threads, seconds, 2 * FasterThreads.TRY_FRAMES)
    taken = frames(threads, seconds, 550)
    assert taken[:50] == [better] * 50 and taken.count(better) == 500


def test_a_trial_that_is_clearly_lost_ends_at_once():
    threads = FasterThreads()
    assert frames(threads, {1: 2.0, 2: 1.0}, 510).count(1) == 10


def test_when_a_neighbour_comes_or_goes_the_choice_follows():
    threads = FasterThreads()
    assert frames(threads, {1: 1.5, 2: 1.0}, 80)[-1] == 2
    assert frames(threads, {1: 1.5, 2: 3.0}, 80)[-1] == 1
    assert frames(threads, {1: 1.5, 2: 1.0}, 80)[-1] == 2


def test_a_slow_frame_now_and_then_decides_nothing():
    threads, noise = FasterThreads(), itertools.cycle((1.0, 1.04, 1.3, 0.97, 1.1, 2.0, 1.02))
    taken = []
    for _ in range(700):
        taken.append(threads.choose(2, 1))
        threads.note({1: 1.3, 2: 1.0}[taken[-1]] * next(noise))
    assert taken.count(2) > 600


def test_frames_of_other_rows_are_not_compared():
    threads = FasterThreads()
    taken = []
    for rows in (8, 1) * 50:  # eight rows take longer, with any number of threads
        taken += frames(threads, {1: rows * 1.0, 2: rows * 0.8}, 8, rows)
    assert taken.count(2) > 700


def test_a_runner_of_a_large_model_gives_the_threads_back(monkeypatch):
    monkeypatch.setattr(engine_model, "FEW_WEIGHTS", 0)
    runner = Runner(random_model(), num_slots=1, max_prompt_tokens=40, max_frames=20)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        begin(runner, random_model(), 0)
        seen = set()
        speak = runner._speak
        monkeypatch.setattr(
            runner, "_speak", lambda slots: (seen.add(torch.get_num_threads()), speak(slots))[1]
        )
        for _ in range(2 * FasterThreads.TRY_FRAMES):
            runner.run(StepPlan((0,), ((0, 1),)))
            assert torch.get_num_threads() == 2
        assert seen == {1, 2}
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the process's threads")
def test_work_apart_leaves_no_threads_behind():
    def work(fail: bool) -> int:
        torch.set_num_threads(2)
        numbers = torch.ones(1 << 20)
        (numbers * numbers).sum()
        if fail:
            raise ValueError("as asked")
        return len(list(Path("/proc/self/task").iterdir()))

    num_threads, before = torch.get_num_threads(), len(list(Path("/proc/self/task").iterdir()))
    try:
        assert asyncio.run(apart(work, False)) >= before + 2
        with pytest.raises(ValueError, match="as asked"):
            asyncio.run(apart(work, True))
    finally:
        torch.set_num_threads(num_threads)
    until_s = time.monotonic() + 10
    while len(list(Path("/proc/self/task").iterdir())) > before:
        assert time.monotonic() < until_s
        time.sleep(0.01)
