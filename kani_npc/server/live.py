"""The lines that are being said: found by their NPC or their id, stopped from elsewhere, outrun by a newer turn.

Those of this process, on one event loop. A project never finds another's. Knows no gRPC and no engine.
"""

import asyncio
import math
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from kani_npc.errors import LineNotFound
from kani_npc.server.leash import Leash
from kani_npc.server.written import WrittenText
from kani_npc.speech import FinishReason

# How long an NPC's last turn is remembered once it is silent: a request that was overtaken comes seconds late. A game
# that starts again, and counts its turns from 1 again, takes longer.
TURN_MEMORY_S = 30.0


class Stopped(Exception):
    """Somebody wanted the line to end; that is its end, not an error."""

    def __init__(self, reason: FinishReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class LiveLine:
    """One line, as others see it. `turn` 0 has no place among turns; `text` is there while text may be added."""

    def __init__(
        self,
        project: str,
        utterance_id: str,
        *,
        npc: str = "",
        turn: int = 0,
        text: WrittenText | None = None,
        sample_rate_hz: int,
        let_go: Callable[[], Awaitable[None]],
    ) -> None:
        """`let_go` is called where the line is stopped while its listener is slow: nobody else frees its slot then."""
        self.project = project
        self.utterance_id = utterance_id
        self.npc = npc
        self.turn = turn
        self.text = text
        self.leash = Leash()
        self.sample_rate_hz = sample_rate_hz  # of the stream
        self.samples_sent = 0
        self._let_go = let_go
        self._letting_go: asyncio.Future[None] | None = None

    def stop(self, reason: Exception) -> None:
        """It makes no more sound, whatever it waits for. The first reason holds."""
        if self.leash.is_stopped:
            return
        is_waiting = self.leash.is_waiting
        self.leash.stop(reason)
        if not is_waiting:
            self._letting_go = asyncio.ensure_future(self._let_go())


class LiveLines:
    """All of them."""

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._by_id: dict[tuple[str, str], LiveLine] = {}
        self._by_npc: defaultdict[tuple[str, str], set[LiveLine]] = defaultdict(set)
        # The highest turns of NPCs that fell silent, and until when they count; the oldest first.
        self._past_turns: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    @contextmanager
    def speaking(self, line: LiveLine) -> Iterator[None]:
        """While it is said. Silences lower turns of its NPC; raises `Stopped` if a higher one was seen."""
        npc = (line.project, line.npc)
        if line.turn and line.npc:
            if line.turn < self._highest_turn(npc):
                raise Stopped(FinishReason.SUPERSEDED)
            for other in self._by_npc.get(npc, ()):
                if 0 < other.turn < line.turn:
                    other.stop(Stopped(FinishReason.SUPERSEDED))
        self._by_id[line.project, line.utterance_id] = line
        if line.npc:
            self._by_npc[npc].add(line)
        try:
            yield
        finally:
            del self._by_id[line.project, line.utterance_id]
            if line.npc:
                self._leave(npc, line)

    def interrupt(self, project: str, *, npc: str = "", utterance_id: str = "") -> list[LiveLine]:
        """Stops every line of an NPC, or the one with this id. Those that this stopped."""
        if npc:
            lines = list(self._by_npc.get((project, npc), ()))
        else:
            line = self._by_id.get((project, utterance_id))
            lines = [] if line is None else [line]
        stopped = [line for line in lines if not line.leash.is_stopped]
        for line in stopped:
            line.stop(Stopped(FinishReason.INTERRUPTED))
        return stopped

    def open_text(self, project: str, utterance_id: str) -> WrittenText:
        """The text of a line that takes more of it. Raises `LineNotFound`."""
        line = self._by_id.get((project, utterance_id))
        if line is None or line.text is None or line.leash.is_stopped:
            raise LineNotFound(
                "no line with this utterance_id takes text: it has ended, or was not begun with open_text"
            )
        return line.text

    def _highest_turn(self, npc: tuple[str, str]) -> int:
        now_s = self._now_s()
        while self._past_turns and next(iter(self._past_turns.values()))[1] <= now_s:
            self._past_turns.popitem(last=False)
        past, _ = self._past_turns.get(npc, (0, math.inf))
        return max([past, *(line.turn for line in self._by_npc.get(npc, ()))])

    def _leave(self, npc: tuple[str, str], line: LiveLine) -> None:
        if line.turn:
            highest = self._highest_turn(npc)
            self._past_turns.pop(npc, None)
            self._past_turns[npc] = highest, self._now_s() + TURN_MEMORY_S
        self._by_npc[npc].discard(line)
        if not self._by_npc[npc]:
            del self._by_npc[npc]
