"""Cuts a text of any length into pieces that a model says at a time, all at once or while it is being written.

A piece ends where a sentence does; `sentencex` knows where that is, abbreviations, initials, numbers and quotes
included. A short sentence waits for the next one, and one that is too long is cut at a clause mark, else between words.

Every decision is made as soon as the words that it rests on are there, and rests on no others: how a text is cut into
fragments changes nothing, and a text that comes in fragments is cut as it is when it comes at once, but for its start:
speech begins there at the first clause that can be spoken, while a text that fits is one piece.
"""

import re
from collections.abc import Iterable, Iterator

import sentencex

from kani_npc.text.clean import is_speakable, plain

# In characters of text, of which English has about 15 in a second of speech.
SHORT = (
    30  # a sentence below is not worth its own piece: models are at their worst with a word or two
)
SHORT_START = 12  # but speech should start
CLAUSE_START = 24  # a clause that speech may start with: the next one is written before it was said

_SENTENCE_MARKS, _CLAUSE_MARKS, _CLOSERS = ".!?", ",;:", "\"')]}"
# Python counts these among the blanks; cleaning drops them from the middle of a word.
_CONTROLS = "\x1c\x1d\x1e\x1f"

# What sentencex 1.0 ends a sentence after and does not.
_MORE_ABBREVIATIONS = {
    "en": "approx dept ext lvl vol",
    "de": "dipl exkl frl geb inkl tel zzgl",
    "es": "aprox c/ d dña dres fr izq",
}
_ABBREVIATIONS = {lang: frozenset(words.split()) for lang, words in _MORE_ABBREVIATIONS.items()}
# "im 19. Jahrhundert", "der 2. Weltkrieg": any noun may follow, so what stands before decides. "Hauptstr. 5".
_GERMAN = re.compile(
    r"\b(?:[ai]m|zum|zur|vom|beim|d(?:er|ie|as|en|em|es)|eine?[rmns]?|jede[rsmn]?|bis|seit|ab) \d{1,3}\.$|\wstr\.$",
    re.IGNORECASE,
)


def split(text: str, language: str, max_characters: int) -> list[str]:
    """`text`, clean, in pieces of at most `max_characters`; joined by blanks they are the text again.

    `language` is a language tag of a model ("en_us", "de"); one that is not known is read as English. A text that fits
    is one piece. Of another one, the first piece ends with its first sentence, so that speech can start.
    """
    return list(Pieces(text, language, max_characters))


