"""The seam between the service and the engine: an utterance in, an async stream of speech events out.

The one home of threads: the engine thread alone touches the model, and between it and the event loop there are only
messages. Knows no gRPC, no voices by name and no output formats.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count, islice
from queue import Empty, SimpleQueue
from typing import Protocol

import torch

from kani_npc.engine.adapters import Adaptation, AdaptedVoices
from kani_npc.engine.cores import physical_cores
from kani_npc.engine.engine import FAILED, Engine, EngineSettings
from kani_npc.engine.messages import Abort, Append, Event, Failed, Inbound, Submit, Taken
from kani_npc.engine.model import SpeechModel
from kani_npc.errors import EngineClosed, EngineFailed, KaniError, ModelError
from kani_npc.speech import Audio, Finished, ModelInfo, SpeechEvent, Utterance, Voice
from kani_npc.text.pieces import Pieces

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = (
    10.0  # a step takes a fraction of it; beyond, the thread is stuck and dies with the process
)
CLOSED = "the engine is stopped; connect again when the service is back"


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

    def synthesize(
        self, utterance: Utterance, more: AsyncIterator[str] | None = None
    ) -> AsyncGenerator[SpeechEvent]:
        """`Audio` in order without gaps, then exactly one `Finished`.

        The utterance's text, clean and of any length, is said in pieces (`kani_npc.text.pieces`). With `more`, so are
        the pieces that it yields, ready to be said, as they come; the line ends when it ends, and fails as it fails.
        The utterance's own text may be empty then.

        Closing the generator, or cancelling the task that waits on it, frees the utterance's slot before the next
        frame; use `contextlib.aclosing`. The first `anext` raises `InvalidUtterance` for what the model cannot say,
        `Overloaded` where the queue is full, `TooLate` for a line that could not start in time and `EngineClosed` after
        `close`; for a voice with adapters also what `check_adapters` does, and it may wait until another voice's are
        not needed any more. Any may raise `EngineFailed`, a later one `InvalidUtterance` where a later piece cannot
        be said.
        """
        ...

    async def check_adapters(self, voice: Voice) -> None:
        """Whether it can speak with the voice's adapters. Raises `AdapterUnfit`, and what reading them raises."""
        ...

    async def close(self) -> None:
        """Take no more utterances, end the running ones with `EngineClosed`, stop. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class Stop:
    """The last message inwards."""


class EngineSynthesizer:
    """A model that speaks, on a thread of its own. Ready when built: the first line finds everything warm.

    Raises `ModelError` for a model that cannot speak at all, say because its weights are not finite.

    `num_threads` is for the arithmetic on the CPU; None takes the physical cores that the process may use, or one for
    a small model. Call `config.calm_libraries` before torch is imported: idle OpenMP threads that spin for long take
    their time from everyone else (measured on two cores at a load of 7: a tenth of the speed). And build it, model and
    all, with `cores.apart`.
    """

    def __init__(
        self,
        model: SpeechModel,
        settings: EngineSettings | None = None,
        *,
        num_threads: int | None = None,
    ) -> None:
        self._engine = Engine(model, settings or EngineSettings())
        self._adapted = AdaptedVoices(
            model, self._engine.num_adapters, self._engine.settings.max_waiting
        )
        self._num_threads = num_threads or model.max_threads or physical_cores()
        self._inbound: SimpleQueue[Inbound | Stop] = SimpleQueue()
        self._listeners: dict[str, asyncio.Queue[Audio | Finished | Failed]] = {}
        self._calls = count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._load = EngineLoad(self._engine.settings.num_slots, active=0, waiting=0)
        self._closed = False
        warm: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._speak, args=(warm,), name="kani-engine", daemon=True
        )
        self._thread.start()
        try:
            warm.result()
        except Exception as error:
            raise ModelError(f"model {model.info.name!r} cannot speak: {error}") from error

    @property
    def info(self) -> ModelInfo:
        return self._engine.model.info

    @property
    def load(self) -> EngineLoad:
        return replace(self._load, waiting=self._load.waiting + self._adapted.waiting)

    async def check_adapters(self, voice: Voice) -> None:
        """See `Synthesizer`."""
        await self._adapted.check(voice)

    async def synthesize(
        self, utterance: Utterance, more: AsyncIterator[str] | None = None
    ) -> AsyncGenerator[SpeechEvent]:
        """See `Synthesizer`. A slow reader costs the memory of `max_untaken_s` of its sound, and nobody's time."""
        submitted_s = time.perf_counter()
        async with self._adapted.held(utterance) as adaptation:
            if self._closed:
                raise EngineClosed(CLOSED)
            spoken = self._spoken(utterance, more, submitted_s, adaptation)
            async with aclosing(spoken) as events:
                async for event in events:
                    yield event

    async def _spoken(
        self,
        utterance: Utterance,
        more: AsyncIterator[str] | None,
        submitted_s: float,
        adaptation: Adaptation | None,
    ) -> AsyncGenerator[SpeechEvent]:
        # An id of its own: when a caller's id comes again, the old line's last sounds may still be on their way.
        utterance = replace(utterance, id=f"{utterance.id}#{next(self._calls)}")
        pieces = Pieces(utterance.text, utterance.language, self.info.max_piece_characters)
        self._loop = asyncio.get_running_loop()
        events = self._listeners[utterance.id] = asyncio.Queue()
        self._inbound.put(Submit(utterance, pieces, more is not None, submitted_s, adaptation))
        writer = asyncio.create_task(self._append(utterance.id, more)) if more else None
        ended, taken, often = False, 0, self.info.sample_rate_hz
        try:
            while not ended:
                what = await events.get()
                ended = not isinstance(what, Audio)
                if isinstance(what, Failed):
                    raise what.error
                yield what
                if isinstance(what, Audio) and what.chunk.end_sample - taken >= often:
                    taken = what.chunk.end_sample
                    self._inbound.put(Taken(utterance.id, taken))
        finally:
            del self._listeners[utterance.id]
            if not ended:
                self._inbound.put(Abort(utterance.id))
            if writer is not None:
                writer.cancel()
                await asyncio.wait([writer])

    async def _append(self, utterance_id: str, more: AsyncIterator[str]) -> None:
        """Hands pieces over as they are written; whatever ends them ends the line."""
        try:
            async for piece in more:
                self._inbound.put(Append(utterance_id, (piece,), is_last=False))
            self._inbound.put(Append(utterance_id, (), is_last=True))
        except Exception as error:
            self._deliver([Event(utterance_id, Failed(error))])

    async def close(self) -> None:
        """See `Synthesizer`. Gives up on a stuck step after `CLOSE_TIMEOUT_S`."""
        self._closed = True
        self._adapted.close()
        self._inbound.put(Stop())
        deadline_s = time.perf_counter() + CLOSE_TIMEOUT_S
        while self._thread.is_alive() and time.perf_counter() < deadline_s:
            await asyncio.sleep(0.002)
        if self._thread.is_alive():
            logger.error("the engine thread did not stop within %.0f s", CLOSE_TIMEOUT_S)
        self._deliver(
            [Event(utterance_id, Failed(EngineClosed(CLOSED))) for utterance_id in self._listeners]
        )

    # From here on: the engine thread, except _deliver.

    def _speak(self, warm: "Future[None]") -> None:
        try:
            torch.set_num_threads(self._num_threads)
            self._engine.warm_up()
        except Exception as error:
            warm.set_exception(error)
            return
        warm.set_result(None)
        while True:
            self._engine.wait()
            for message in self._messages(self._engine.wait_s):
                if isinstance(message, Stop):
                    return
                self._take(message)
            self._note_load()
            try:
                events = self._engine.step()
            except Exception:
                logger.exception("the engine failed between its steps; all its utterances are lost")
                events = self._engine.fail_all(EngineFailed(FAILED))
            self._note_load()
            self._post(events)

    def _messages(self, wait_s: float | None) -> Iterator[Inbound | Stop]:
        """Everything that came in since the last step; for the first it waits so long, None for ever."""
        try:
            yield self._inbound.get(block=wait_s != 0, timeout=wait_s or None)
            while True:
                yield self._inbound.get_nowait()
        except Empty:
            return

    def _take(self, message: Inbound) -> None:
        match message:
            case Submit(utterance):
                self._submit(utterance, message)
            case Append(utterance_id, pieces, is_last):
                self._engine.append(utterance_id, pieces, is_last=is_last)
            case Taken(utterance_id, end_sample):
                self._engine.taken(utterance_id, end_sample)
            case Abort(utterance_id):
                self._engine.cancel(utterance_id)

    def _submit(self, utterance: Utterance, message: Submit) -> None:
        try:
            self._engine.submit(
                utterance,
                [piece for piece in islice(message.pieces, 1) if piece],
                rest=message.pieces,
                is_open=message.is_open,
                submitted_s=message.submitted_s,
                adaptation=message.adaptation,
            )
        except KaniError as error:
            self._post([Event(utterance.id, Failed(error))])
        except Exception:
            logger.exception("utterance %s could not be prepared", utterance.id)
            self._post([Event(utterance.id, Failed(EngineFailed(FAILED)))])

    def _note_load(self) -> None:
        scheduler = self._engine.scheduler
        self._load = EngineLoad(
            self._engine.settings.num_slots, scheduler.active, scheduler.waiting
        )

    def _post(self, events: Sequence[Event]) -> None:
        if not events or self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, events)
        except RuntimeError:  # the loop was closed with streams open: nobody is left to hear
            for event in events:
                self._engine.cancel(event.utterance_id)

    def _deliver(self, events: Sequence[Event]) -> None:
        """On the event loop. An event of an utterance whose listener has left is dropped."""
        for event in events:
            listener = self._listeners.get(event.utterance_id)
            if listener is not None:
                listener.put_nowait(event.what)
