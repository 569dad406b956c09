"""The lines that are kept: the latest in memory, and more in a store that outlives the process.

Sound is native-rate int16, so that one line serves every format. What cannot be read is a line that is not there;
nothing here ever fails a line. One event loop uses it. Knows no voices, no engine and no kind of store.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

import numpy as np

from kani_npc.speech import Int16Array

log = logging.getLogger(__name__)

MAX_LINE_SAMPLES = 4 * 2**20  # three minutes, 8 MiB; a longer line is made again rather than kept
_TOUCH_S = (
    60.0  # a line that is asked for from memory is so often one that was asked for in the store
)
_MAX_UNWRITTEN_BYTES = (
    64 * 2**20
)  # on their way to the store; what comes meanwhile stays in memory only
_MAGIC = b"kani-line-1\n"
_DIGEST_BYTES = 16


class LineStore(Protocol):
    """Where packed lines lie by their keys, within a bound of bytes: what was not asked for longest goes first."""

    async def get(self, key: str) -> bytes | None:
        """None where it is not there. Raises `OSError` where nobody can say."""
        ...

    async def put(self, key: str, data: bytes) -> None:
        """Whole or not at all. Raises `OSError`."""
        ...

    async def touch(self, key: str) -> None:
        """It was asked for, elsewhere. Raises `OSError`."""
        ...

    async def drop(self, key: str) -> None:
        """It is damaged. Raises `OSError`."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Kept:
    samples: Int16Array
    touched_s: float


class LineCache:
    """`memory_bytes` of sound at hand, and what `store` holds."""

    def __init__(self, memory_bytes: int, store: LineStore | None = None) -> None:
        self._memory_bytes = memory_bytes
        self._store = store
        self._lines: OrderedDict[str, _Kept] = OrderedDict()
        self._used_bytes = 0
        self._unwritten_bytes = 0
        self._writes: set[asyncio.Task[None]] = set()  # and touches

    @property
    def used_bytes(self) -> int:
        """Of memory."""
        return self._used_bytes

    def has_room_for(self, num_samples: int) -> bool:
        """Whether a line of that length is kept, here or in the store."""
        fits = self._store is not None or 2 * num_samples <= self._memory_bytes
        return fits and 0 < num_samples <= MAX_LINE_SAMPLES

    async def get(self, key: str) -> Int16Array | None:
        """The line's sound, [N] int16, not to be written to."""
        known = self._lines.get(key)
        if known is not None:
            self._lines.move_to_end(key)
            if self._store is not None and monotonic() - known.touched_s > _TOUCH_S:
                known.touched_s = monotonic()
                self._soon(self._touch(self._store, key))
            return known.samples
        if self._store is None:
            return None
        try:
            data = await self._store.get(key)
            if data is None:
                return None
            samples = unpack(data)
            if samples is None:
                log.warning("a kept line is damaged and was dropped: %s", key)
                await self._store.drop(key)
                return None
        except OSError as error:
            log.warning("the store of lines cannot be read: %s", type(error).__name__)
            return None
        self._keep(key, samples)
        return samples

    def put(self, key: str, samples: Int16Array) -> None:
        """In memory at once, in the store soon."""
        samples = samples.copy()
        samples.setflags(write=False)
        if not 0 < len(samples) <= MAX_LINE_SAMPLES:
            return
        self._keep(key, samples)
        if self._store is not None and self._unwritten_bytes < _MAX_UNWRITTEN_BYTES:
            self._unwritten_bytes += samples.nbytes
            self._soon(self._write(self._store, key, samples))

    async def close(self) -> None:
        """Waits for what is on its way to the store."""
        await asyncio.gather(*self._writes)
        if self._store is not None:
            await self._store.close()

    def _keep(self, key: str, samples: Int16Array) -> None:
        if samples.nbytes > self._memory_bytes:
            return
        before = self._lines.pop(key, None)
        self._used_bytes += samples.nbytes - (0 if before is None else before.samples.nbytes)
        self._lines[key] = _Kept(samples, monotonic())
        while self._used_bytes > self._memory_bytes:
            _, oldest = self._lines.popitem(last=False)
            self._used_bytes -= oldest.samples.nbytes

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _touch(self, store: LineStore, key: str) -> None:
        with suppress(OSError):
            await store.touch(key)

    async def _write(self, store: LineStore, key: str, samples: Int16Array) -> None:
        try:
            await store.put(key, pack(samples))
        except OSError as error:
            log.warning("the store of lines cannot be written: %s", type(error).__name__)
        finally:
            self._unwritten_bytes -= samples.nbytes


def pack(samples: Int16Array) -> bytes:
    """As it lies in a store: a magic word, a checksum of the rest, the samples."""
    data = samples.astype("<i2", copy=False).tobytes()
    return _MAGIC + hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest() + data


def unpack(data: bytes) -> Int16Array | None:
    """The samples, read-only; None for what is not whole."""
    start = len(_MAGIC) + _DIGEST_BYTES
    digest, samples = data[len(_MAGIC) : start], data[start:]
    if not data.startswith(_MAGIC) or len(samples) % 2 or not samples:
        return None
    if hashlib.blake2b(samples, digest_size=_DIGEST_BYTES).digest() != digest:
        return None
    return np.frombuffer(samples, "<i2")
