"""A frame that is collected a step after its launch, as on a GPU, says what one says that is waited for.

Fixed shapes on a CPU: a launch computes at once here, and what is known of it still comes with the next step.
"""

import asyncio
import math
import threading
import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.messages import Failed
from kani_npc.engine.model import SpeechModel, load_model
from kani_npc.engine.runner import HostBuffers, Launched, Runner
from kani_npc.engine.scheduler import StepPlan
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.errors import EngineFailed
from kani_npc.models import resolve_model
from kani_npc.speech import Sampling
from tests.engine.test_engine import Listener, breaks
from tests.engine.test_runner import begin
from tests.engine.test_synthesizer import until, whole
from tests.support.random_model import (
    echo_model,
    independent_model,
    line,
    random_model,
    random_voice,
)

GREEDY = Sampling(greedy=True, repetition_penalty=1.3, min_frames=2, max_frames=14)
LOUD = Sampling(temperature=1.5, top_k=8, min_frames=4, max_frames=14)
LINES = [
    (line("u0", voice=0, seed=0, sampling=GREEDY), ["Halt!"]),
    (line("u1", voice=1, seed=1, sampling=LOUD), ["Who goes there?", "No.", "The bridge is out."]),
    (line("u2", voice=None, seed=2, sampling=GREEDY), ["Hi"]),
    (line("u3", voice=2, seed=3, sampling=LOUD.but(max_frames=4)), ["Fresh fish!", "Two coins!"]),
    (line("u4", voice=1, seed=4, sampling=LOUD), ["No."]),
]


def an_engine(model: SpeechModel, *, overlaps: bool, num_slots: int = 3, max_rows: int = 2):
    settings = EngineSettings(
        num_slots,
        max_rows,
        max_frames=20,
        max_prompt_tokens=100,
        max_lead_s=math.inf,
        decode_groups=(1,),
        watchdog=None,  # the random model babbles
    )
    made = Engine(model, settings)
    made.runner = a_runner(model, overlaps, num_slots, max_rows)
    return made


def a_runner(model: SpeechModel, overlaps: bool, num_slots: int, max_rows: int) -> Runner:
    return Runner(
        model,
        num_slots=num_slots,
        max_prompt_tokens=100,
        max_frames=20,
        max_rows=max_rows,
        static=True,
        overlaps=overlaps,
    )


def overlapping(**changes: int) -> Listener:
    return Listener(an_engine(echo_model(), overlaps=True, **changes))


def alone(number: int, model: SpeechModel) -> list[int]:
    listener = Listener(an_engine(model, overlaps=False))
    utterance, pieces = LINES[number]
    listener.submit(utterance, *pieces)
    return listener.to_end().samples(utterance.id).tolist()


@cache
def expected(number: int, kind: str) -> list[int]:
    return alone(number, MODELS[kind]())


MODELS = {"codes": echo_model, "sound": independent_model}


@st.composite
def bustle(draw: st.DrawFn) -> list[tuple[int, int, int | None]]:
    """(line, step it comes at, step it is cancelled at or None), the lines in any order."""
    order = draw(st.permutations(range(len(LINES))))
    return [
        (number, draw(st.integers(0, 12)), draw(st.none() | st.integers(1, 20)))
        for number in order[: draw(st.integers(2, len(LINES)))]
    ]


@pytest.mark.parametrize("kind", ["codes", "sound"])
@settings(max_examples=15, deadline=None)
@given(traffic=bustle())
def test_overlapped_is_not_overlapped_bit_for_bit(kind: str, traffic):
    listener = Listener(an_engine(MODELS[kind](), overlaps=True))
    for step in range(40):
        for number, comes, leaves in traffic:
            utterance, pieces = LINES[number]
            if comes == step:
                listener.submit(utterance, *pieces)
            if leaves == step:
                listener.engine.cancel(utterance.id)
        listener.step()
    listener.to_end()
    for number, comes, leaves in traffic:
        id, wanted = LINES[number][0].id, expected(number, kind)
        heard = listener.samples(id).tolist()
        if leaves is None or leaves < comes:
            assert heard == wanted
            assert listener.finished(id).total_samples == len(wanted)
        else:  # cut off, but no sample of it wrong
            assert heard == wanted[: len(heard)]


