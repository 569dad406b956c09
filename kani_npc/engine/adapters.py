"""Voices with adapters of their own, while they speak: each gets a seat, and what it changes in the model.

That is a LoRA (see `lm.adapters`), a decoder of its own (see `codec.delta`), or both. It is read from wherever the
voice is kept when a line needs it, checked, and stays in its seat for the next. A seat that a line has is nobody else's
until the line has ended; of the others the one that was needed longest ago gives way. Where lines have all of them, the
next line waits, the most urgent first.

One event loop uses it; the engine thread is told with each line. Knows no slots, no steps and no store.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count

import torch
from torch import nn

from kani_npc.codec.delta import load as load_delta
from kani_npc.codec.delta import with_delta
from kani_npc.codec.protocol import StreamingDecoder
from kani_npc.engine.cores import apart
from kani_npc.engine.model import SpeechModel
from kani_npc.errors import AdapterUnfit, EngineClosed, ModelError, Overloaded, TooLate
from kani_npc.lm.adapters import AdapterBank, Lora
from kani_npc.speech import Priority, Utterance, Voice

MAX_SEATS = 16  # without being asked for more
SHARE = 8  # of the memory, one part in so many
_USUAL_MEMORY_BYTES = 8 * 2**30  # where the system does not say
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Adaptation:
    """What a voice changes in the model, and the seat that it has meanwhile."""

    seat: int  # from 1 on
    lora: Lora | None
    decoder: StreamingDecoder | None


def default_seats(model: SpeechModel, memory_bytes: int | None = None) -> int:
    """How many adapted voices may speak at once: what an eighth of the device's memory holds, at most `MAX_SEATS`."""
    if memory_bytes is None:
        memory_bytes = _memory_bytes(model.device)
    return int(min(MAX_SEATS, max(1, memory_bytes // SHARE // bytes_per_seat(model))))


def bytes_per_seat(model: SpeechModel) -> int:
    """At most, on the model's device. A CPU's memory has an adapter once more, as it was read."""
    lora_bytes = AdapterBank(model.lm, 1).bytes_per_seat
    decoder = getattr(model.codec, "decoder", None)
    weights = decoder.parameters() if isinstance(decoder, nn.Module) else ()
    copies = 2 if model.device.type == "cpu" else 1
    return copies * lora_bytes + sum(weight.nbytes for weight in weights)


def _memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return _USUAL_MEMORY_BYTES


@dataclass(slots=True, eq=False)
class _Seat:
    number: int
    key: tuple[str | None, str | None] | None = None  # names of the LoRA and the codec delta
    loading: "asyncio.Task[Adaptation] | None" = None
    num_lines: int = 0  # that have it
    left_at: int = 0  # counts up: when the last line left it


class AdaptedVoices:
    """Seats for `num_seats` voices with adapters. At most `max_waiting` lines wait for one."""

    def __init__(self, model: SpeechModel, num_seats: int, max_waiting: int) -> None:
        self._model = model
        self._max_waiting = max_waiting
        self._seats = [_Seat(number) for number in range(1, num_seats + 1)]
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # by urgency, then order
        self._order = count(1)
        self._at_work = asyncio.Lock()  # one at a time: another one's memory is not there yet
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Lines that have no seat yet."""
        return len(self._waiting)

    @asynccontextmanager
    async def held(self, utterance: Utterance) -> AsyncIterator[Adaptation | None]:
        """While inside, the line's voice has a seat and is ready; None for a voice without adapters.

        Raises `AdapterUnfit` where the model cannot speak with it, `TooLate` for a line that waited longer than it
        wanted, `Overloaded` where too many wait, `EngineClosed`, and what reading the voice's parts raises.
        """
        if not utterance.voice.is_adapted:
            yield None
            return
        seat = await self._take(utterance)
        assert seat.loading is not None
        try:
            yield await asyncio.shield(seat.loading)
        finally:
            self._leave(seat)

    async def check(self, voice: Voice) -> None:
        """Whether the model can speak with the voice's adapters. Raises `AdapterUnfit`, and what reading them does."""
        if voice.is_adapted:
            await self._made(voice, seat=0)

    def close(self) -> None:
        """Nobody gets a seat any more; who waits is told."""
        self._is_closed = True
        self._wake()

    async def _take(self, utterance: Utterance) -> _Seat:
        voice, place = utterance.voice, next(self._order)
        key = (voice.lora and voice.lora.sha256, voice.codec_delta and voice.codec_delta.sha256)
        until_s = None
        if utterance.start_within_s is not None:
            until_s = asyncio.get_running_loop().time() + utterance.start_within_s
        while True:
            if self._is_closed:
                raise EngineClosed("the engine is stopped; connect again when the service is back")
            seat = next((seat for seat in self._seats if seat.key == key), None)
            if seat is None and (seat := self._free(utterance.priority)) is not None:
                seat.key = key
                seat.loading = asyncio.create_task(self._made(voice, seat.number))
                seat.loading.add_done_callback(partial(_give_up, seat))
            if seat is not None:
                seat.num_lines += 1
                return seat
            await self._wait((-utterance.rank, place), until_s)

    async def _wait(self, turn: tuple[int, int], until_s: float | None) -> None:
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded(
                f"{len(self._seats)} voices with adapters speak and {len(self._waiting)} lines wait for their turn; "
                "try again later",
                retry_after_s=_RETRY_S,
            )
        waiter = (*turn, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(until_s):
                await waiter[2]
        except TimeoutError:
            raise TooLate(
                "the line could not start within start_within_ms; ask again if it still matters"
            ) from None
        finally:
            self._waiting.remove(waiter)

    def _free(self, priority: Priority) -> _Seat | None:
        free = [seat for seat in self._seats if not seat.num_lines]
        # What nobody waits for must not keep the last one from somebody.
        least = 1 if priority is Priority.IDLE and len(self._seats) > 1 else 0
        return min(free, key=lambda seat: seat.left_at) if len(free) > least else None

    def _leave(self, seat: _Seat) -> None:
        seat.num_lines -= 1
        seat.left_at = next(self._order)
        self._wake()

    def _wake(self) -> None:
        """All of them: whose voice has a seat now needs no other."""
        for _, _, future in sorted(self._waiting, key=lambda waiter: waiter[:2]):
            if not future.done():
                future.set_result(None)

    async def _made(self, voice: Voice, seat: int) -> Adaptation:
        parts = [part and await part.read() for part in (voice.lora, voice.codec_delta)]
        async with self._at_work:
            lora, decoder = await apart(_adapted, self._model, voice.id, *parts)
        return Adaptation(seat, lora, decoder)


def _adapted(
    model: SpeechModel, voice: str, lora_file: bytes | None, delta_file: bytes | None
) -> tuple[Lora | None, StreamingDecoder | None]:
    try:
        lora = decoder = None
        if lora_file is not None:
            lora = Lora.from_bytes(lora_file)
            lora.check(model.lm.config, model.base())
        if delta_file is not None:
            decoder = with_delta(model.codec, load_delta(delta_file)).streaming_decoder()
    except ModelError as wrong:
        raise AdapterUnfit(f"voice {voice!r} cannot speak with this model: {wrong}") from wrong
    return lora, decoder


def _give_up(seat: _Seat, task: "asyncio.Task[Adaptation]") -> None:
    """Where it came to nothing, the next line tries again. Its error is for who waits for it; all may have gone."""
    if (task.cancelled() or task.exception()) and seat.loading is task:
        seat.key = seat.loading = None
