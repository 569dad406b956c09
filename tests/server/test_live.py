"""Lines that are stopped from elsewhere: by id, by their NPC, by a newer turn; never by another project."""

import asyncio

import pytest

from kani_npc.errors import LineNotFound
from kani_npc.server.live import TURN_MEMORY_S, LiveLine, LiveLines, Stopped
from kani_npc.speech import FinishReason

SUPERSEDED, INTERRUPTED = FinishReason.SUPERSEDED, FinishReason.INTERRUPTED


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Said(LiveLine):
    """A line whose listener is slow: whatever stops it lets go of its sound."""

    def __init__(self, id: str, npc: str = "gate", turn: int = 0, project: str = "p") -> None:
        super().__init__(
            project, id, npc=npc, turn=turn, sample_rate_hz=22050, let_go=self._let_it_go
        )
        self.was_let_go = 0

    async def _let_it_go(self) -> None:
        self.was_let_go += 1

    async def ended_as(self) -> FinishReason | None:
        """Why it was stopped, if it was."""
        try:
            await self.leash.wait(asyncio.sleep(0))
        except Stopped as stopped:
            return stopped.reason
        return None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines(clock) -> LiveLines:
    return LiveLines(clock)


async def test_a_newer_turn_silences_lower_ones_of_its_npc_and_nobody_else(lines):
    older, other, unnumbered = Said("1", turn=1), Said("2", npc="smith", turn=1), Said("3")
    same, elsewhere = Said("4", turn=2), Said("5", turn=1, project="q")
    with (
        lines.speaking(older),
        lines.speaking(other),
        lines.speaking(unnumbered),
        lines.speaking(same),
        lines.speaking(elsewhere),
        lines.speaking(Said("6", turn=2)),
    ):
        assert [await line.ended_as() for line in (older, other, unnumbered, same, elsewhere)] == [
            SUPERSEDED, None, None, None, None
        ]  # fmt: skip


async def test_a_turn_that_comes_late_is_superseded_at_once_also_after_the_newer_one_ended(
    lines, clock
):
    with (
        lines.speaking(Said("5", turn=5)),
        pytest.raises(Stopped),
        lines.speaking(Said("4", turn=4)),
    ):
        pass
    with pytest.raises(Stopped) as stopped, lines.speaking(Said("3", turn=3)):
        pass
    assert stopped.value.reason is SUPERSEDED
    with lines.speaking(Said("6", npc="smith", turn=1)), lines.speaking(Said("7")):
        pass
    # A game that was started again counts from 1 again.
    clock.now_s += TURN_MEMORY_S
    with lines.speaking(Said("8", turn=1)):
        pass


async def test_turns_that_are_over_take_no_memory_for_ever(lines, clock):
    for n in range(1000):
        with lines.speaking(Said(str(n), npc=f"npc-{n}", turn=1)):
            pass
        clock.now_s += 1.0
    with lines.speaking(Said("last", turn=1)):
        assert len(lines._past_turns) <= TURN_MEMORY_S + 1
    assert not lines._by_id and not lines._by_npc


async def test_interrupt_finds_lines_by_npc_and_by_id_in_their_project_only(lines):
    a, b, c = Said("a"), Said("b"), Said("c", npc="")
    with lines.speaking(a), lines.speaking(b), lines.speaking(c):
        assert lines.interrupt("q", npc="gate") == lines.interrupt("q", utterance_id="a") == []
        assert lines.interrupt("p", utterance_id="nobody") == []
        assert lines.interrupt("p", utterance_id="a") == [a]
        assert lines.interrupt("p", npc="gate") == [b]  # each is stopped once
        assert lines.interrupt("p", utterance_id="c") == [c]
        assert [await line.ended_as() for line in (a, b, c)] == [INTERRUPTED] * 3
    assert lines.interrupt("p", npc="gate") == []


async def test_the_first_reason_holds(lines):
    line = Said("a", turn=1)
    with lines.speaking(line):
        lines.interrupt("p", npc="gate")
        with lines.speaking(Said("b", turn=2)):
            assert await line.ended_as() is INTERRUPTED


async def test_a_line_with_a_slow_listener_is_let_go_and_one_that_waits_does_so_itself(lines):
    slow, waiting = Said("a"), Said("b")
    with lines.speaking(slow), lines.speaking(waiting):
        task = asyncio.create_task(waiting.leash.wait(asyncio.sleep(60)))
        await asyncio.sleep(0)
        assert lines.interrupt("p", npc="gate")
        with pytest.raises(Stopped):
            await task
        assert (slow.was_let_go, waiting.was_let_go) == (1, 0)


async def test_only_an_open_line_takes_text(lines):
    line = Said("a")
    with lines.speaking(line):
        for id in ("a", "nobody"):
            with pytest.raises(LineNotFound):
                lines.open_text("p", id)
