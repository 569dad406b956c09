"""Spanish spelling -> phones. Its rules have few exceptions, so no dictionary is needed.

The sounds are those of Castilian. Where English has one like it, it is the same symbol, and the accent's symbol before
the text says whose it is. Which sounds run together, and that b, d and g soften between vowels, is left to the model.

Stress is in the vowels: an acute says where it is, and without one the word's end does (Real Academia Espanola,
Ortografia, 2010, chapter II).
"""

import re
import unicodedata

from kani_npc.errors import InvalidUtterance
from kani_npc.text.numbers import say_numbers

# Beside those of English: vowels without stress and with it, the r of perro and of pero, j, and n with tilde.
PHONES = ("a", "e", "i", "o", "u", "a1", "e1", "i1", "o1", "u1", "rr", "r", "x", "ny")

_STRONG = "aeoáéó"
_VOWELS = _STRONG + "iuíúü"
_SINGLE = {
    "b": "B", "d": "D", "f": "F", "j": "x", "k": "K", "l": "L", "m": "M", "n": "N", "ñ": "ny", "p": "P", "s": "S",
    "t": "T", "v": "B", "w": "W", "y": "Y", "z": "TH",
}  # fmt: skip
_LETTER_NAMES = dict(
    zip(
        "abcdefghijklmnñopqrstuvwxyz",
        "a|be|ce|de|e|efe|ge|hache|i|jota|ka|ele|eme|ene|eñe|o|pe|cu|erre|ese|te|u|uve|uvedoble|equis|ye|zeta".split(
            "|"
        ),
        strict=True,
    )
)
# Words that lean on the next one.
_UNSTRESSED = frozenset(
    "a al con de del e el en la las le les lo los me mi mis ni nos o os para por que se si sin su sus te tu tus u un "
    "y".split()
)
_ABBREVIATIONS = {
    "sr": "señor", "sra": "señora", "srta": "señorita", "sres": "señores", "dr": "doctor", "dra": "doctora",
    "prof": "profesor", "d": "don", "dña": "doña", "sto": "santo", "sta": "santa", "gral": "general", "cap": "capitán",
    "cnel": "coronel", "tte": "teniente", "sgto": "sargento", "ud": "usted", "uds": "ustedes", "etc": "etcétera",
    "pág": "página", "núm": "número", "av": "avenida",
}  # fmt: skip
_SIGNS = {
    "&": " y ", "@": " arroba ", "+": " más ", "=": " igual a ", "#": " número ", "%": " por ciento ",
    "°": " grados ", "$": " dólares ", "€": " euros ", "£": " libras ",
}  # fmt: skip
_KEPT = "áéíóúüñ"
_OLD_X = (
    "méxico",
    "mexican",
    "texas",
    "texan",
    "oaxac",
)  # an x that is said as j, since 1815 in these only
_ABBREVIATION = re.compile(rf"\b({'|'.join(_ABBREVIATIONS)})\.(?=\s|,|$)", re.I)


def normalize(text: str) -> str:
    """Words of Spanish letters, and the pauses , . ? ! between them (other signs may remain).

    Other Latin letters lose their accents. Raises `InvalidUtterance` (field "text") for letters of other scripts.
    """
    text = say_numbers(unicodedata.normalize("NFC", text), "es")
    text = _ABBREVIATION.sub(lambda match: _ABBREVIATIONS[match[1].lower()], text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"\.{2,}(?=\s*$)|…(?=\s*$)", ".", text)
    text = re.sub(r"\.{2,}|…|\s-+\s|--+|[\u2013\u2014;:()\[\]{}]", ", ", text)
    return " ".join("".join(map(_letter, text)).split())


def _letter(c: str) -> str:
    if c.isascii() or c.lower() in _KEPT:
        return c
    plain = "".join(p for p in unicodedata.normalize("NFKD", c) if unicodedata.category(p) != "Mn")
    if plain.isascii():
        return plain
    if unicodedata.category(c)[0] in "LN":
        script = unicodedata.name(c, "unknown").split()[0].capitalize()
        raise InvalidUtterance(
            f"this voice speaks Spanish in Latin letters; the text has {script} ones", field="text"
        )
    return " "


def phones(word: str) -> list[str]:
    """The phones of one word of Spanish letters; never empty for a word with a letter in it."""
    lower = word.lower()
    if len(lower) > 1 and not any(c in _VOWELS + "y" for c in lower):  # cannot be said: spelled
        return [phone for letter in lower for phone in phones(_LETTER_NAMES.get(letter, ""))]
    if lower in _LETTER_NAMES and lower not in "aeouy":
        lower = _LETTER_NAMES[lower]
    sounds: list[str] = []
    nuclei: list[int] = []  # places in `sounds`
    accented = None
    at = 0
    while at < len(lower):
        sound, taken, is_nucleus = _sound(lower, at)
        if is_nucleus:
            if lower[at] in "áéíóú":
                accented = len(sounds)
            nuclei.append(len(sounds))
        sounds += sound.split()
        at += taken
    if nuclei and lower not in _UNSTRESSED:
        ends_open = lower[-1] in _VOWELS or lower[-1] in "ns"
        usual = nuclei[-2] if ends_open and len(nuclei) > 1 else nuclei[-1]
        stressed = usual if accented is None else accented
        sounds[stressed] += "1"
    return sounds


def _sound(word: str, at: int) -> tuple[str, int, bool]:
    """The sound of the letters at a place, how many there are, and whether it is a syllable's vowel."""
    letter, after = word[at], word[at + 1 : at + 2]
    before = word[at - 1] if at else ""
    pair = letter + after
    if letter in _VOWELS:
        return _vowel(word, at, before, after)
    if pair in ("ch", "ll", "rr"):
        return {"ch": "CH", "ll": "Y", "rr": "rr"}[pair], 2, False
    if pair == "qu":
        return "K", 2, False
    if pair == "gu" and word[at + 2 : at + 3] in tuple("eiéí"):
        return "G", 2, False
    if letter == "c":
        return "TH" if after in tuple("eiéí") else "K", 1, False
    if letter == "g":
        return "x" if after in tuple("eiéí") else "G", 1, False
    if letter == "r":
        return "rr" if before in ("", "n", "l", "s") else "r", 1, False
    if letter == "x":
        if word.startswith(_OLD_X):
            return "x", 1, False
        return "K S" if before else "S", 1, False
    if letter == "y" and not _is_vowel(after):
        return ("Y", 1, False) if _is_vowel(before) else ("i", 1, True)
    return _SINGLE.get(letter, ""), 1, False  # h is silent


def _vowel(word: str, at: int, before: str, after: str) -> tuple[str, int, bool]:
    letter = word[at]
    plain = {"á": "a", "é": "e", "í": "i", "ó": "o", "ú": "u", "ü": "u"}.get(letter, letter)
    # Beside another vowel a weak one only glides; of two weak ones the first does.
    if letter in "iuü" and (_is_vowel(after) or (before and before in _STRONG)):
        return ("Y" if plain == "i" else "W"), 1, False
    return plain, 1, True


def _is_vowel(letter: str) -> bool:
    """False at a word's edge too."""
    return letter != "" and letter in _VOWELS
