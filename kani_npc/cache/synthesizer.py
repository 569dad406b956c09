"""Says a line from the cache where it is there, and keeps what is said for the next who asks.

Only whole lines are kept, those that the model ended itself; one that was left, cut or failed is not. Knows no engine
but as a `Synthesizer`, and no wire.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import numpy as np

from kani_npc.cache.key import line_key
from kani_npc.cache.lines import MAX_LINE_SAMPLES, LineCache
from kani_npc.engine.synthesizer import EngineLoad, Synthesizer
from kani_npc.speech import (
    Audio,
    Finished,
    FinishReason,
    Int16Array,
    ModelInfo,
    PcmChunk,
    SpeechEvent,
    Utterance,
    Voice,
)


class CachedSynthesizer:
    """A line that is kept comes frame by frame, at once, without `inner`; any other comes from it. Text that is still
    being written, and lines whose seed was drawn by chance, are neither looked for nor kept."""

    def __init__(self, inner: Synthesizer, cache: LineCache) -> None:
        self._inner = inner
        self._cache = cache

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
        """See `Synthesizer`."""
        if more is not None or not utterance.remember:
            spoken = self._inner.synthesize(utterance, more)
        else:
            key = line_key(utterance, self.info)
            kept = await self._cache.get(key)
            spoken = self._fresh(utterance, key) if kept is None else self._remembered(kept)
        async with aclosing(spoken) as events:
            async for event in events:
                yield event

    async def _remembered(self, samples: Int16Array) -> AsyncGenerator[SpeechEvent]:
        size = self.info.samples_per_frame
        for first in range(0, len(samples), size):
            yield Audio(PcmChunk(samples[first : first + size], first_sample=first))
        yield Finished(
            FinishReason.END_OF_SPEECH, total_samples=len(samples), compute_ms=0.0, cache_hit=True
        )

    async def _fresh(self, utterance: Utterance, key: str) -> AsyncGenerator[SpeechEvent]:
        heard: list[Int16Array] = []
        async with aclosing(self._inner.synthesize(utterance)) as events:
            async for event in events:
                if isinstance(event, Audio):
                    if event.chunk.end_sample <= MAX_LINE_SAMPLES:
                        heard.append(event.chunk.samples)
                elif (
                    event.reason is FinishReason.END_OF_SPEECH
                    and 0 < event.total_samples <= MAX_LINE_SAMPLES
                ):
                    self._cache.put(key, np.concatenate(heard))
                yield event

    async def close(self) -> None:
        """Closes `inner`; the cache belongs to whoever opened it."""
        await self._inner.close()
