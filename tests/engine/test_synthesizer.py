"""The crossing between the event loop and the engine thread: order, cancelling, failing, stopping."""

import asyncio
import copy
import math
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kani_npc.engine.cores import physical_cores
from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.synthesizer import EngineSynthesizer, Synthesizer
from kani_npc.errors import EngineClosed, EngineFailed, InvalidUtterance, ModelError, Overloaded
from kani_npc.speech import Audio, Finished, Sampling, SpeechEvent, Utterance
from tests.support.random_model import echo_model, line, random_model

LONG = Sampling(temperature=1.2, top_k=8, min_frames=50, max_frames=50)
SHORT = Sampling(temperature=1.2, top_k=8, min_frames=8, max_frames=20)
EIGHT = SHORT.but(max_frames=8)


def settings(**changes: float) -> EngineSettings:
    values = {"num_slots": 4, "max_waiting": 40, "max_frames": 200, "max_prompt_tokens": 64}
    # The random model babbles, and its codes are no sound.
    return EngineSettings(**{**values, "max_lead_s": math.inf, "watchdog": None, **changes})  # pyright: ignore[reportArgumentType]


@asynccontextmanager
async def speaking(
    model: SpeechModel | None = None, **changes: float
) -> AsyncIterator[EngineSynthesizer]:
    synthesizer = EngineSynthesizer(model or echo_model(), settings(**changes), num_threads=1)
    try:
        yield synthesizer
    finally:
        await synthesizer.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Runs a test's coroutine, at most 30 s, and looks for what it left behind."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left: {left}"

    asyncio.run(bounded())
    assert not [thread for thread in threading.enumerate() if thread.name == "kani-engine"]


async def whole(synthesizer: Synthesizer, utterance: Utterance) -> list[SpeechEvent]:
    async with aclosing(synthesizer.synthesize(utterance)) as events:
        return [event async for event in events]


def samples(events: list[SpeechEvent]) -> list[int]:
    *audio, end = events
    assert isinstance(end, Finished)
    heard: list[int] = []
    for event in audio:
        assert isinstance(event, Audio)
        assert event.chunk.first_sample == len(heard), "sound without gaps"
        heard += event.chunk.samples.tolist()
    assert end.total_samples == len(heard)
    return heard


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def alone(utterance: Utterance) -> list[int]:
    engine = Engine(echo_model(), settings())
    engine.submit(utterance, [utterance.text], is_open=False, submitted_s=time.perf_counter())
    heard: list[int] = []
    while engine.busy:
        heard += [
            sample
            for event in engine.step()
            if isinstance(event.what, Audio)
            for sample in event.what.chunk.samples.tolist()
        ]
    return heard


def test_a_line_is_audio_in_order_and_then_one_end():
    async def test() -> None:
        async with speaking(random_model()) as synthesizer:
            events = await whole(synthesizer, line("a", sampling=SHORT))
            heard = np.array(samples(events))
            assert len(heard) % 1764 == 0 and np.abs(heard).max() > 100
            end = events[-1]
            assert isinstance(end, Finished)
            assert end.first_audio_ms > 0 and end.compute_ms > 0
            assert synthesizer.info.name == "random"

    run(test)


def test_twenty_lines_at_once_are_each_what_they_are_alone():
    lines = [
        line(f"u{i}", f"Line number {i}.", voice=i % 3, seed=i, sampling=SHORT) for i in range(20)
    ]

    async def test() -> None:
        async with speaking() as synthesizer:
            heard = await asyncio.gather(*(whole(synthesizer, utterance) for utterance in lines))
            assert synthesizer.load.waiting == 0
            await until(lambda: synthesizer.load.active == 0)
        for utterance, events in zip(lines, heard, strict=True):
            assert samples(events) == alone(utterance)

    run(test)


