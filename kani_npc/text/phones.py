"""The tokenizer of small voices: raw text in, phones out.

    text -> words (`normalize`) -> phones, from a dictionary or letter-to-sound rules -> ids

English, and Spanish (`spanish`) where the accent's tag says so.

An encoded text is `[BOS, tag, symbol, symbol, ..., pad, pad]`. The tag symbol is the accent, or a neutral one, so that
the first sound always has the same place; pads fill up to a multiple of `pad_multiple`, so that speech starts at one of
a few positions and a symbol and its sound are a fixed distance apart, which a small model learns far sooner than a
distance that varies with the line. Knows nothing about models; `finetune/tiny/g2p.py` makes the pronunciations.

The `pronunciations.xz` of a model folder is text: rules, an empty line, words; both sorted lines `key value`, a phone
being one character, as `CODES` says. The words are searched where they lie: no table of them is built.
"""

import json
import lzma
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kani_npc.errors import CheckpointError, InvalidUtterance
from kani_npc.text import spanish
from kani_npc.text.limits import MAX_SPEECH_S
from kani_npc.text.normalize import normalize
from kani_npc.tokens import END_OF_TEXT, START_OF_TEXT

KIND = "phones"
PRONUNCIATIONS_FILE = "pronunciations.xz"

# ARPAbet as CMUdict writes it, vowels without stress; a 1 after one is stress of either kind.
PHONES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
).split()
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
STRESSED = [f"{vowel}1" for vowel in VOWELS]
SOUNDS = (*PHONES, *STRESSED)
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + "01"
CODES = dict(zip(SOUNDS, ALPHABET, strict=True))
STRESS = {CODES[vowel]: CODES[stressed] for vowel, stressed in zip(VOWELS, STRESSED, strict=True)}
"""The code of a vowel -> that of the same with stress."""
WORD_GAP = " "
PAUSES = (",", ".", "?", "!")

PAD, NO_TAG, _FIRST_FREE = (
    0,
    END_OF_TEXT + 1,
    END_OF_TEXT + 2,
)  # 1 and 2 are the published BOS and end_of_text

# Fast English is about 14 phones and gaps a second; the limit on seconds becomes one on symbols.
MAX_SYMBOLS = round(MAX_SPEECH_S * 14)

_TAGGED = re.compile(r"([A-Za-z0-9_-]{1,32}): ?")
_WORD_OR_PAUSE = re.compile(r"(?:[^\W\d_]|')+|[,.?!]")
_SPANISH = "es"
_ANY_VOWEL = frozenset((*VOWELS, *STRESSED))
_VOWEL_CODE = re.compile(f"[{''.join(STRESS)}]")
_STRESSED_CODE = re.compile(f"[{''.join(STRESS.values())}]")

# Letters of the rules' context, nearest first: the letter, 1 right, 1 left, 2 right, ...
CONTEXT = (0, 1, -1, 2, -2, 3, -3, 4)
_EDGE = "#"

_LETTER_NAMES = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "EY1|B IY1|S IY1|D IY1|IY1|EH1 F|JH IY1|EY1 CH|AY1|JH EY1|K EY1|EH1 L|EH1 M|EH1 N|OW1|P IY1|K Y UW1|AA1 R|"
        "EH1 S|T IY1|Y UW1|V IY1|D AH1 B AH L Y UW|EH1 K S|W AY1|Z IY1".split("|"),
        strict=True,
    )
)
_SIBILANTS = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_VOICELESS = frozenset(("P", "T", "K", "F", "TH"))


