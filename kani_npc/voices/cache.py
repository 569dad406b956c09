"""What was read from the store, for as long as it is known to be true; and a while longer when the store is away.

While the store is heard, a cached record is as good as the stored one: whatever changes is dropped when the change is
heard (within 150 ms). After a silence everything is read again before it is used. While the store is away, what was
true when it was last heard serves on for `stale_s`. Knows no rules about records.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

from kani_npc.errors import NotFound, StoreUnavailable
from kani_npc.voices.records import AccentRecord, Lexicon, Npc, Record, VoiceRecord
from kani_npc.voices.store import Change, Lost, Records, Resumed, Signal

R = TypeVar("R", bound=Record)

_Key = tuple[str, str, str]  # project, kind, id
_KINDS: dict[str, type[Record]] = {k.KIND: k for k in (VoiceRecord, Npc, AccentRecord, Lexicon)}


@dataclass(slots=True)
class _Slot:
    """One id: its record under None, and old revisions under their numbers."""

    generation: int  # of the hearing that vouches for it; 0 is none
    true_at_s: float = 0.0  # when it was last known to be true
    versions: dict[int | None, Record] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Reading:
    """A read on its way, which a change may overtake."""

    generation: int
    is_overtaken: bool = False


class ReadCache:
    """Reads through to `records`. `heard` is called for every signal, after the cache has taken it in."""

    def __init__(
        self,
        records: Records,
        *,
        stale_s: float,
        max_ids: int = 20_000,
        heard: Callable[[Signal], None] = lambda signal: None,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        self._records = records
        self._stale_s = stale_s
        self._max_ids = max_ids
        self._heard = heard
        self._clock_s = clock_s
        self._slots: OrderedDict[_Key, _Slot] = OrderedDict()
        self._readings: defaultdict[_Key, set[_Reading]] = defaultdict(set)
        self._generation = 0  # counts the times that the store began to be heard
        self._is_heard = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.changes = 0  # moves when anything that was read may not be true any more

    def start(self) -> None:
        self._spawn(self._listen())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_heard(self) -> bool:
        """Whether changes in the store arrive here."""
        return self._is_heard

    async def get(self, kind: type[R], project: str, id: str, revision: int | None = None) -> R:
        """The record, or a kept revision of it. Raises `NotFound`s, and `StoreUnavailable` when the store is away and
        nothing recent enough is known."""
        key = (project, kind.KIND, id)
        slot = self._slots.get(key)
        known = None if slot is None else slot.versions.get(revision)
        if slot is not None and isinstance(known, kind):
            if self._is_true(slot):
                self._slots.move_to_end(key)
                return known
            # Not a word with a store that is away: a line does not wait for a timeout.
            if self._generation and not self._is_heard and self._is_recent(slot):
                return known
        reading = _Reading(self._generation)
        self._readings[key].add(reading)
        try:
            record = await self._read(kind, project, id, revision)
        except NotFound:
            self._slots.pop(key, None)
            raise
        except StoreUnavailable:
            if slot is not None and isinstance(known, kind) and self._is_recent(slot):
                return known
            raise
        finally:
            self._readings[key].discard(reading)
            if not self._readings[key]:
                del self._readings[key]
        if reading.is_overtaken:
            self._spawn(self._read_again(kind, project, id, revision))
        else:
            self._keep(key, revision, record, reading.generation)
        return record

    def forget(self, project: str, kind: type[Record], id: str) -> None:
        """It was changed: nothing read before, or being read now, is true. What was known is read again at once, so
        that it is still known should the store go away."""
        key = (project, kind.KIND, id)
        slot = self._slots.pop(key, None)
        for reading in self._readings.get(key, ()):
            reading.is_overtaken = True
        self.changes += 1
        for revision in () if slot is None else slot.versions:
            self._spawn(self._read_again(kind, project, id, revision))

    async def _read_again(
        self, kind: type[Record], project: str, id: str, revision: int | None
    ) -> None:
        # If it is gone or the store is, the next line says so to whom it concerns.
        with suppress(NotFound, StoreUnavailable):
            await self.get(kind, project, id, revision)

    async def _read(self, kind: type[R], project: str, id: str, revision: int | None) -> R:
        if revision is None:
            return await self._records.get(kind, project, id)
        assert issubclass(kind, VoiceRecord | Lexicon)
        return await self._records.revision(kind, project, id, revision)

    def _keep(self, key: _Key, revision: int | None, record: Record, generation: int) -> None:
        slot = self._slots.get(key)
        if slot is None or slot.generation != generation:
            slot = self._slots[key] = _Slot(generation)
        slot.true_at_s = self._clock_s()
        slot.versions[revision] = record
        self._slots.move_to_end(key)
        while len(self._slots) > self._max_ids:
            self._slots.popitem(last=False)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_true(self, slot: _Slot) -> bool:
        return self._is_heard and slot.generation == self._generation

    def _is_recent(self, slot: _Slot) -> bool:
        return self._clock_s() - slot.true_at_s <= self._stale_s

    async def _listen(self) -> None:
        try:
            async with aclosing(self._records.store.signals()) as signals:
                async for signal in signals:
                    self._take(signal)
                    self._heard(signal)
        finally:
            self._is_heard = False

    def _take(self, signal: Signal) -> None:
        match signal:
            case Change(project, kind, id) if kind in _KINDS:
                self.forget(project, _KINDS[kind], id)
            case Lost():
                now_s = self._clock_s()
                for slot in self._slots.values():
                    if slot.generation == self._generation:
                        slot.true_at_s = now_s
                self._is_heard = False
                self.changes += 1
            case Resumed():
                self._generation += 1
                self._is_heard = True
                self.changes += 1
