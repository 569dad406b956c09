"""A take that the watchdog would cut is made again, as long as nobody has heard any of it."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from kani_npc.cache.checked import MAX_HELD_CHARACTERS, UNPACED_HELD_S, CheckedSynthesizer
from kani_npc.errors import InvalidUtterance
from kani_npc.speech import Audio, Finished, FinishReason, Pace, PcmChunk, Utterance, Voice
from tests.support.sine import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, SineSynthesizer
from tests.support.voices import eventually

HELD = {"hold_until_checked": True}
LIVE, UNPACED = {"pace": Pace.REALTIME}, {"pace": Pace.UNPACED}


def line(text: str = "Halt!", **fields) -> Utterance:
    sampling = SineSynthesizer().info.sampling.but(max_frames=5000)
    return Utterance("u", text, Voice("guard", "Guard"), None, sampling, seed=7, **fields)


class TakesThatFail(SineSynthesizer):
    """Each take has its number for sound; those named end with the watchdog, after so many frames."""

    def __init__(self, cut_after: Mapping[int, int]) -> None:
        super().__init__()
        self.cut_after = cut_after

    async def synthesize(self, utterance, more=None):
        cut = self.cut_after.get(utterance.attempt)
        async with aclosing(super().synthesize(utterance, more)) as events:
            num_frames = 0
            async for event in events:
                if num_frames == cut:
                    yield Finished(FinishReason.WATCHDOG, num_frames * SAMPLES_PER_FRAME, 10.0)
                    return
                if isinstance(event, Finished):
                    yield replace(event, compute_ms=10.0)
                    return
                samples = np.full(SAMPLES_PER_FRAME, utterance.attempt, np.int16)
                yield Audio(PcmChunk(samples, event.chunk.first_sample), prebuffer_s=0.7)
                num_frames += 1


async def said(inner, utterance, more=None) -> tuple[list[Audio], Finished]:
    events = [e async for e in CheckedSynthesizer(inner).synthesize(utterance, more)]
    return events[:-1], events[-1]


@pytest.mark.parametrize("how", [HELD, UNPACED, HELD | UNPACED])
async def test_a_take_that_was_cut_is_made_again_and_never_heard(how):
    inner = TakesThatFail({0: 3, 1: 0})
    sound, end = await said(inner, line(**how))
    assert [u.attempt for u in inner.utterances] == [0, 1, 2]
    assert {int(s) for audio in sound for s in audio.chunk.samples} == {2}
    assert [audio.chunk.first_sample for audio in sound] == [
        n * SAMPLES_PER_FRAME for n in range(5)
    ]
    assert (end.reason, end.attempts) == (FinishReason.END_OF_SPEECH, 3)
    assert end.compute_ms == 30.0  # of all takes
    # Greedy as asked; another greedy take would go wrong in the same way.
    assert [u.sampling.greedy for u in inner.utterances] == [True, False, False]


async def test_a_good_take_is_the_only_one():
    inner = TakesThatFail({})
    sound, end = await said(inner, line(**HELD))
    assert len(inner.utterances) == 1 and end.attempts == 1 and len(sound) == 5


async def test_the_third_take_is_heard_as_it_is():
    inner = TakesThatFail({0: 3, 1: 2, 2: 4})
    sound, end = await said(inner, line(**HELD))
    assert len(inner.utterances) == 3 and len(sound) == 4
    assert (end.reason, end.attempts) == (FinishReason.WATCHDOG, 3)


async def test_a_live_line_is_heard_as_it_comes_and_ends_where_it_was_cut():
    inner = TakesThatFail({0: 3})
    sound, end = await said(inner, line(**LIVE))
    assert len(inner.utterances) == 1 and len(sound) == 3
    assert (end.reason, end.attempts) == (FinishReason.WATCHDOG, 1)
    assert sound[0].prebuffer_s == 0.7


@pytest.mark.parametrize(("how", "frames_made"), [(LIVE, 1), (UNPACED, 5), (HELD, 5)])
async def test_held_sound_leaves_when_all_of_it_was_checked(how, frames_made):
    inner = SineSynthesizer()
    async with aclosing(CheckedSynthesizer(inner).synthesize(line(**how))) as events:
        first = await anext(events)
        assert isinstance(first, Audio)
        assert inner.frames_made == frames_made


async def test_a_line_that_is_in_hand_needs_no_buffer():
    sound, _ = await said(TakesThatFail({}), line(**HELD))
    assert all(audio.prebuffer_s == 0 for audio in sound)


async def test_a_long_line_is_held_to_a_bound_and_heard_as_it_comes_from_there():
    bound = UNPACED_HELD_S * SAMPLE_RATE_HZ // SAMPLES_PER_FRAME
    inner = TakesThatFail({0: bound + 50})
    async with aclosing(
        CheckedSynthesizer(inner).synthesize(line("a" * 1700, **UNPACED))
    ) as events:
        await anext(events)
        assert bound <= inner.frames_made <= bound + 2
        rest = [event async for event in events]
    assert rest[-1].reason is FinishReason.WATCHDOG and rest[-1].attempts == 1
    assert len(rest) == bound + 50


async def test_what_cannot_be_held_is_refused():
    async def later():
        yield "more"

    for utterance, more in (
        (line("a" * (MAX_HELD_CHARACTERS + 1), **HELD), None),
        (line("", **HELD), later()),
    ):
        with pytest.raises(InvalidUtterance) as refused:
            await said(SineSynthesizer(), utterance, more)
        assert refused.value.field == "hold_until_checked"


async def test_text_that_is_being_written_is_never_held():
    async def later():
        yield "more"

    inner = TakesThatFail({0: 2})
    sound, end = await said(inner, line("", **UNPACED), later())
    assert len(sound) == 2 and end.reason is FinishReason.WATCHDOG and len(inner.utterances) == 1


async def test_leaving_while_it_is_held_frees_the_slot():
    inner = SineSynthesizer(speed=1.0)
    waiting = asyncio.create_task(anext(CheckedSynthesizer(inner).synthesize(line(**HELD))))
    await eventually(lambda: inner.frames_made)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert inner.active == 0 and inner.frames_made < 5


async def test_a_failure_is_a_failure_and_no_reason_to_try_again():
    inner = SineSynthesizer(fail_after_frames=2)
    with pytest.raises(Exception, match="failed"):
        await said(inner, line(**HELD))
    assert len(inner.utterances) == 1
