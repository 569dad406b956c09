"""Makes `pronunciations.xz`: CMUdict, and letter-to-sound rules learned from it for all other words.

Most words are as in Festival's edition of CMUdict (Debian's `festlex-cmu`), which has stress and which flite, the
teacher, speaks by; words that it lacks are from the one in pocketsphinx's wheel, with stress by the rules. Letters and
phones are aligned by Viterbi training (a letter says nothing, one phone or two); then, letter by letter, a rule is kept
for as much context as changes the answer. Words that the rules get right need no entry, so the dictionary that ships
holds the exceptions only.

    python -m finetune.tiny.g2p kani_npc/tiny
"""

import lzma
import math
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from kani_npc.text.phones import (
    CODES,
    CONTEXT,
    PRONUNCIATIONS_FILE,
    STRESS,
    Pronunciations,
    contexts,
    stress_first_vowel,
)

_ALIGNMENT_WORDS = (
    20_000  # enough to learn which letters say what; all words are aligned at the end
)
_ALIGNMENT_ROUNDS = 5
_RARE = 1e-6
_HELD_OUT_ONE_IN = 20
_FESTIVAL = Path("/usr/share/festival/dicts/cmu/cmudict-0.4.out")
_FESTIVAL_ENTRY = re.compile(r'\("([a-z]+(?:\'[a-z]+)*)" \S+ \((.*)\)\)')
_FESTIVAL_SYLLABLE = re.compile(r"\(\(([a-z ]+)\) ([01])\)")

Lexicon = dict[str, str]
"""Word -> packed phones, one character of `ALPHABET` each."""

_WITHOUT_STRESS = str.maketrans({stressed: vowel for vowel, stressed in STRESS.items()})


def read_dictionary(path: Path | None = None) -> Lexicon:
    """CMUdict's first pronunciation of every word of letters and apostrophes, without stress."""
    if path is None:
        from pocketsphinx import get_model_path

        path = Path(get_model_path()) / "en-us" / "cmudict-en-us.dict"
    lexicon: Lexicon = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        if re.fullmatch(r"[a-z]+(?:'[a-z]+)*", word):
            lexicon[word] = "".join(CODES[phone] for phone in phones)
    return lexicon


def read_stressed_dictionary(path: Path = _FESTIVAL) -> Lexicon:
    """The first pronunciation of every word in Festival's edition of CMUdict, with stress; its `ax` is CMUdict's AH0.

    Raises `FileNotFoundError` where `festlex-cmu` is not installed.
    """
    lexicon: Lexicon = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = _FESTIVAL_ENTRY.fullmatch(line.strip())
        if entry is None or entry[1] in lexicon:
            continue
        lexicon[entry[1]] = "".join(
            STRESS.get(code, code) if stress == "1" else code
            for phones, stress in _FESTIVAL_SYLLABLE.findall(entry[2])
            for code in map(_code_of, phones.split())
        )
    return lexicon


def _code_of(phone: str) -> str:
    return CODES["AH" if phone == "ax" else phone.upper()]


def stressed_like(phones: str, example: str) -> str:
    """Packed phones without stress, with it on those vowels, by their count, that have it in `example`.

    Where that has another number of vowels, the first one has it.
    """
    plain = example.translate(_WITHOUT_STRESS)
    has_stress = [
        code != vowel for code, vowel in zip(example, plain, strict=True) if vowel in STRESS
    ]
    if len(has_stress) != sum(code in STRESS for code in phones):
        return stress_first_vowel(phones)
    of_vowel = iter(has_stress)
    return "".join(STRESS[c] if c in STRESS and next(of_vowel) else c for c in phones)


def align(lexicon: Lexicon, seed: int = 0) -> dict[str, list[str]]:
    """Splits each word's phones among its letters. Words with too many phones for their letters are left out."""
    words = [word for word in sorted(lexicon) if "'" not in word]
    sample = random.Random(seed).sample(words, min(_ALIGNMENT_WORDS, len(words)))
    # The start: any letter may say anything that occurs at about its place in a word.
    costs: dict[str, dict[str, float]] | None = None
    for _ in range(_ALIGNMENT_ROUNDS):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for word in sample:
            for letter, sound in zip(word, _split(word, lexicon[word], costs) or (), strict=False):
                counts[letter][sound] += 1
        costs = {
            letter: {sound: -math.log(n / sounds.total()) for sound, n in sounds.items()}
            for letter, sounds in counts.items()
        }
    aligned = {word: _split(word, lexicon[word], costs) for word in words}
    return {word: sounds for word, sounds in aligned.items() if sounds is not None}