class Pronunciations:
    """How words sound: a dictionary, and letter-to-sound rules for the rest.

    A rule's key is the letter and as much of its surroundings, in the order of `CONTEXT`, as the rule needs;
    the longest key that fits speaks.
    """

    def __init__(self, packed: bytes) -> None:
        text = lzma.decompress(packed)
        rules, _, words = text.partition(b"\n\n")
        # The rules are asked several times a letter, so these twenty thousand short strings are a table.
        self._rules = {
            context: sound
            for context, _, sound in (line.partition(" ") for line in rules.decode().splitlines())
        }
        self._words = _SortedLines(words)
        self.have_stress = any(map(_STRESSED_CODE.search, self._rules.values()))
        """Whether vowels are told apart by it: models from before there was stress have never heard of it."""

    def phones(self, word: str) -> list[str]:
        """The phones of one word of letters and apostrophes; never empty for a word with a letter in it."""
        lower = word.lower().strip("'")
        packed = self._words.get(lower)
        if packed is None and word.isupper() and 2 <= len(word) <= 5:
            return self._spelled(lower)
        if packed is None and lower.endswith("'s"):
            stem = self.phones(lower[:-2])
            return stem + _plural(stem)
        if packed is None:
            packed = self.sound_out(lower.replace("'", ""))
        if not packed:  # a word whose every letter is silent by the rules, "hh" say, is spelled
            return self._spelled(lower)
        return [SOUNDS[ALPHABET.index(code)] for code in packed]

    def _spelled(self, letters: str) -> list[str]:
        names = [phone for letter in letters for phone in _LETTER_NAMES.get(letter, "").split()]
        return names if self.have_stress else [phone.rstrip("1") for phone in names]

    def sound_out(self, letters: str) -> str:
        """The rules alone: lower-case letters -> packed phones. A word has stress, be it on its first vowel."""
        sounds = "".join(self._sound(context) for context in contexts(letters))
        if not self.have_stress or _STRESSED_CODE.search(sounds):
            return sounds
        return stress_first_vowel(sounds)

    def _sound(self, context: str) -> str:
        for length in range(len(context), 0, -1):
            sound = self._rules.get(context[:length])
            if sound is not None:
                return sound
        return ""


def stress_first_vowel(packed: str) -> str:
    """Packed phones that have no stress yet, with it on their first vowel, if they have one."""
    return _VOWEL_CODE.sub(lambda vowel: STRESS[vowel[0]], packed, count=1)


def contexts(letters: str) -> list[str]:
    """For each letter, itself and its neighbours in the order of `CONTEXT`, edges marked."""
    width = max(abs(offset) for offset in CONTEXT)
    padded = _EDGE * width + letters + _EDGE * width
    return ["".join(padded[i + width + offset] for offset in CONTEXT) for i in range(len(letters))]


