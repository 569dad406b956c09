"""Makes a take again that the watchdog cut, as long as nobody has heard any of it.

For lines that are asked to be held until they are checked, and for those that nobody listens to while they are made
(`Pace.UNPACED`): their sound is held back, to a bound, until the line is whole. Others pass through untouched. Knows no
engine but as a `Synthesizer`, no cache and no wire.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from kani_npc.engine.synthesizer import EngineLoad, Synthesizer
from kani_npc.errors import InvalidUtterance
from kani_npc.speech import (
    Audio,
    Finished,
    FinishReason,
    ModelInfo,
    Pace,
    SpeechEvent,
    Utterance,
    Voice,
)

MAX_TAKES = 3
# Of sound, 5.3 MB at 22.05 kHz: nobody may ask for more to be held.
MAX_HELD_S = 120
MAX_HELD_CHARACTERS = 15 * MAX_HELD_S  # as English is spoken
# Of a line that nobody asked to hold: a file of a long text shall begin to grow while it is made.
UNPACED_HELD_S = 40


class CheckedSynthesizer:
    """Says what `inner` says, after as many takes as it needs, at most `MAX_TAKES`; the last one is heard as it is."""

    def __init__(self, inner: Synthesizer) -> None:
        self._inner = inner

    @property
    def info(self) -> ModelInfo:
        return self._inner.info

    @property
    def load(self) -> EngineLoad:
        return self._inner.load

    async def check_adapters(self, voice: Voice) -> None:
        await self._inner.check_adapters(voice)

    async def synthesize(
        self, utterance: Utterance, more: AsyncIterator[str] | None = None
    ) -> AsyncGenerator[SpeechEvent]:
        """See `Synthesizer`. Raises `InvalidUtterance` for a line that is to be held and is too long, or not written
        yet."""
        if utterance.hold_until_checked:
            _check_can_be_held(utterance, more)
        held_s = 0
        if more is None:
            held_s = UNPACED_HELD_S if utterance.pace is Pace.UNPACED else 0
            held_s = MAX_HELD_S if utterance.hold_until_checked else held_s
        max_held = held_s * self.info.sample_rate_hz
        compute_ms, take = 0.0, 1
        while True:
            attempt = utterance if take == 1 else _another(utterance, take)
            held: list[Audio] = []
            is_heard = not held_s
            async with aclosing(self._inner.synthesize(attempt, more)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        compute_ms += event.compute_ms
                        is_bad = event.reason is FinishReason.WATCHDOG
                        if is_bad and not is_heard and take < MAX_TAKES:
                            break
                        for audio in held:
                            # All of it is in hand, however slowly it was made.
                            yield replace(audio, prebuffer_s=0.0)
                        yield replace(event, compute_ms=compute_ms, attempts=take)
                        return
                    if is_heard:
                        yield event
                        continue
                    held.append(event)
                    if event.chunk.end_sample > max_held:
                        is_heard = True
                        for audio in held:
                            yield audio
                        held.clear()
            take += 1

    async def close(self) -> None:
        await self._inner.close()


def _another(utterance: Utterance, take: int) -> Utterance:
    """The same line with other random numbers. A greedy choice has none: it would go wrong in the same way."""
    sampling = utterance.sampling.but(greedy=False)
    return replace(utterance, attempt=utterance.attempt + take - 1, sampling=sampling)


def _check_can_be_held(utterance: Utterance, more: AsyncIterator[str] | None) -> None:
    if more is not None:
        raise InvalidUtterance(
            "a text that is still being written cannot be checked before it is heard",
            field="hold_until_checked",
        )
    if len(utterance.text) > MAX_HELD_CHARACTERS:
        raise InvalidUtterance(
            f"a line that is held until it is checked may have {MAX_HELD_CHARACTERS} characters, about {MAX_HELD_S} s",
            field="hold_until_checked",
        )
