# ruff: noqa: RUF001  the signs that look alike are the point
"""English written with digits, signs and abbreviations -> words, for tokenizers that know words only.

    "Dr. Oz paid $5 at 7:30."  ->  "Doctor Oz paid five dollars at seven thirty."

For the published model nothing of this is done: it was trained on raw text. Every pattern is linear in the text.
"""

import re
import unicodedata
from collections.abc import Callable

from kani_npc.errors import InvalidUtterance

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

# unit -> (one, several); tried longest first
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"), "m/s": ("meter per second", "meters per second"),
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"), "mi": ("mile", "miles"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
    "kg": ("kilogram", "kilograms"), "mg": ("milligram", "milligrams"), "g": ("gram", "grams"),
    "lbs": ("pound", "pounds"), "lb": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "l": ("liter", "liters"), "hrs": ("hour", "hours"), "hr": ("hour", "hours"), "h": ("hour", "hours"),
    "min": ("minute", "minutes"), "sec": ("second", "seconds"), "s": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"), "khz": ("kilohertz", "kilohertz"), "hz": ("hertz", "hertz"),
    "kb": ("kilobyte", "kilobytes"), "mb": ("megabyte", "megabytes"), "gb": ("gigabyte", "gigabytes"),
    "hp": ("hit point", "hit points"), "xp": ("experience point", "experience points"),
    "$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds"), "¥": ("yen", "yen"),
    "%": ("percent", "percent"), "°c": ("degree Celsius", "degrees Celsius"),
    "°f": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", "degrees"),
}  # fmt: skip

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
}
_FRACTIONS = {
    ("1", "2"): "one half", ("1", "3"): "one third", ("2", "3"): "two thirds", ("1", "4"): "one quarter",
    ("3", "4"): "three quarters",
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

# Up to a quadrillion is said as a number; more, or with zeros in front, is read digit by digit.
_MAX_SAID_DIGITS = 15
_DIGITS = "zero one two three four five six seven eight nine".split()

_N = r"\d+(?:,\d{3})*(?:\.\d+)?"


def normalize(text: str) -> str:
    """Words of ASCII letters and apostrophes, and the pauses , . ? ! between them (other signs may remain).

    Accented Latin letters lose their accents. Raises `InvalidUtterance` (field "text") for letters of other scripts.
    """
    text = _to_ascii_letters(text)
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


def _number(digits: str) -> str:
    whole, _, fraction = digits.replace(",", "").partition(".")
    if len(whole) > _MAX_SAID_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        words = " ".join(_DIGITS[int(d)] for d in whole)
    else:
        words = _num2words(int(whole))
    return words + (" point " + " ".join(_DIGITS[int(d)] for d in fraction) if fraction else "")


def _num2words(value: int, to: str = "cardinal") -> str:
    # num2words loads some sixty languages when imported; most lines have no digits in them.
    from num2words import num2words

    return num2words(value, to=to).replace(",", "").replace("-", " ")


def _year(digits: str) -> str:
    """Four digits as a year is said; 2000 to 2009 as the number."""
    if not "1100" <= digits <= "2099" or "2000" <= digits <= "2009":
        return _number(digits)
    first, last = _num2words(int(digits[:2])), _num2words(int(digits[2:]))
    if digits.endswith("00"):
        return f"{first} hundred"
    return f"{first} oh {last}" if digits[2] == "0" else f"{first} {last}"


def _decade(match: re.Match[str]) -> str:
    words = _year(match[1])
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _money(match: re.Match[str]) -> str:
    one, several, cent, cents = _CURRENCIES[match[1]]
    amount, scale = match[2], match[3]
    whole, _, fraction = amount.partition(".")
    if scale:
        return f"{_number(amount)} {scale} {several}"
    if len(fraction) not in (0, 2):
        return f"{_number(amount)} {several}"
    words = f"{_number(whole)} {one if whole == '1' else several}"
    if fraction.strip("0"):
        count = int(fraction)
        words += f" and {_num2words(count)} {cent if count == 1 else cents}"
    return words


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    half = f" {match[3][0].lower()} m" if match[3] else ""
    if minute == 0:
        return f"{_num2words(hour)}{half}" if half else f"{_num2words(hour)} o'clock"
    return f"{_num2words(hour)} {'oh ' if minute < 10 else ''}{_num2words(minute)}{half}"


def _hour(match: re.Match[str]) -> str:
    return f"{_num2words(int(match[1]))} {match[2][0].lower()} m"


def _measure(match: re.Match[str]) -> str:
    one, several = _UNITS[match[2].lower()]
    return f"{_number(match[1])} {one if match[1] == '1' else several}"


def _fraction(match: re.Match[str]) -> str:
    said = _FRACTIONS.get((match[1], match[2]))
    return said or f"{_number(match[1])} over {_number(match[2])}"


def _abbreviation(match: re.Match[str]) -> str:
    word = _ABBREVIATIONS[match[1].lower()]
    return word.capitalize() if match[1][0].isupper() else word


_UNIT_NAMES = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_Say = str | Callable[[re.Match[str]], str]
_RULES: list[tuple[re.Pattern[str], _Say]] = [
    (re.compile(rf"\b({'|'.join(_ABBREVIATIONS)})\.(?=\s|,|$)", re.I), _abbreviation),
    (re.compile(r"\be\.g\.", re.I), "for example"),
    (re.compile(r"\bi\.e\.", re.I), "that is"),
    (re.compile(r"\bno\. ?(?=\d)", re.I), "number "),
    (re.compile(rf"([$€£¥]) ?({_N})(?: (thousand|million|billion|trillion)\b)?"), _money),
    (re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)(?!\d|:)(?: ?([ap]\.?m\b\.?))?", re.I), _time),
    (re.compile(r"\b(1[0-2]|[1-9]) ?([ap]\.?m\b\.?)", re.I), _hour),
    (re.compile(r"\b(\d{3}0)s\b"), _decade),
    (
        re.compile(r"\b(\d{1,15})(?:st|nd|rd|th)\b", re.I),
        lambda m: _num2words(int(m[1]), "ordinal"),
    ),
    (re.compile(rf"(?<!\d)({_N}) ?- ?(?=\d)"), lambda m: f"{m[1]} to "),
    (re.compile(r"(?<![\w.])-(?=\d)"), "minus "),
    (re.compile(rf"(?<![\w.])({_N}) ?({_UNIT_NAMES})(?![\w°%])", re.I), _measure),
    (re.compile(r"(?<![\d/])(\d{1,15})/(\d{1,15})(?![\d/])"), _fraction),
    (re.compile(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)"), " "),
    (re.compile(r"(?<![\d,.])\d{4}(?![\d,.]\d|\d)"), lambda m: _year(m[0])),
    (re.compile(_N), lambda m: f" {_number(m[0])} "),
    (re.compile(r"\.{2,}(?=\s*$)"), "."),
    (re.compile(r"\.{2,}"), ", "),
    (re.compile(r"\s-+\s|--+"), ", "),
]