class PhoneTokenizer:
    """Text to ids.

    `non_rhotic` are the tags of accents that say r before vowels only: their text is encoded so, and a voice that never
    spoke in one of them knows what to do.
    """

    def __init__(
        self,
        pronunciations: Pronunciations,
        tags: Sequence[str],
        pad_multiple: int,
        non_rhotic: Sequence[str] = (),
    ) -> None:
        symbols = [*PHONES, WORD_GAP, *PAUSES, *tags]
        if any(map(_is_spanish, tags)):
            symbols += spanish.PHONES
        if pronunciations.have_stress:  # last, so that what models learned before it keeps its ids
            symbols += STRESSED
        self._pronunciations = pronunciations
        self._ids = {symbol: _FIRST_FREE + i for i, symbol in enumerate(symbols)}
        self.tags, self.non_rhotic = tuple(tags), tuple(non_rhotic)
        self.pad_multiple = pad_multiple
        self.vocab_size = _FIRST_FREE + len(symbols)

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "PhoneTokenizer":
        """From a model folder, `settings` being its tokenizer.json. Raises `CheckpointError`."""
        unknown = set(settings) - {"kind", "tags", "pad_multiple", "non_rhotic"}
        if unknown:
            raise CheckpointError(f"tokenizer.json has unknown keys: {', '.join(sorted(unknown))}")
        path = folder / PRONUNCIATIONS_FILE
        try:
            pronunciations = Pronunciations(path.read_bytes())
        except (OSError, lzma.LZMAError, EOFError) as error:
            raise CheckpointError(
                f"{PRONUNCIATIONS_FILE} beside tokenizer.json cannot be read"
            ) from error
        return cls(
            pronunciations,
            settings.get("tags", ()),
            settings.get("pad_multiple", 32),
            settings.get("non_rhotic", ()),
        )

    def settings(self) -> str:
        """What tokenizer.json holds."""
        settings = {"kind": KIND, "tags": self.tags, "pad_multiple": self.pad_multiple}
        if self.non_rhotic:
            settings["non_rhotic"] = self.non_rhotic
        return json.dumps(settings, indent=2) + "\n"

    def encode(self, text: str) -> list[int]:
        """Ids with BOS, padded. `"en_us: Halt!"` speaks "Halt!" with the symbol of en_us.

        Raises `InvalidUtterance` for text in a script that English spelling does not have, for text without a
        word, and for more than `MAX_SYMBOLS` symbols.
        """
        tag, spoken = "", text
        tagged = _TAGGED.match(text)
        if tagged and tagged[1] in self.tags:
            tag, spoken = tagged[1], text[tagged.end() :]
        symbols = self.symbols(spoken, tag)
        if len(symbols) > MAX_SYMBOLS:
            raise InvalidUtterance(
                f"the text is {len(symbols)} sounds long when spoken, more than the {MAX_SYMBOLS} of about "
                f"{MAX_SPEECH_S} s; split it into shorter lines",
                field="text",
            )
        first = self._ids[tag] if tag else NO_TAG
        ids = [START_OF_TEXT, first, *(self._ids[symbol] for symbol in symbols)]
        return ids + [PAD] * (-len(ids) % self.pad_multiple)

    def symbols(self, text: str, tag: str = "") -> list[str]:
        """Phones with gaps between words, or a pause where the text has one; ends with a pause."""
        is_spanish = _is_spanish(tag)
        say = spanish.phones if is_spanish else self._pronunciations.phones
        symbols: list[str] = []
        for part in _WORD_OR_PAUSE.findall((spanish.normalize if is_spanish else normalize)(text)):
            if part in PAUSES:
                # Of several pauses in a row the first is kept, but the end of a sentence outranks a comma.
                if symbols and symbols[-1] not in PAUSES:
                    symbols.append(part)
                elif symbols and symbols[-1] == ",":
                    symbols[-1] = part
                continue
            phones = say(part)
            if phones and symbols and symbols[-1] not in PAUSES:
                symbols.append(WORD_GAP)
            symbols += phones
            if len(symbols) > 4 * MAX_SYMBOLS:  # far too long already: do not sound out the rest
                break
        if not symbols:
            raise InvalidUtterance("the text has no word that this voice can speak", field="text")
        if symbols[-1] not in PAUSES:
            symbols.append(".")
        return _without_final_r(symbols) if tag in self.non_rhotic else symbols


def _is_spanish(tag: str) -> bool:
    return re.split("[-_]", tag)[0] == _SPANISH


def _without_final_r(symbols: Sequence[str]) -> list[str]:
    """R only before a vowel, that of the next word included, as in England (Wells, Accents of English, 1982, 3.2.2)."""
    heard: list[str] = []
    for place, symbol in enumerate(symbols):
        following = [s for s in symbols[place + 1 : place + 3] if s != WORD_GAP]
        if symbol != "R" or (following and following[0] in _ANY_VOWEL):
            heard.append(symbol)
    return heard


class _SortedLines:
    """`key value` lines in sorted order, searched in place."""

    def __init__(self, lines: bytes) -> None:
        self._lines = b"\n" + lines.strip(b"\n") + b"\n"

    def get(self, key: str) -> str | None:
        wanted = key.encode()
        low, high = 0, len(self._lines) - 1  # both at a newline
        while low < high:
            start = self._lines.rfind(b"\n", low, (low + high) // 2 + 1) + 1
            end = self._lines.find(b"\n", start)
            found, _, value = self._lines[start:end].partition(b" ")
            if found == wanted:
                return value.decode()
            if found < wanted:
                low = end
            else:
                high = start - 1
        return None


def _plural(stem: Sequence[str]) -> list[str]:
    if stem[-1:] and stem[-1] in _SIBILANTS:
        return ["IH", "Z"]
    return ["S"] if stem[-1:] and stem[-1] in _VOICELESS else ["Z"]
