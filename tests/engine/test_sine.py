"""The stand-in keeps the protocol's promises, so that what the server's tests show with it holds with the engine."""

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from kani_npc.errors import EngineClosed, EngineFailed, Overloaded
from kani_npc.speech import Audio, Finished, FinishReason, Sampling, Utterance, Voice
from tests.support.sine import SAMPLES_PER_FRAME, SineSynthesizer


def line(text: str = "Halt!", id: str = "u", **sampling: int) -> Utterance:
    return Utterance(
        id=id,
        text=text,
        voice=Voice(id="guard", display_name="Guard"),
        accent=None,
        sampling=Sampling(**sampling),  # pyright: ignore[reportArgumentType]
        seed=0,
    )


def test_a_line_is_one_frame_a_letter_and_ends_once():
    async def run() -> list:
        return [event async for event in SineSynthesizer().synthesize(line("Halt!"))]

    *audio, end = asyncio.run(run())
    assert [event.chunk.first_sample for event in audio] == [
        SAMPLES_PER_FRAME * i for i in range(5)
    ]
    assert isinstance(end, Finished) and end.reason is FinishReason.END_OF_SPEECH
    assert end.total_samples == 5 * SAMPLES_PER_FRAME
    sound = np.concatenate([event.chunk.samples for event in audio])
    assert np.abs(np.diff(sound.astype(int))).max() < 3000, "a sine without a jump between frames"


def test_a_closed_stream_frees_its_place():
    async def run() -> None:
        sine = SineSynthesizer(num_slots=1)
        async with aclosing(sine.synthesize(line())) as events:
            assert isinstance(await anext(events), Audio)
            assert sine.load.active == 1
        assert sine.load.active == 0
        assert sine.frames_made == 1

    asyncio.run(run())


def test_a_full_queue_says_when_to_come_back():
    async def run() -> None:
        sine = SineSynthesizer(num_slots=1, max_waiting=0)
        async with aclosing(sine.synthesize(line())) as events:
            await anext(events)
            with pytest.raises(Overloaded) as error:
                await anext(sine.synthesize(line(id="v")))
            assert error.value.retry_after_s > 0

    asyncio.run(run())


def test_it_fails_and_closes_on_demand():
    async def run() -> None:
        sine = SineSynthesizer(fail_after_frames=2)
        events = sine.synthesize(line())
        await anext(events)
        await anext(events)
        with pytest.raises(EngineFailed):
            await anext(events)
        assert sine.load.active == 0
        await sine.close()
        with pytest.raises(EngineClosed):
            await anext(sine.synthesize(line()))

    asyncio.run(run())