def test_a_frame_is_collected_after_the_next_one_was_launched_and_neither_is_overwritten():
    """Two pinned buffers: with one, the first frame would say what the second does."""
    model = random_model()
    waiting, overlapped = (a_runner(model, overlaps, 5, 5) for overlaps in (False, True))
    plans = [StepPlan(slots, tuple((slot, 1) for slot in slots)) for slots in ((0, 2), (2, 0, 1))]
    for slot in range(3):
        for runner in (waiting, overlapped):
            begin(runner, model, slot)
    wanted = [waiting.run(plan) for plan in plans * 3]
    got = []
    for _ in range(3):
        launched = [overlapped.launch(plan) for plan in plans]
        got += [overlapped.collect(one) for one in launched]
    for one, other in zip(got, wanted, strict=True):
        assert one.codes == other.codes
        assert all(np.array_equal(one.samples[slot], other.samples[slot]) for slot in other.codes)


def test_a_step_brings_the_last_ones_frame_when_its_own_is_launched():
    listener = overlapping()
    launched: list[Launched] = []
    launch = listener.engine.runner.launch

    def counting(plan: StepPlan) -> Launched:
        launched.append(launch(plan))
        return launched[-1]

    listener.engine.runner.launch = counting  # pyright: ignore[reportAttributeAccessIssue]
    listener.submit(LINES[0][0], *LINES[0][1])
    heard = []
    for _ in range(3):
        listener.step()
        heard.append((len(launched), len(listener.samples("u0")) // 4))
    assert heard == [(1, 0), (2, 1), (3, 2)]


def test_no_sound_waits_for_the_prompt_of_a_newcomer():
    listener = overlapping()
    listener.submit(LINES[1][0], *LINES[1][1])
    listener.step()
    read, reads = listener.engine.runner.read, []
    listener.engine.runner.read = lambda slot: reads.append(slot) or read(slot)  # pyright: ignore[reportAttributeAccessIssue]
    listener.submit(LINES[4][0], *LINES[4][1])
    assert [event.utterance_id for event in listener.step()] == ["u1"] and not reads
    assert listener.step() == [] and reads, "read, and both launched"
    assert {event.utterance_id for event in listener.step()} == {"u1", "u4"}


def test_a_line_cancelled_while_its_frame_is_in_flight_leaves_its_slot_to_the_next_frame():
    listener = overlapping(num_slots=1, max_rows=1)
    listener.submit(LINES[1][0], *LINES[1][1])
    for _ in range(3):
        listener.step()
    listener.submit(LINES[4][0], *LINES[4][1])
    listener.engine.cancel("u1")
    assert listener.engine.scheduler.active == 0
    assert listener.step() == [], "what was in flight is nobody's"
    assert listener.engine.scheduler.active == 1, "and its slot another line's at once"
    assert {event.utterance_id for event in listener.step()} == {"u4"}
    assert listener.to_end().samples("u4").tolist() == expected(4, "codes")


def test_a_frame_in_flight_is_work_though_everybody_has_left():
    listener = overlapping()
    listener.submit(LINES[0][0], *LINES[0][1])
    listener.step()
    listener.engine.cancel("u0")
    assert listener.engine.busy and listener.engine.wait_s == 0
    assert listener.step() == []
    assert not listener.engine.busy and listener.engine.wait_s is None


def test_everybody_can_be_failed_with_a_frame_in_flight():
    listener = overlapping()
    listener.submit(LINES[0][0], *LINES[0][1])
    listener.step()
    ended = listener.engine.fail_all(EngineFailed("out of order"))
    assert [event.utterance_id for event in ended] == ["u0"]
    listener.submit(LINES[4][0], *LINES[4][1])
    assert listener.to_end().samples("u4").tolist() == expected(4, "codes")
    assert listener.ends.keys() == {"u4"}


@pytest.mark.parametrize("where", ["launch", "collect"])
def test_a_failure_at_launch_or_at_arrival_takes_its_streams_and_no_other(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    listener = overlapping(num_slots=2)
    runner = listener.engine.runner
    if where == "launch":
        monkeypatch.setattr(runner, "launch", breaks([1], runner.launch))
    else:
        # The device says so wherever it is waited for: once before the step, and once in it.
        monkeypatch.setattr(HostBuffers, "wait", breaks([2, 3], HostBuffers.wait))
    for number in (0, 4, 3):
        listener.submit(LINES[number][0], *LINES[number][1])
    for _ in range(200):
        listener.engine.wait()
        listener.step()
    for id in ("u0", "u4"):
        end = listener.ends[id]
        assert isinstance(end, Failed) and isinstance(end.error, EngineFailed)
    assert listener.samples("u3").tolist() == expected(3, "codes")
    assert not listener.engine.busy
    assert caplog.text.count("a step failed") == 1 and "Halt!" not in caplog.text


def test_times_of_overlapped_steps_add_up():
    listener = overlapping()
    started_s = time.perf_counter()
    for utterance, pieces in LINES:
        listener.submit(utterance, *pieces)
    listener.to_end()
    elapsed_ms = (time.perf_counter() - started_s) * 1000
    ends = [listener.finished(utterance.id) for utterance, _ in LINES]
    assert 0.5 * elapsed_ms < sum(end.compute_ms for end in ends) <= elapsed_ms


def test_warming_up_ends_with_nothing_in_flight():
    made = an_engine(random_model(), overlaps=True)
    made.warm_up()
    assert not made.busy and made.scheduler.speed.step_s(2) > 0


def test_who_comes_while_a_frame_is_computed_speaks_in_the_next(monkeypatch: pytest.MonkeyPatch):
    """The engine's thread waits for the device before it looks who is there, not after."""
    computing, may_end = threading.Event(), threading.Event()

    def computes(host: HostBuffers) -> None:
        computing.set()
        may_end.wait(20)

    async def test() -> None:
        synthesizer = EngineSynthesizer(
            echo_model(), EngineSettings(2, watchdog=None, decode_groups=(1,)), num_threads=1
        )
        runner = a_runner(echo_model(), True, 2, 2)
        launch, speaking = runner.launch, []
        runner.launch = lambda plan: speaking.append(len(plan.speak)) or launch(plan)  # pyright: ignore[reportAttributeAccessIssue]
        synthesizer._engine.runner = runner
        try:
            lines = [replace(utterance, text="Halt!") for utterance, _ in (LINES[1], LINES[4])]
            first = asyncio.create_task(whole(synthesizer, lines[0]))
            await until(computing.is_set)
            second = asyncio.create_task(whole(synthesizer, lines[1]))
            await until(lambda: synthesizer._inbound.qsize() == 1)
            may_end.set()
            await asyncio.gather(first, second)
        finally:
            await synthesizer.close()
        assert speaking[:2] == [1, 2]

    monkeypatch.setattr(HostBuffers, "wait", computes)
    asyncio.run(test())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_overlapped_frames_say_what_frames_that_are_waited_for_say():
    model = load_model(resolve_model("tiny"), device="cuda", reproducible=True)
    heard: list[dict[str, list[int]]] = []
    for overlaps in (True, False):
        engine = Engine(model, EngineSettings(8, max_lead_s=math.inf, watchdog=None))
        assert engine.runner.overlaps
        engine.runner.overlaps = overlaps
        listener = Listener(engine)
        for utterance, pieces in LINES:  # of no voice: tiny's space is another
            listener.submit(replace(utterance, voice=random_voice(None)), *pieces)
        listener.to_end()
        heard.append({one.id: listener.samples(one.id).tolist() for one, _ in LINES})
    assert heard[0] == heard[1]
