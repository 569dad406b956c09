"""Counts what is spoken, and writes it into the usage ledger once in a while, beside the lines themselves.

One entry per voice revision, NPC, kind of use and second, however many lines there were. While the store is away
entries wait here, each batch under its own id, so that none is written twice.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from kani_npc.errors import StoreUnavailable
from kani_npc.voices.registry import Cast
from kani_npc.voices.store import Records
from kani_npc.voices.usage import Usage, UsageEntry

log = logging.getLogger(__name__)

FLUSH_S = 1.0
_MOST_WAITING = 10_000  # batches; hours of a store that is away

_Key = tuple[str, str, int, str, Usage]  # project, voice, revision, npc, use


class UsageMeter:
    """`async with` it; leaving writes what is left."""

    def __init__(self, records: Records, *, flush_s: float = FLUSH_S) -> None:
        self._records = records
        self._flush_s = flush_s
        self._counts: dict[_Key, tuple[int, float]] = {}
        self._waiting: deque[tuple[str, str, Sequence[UsageEntry]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "UsageMeter":
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self.flush()
        except StoreUnavailable:
            log.error("%d batches of the usage ledger could not be written", len(self._waiting))

    def add(self, cast: Cast, seconds: float, usage: Usage = Usage.LIVE) -> None:
        """One line, whole or broken off: `seconds` of sound were sent."""
        npc = "" if cast.npc is None else cast.npc.id
        key = (cast.project, cast.voice_record.id, cast.voice_record.revision, npc, usage)
        lines, so_far = self._counts.get(key, (0, 0.0))
        self._counts[key] = (lines + 1, so_far + seconds)

    async def flush(self) -> None:
        """Writes all there is. Raises `StoreUnavailable`, and keeps what is not written."""
        counts, self._counts = self._counts, {}
        now = self._records.now()
        by_project: dict[str, list[UsageEntry]] = {}
        for (project, voice, revision, npc, usage), (lines, seconds) in counts.items():
            entry = UsageEntry(
                time=now,
                voice=voice,
                revision=revision,
                lines=lines,
                seconds=seconds,
                usage=usage,
                npc=npc,
            )
            by_project.setdefault(project, []).append(entry)
        for project, entries in by_project.items():
            self._waiting.append((project, secrets.token_hex(8), entries))
        while len(self._waiting) > _MOST_WAITING:
            project, _, entries = self._waiting.popleft()
            log.error("usage of %d voices in project %s is lost", len(entries), project)
        while self._waiting:
            project, batch, entries = self._waiting[0]
            await self._records.append_usage(project, entries, request_id=batch)
            self._waiting.popleft()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._flush_s)
            with suppress(StoreUnavailable):
                await self.flush()
