"""The seam between the service and the engine: an utterance in, an async stream of speech events out.

The one home of threads. Knows no gRPC, no voices by name and no output formats.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from kani_npc.speech import ModelInfo, SpeechEvent, Utterance


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """How busy the engine is: rows it has, utterances sitting in one, utterances waiting for one."""

    num_slots: int
    active: int
    waiting: int


class Synthesizer(Protocol):
    """Says utterances. One event loop uses it."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def load(self) -> EngineLoad: ...

    def synthesize(self, utterance: Utterance) -> AsyncGenerator[SpeechEvent]:
        """`Audio` in order without gaps, then exactly one `Finished`.

        Closing the generator, or cancelling the task that waits on it, frees the utterance's slot before the next
        frame; use `contextlib.aclosing`. The first `anext` raises `Overloaded` where the queue is full and
        `EngineClosed` after `close`; any may raise `EngineFailed`.
        """
        ...

    async def close(self) -> None:
        """Take no more utterances, end the running ones with `EngineClosed`, stop. May be called twice."""
        ...
