"""Respells words that a project wants said in its own way. Knows no tokenizer and no store.

Whole words, upper and lower case alike, the longest entry first; what is put in is not looked at again.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import accumulate

_WORDS = re.compile(r"(\w+)")


class Respeller:
    """`entries` are words and their respellings. A text of n words costs n look-ups, however many entries there are."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        self._by_first_word: dict[str, list[tuple[str, str]]] = {}
        for word, respelling in entries:
            word = " ".join(word.lower().split())
            if first := _WORDS.match(word):  # one that begins with a sign is never found
                self._by_first_word.setdefault(first.group(), []).append((word, respelling))
        for candidates in self._by_first_word.values():
            candidates.sort(key=lambda entry: -len(entry[0]))

    def __call__(self, text: str) -> str:
        """`text` has single blanks, as `clean` leaves it."""
        lowered = text.lower()
        if len(lowered) != len(text):  # a letter of Turkish grows: positions would not fit any more
            lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        parts = _WORDS.split(lowered)  # words and what is between them
        starts = accumulate(map(len, parts), initial=0)
        pieces, done = [], 0
        for start, part in zip(starts, parts, strict=False):
            if part not in self._by_first_word or start < done:
                continue
            for word, respelling in self._by_first_word[part]:
                end = start + len(word)
                if lowered.startswith(word, start) and not _continues(lowered, end):
                    pieces += (text[done:start], respelling)
                    done = end
                    break
        return "".join((*pieces, text[done:])) if pieces else text


def respell(text: str, entries: Mapping[str, str]) -> str:
    """`text` with the words of `entries` respelled."""
    return _respeller(tuple(entries.items()))(text) if entries else text


@lru_cache(maxsize=64)
def _respeller(entries: tuple[tuple[str, str], ...]) -> Respeller:
    return Respeller(entries)


def _continues(text: str, end: int) -> bool:
    """Whether a word goes on there."""
    return end < len(text) and (text[end].isalnum() or text[end] == "_")
