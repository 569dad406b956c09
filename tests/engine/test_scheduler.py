"""The scheduler alone: promises about slots, queues and groups, for any traffic that hypothesis thinks of."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.engine.messages import Event, Failed
from kani_npc.engine.scheduler import Line, Scheduler, StepFrames, StepPlan
from kani_npc.errors import EngineFailed, KaniError, Overloaded
from kani_npc.prompt import Prompt
from kani_npc.speech import Audio, Finished, FinishReason, Sampling, Utterance, Voice

FRAME = 4  # samples of a pretended frame
VOICE = Voice(id="v", display_name="V")


def scheduler(
    num_slots: int = 2, max_waiting: int = 100, groups: Sequence[int] = (1, 1, 2, 4)
) -> Scheduler:
    return Scheduler(
        num_slots, max_waiting=max_waiting, decode_groups=groups, samples_per_frame=FRAME
    )


def a_line(id: str, max_frames: int = 500, submitted_s: float = 0.0) -> Line:
    sampling = Sampling(max_frames=max_frames, min_frames=0)
    utterance = Utterance(id=id, text="", voice=VOICE, accent=None, sampling=sampling, seed=0)
    return Line(utterance, Prompt((1, 2, 3)), submitted_s)


class PretendedRunner:
    """Rows that end after a known number of frames; refuses plans that no runner could carry out."""

    def __init__(self, lengths: dict[str, int]) -> None:
        self.lengths = lengths
        self.pending: dict[int, int] = {}
        self.left: dict[int, int] = {}

    def run(self, plan: StepPlan) -> StepFrames:
        for admitted in plan.admitted:
            self.pending[admitted.slot] = 0
            self.left[admitted.slot] = self.lengths.get(admitted.line.utterance.id, 10**6)
        ended = frozenset(slot for slot in plan.speak if self.left[slot] == 0)
        for slot in set(plan.speak) - ended:
            self.left[slot] -= 1
            self.pending[slot] += 1
        samples = {}
        for slot, n in plan.decode:
            assert n <= self.pending[slot] + (slot in ended), "decodes codes that are not there"
            frames = min(n, self.pending[slot])
            self.pending[slot] -= frames
            samples[slot] = np.zeros(frames * FRAME, np.int16)
        return StepFrames(ended, samples, compute_s=dict.fromkeys(plan.slots, 0.001))


def run_to_end(schedule: Scheduler, runner: PretendedRunner) -> list[Event]:
    events: list[Event] = []
    for _ in range(10_000):
        if not schedule.busy:
            return events
        plan = schedule.plan(0.0)
        assert plan.slots, "a busy scheduler plans something"
        events += schedule.commit(plan, runner.run(plan), 0.0)
    raise AssertionError("it never ends")


def chunks(events: list[Event], id: str) -> list[int]:
    """The frames of each piece of sound that an utterance gave."""
    mine = [
        event.what.chunk
        for event in events
        if event.utterance_id == id and isinstance(event.what, Audio)
    ]
    at = 0
    for chunk in mine:
        assert chunk.first_sample == at, "sound without gaps"
        at = chunk.end_sample
    return [len(chunk.samples) // FRAME for chunk in mine]


def end(events: list[Event], id: str) -> Finished:
    (what,) = [e.what for e in events if e.utterance_id == id and not isinstance(e.what, Audio)]
    assert isinstance(what, Finished)
    return what


def test_sound_comes_one_one_two_then_four_frames_at_a_time():
    schedule = scheduler()
    schedule.submit(a_line("a"))
    events = run_to_end(schedule, PretendedRunner({"a": 14}))
    assert chunks(events, "a") == [1, 1, 2, 4, 4, 2]
    assert end(events, "a").total_samples == 14 * FRAME


def test_one_frame_at_a_time_where_asked():
    schedule = scheduler(groups=(1,))
    schedule.submit(a_line("a"))
    assert chunks(run_to_end(schedule, PretendedRunner({"a": 5})), "a") == [1] * 5


def test_the_frame_limit_ends_a_line_and_says_so():
    schedule = scheduler()
    schedule.submit(a_line("a", max_frames=6))
    events = run_to_end(schedule, PretendedRunner({}))
    assert chunks(events, "a") == [1, 1, 2, 2]
    assert end(events, "a").reason is FinishReason.MAX_FRAMES


def test_a_line_that_ends_on_the_limits_step_is_not_asked_for_more():
    schedule = scheduler()
    schedule.submit(a_line("a", max_frames=1))
    events = run_to_end(schedule, PretendedRunner({}))
    assert chunks(events, "a") == [1]


def test_a_line_without_a_frame_still_ends():
    schedule = scheduler()
    schedule.submit(a_line("a"))
    events = run_to_end(schedule, PretendedRunner({"a": 0}))
    assert chunks(events, "a") == []
    finished = end(events, "a")
    assert finished.reason is FinishReason.END_OF_SPEECH
    assert (finished.total_samples, finished.first_audio_ms) == (0, 0.0)


def test_the_first_to_come_is_the_first_to_speak():
    schedule = scheduler(num_slots=2)
    for id in "abcd":
        schedule.submit(a_line(id))
    runner = PretendedRunner({"a": 5, "b": 2, "c": 9, "d": 1})
    order: list[str] = []
    while schedule.busy:
        plan = schedule.plan(0.0)
        order += [admitted.line.utterance.id for admitted in plan.admitted]
        schedule.commit(plan, runner.run(plan), 0.0)
    assert order == list("abcd")


def test_a_cancelled_speaker_frees_its_slot_before_the_next_frame():
    schedule = scheduler(num_slots=1)
    runner = PretendedRunner({})
    schedule.submit(a_line("a"))
    schedule.submit(a_line("b"))
    plan = schedule.plan(0.0)
    schedule.commit(plan, runner.run(plan), 0.0)
    assert schedule.cancel("a")
    assert [admitted.line.utterance.id for admitted in schedule.plan(0.0).admitted] == ["b"]


def test_a_cancelled_waiter_is_never_admitted():
    schedule = scheduler(num_slots=1)
    for id in "abc":
        schedule.submit(a_line(id))
    assert schedule.cancel("b")
    assert not schedule.cancel("b"), "it is gone"
    events = run_to_end(schedule, PretendedRunner({"a": 1, "c": 1}))
    assert {event.utterance_id for event in events} == {"a", "c"}


def test_a_full_queue_refuses_and_says_when_to_ask_again():
    schedule = scheduler(num_slots=1, max_waiting=1)
    schedule.submit(a_line("a"))
    schedule.submit(a_line("b"))  # the slot is free still, so one may speak and one may wait
    with pytest.raises(Overloaded) as error:
        schedule.submit(a_line("c"))
    assert error.value.retry_after_s > 0


def test_longer_stays_make_for_later_retries():
    def retry_after_s(stay_s: float) -> float:
        schedule = scheduler(num_slots=1, max_waiting=0)
        runner = PretendedRunner({str(i): 0 for i in range(20)})
        for i in range(20):
            schedule.submit(a_line(str(i)))
            plan = schedule.plan(100.0)
            schedule.commit(plan, runner.run(plan), 100.0 + stay_s)
        schedule.submit(a_line("last"))
        with pytest.raises(Overloaded) as error:
            schedule.submit(a_line("late"))
        return error.value.retry_after_s

    assert retry_after_s(8.0) > 6.0 > 3.0 > retry_after_s(0.5)


def test_a_failed_slot_fails_alone_and_is_free_again():
    schedule = scheduler(num_slots=2)
    runner = PretendedRunner({"b": 3, "c": 1})
    for id in "abc":
        schedule.submit(a_line(id))
    plan = schedule.plan(0.0)
    frames = runner.run(plan.without({0: None}))
    events = schedule.commit(
        plan, StepFrames(frames.ended, frames.samples, failed={0: EngineFailed("no")}), 0.0
    )
    assert [event.utterance_id for event in events if isinstance(event.what, Failed)] == ["a"]
    events += run_to_end(schedule, runner)
    assert sum(chunks(events, "b")) == 3
    assert sum(chunks(events, "c")) == 1


def test_times_are_counted_from_the_moment_of_asking():
    schedule = scheduler(num_slots=1)
    runner = PretendedRunner({"a": 2})
    schedule.submit(a_line("a", submitted_s=10.0))
    plan = schedule.plan(10.5)
    events = schedule.commit(plan, runner.run(plan), 10.75)
    while schedule.busy:
        plan = schedule.plan(11.0)
        events += schedule.commit(plan, runner.run(plan), 11.0)
    finished = end(events, "a")
    assert (finished.queued_ms, finished.first_audio_ms) == (500.0, 750.0)
    assert finished.compute_ms == pytest.approx(3.0)


@st.composite
def traffic(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """What happens before each step: submit (which, length) or cancel (which)."""
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from(["submit", "cancel", "fail", "step"]),
                st.integers(0, 30),
                st.integers(0, 20),
            ),
            max_size=60,
        )
    )


@given(
    traffic=traffic(),
    num_slots=st.integers(1, 4),
    groups=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    max_waiting=st.integers(0, 5),
    max_frames=st.integers(1, 15),
)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_every_utterance_ends_once_and_no_slot_is_lost(
    traffic: list[tuple[str, int, int]],
    num_slots: int,
    groups: list[int],
    max_waiting: int,
    max_frames: int,
):
    schedule = scheduler(num_slots, max_waiting, groups)
    lengths = {f"u{which}-{i}": length for i, (_, which, length) in enumerate(traffic)}
    runner = PretendedRunner(lengths)
    submitted: list[str] = []
    cancelled: set[str] = set()
    events: list[Event] = []
    sitting: dict[int, str] = {}

    def step(fail: int | None = None) -> None:
        plan = schedule.plan(0.0)
        assert len(set(plan.slots)) == len(plan.slots) <= num_slots
        assert len(set(plan.speak)) == len(plan.speak)
        for admitted in plan.admitted:
            assert admitted.slot not in sitting, "a slot with somebody in it"
            sitting[admitted.slot] = admitted.line.utterance.id
        assert set(plan.slots) == set(sitting), "everyone who sits has work"
        failed: dict[int, KaniError] = (
            {}
            if fail is None or not plan.slots
            else {plan.slots[fail % len(plan.slots)]: EngineFailed("no")}
        )
        frames = runner.run(plan)
        if failed:
            frames = StepFrames(frames.ended, frames.samples, failed, frames.compute_s)
        new = schedule.commit(plan, frames, 0.0)
        ended = {event.utterance_id for event in new if not isinstance(event.what, Audio)}
        for slot in [slot for slot, id in sitting.items() if id in ended]:
            del sitting[slot]
        events.extend(new)

    for i, (what, which, number) in enumerate(traffic):
        if what == "submit":
            id = f"u{which}-{i}"
            try:
                schedule.submit(a_line(id, max_frames))
                submitted.append(id)
            except Overloaded:
                assert schedule.waiting == max_waiting + num_slots - schedule.active
        elif what == "cancel" and submitted:
            id = submitted[which % len(submitted)]
            if schedule.cancel(id):
                cancelled.add(id)
                for slot in [slot for slot, there in sitting.items() if there == id]:
                    del sitting[slot]
        else:
            step(number if what == "fail" else None)
        assert schedule.active == len(sitting)
    while schedule.busy:
        step()

    assert schedule.active == schedule.waiting == 0
    ends = [event.utterance_id for event in events if not isinstance(event.what, Audio)]
    assert sorted(ends) == sorted(set(submitted) - cancelled)
    for id in set(submitted) - cancelled:
        (what,) = [e.what for e in events if e.utterance_id == id and not isinstance(e.what, Audio)]
        if isinstance(what, Finished):
            frames = min(lengths[id], max_frames)
            assert sum(chunks(events, id)) == frames
            assert what.total_samples == frames * FRAME
            assert what.reason is (
                FinishReason.END_OF_SPEECH if lengths[id] < max_frames else FinishReason.MAX_FRAMES
            )
            sizes, wanted = chunks(events, id), [*groups, *[groups[-1]] * 15]
            assert sizes[:-1] == wanted[: len(sizes[:-1])], (
                "groups by index, only the last may be shorter"
            )
