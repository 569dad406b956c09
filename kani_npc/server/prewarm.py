"""Makes lines ahead of play and keeps them, when nobody else needs the engine.

One answer a line, in the order in which they are done; one that fails does not stop the others. Knows no gRPC and no
engine but as a `Synthesizer`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from kani_npc.cache.lines import LineCache
from kani_npc.engine.synthesizer import Synthesizer
from kani_npc.errors import EngineClosed, InvalidUtterance, KaniError, LineNotKept, Overloaded
from kani_npc.server import convert
from kani_npc.server.errors import reason_of
from kani_npc.server.leash import Leash
from kani_npc.speech import Audio, Finished, FinishReason, Pace, Priority
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.voices.registry import Registry

_ASK_AGAIN_S = 2.0  # a line that nobody waits for gives way, and comes back
_WHY_NOT = {
    FinishReason.MAX_FRAMES: "it was cut by sampling.max_frames",
    FinishReason.WATCHDOG: "each of its takes went wrong: it repeated itself, fell silent or would not end",
}


class Prewarmer:
    """One for all calls: together they have at most half of the engine's slots."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        registry: Registry,
        cache: LineCache,
        is_draining: Callable[[], bool],
    ) -> None:
        self._synthesizer = synthesizer
        self._registry = registry
        self._cache = cache
        self._is_draining = is_draining
        self._at_once = max(1, synthesizer.load.num_slots // 2)
        self._places = asyncio.Semaphore(self._at_once)

    async def lines(
        self, project: str, requests: Sequence[pb.SynthesizeRequest]
    ) -> AsyncGenerator[pb.PrewarmResponse]:
        """Closing the generator stops what is being made. Raises `EngineClosed`, and what is not our error."""
        answers: asyncio.Queue[pb.PrewarmResponse | Exception] = asyncio.Queue()
        left = iter(enumerate(requests))

        async def work() -> None:
            for line, request in left:
                async with self._places:
                    try:
                        answers.put_nowait(await self._answer(project, line, request))
                    except Exception as error:
                        answers.put_nowait(error)
                        return

        workers = [asyncio.create_task(work()) for _ in range(min(self._at_once, len(requests)))]
        try:
            for _ in requests:
                answer = await answers.get()
                if isinstance(answer, Exception):
                    raise answer
                yield answer
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _answer(
        self, project: str, line: int, request: pb.SynthesizeRequest
    ) -> pb.PrewarmResponse:
        try:
            end = await self._make(project, request)
        except EngineClosed:
            raise
        except KaniError as error:
            return pb.PrewarmResponse(
                line=line,
                outcome=pb.PREWARM_OUTCOME_FAILED,
                reason=reason_of(error),
                message=str(error),
            )
        return pb.PrewarmResponse(
            line=line,
            outcome=pb.PREWARM_OUTCOME_CACHED if end.cache_hit else pb.PREWARM_OUTCOME_MADE,
            total_samples=end.total_samples,
        )

    async def _make(self, project: str, request: pb.SynthesizeRequest) -> Finished:
        """The end of a line that is kept now. Raises `LineNotKept` where it cannot be, and all that saying it may."""
        while True:
            if self._is_draining():
                raise EngineClosed("the server is shutting down; ask another for the rest")
            try:
                return await self._say(project, request)
            except Overloaded as full:
                await asyncio.sleep(min(full.retry_after_s, _ASK_AGAIN_S))

    async def _say(self, project: str, request: pb.SynthesizeRequest) -> Finished:
        if request.open_text:
            raise InvalidUtterance("a line that is kept is whole", field="open_text")
        cast = await self._registry.cast(
            project, npc=request.npc, voice=request.voice, accent=request.accent
        )
        utterance = convert.to_utterance(request, cast, self._synthesizer.info)
        if not utterance.remember:
            raise LineNotKept(
                "its seed is drawn anew each time; give it a seed, or its npc another policy"
            )
        utterance = replace(
            utterance, priority=Priority.IDLE, pace=Pace.UNPACED, start_within_s=None
        )
        leash = Leash()
        with self._registry.speaking(cast, leash.stop):
            async with aclosing(self._synthesizer.synthesize(utterance)) as events:
                event = await leash.wait(anext(events))
                while isinstance(event, Audio):
                    event = await leash.wait(anext(events))
        if event.reason in _WHY_NOT:
            raise LineNotKept(_WHY_NOT[event.reason])
        if not self._cache.has_room_for(event.total_samples):
            raise LineNotKept("it is too long to be kept")
        return event