def test_random_goers_leave_no_task_no_slot_and_no_wrong_sound():
    chance = random.Random(5)
    lines = [line(f"u{i}", f"Line {i}.", voice=i % 3, seed=i, sampling=SHORT) for i in range(20)]
    expected = {utterance.id: alone(utterance) for utterance in lines}

    async def listen(synthesizer: Synthesizer, utterance: Utterance, patience: int) -> None:
        """Leaves after `patience` pieces of sound."""
        heard: list[int] = []
        async with aclosing(synthesizer.synthesize(utterance)) as events:
            async for event in events:
                if isinstance(event, Finished) or patience == 0:
                    break
                patience -= 1
                heard += event.chunk.samples.tolist()
        assert heard == expected[utterance.id][: len(heard)]

    async def test() -> None:
        async with speaking(num_slots=3) as synthesizer:
            tasks = [
                asyncio.create_task(listen(synthesizer, utterance, chance.choice([0, 1, 2, 99])))
                for utterance in lines
            ]
            for task in chance.sample(tasks, 8):
                await asyncio.sleep(chance.random() * 0.01)
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            wrong = [
                r for r in results if r is not None and not isinstance(r, asyncio.CancelledError)
            ]
            assert not wrong
            await until(lambda: synthesizer.load.active == 0)
            assert synthesizer.load.waiting == 0
            assert samples(await whole(synthesizer, lines[0])) == expected["u0"]

    run(test)


def test_who_leaves_frees_the_slot_within_a_frame():
    async def test() -> None:
        async with speaking(num_slots=1) as synthesizer:
            async with aclosing(synthesizer.synthesize(line("a", sampling=LONG))) as events:
                await anext(events)
                assert (synthesizer.load.active, synthesizer.load.waiting) == (1, 0)
                next_one = asyncio.create_task(whole(synthesizer, line("b", sampling=SHORT)))
                await until(lambda: synthesizer.load.waiting == 1)
            assert samples(await next_one)

    run(test)