def _split(word: str, phones: str, costs: dict[str, dict[str, float]] | None) -> list[str] | None:
    """The cheapest way to give each letter 0, 1 or 2 phones, in order."""
    n = len(phones)
    if n > 2 * len(word):
        return None
    rare = -math.log(_RARE)
    best = [math.inf] * (n + 1)
    best[0] = 0.0
    came: list[list[int]] = []
    for i, letter in enumerate(word):
        table = None if costs is None else costs.get(letter, {})
        row, back = [math.inf] * (n + 1), [0] * (n + 1)
        for j in range(n + 1):
            for took in (0, 1, 2) if j >= 2 else range(j + 1):
                cost = best[j - took]
                if cost == math.inf:
                    continue
                if table is None:
                    # Along the diagonal, and one phone a letter where possible.
                    cost += abs(j - (i + 1) * n / len(word)) + 0.5 * abs(took - 1)
                else:
                    cost += table.get(phones[j - took : j], rare)
                if cost < row[j]:
                    row[j], back[j] = cost, took
        best = row
        came.append(back)
    if best[n] == math.inf:
        return None
    sounds: list[str] = []
    j = n
    for back in reversed(came):
        sounds.append(phones[j - back[j] : j])
        j -= back[j]
    return sounds[::-1]


def learn_rules(aligned: dict[str, list[str]]) -> dict[str, str]:
    """Context -> sound, for every context whose answer differs from that of the next shorter one."""
    answers: list[dict[str, Counter[str]]] = [defaultdict(Counter) for _ in CONTEXT]
    for word, sounds in aligned.items():
        for context, sound in zip(contexts(word), sounds, strict=True):
            for length in range(1, len(context) + 1):
                answers[length - 1][context[:length]][sound] += 1
    rules: dict[str, str] = {}
    said: dict[str, str] = {"": ""}  # what is answered for a context so far
    for level in answers:
        shorter, said = said, {}
        for context, sounds in level.items():
            before = shorter[context[:-1]]
            sound, count = sounds.most_common(1)[0]
            # A context seen once is as likely a name's oddity as a rule; ties keep the shorter answer.
            if len(context) == 1 or (sound != before and count > sounds[before] and count >= 2):
                rules[context] = sound
                said[context] = sound
            else:
                said[context] = before
    return rules


def pack(rules: dict[str, str], words: Lexicon) -> bytes:
    """The file's bytes: rules, an empty line, words."""

    def lines(table: dict[str, str]) -> str:
        return "\n".join(f"{key} {value}" for key, value in sorted(table.items()))

    return lzma.compress(
        f"{lines(rules)}\n\n{lines(words)}\n".encode(), preset=9 | lzma.PRESET_EXTREME
    )


def error_rates(pronunciations: Pronunciations, lexicon: Lexicon) -> tuple[float, float, float]:
    """Of the rules alone: phone error rate, word error rate, and the share of words whose stress alone is wrong."""
    errors = phones = wrong = stress = 0
    for word, right in lexicon.items():
        said = pronunciations.sound_out(word)
        plain, plain_right = said.translate(_WITHOUT_STRESS), right.translate(_WITHOUT_STRESS)
        errors += _distance(plain, plain_right)
        phones += len(right)
        wrong += plain != plain_right
        stress += plain == plain_right and said != right
    return errors / phones, wrong / len(lexicon), stress / len(lexicon)


def _distance(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def run(folder: Path) -> None:
    """Writes `pronunciations.xz` and prints how well the rules do on words they have not seen."""
    lexicon = read_stressed_dictionary()
    aligned = align(lexicon)
    held_out = set(random.Random(1).sample(sorted(aligned), len(aligned) // _HELD_OUT_ONE_IN))
    seen = learn_rules({word: sounds for word, sounds in aligned.items() if word not in held_out})
    phone_errors, word_errors, stress_errors = error_rates(
        Pronunciations(pack(seen, {})), {w: lexicon[w] for w in held_out}
    )
    print(
        f"rules on {len(held_out)} unseen words: {phone_errors:.1%} phone errors, {word_errors:.1%} words wrong, "
        f"{stress_errors:.1%} in their stress alone"
    )

    rules = learn_rules(aligned)
    by_rule = Pronunciations(pack(rules, {}))
    for word, phones in read_dictionary().items():
        if word not in lexicon:
            lexicon[word] = stressed_like(phones, by_rule.sound_out(word.replace("'", "")))
    exceptions = {w: p for w, p in lexicon.items() if "'" in w or by_rule.sound_out(w) != p}
    packed = pack(rules, exceptions)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PRONUNCIATIONS_FILE).write_bytes(packed)
    started = time.perf_counter()
    Pronunciations(packed)
    load_ms = 1000 * (time.perf_counter() - started)
    print(
        f"{len(lexicon)} words: {len(rules)} rules, {len(exceptions)} entries, {len(packed)} bytes, {load_ms:.0f} ms"
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]))
