# ruff: noqa: RUF001  the signs that look alike are the point
"""English written with digits, signs and abbreviations -> words, for tokenizers that know words only.

    "Dr. Oz paid $5 at 7:30."  ->  "Doctor Oz paid five dollars at seven thirty."

What needs its language known, numbers and all that goes with them, is said by `numbers`, for every model; the rest is
done here, for phones only: the published models were trained on raw text. Every pattern is linear in the text.
"""

import re
import unicodedata
from collections.abc import Callable

from kani_npc.errors import InvalidUtterance
from kani_npc.text.numbers import say_numbers

_LATIN = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "th", "Ð": "Th", "þ": "th", "Þ": "Th", "ı": "i", "ħ": "h", "Ħ": "H", "⁄": "/",
    }
)  # fmt: skip

_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "prof": "professor", "st": "saint",
    "jr": "junior", "sr": "senior", "lt": "lieutenant", "sgt": "sergeant", "capt": "captain", "gen": "general",
    "col": "colonel", "cmdr": "commander", "gov": "governor", "rev": "reverend", "hon": "honorable",
    "mt": "mount", "ft": "fort", "vs": "versus", "etc": "et cetera", "approx": "approximately", "lvl": "level",
}  # fmt: skip

_SIGNS = {
    "&": " and ",
    "@": " at ",
    "+": " plus ",
    "=": " equals ",
    "#": " number ",
    "%": " percent ",
    "°": " degrees ",
    "$": " dollars ",
    "€": " euros ",
    "£": " pounds ",
    "¥": " yen ",
}
_PAUSES = {";": ",", ":": ",", "(": ",", ")": ",", "[": ",", "]": ",", "{": ",", "}": ","}


def normalize(text: str) -> str:
    """Words of ASCII letters and apostrophes, and the pauses , . ? ! between them (other signs may remain).

    Accented Latin letters lose their accents. Raises `InvalidUtterance` (field "text") for letters of other scripts.
    """
    text = _to_ascii_letters(say_numbers(text, "en"))
    for pattern, say in _RULES:
        text = pattern.sub(say, text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    for sign, pause in _PAUSES.items():
        text = text.replace(sign, pause)
    return " ".join(text.split())


def _to_ascii_letters(text: str) -> str:
    if text.isascii():
        return text
    kept: list[str] = []
    for c in unicodedata.normalize("NFKD", text.translate(_LATIN)).translate(_LATIN):
        category = unicodedata.category(c)
        if c.isascii() or c in "°€£¥":
            kept.append(c)
        elif category == "Nd":
            kept.append(str(unicodedata.decimal(c)))
        elif category[0] in "LN":
            script = unicodedata.name(c, "unknown").split()[0].capitalize()
            raise InvalidUtterance(
                f"this voice speaks English in Latin letters; the text has {script} ones",
                field="text",
            )
        elif category[0] != "M":  # marks are the accents that NFKD split off
            kept.append(" ")
    return "".join(kept)


def _abbreviation(match: re.Match[str]) -> str:
    word = _ABBREVIATIONS[match[1].lower()]
    return word.capitalize() if match[1][0].isupper() else word


_RULES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(rf"\b({'|'.join(_ABBREVIATIONS)})\.(?=\s|,|$)", re.I), _abbreviation),
    (re.compile(r"\be\.g\.", re.I), "for example"),
    (re.compile(r"\bi\.e\.", re.I), "that is"),
    (re.compile(r"\.{2,}(?=\s*$)"), "."),
    (re.compile(r"\.{2,}"), ", "),
    (re.compile(r"\s-+\s|--+"), ", "),
]
