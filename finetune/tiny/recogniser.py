"""An independent listener: pocketsphinx, and how many words it gets wrong.

Two of them. For lines of games it knows the grammar's words and which follow each other, so that it can answer nothing
else; for plain sentences it has its own dictionary and language model of English. Its acoustic model is American and
learned from people: it hears formant voices and other accents worse, whoever speaks.
"""

import math
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune.tiny.g2p import read_dictionary
from finetune.tiny.lines import lines, spoken_words, vocabulary
from finetune.tiny.package import tokenizer
from finetune.tiny.teachers import SAMPLE_RATE_HZ
from kani_npc.text.phones import ALPHABET, PHONES

_BIGRAM_LINES = 100_000
_DISCOUNT = 0.5
_RATE_HZ = 16_000


class Recogniser:
    """`plain`: of any English; else of the grammar's lines."""

    def __init__(self, *, plain: bool) -> None:
        from pocketsphinx import Decoder, get_model_path

        models = Path(get_model_path()) / "en-us"
        with tempfile.TemporaryDirectory() as folder:
            words, model = models / "cmudict-en-us.dict", models / "en-us.lm.bin"
            if not plain:
                words, model = Path(folder) / "words.dict", Path(folder) / "bigram.arpa"
                words.write_text(_dictionary())
                model.write_text(_bigram())
            self._decoder = Decoder(
                hmm=str(models / "en-us"), lm=str(model), dict=str(words), loglevel="FATAL"
            )

    def words(self, samples: NDArray[np.float32]) -> list[str]:
        """What it hears in mono samples at 22 050 Hz."""
        from scipy.signal import resample_poly

        if len(samples) == 0:
            return []
        heard = resample_poly(samples, _RATE_HZ // 50, SAMPLE_RATE_HZ // 50)
        heard = np.pad(heard, 2400)  # it needs some silence around the words
        pcm = (np.clip(heard, -1, 1) * 32_767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        if hypothesis is None:
            return []
        return spoken_words(re.sub(r"\(\d+\)|<\w+>", " ", hypothesis.hypstr))


@cache
def recogniser(*, plain: bool) -> Recogniser:
    """One of each a process: its bigram takes longer to count than a voice to judge."""
    return Recogniser(plain=plain)


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Least number of substitutions, insertions and deletions."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def _dictionary() -> str:
    known = read_dictionary()
    rules = tokenizer()
    rows: list[str] = []
    for word in vocabulary():
        if word in known:
            phones = [PHONES[ALPHABET.index(symbol)] for symbol in known[word]]
        else:
            phones = [symbol for symbol in rules.symbols(word) if symbol in PHONES]
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