def test_a_waiting_line_can_be_cancelled():
    async def test() -> None:
        async with (
            speaking(num_slots=1) as synthesizer,
            aclosing(synthesizer.synthesize(line("a", sampling=LONG))) as events,
        ):
            await anext(events)
            waiting = asyncio.create_task(whole(synthesizer, line("b")))
            await until(lambda: synthesizer.load.waiting == 1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await until(lambda: synthesizer.load.waiting == 0)
            rest = [event async for event in events]
            assert isinstance(rest[-1], Finished)

    run(test)


def test_a_reader_that_never_reads_costs_nobody_else_anything():
    async def test() -> None:
        async with (
            speaking(num_slots=2) as synthesizer,
            aclosing(synthesizer.synthesize(line("sleeper", sampling=LONG))) as events,
        ):
            await anext(events)
            assert samples(await whole(synthesizer, line("b", sampling=SHORT)))
            await until(lambda: synthesizer.load.active == 0)  # the sleeper's sound is all made
            rest = [event async for event in events]
            assert isinstance(rest[-1], Finished)

    run(test)


def test_a_full_queue_and_a_wrong_line_are_told_at_the_first_event():
    async def test() -> None:
        async with speaking(num_slots=1, max_waiting=0) as synthesizer:
            with pytest.raises(InvalidUtterance):
                await anext(synthesizer.synthesize(line("long", "a" * 100)))
            async with aclosing(synthesizer.synthesize(line("a", sampling=LONG))) as events:
                await anext(events)
                with pytest.raises(Overloaded) as error:
                    await anext(synthesizer.synthesize(line("b")))
                assert error.value.retry_after_s > 0

    run(test)


def test_a_line_under_the_id_of_one_just_left_hears_itself_only():
    async def test() -> None:
        async with speaking() as synthesizer:
            expected = alone(line("a", "Again!", sampling=SHORT))
            for _ in range(5):
                async with aclosing(synthesizer.synthesize(line("a", sampling=LONG))) as events:
                    await anext(events)
                assert (
                    samples(await whole(synthesizer, line("a", "Again!", sampling=SHORT)))
                    == expected
                )

    run(test)


def test_a_failing_step_ends_its_streams_and_the_service_goes_on(monkeypatch: pytest.MonkeyPatch):
    async def test() -> None:
        async with speaking() as synthesizer:
            runner = synthesizer._engine.runner
            launch = runner.launch
            monkeypatch.setattr(runner, "launch", lambda plan: 1 / 0)
            results = await asyncio.gather(
                *(whole(synthesizer, line(id)) for id in "ab"), return_exceptions=True
            )
            assert [type(result) for result in results] == [EngineFailed, EngineFailed]
            assert results[0] is not results[1]
            monkeypatch.setattr(runner, "launch", launch)
            assert samples(await whole(synthesizer, line("c", sampling=SHORT)))

    run(test)


def test_a_failure_of_the_engine_itself_is_survived(monkeypatch: pytest.MonkeyPatch):
    async def test() -> None:
        async with speaking() as synthesizer:
            scheduler = synthesizer._engine.scheduler
            plan = scheduler.plan
            monkeypatch.setattr(scheduler, "plan", lambda now_s: 1 / 0)
            with pytest.raises(EngineFailed):
                await whole(synthesizer, line("a"))
            monkeypatch.setattr(scheduler, "plan", plan)
            assert samples(await whole(synthesizer, line("b", sampling=SHORT)))

    run(test)


def test_closing_ends_speakers_waiters_and_sleepers():
    async def test() -> None:
        synthesizer = EngineSynthesizer(echo_model(), settings(num_slots=1), num_threads=1)
        speaker = synthesizer.synthesize(line("a", sampling=LONG))
        await anext(speaker)
        waiter = asyncio.create_task(whole(synthesizer, line("b")))
        await until(lambda: synthesizer.load.waiting == 1)
        await synthesizer.close()
        with pytest.raises(EngineClosed):
            await waiter
        with pytest.raises(EngineClosed):
            async for _ in speaker:
                pass
        with pytest.raises(EngineClosed):
            await anext(synthesizer.synthesize(line("c")))
        await synthesizer.close()

    run(test)


def test_a_loop_that_vanishes_stops_its_lines_and_another_loop_may_speak():
    synthesizer = EngineSynthesizer(echo_model(), settings(), num_threads=1)

    async def leave() -> None:
        await anext(synthesizer.synthesize(line("a", sampling=LONG)))

    async def come_back() -> None:
        await until(lambda: synthesizer.load.active == 0)
        assert samples(await whole(synthesizer, line("a", sampling=SHORT)))
        await synthesizer.close()

    asyncio.run(leave())
    run(come_back)


def test_cancelled_lines_are_not_spoken_on(monkeypatch: pytest.MonkeyPatch):
    async def test() -> None:
        async with speaking(num_slots=1) as synthesizer:
            async with aclosing(synthesizer.synthesize(line("a", sampling=LONG))) as events:
                await anext(events)
            await until(lambda: synthesizer.load.active == 0)
            steps = 0
            step = synthesizer._engine.step

            def counting() -> list:
                nonlocal steps
                steps += 1
                return step()

            monkeypatch.setattr(synthesizer._engine, "step", counting)
            await asyncio.sleep(0.05)
            assert steps == 0, "an idle engine sleeps"

    run(test)


def test_a_model_that_cannot_speak_is_refused_when_it_is_started():
    lm = copy.deepcopy(random_model().lm)
    lm.embedding_norm.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        EngineSynthesizer(replace(echo_model(), lm=lm), settings(), num_threads=1)
    assert not [thread for thread in threading.enumerate() if thread.name == "kani-engine"]


def test_hyper_threads_of_one_core_count_once_and_a_quota_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3, 6})
    for cpu in (0, 1, 2, 3):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu % 2},{cpu % 2 + 2}\n")
    quota = tmp_path / "cpu.max"
    assert physical_cores(tmp_path, quota) == 3, (
        "two cores of two threads, and one that says nothing"
    )
    quota.write_text("max 100000\n")
    assert physical_cores(tmp_path, quota) == 3
    quota.write_text("250000 100000\n")
    assert physical_cores(tmp_path, quota) == 2
    quota.write_text("50000 100000\n")
    assert physical_cores(tmp_path, quota) == 1


PIECES = ("The bridge is out.", "Go round by the mill.", "No.")


async def written(pieces: Sequence[str], *, pause_s: float = 0.0) -> AsyncIterator[str]:
    for piece in pieces:
        await asyncio.sleep(pause_s)
        yield piece


async def whole_text(
    synthesizer: Synthesizer, utterance: Utterance, more: AsyncIterator[str]
) -> list[SpeechEvent]:
    async with aclosing(synthesizer.synthesize(utterance, more)) as events:
        return [event async for event in events]


def test_text_as_it_is_written_sounds_as_if_it_had_been_there():
    async def test() -> None:
        async with speaking() as synthesizer:
            utterance = line("a", PIECES[0], sampling=EIGHT)
            later = await whole_text(synthesizer, utterance, written(PIECES[1:], pause_s=0.05))
            at_once = await whole_text(synthesizer, utterance, written(PIECES[1:]))
            empty = replace(utterance, text="")
            only_later = await whole_text(synthesizer, empty, written(PIECES, pause_s=0.01))
        assert samples(later) == samples(at_once) == samples(only_later)
        assert len(samples(later)) == 3 * 8 * 4

    run(test)


