"""Independent listeners for `tiny`: pocketsphinx, with two languages.

Two of them. For lines of games it knows the grammar's words and which follow each other, so that it can answer nothing
else; for plain sentences it has its own dictionary and language model of English. Its acoustic model is American and
learned from people: it hears formant voices and other accents worse, whoever speaks.
"""

import math
import tempfile
from collections import Counter
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune.recogniser import Pocketsphinx
from finetune.tiny.g2p import read_dictionary
from finetune.tiny.lines import lines, spoken_words, vocabulary
from finetune.tiny.package import tokenizer
from finetune.tiny.teachers import SAMPLE_RATE_HZ
from kani_npc.text.phones import ALPHABET, PHONES

_BIGRAM_LINES = 100_000
_DISCOUNT = 0.5


class Recogniser:
    """`plain`: of any English; else of the grammar's lines."""

    def __init__(self, *, plain: bool) -> None:
        if plain:
            self._hear = Pocketsphinx()
            return
        with tempfile.TemporaryDirectory() as folder:
            words, model = Path(folder) / "words.dict", Path(folder) / "bigram.arpa"
            words.write_text(_dictionary())
            model.write_text(_bigram())
            self._hear = Pocketsphinx(words, model)

    def __call__(self, samples: NDArray[np.float32], sample_rate_hz: int) -> str:
        """What it hears in mono samples."""
        return self._hear(samples, sample_rate_hz)

    def words(self, samples: NDArray[np.float32]) -> list[str]:
        """The words that it hears in mono samples at 22 050 Hz."""
        return spoken_words(self(samples, SAMPLE_RATE_HZ))


@cache
def recogniser(*, plain: bool) -> Recogniser:
    """One of each a process: its bigram takes longer to count than a voice to judge."""
    return Recogniser(plain=plain)


def hear_game(samples: NDArray[np.float32], sample_rate_hz: int) -> str:
    """The listener for lines of games, by a name for `finetune evaluate --recogniser`."""
    return recogniser(plain=False)(samples, sample_rate_hz)


def _dictionary() -> str:
    known = read_dictionary()
    rules = tokenizer()
    rows: list[str] = []
    for word in vocabulary():
        if word in known:
            phones = [PHONES[ALPHABET.index(code)] for code in known[word]]
        else:
            spoken = (symbol.rstrip("1") for symbol in rules.symbols(word))
            phones = [phone for phone in spoken if phone in PHONES]
        rows.append(f"{word} {' '.join(phones)}\n")
    return "".join(rows)


def _bigram() -> str:
    """ARPA text of a bigram with absolute discounting, from lines that are not the judged ones."""
    ones, twos = Counter[str](), Counter[tuple[str, str]]()
    for line in islice(lines(123, held_out=False), _BIGRAM_LINES):
        words = ["<s>", *spoken_words(line), "</s>"]
        ones.update(words)
        twos.update(pairwise(words))
    for word in vocabulary():
        ones.setdefault(word, 1)
    follows, kinds = Counter[str](), Counter[str]()
    for (first, _), count in twos.items():
        follows[first] += count
        kinds[first] += 1
    total = ones.total()

    def back_off(word: str) -> float:
        return math.log10(_DISCOUNT * kinds[word] / follows[word]) if follows[word] else 0.0

    rows = ["\\data\\", f"ngram 1={len(ones)}", f"ngram 2={len(twos)}", "", "\\1-grams:"]
    rows += [f"{math.log10(n / total):.4f} {w} {back_off(w):.4f}" for w, n in sorted(ones.items())]
    rows += ["", "\\2-grams:"]
    rows += [
        f"{math.log10((n - _DISCOUNT) / follows[a]):.4f} {a} {b}"
        for (a, b), n in sorted(twos.items())
    ]
    return "\n".join([*rows, "", "\\end\\", ""])
