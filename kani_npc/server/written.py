"""The text of one line while it is being written: fragments in, pieces to say out.

What it keeps is bounded by the length that a text may have. Knows no wire and no engine.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from kani_npc.errors import LineNotFound, OutOfSequence
from kani_npc.text.clean import is_speakable
from kani_npc.text.limits import check_length
from kani_npc.text.pieces import PieceSplitter, split

# An open line holds a slot. One that nobody writes on for so long was forgotten, or its writer is gone.
MAX_PAUSE_S = 60.0


class Fragment(NamedTuple):
    """Text, cut anywhere; `flush` says it now, `close` says that nothing follows."""

    text: str
    flush: bool = False
    close: bool = False


class WrittenText:
    """One writer, or several that number their fragments; one reader."""

    def __init__(self, language: str, max_characters: int, respell: Callable[[str], str]) -> None:
        """`respell` is the project's lexicon: clean text in, clean text out."""
        self._language, self._max_characters = language, max_characters
        self._respell = respell
        self._splitter = PieceSplitter(language, max_characters)
        self._ready: deque[str] = deque()
        self._written = asyncio.Event()
        self._length = 0
        self._next = 0
        self._is_closed = False
        self.is_forgotten = False  # nobody wrote for `MAX_PAUSE_S`

    def write(self, fragment: Fragment, *, field: str) -> None:
        """Raises `InvalidUtterance`, having taken nothing, for more text than a line may have."""
        length = self._length + len(fragment.text)
        check_length(length, field=field)
        self._length = length
        pieces = self._splitter.feed(fragment.text)
        if fragment.flush or fragment.close:
            pieces += self._splitter.flush()
        for piece in pieces:
            said = self._respell(piece)
            if is_speakable(said):
                # It may be longer than what was written.
                self._ready += split(said, self._language, self._max_characters)
        self._is_closed = fragment.close
        self._written.set()

    def append(self, fragment: Fragment, sequence: int, *, field: str) -> int:
        """Takes a numbered fragment once, however often it comes. The number that is expected next.

        Raises `OutOfSequence` for a gap, `LineNotFound` after the last, and what `write` does.
        """
        if sequence > self._next:
            raise OutOfSequence(
                f"fragment {sequence} came, and {self._next} is next; send what is between first",
                next_sequence=self._next,
            )
        if sequence == self._next:
            if self._is_closed or self.is_forgotten:
                raise LineNotFound("this line takes no more text: it was closed")
            self.write(fragment, field=field)
            self._next += 1
        return self._next

    async def pieces(self) -> AsyncGenerator[str]:
        """What is to be said, as soon as it is certain; ends with the text, or where it is forgotten."""
        while True:
            while self._ready:
                yield self._ready.popleft()
            if self._is_closed:
                return
            self._written.clear()
            try:
                async with asyncio.timeout(MAX_PAUSE_S):
                    await self._written.wait()
            except TimeoutError:
                self.is_forgotten = True
                return