def test_a_line_whose_text_never_comes_ends_without_a_sound():
    async def test() -> None:
        async with speaking() as synthesizer:
            (end,) = await whole_text(synthesizer, line("a", ""), written([], pause_s=0.01))
            assert isinstance(end, Finished) and end.total_samples == 0

    run(test)


def test_who_fails_to_write_the_text_fails_the_line_and_frees_its_slot():
    async def broken() -> AsyncIterator[str]:
        yield "Halt!"
        raise ValueError("no more ink")

    async def test() -> None:
        async with speaking() as synthesizer:
            with pytest.raises(ValueError, match="no more ink"):
                await whole_text(synthesizer, line("a", "", sampling=LONG), broken())
            await until(lambda: synthesizer.load.active == 0)

    run(test)


def test_who_leaves_a_line_that_waits_for_text_frees_its_slot_and_its_writer():
    left = asyncio.Event()

    async def slow() -> AsyncIterator[str]:
        try:
            yield "Halt!"
            await asyncio.sleep(1000)
        finally:
            left.set()

    async def test() -> None:
        async with speaking(num_slots=1) as synthesizer:
            async with aclosing(synthesizer.synthesize(line("a", ""), slow())) as events:
                await anext(events)
            await asyncio.wait_for(left.wait(), 5)
            assert samples(await whole(synthesizer, line("b", sampling=SHORT)))

    run(test)


def test_a_long_text_is_cut_into_pieces_and_each_is_said():
    model = echo_model()
    model = replace(model, info=replace(model.info, max_piece_characters=40))
    text = "The bridge is out, go by the mill. " * 400

    async def test() -> None:
        async with speaking(model) as synthesizer:
            async with aclosing(synthesizer.synthesize(line("a", text, sampling=SHORT))) as events:
                await anext(events)
            events = await whole(synthesizer, line("a", text[: 35 * 5], sampling=EIGHT))
            assert len(samples(events)) == 5 * 8 * 4

    run(test)


def test_a_paused_reader_of_a_long_text_holds_little_of_it_and_stops_nobody():
    model = echo_model()
    model = replace(model, info=replace(model.info, max_piece_characters=40))
    text = "The bridge is out, go by the mill. " * 4

    async def test() -> None:
        async with speaking(model, num_slots=2, max_untaken_s=1.6) as synthesizer:
            paused = synthesizer.synthesize(line("a", text, sampling=EIGHT))
            heard: list[SpeechEvent] = [await anext(paused)]
            (queue,) = synthesizer._listeners.values()

            def held_s() -> float:
                while not queue.empty():
                    heard.append(queue.get_nowait())  # pyright: ignore[reportArgumentType]
                sound = [event.chunk.samples for event in heard if isinstance(event, Audio)]
                return sum(map(len, sound)) / model.info.sample_rate_hz

            # The engine rests before the sound of its last step has crossed over.
            await until(lambda: synthesizer._engine.wait_s is None and held_s() >= 1.6)
            assert held_s() <= 2.0
            for event in heard[1:]:
                queue.put_nowait(event)
            assert samples(await whole(synthesizer, line("b", sampling=SHORT)))
            rest = [event async for event in paused]
            assert len(samples([heard[0], *rest])) == 4 * 8 * 4

    run(test)


def test_in_real_time_an_engine_that_is_ahead_sleeps_and_goes_on_in_time():
    async def test() -> None:
        async with speaking(max_lead_s=0.6) as synthesizer:
            steps, step = 0, synthesizer._engine.step

            def counting() -> list:
                nonlocal steps
                steps += 1
                return step()

            synthesizer._engine.step = counting
            started_s = time.perf_counter()
            events = await whole(
                synthesizer, line("a", sampling=LONG.but(min_frames=25, max_frames=25))
            )
            took_s = time.perf_counter() - started_s
            assert len(samples(events)) == 25 * 4  # two seconds
            assert took_s > 2.0 - 0.6 - 0.4
            assert steps < 60, "it does not spin"

    run(test)
