"""Which voice spoke how much: one entry per line or batch of lines, appended, never changed."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum


class Usage(Enum):
    LIVE = "live"  # as it was generated, or from the line cache
    RENDERED = "rendered"  # into files


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry:
    time: datetime
    voice: str
    revision: int
    lines: int
    seconds: float  # of sound that was sent
    usage: Usage
    npc: str = ""


async def to_csv(entries: AsyncIterator[UsageEntry]) -> AsyncIterator[str]:
    """The ledger as CSV (RFC 4180), a header first; a few kilobytes at a time, so that any length fits."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(f.name for f in fields(UsageEntry))
    async for e in entries:
        writer.writerow(
            (
                e.time.isoformat(),
                e.voice,
                e.revision,
                e.lines,
                f"{e.seconds:.3f}",
                e.usage.value,
                e.npc,
            )
        )
        if text.tell() > 4096:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