class Pieces:
    """The same, each piece cut when it is asked for: the first one is there before the rest is looked at."""

    def __init__(self, text: str, language: str, max_characters: int) -> None:
        self.characters = len(text)  # in no piece yet, without the blanks between
        self._pieces = _cut(text, language, max_characters)
        # Sentences are as good as pieces, but for short ones and for long ones.
        sentences = sum(map(text.count, _SENTENCE_MARKS))
        fewest, most = -(-len(text) // max_characters), len(text) // SHORT
        self._characters_each = len(text) / max(1, fewest, min(sentences, most))

    @property
    def about(self) -> int:
        """About how many are left. No cut rests on it."""
        return -(-self.characters // max(1, round(self._characters_each)))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self.characters = 0  # but for signs that nobody says
            raise
        self.characters = max(0, self.characters - len(piece) - 1)
        return piece


def _cut(text: str, language: str, max_characters: int) -> Iterator[str]:
    if len(text) <= max_characters:
        yield text
        return
    cutter = _Cutter(language, max_characters)
    yield from cutter.add(text.split())
    yield from cutter.end()


class PieceSplitter:
    """The same for a text that comes in fragments, raw and cut anywhere. What a call returns may be spoken.

    Keeps no more than a piece and the word that is being written.
    """

    def __init__(self, language: str, max_characters: int) -> None:
        self._cutter = _Cutter(language, max_characters, clause_start=CLAUSE_START)
        self._raw: list[str] = []  # of a word that may go on

    def feed(self, fragment: str) -> list[str]:
        """What can be spoken now. What the next fragment could change is kept back."""
        end = len(fragment)
        while end and not (fragment[end - 1].isspace() and fragment[end - 1] not in _CONTROLS):
            end -= 1
        if end == 0:
            self._raw.append(fragment)
            return []
        words, self._raw = "".join((*self._raw, fragment[:end])), [fragment[end:]]
        return list(self._cutter.add(plain(words).split()))

    def flush(self) -> list[str]:
        """All that is there, whole or not. Speech starts anew with what follows."""
        words, self._raw = "".join(self._raw), []
        return [*self._cutter.add(plain(words).split()), *self._cutter.end()]

    def close(self) -> list[str]:
        """The rest. Nothing follows."""
        return self.flush()


class _Cutter:
    """Whole words in, pieces out."""

    def __init__(
        self, language: str, max_characters: int, *, clause_start: int | None = None
    ) -> None:
        self._language = re.split("[-_]", language.lower())[0]
        self._abbreviations = _ABBREVIATIONS.get(self._language, frozenset())
        self._max = max_characters
        self._short = min(SHORT, max_characters // 3)
        self._clause_start = clause_start
        self._words: list[str] = []  # not in a piece yet
        self._sentence = 0  # where in them the last sentence begins
        self._has_begun = False

    def add(self, words: Iterable[str]) -> Iterator[str]:
        for word in words:
            self._words.append(word)
            yield from self._after_sentence()
            yield from self._after_clause()
            while _length(self._words) > self._max:
                yield from self._cut_long()

    def end(self) -> Iterator[str]:
        yield from self._piece(len(self._words))
        self._has_begun = False

    def _after_sentence(self) -> Iterator[str]:
        start = self._next_sentence()
        if start is None:
            return
        self._sentence = start
        shortest = self._short if self._has_begun else min(SHORT_START, self._short)
        if _length(self._words[:start]) >= shortest:
            yield from self._piece(start)

    def _next_sentence(self) -> int | None:
        """Where in the words a sentence begins that the last one shows to have begun."""
        words = self._words
        if not is_speakable(words[-1]):
            return None
        # Behind the speakable word before: signs may stand between.
        first = len(words) - 1
        while first > self._sentence and not is_speakable(words[first - 1]):
            first -= 1
        if not any(_ends_with(w, _SENTENCE_MARKS) for w in words[max(0, first - 1) : -1]):
            return None
        so_far, end, start = " ".join(words[self._sentence :]), 0, self._sentence
        sentences: list[str] = sentencex.segment(self._language, so_far)  # pyright: ignore[reportAttributeAccessIssue]  ships no types
        for sentence in sentences[:-1]:
            end += len(sentence)
            if so_far[end - 1] == " ":  # and not within a word
                start = self._sentence + so_far.count(" ", 0, end)
        if start < first or start == self._sentence or self._goes_on(words, start):
            return None
        return start

    def _goes_on(self, words: list[str], start: int) -> bool:
        """Whether the sentence does after all."""
        if words[start] == "-" and words[-1][0].islower():  # "Who goes? - asked the guard."
            return True
        last = words[start - 1]
        if last.rstrip(".").lstrip("(\"'").lower() in self._abbreviations and last.endswith("."):
            return True
        before = " ".join(words[max(0, start - 2) : start])
        return self._language == "de" and _GERMAN.search(before) is not None

    def _after_clause(self) -> Iterator[str]:
        if self._has_begun or self._clause_start is None or not _ends_clause(self._words[-1:]):
            return
        # Whose a dash behind a sentence is, the next word shows.
        said = next((word for word in reversed(self._words) if word != "-"), "")
        if self._words[-1] == "-" and _ends_with(said, _SENTENCE_MARKS):
            return
        if _length(self._words) >= min(self._clause_start, self._max):
            yield from self._piece(len(self._words))

    def _cut_long(self) -> Iterator[str]:
        """Takes a piece off words that are too long for one."""
        words, fitting, length = self._words, 0, -1
        while length + 1 + len(words[fitting]) <= self._max:
            length += 1 + len(words[fitting])
            fitting += 1
        if fitting == 0:  # a word as long as that is none
            words[:1] = words[0][: self._max], words[0][self._max :]
            yield from self._piece(1)
            return
        ends = [n for n in range(fitting, 0, -1) if _length(words[:n]) >= self._max // 3]
        clauses = (n for n in ends if _ends_clause(words[:n]))
        between_words = (n for n in ends if not _belong_together(words[n - 1], words[n]))
        # A short sentence before it stands alone rather than have it cut in the middle of a clause.
        otherwise = self._sentence or next(between_words, fitting)
        yield from self._piece(next(clauses, otherwise))

    def _piece(self, num_words: int) -> Iterator[str]:
        piece, self._words = " ".join(self._words[:num_words]), self._words[num_words:]
        self._sentence = max(0, self._sentence - num_words)
        if is_speakable(piece):
            self._has_begun = True
            yield piece


def _length(words: list[str]) -> int:
    return sum(map(len, words)) + len(words) - 1


def _ends_with(word: str, marks: str) -> bool:
    return word.rstrip(_CLOSERS).endswith(tuple(marks))


def _ends_clause(words: list[str]) -> bool:
    return words[-1] == "-" or _ends_with(words[-1], _CLAUSE_MARKS)


def _belong_together(left: str, right: str) -> bool:
    """A number and what it counts, a title and its name."""
    return left[-1].isdigit() or right[0].isdigit() or left[-1] in ".$€£¥#" or right[0] in "%°"
