"""Numbers, dates, money, units and times -> words, in English, German and Spanish.

    "$5 at 7:30"  ->  "five dollars at seven thirty"       "am 3.11. um 19.30 Uhr"  ->  "am dritten November um ..."

What a number means hangs on the language: its marks, its order of day and month, which signs stand before it. Each
language is a class that says so in tables, and inherits how the rest is said; `num2words` knows the words themselves.
Text of other languages stays as it is. Every pattern is linear in the text. Knows no tokenizer and no model.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import ClassVar

# Up to a quadrillion is said as a number; more, or with zeros in front, is read digit by digit.
_MAX_SAID_DIGITS = 15

_POWERS = "²³"

Match = re.Match[str]
Rule = tuple[re.Pattern[str], str | Callable[[Match], str]]
Noun = tuple[
    str, str
]  # what one is, article and all where the language has one there; what several are


def say_numbers(text: str, language: str) -> str:
    """`text` with its numbers in words. `language` is a language tag ("en_us", "de"); of others nothing is changed."""
    numbers = _numbers(re.split("[-_]", language.lower())[0])
    return text if numbers is None else numbers.say(text)


class Numbers:
    """One language. What is here is said alike in all of them, in the words of the tables."""

    code: ClassVar[str]
    decimal: ClassVar[str]  # the mark before the fraction
    group: ClassVar[str]  # and between thousands
    point: ClassVar[str]  # how the first is read
    dot: ClassVar[str]  # and a dot in 2.0.1
    minus: ClassVar[str]
    to: ClassVar[str]  # in a range
    over: ClassVar[str]  # in a fraction that has no name
    and_: ClassVar[str]  # one ... a half
    powers: ClassVar[tuple[str, str]]
    fractions: ClassVar[Mapping[tuple[str, str], str]]
    months: ClassVar[Sequence[str]]
    units: ClassVar[Mapping[str, Noun]]
    money: ClassVar[Mapping[str, tuple[Noun, Noun]]]  # sign -> whole, hundredth
    scales: ClassVar[Sequence[str]]  # words after an amount, whose unit comes behind them

    def __init__(self) -> None:
        decimal, group = re.escape(self.decimal), re.escape(self.group)
        self.n = rf"\d+(?:{group}\d{{3}}(?!\d))*(?:{decimal}\d+)?"
        self.whole_n = (
            rf"(?<!\d)(?<!\d[.,])({self.n})"  # and not the end of one: tried once for each
        )
        self.rules = list(self._rules())

    def say(self, text: str) -> str:
        if not any(map(str.isnumeric, text)):
            return text
        text = "".join(map(_plain, text))
        for pattern, say in self.rules:
            text = pattern.sub(say, text)
        return " ".join(text.split())

    # --- what a language may say in its own way

    def own_rules(self) -> Iterator[Rule]:
        """Before all others."""
        yield from ()

    def last_rules(self) -> Iterator[Rule]:
        """Before what is left is said as bare numbers."""
        yield from ()

    def date(self, day: int, month: int, year: str, match: Match) -> str:
        raise NotImplementedError

    def time(self, hour: int, minute: int) -> str:
        raise NotImplementedError

    def counted(self, digits: str, noun: Noun) -> str:
        """So many of something."""
        return noun[0] if digits == "1" else f"{self.number(digits)} {noun[1]}"

    def amount(self, digits: str, sign: str, scale: str | None) -> str:
        """Money."""
        whole, hundredth = self.money[sign]
        units, _, fraction = digits.partition(self.decimal)
        if scale:
            return f"{self.number(digits)} {scale} {whole[1]}"
        if len(fraction) not in (0, 2):
            return f"{self.number(digits)} {whole[1]}"
        words = self.counted(units, whole)
        return f"{words}{self.and_cents(fraction, hundredth)}" if fraction.strip("0") else words

    def and_cents(self, digits: str, noun: Noun) -> str:
        raise NotImplementedError

    def year(self, digits: str) -> str:
        return self.number(digits)

    def cardinal(self, value: int) -> str:
        return self.words(value)

    # --- what all languages share

    def words(self, value: int, to: str = "cardinal") -> str:
        # num2words loads some sixty languages when imported; most lines have no digits in them.
        from num2words import num2words

        return num2words(value, to=to, lang=self.code).replace(",", "").replace("-", " ")

    def number(self, digits: str) -> str:
        """A number as it is written, marks and all."""
        whole, _, fraction = digits.replace(self.group, "").partition(self.decimal)
        if len(whole) > _MAX_SAID_DIGITS or (len(whole) > 1 and whole.startswith("0")):
            words = self.spelled(whole)
        else:
            words = self.cardinal(int(whole))
        return f"{words} {self.point} {self.spelled(fraction)}" if fraction else words

    def spelled(self, digits: str) -> str:
        return " ".join(self.words(int(digit)) for digit in digits)

    def _rules(self) -> Iterator[Rule]:
        n, whole_n, signs = self.n, self.whole_n, "".join(self.money)
        yield from self.own_rules()
        yield re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b"), self._iso_date
        scales = "|".join(map(re.escape, self.scales))
        yield (
            re.compile(rf"([{signs}]) ?({n})(?: ({scales})\b)?", re.I),
            lambda m: self.amount(m[2], m[1], m[3]),
        )
        yield (
            re.compile(rf"{whole_n}(?: ({scales})\b)? ?([{signs}])", re.I),
            lambda m: self.amount(m[1], m[3], m[2]),
        )
        yield (
            re.compile(r"(?<![\d:.,])([01]?\d|2[0-3]):([0-5]\d)(?!\d|:)"),
            lambda m: self.time(int(m[1]), int(m[2])),
        )
        yield (
            re.compile(r"(?<![\d.])\d{1,6}(?:\.\d{1,6}){2,}(?![\d.]\d)"),
            lambda m: f" {self.dot} ".join(map(self.number, m[0].split("."))),
        )
        if self.group == ".":  # a dot that parts no thousands: the decimal mark of other countries
            yield (
                re.compile(r"(?<![\d.,])(\d+)\.(\d{1,2}|\d{4,})(?![\d.,]\d|\d)"),
                lambda m: f"{self.number(m[1])} {self.dot} {self.spelled(m[2])}",
            )
        yield re.compile(rf"{whole_n} ?- ?(?=\d)"), lambda m: f"{m[1]} {self.to} "
        yield re.compile(r"(?<![\w.])-(?=\d)"), f"{self.minus} "
        names = "|".join(re.escape(unit) for unit in sorted(self.units, key=len, reverse=True))
        yield (
            re.compile(
                rf"(?<![\w.])({n}) ?({names})(?![\w°%])(?:\.(?= (?-i:[a-zäöüáéíóúñ])))?", re.I
            ),
            self._measure,
        )
        yield re.compile(r"(?<![\d/.,])(\d{1,6}) (?=[123]/[234](?![\d/]))"), rf"\1 {self.and_} "
        yield re.compile(r"(?<![\d/])(\d{1,15})/(\d{1,15})(?![\d/])"), self._fraction
        yield re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)"), " "
        yield from self.last_rules()
        yield re.compile(n), lambda m: self.number(m[0])
        for sign, power in zip(_POWERS, self.powers, strict=True):
            yield re.compile(sign), f" {power} "

    def _iso_date(self, match: Match) -> str:
        return self._dated(match[3], match[2], match[1], match)

    def _dated(self, day: str, month: str, year: str, match: Match) -> str:
        """A date, if it is one; else what stands there."""
        if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
            return match[0]
        return self.date(int(day), int(month), year, match)

    def _measure(self, match: Match) -> str:
        unit = match[2] if match[2] in self.units else match[2].lower()
        return self.counted(match[1], self.units[unit])

    def _fraction(self, match: Match) -> str:
        named = self.fractions.get((match[1], match[2]))
        return named or f"{self.number(match[1])} {self.over} {self.number(match[2])}"


class English(Numbers):
    code = "en"
    decimal, group, point, dot = ".", ",", "point", "point"
    minus, to, over, and_ = "minus", "to", "over", "and"
    powers = "squared", "cubed"
    fractions: ClassVar = {
        ("1", "2"): "one half", ("1", "3"): "one third", ("2", "3"): "two thirds", ("1", "4"): "one quarter",
        ("3", "4"): "three quarters",
    }  # fmt: skip
    months = (
        "January February March April May June July August September October November December"
    ).split()
    units: ClassVar = {
        "km/h": ("one kilometer per hour", "kilometers per hour"),
        "kph": ("one kilometer per hour", "kilometers per hour"),
        "mph": ("one mile per hour", "miles per hour"), "m/s": ("one meter per second", "meters per second"),
        "km": ("one kilometer", "kilometers"), "cm": ("one centimeter", "centimeters"),
        "mm": ("one millimeter", "millimeters"), "m": ("one meter", "meters"),
        "m²": ("one square meter", "square meters"), "km²": ("one square kilometer", "square kilometers"),
        "mi": ("one mile", "miles"),
        "ft": ("one foot", "feet"), "yd": ("one yard", "yards"), "kg": ("one kilogram", "kilograms"),
        "mg": ("one milligram", "milligrams"), "g": ("one gram", "grams"), "lbs": ("one pound", "pounds"),
        "lb": ("one pound", "pounds"), "oz": ("one ounce", "ounces"), "ml": ("one milliliter", "milliliters"),
        "l": ("one liter", "liters"), "hrs": ("one hour", "hours"), "hr": ("one hour", "hours"),
        "h": ("one hour", "hours"), "min": ("one minute", "minutes"), "sec": ("one second", "seconds"),
        "s": ("one second", "seconds"), "ms": ("one millisecond", "milliseconds"),
        "khz": ("one kilohertz", "kilohertz"), "hz": ("one hertz", "hertz"), "kb": ("one kilobyte", "kilobytes"),
        "mb": ("one megabyte", "megabytes"), "gb": ("one gigabyte", "gigabytes"),
        "hp": ("one hit point", "hit points"), "xp": ("one experience point", "experience points"),
        "%": ("one percent", "percent"), "°c": ("one degree Celsius", "degrees Celsius"),
        "°f": ("one degree Fahrenheit", "degrees Fahrenheit"), "°": ("one degree", "degrees"),
    }  # fmt: skip
    money: ClassVar = {
        "$": (("one dollar", "dollars"), ("one cent", "cents")),
        "€": (("one euro", "euros"), ("one cent", "cents")),
        "£": (("one pound", "pounds"), ("one penny", "pence")),
        "¥": (("one yen", "yen"), ("one sen", "sen")),
    }
    scales = ("thousand", "million", "billion", "trillion")

    def own_rules(self) -> Iterator[Rule]:
        months = "|".join(f"{month}|{month[:3]}\\.?" for month in self.months)
        yield re.compile(r"\bno\. ?(?=\d)", re.I), "number "
        # Month first, as in the US; where it cannot be the month, it is the day.
        yield re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\d/])"), self._slashed
        yield (
            re.compile(
                rf"\b({months}) (\d{{1,2}})(?:st|nd|rd|th)?(?![\d:.,]\d|\d|\w)(?:,? (\d{{4}})\b)?"
            ),
            lambda m: self._dated(m[2], str(self._month(m[1])), m[3] or "", m),
        )
        # 7:30 p.m., 10 am: what says the half of the day stays, spelled so that it is no end of a sentence.
        yield (
            re.compile(r"\b([01]?\d|2[0-3])[:.]([0-5]\d) ?([ap])\.?m\b\.?", re.I),
            lambda m: f"{self._half(int(m[1]), int(m[2]))} {m[3].lower()} m",
        )
        yield (
            re.compile(r"\b(1[0-2]|[1-9]) ?([ap])\.?m\b\.?", re.I),
            lambda m: f"{self.words(int(m[1]))} {m[2].lower()} m",
        )
        yield re.compile(r"\b(\d{3}0)s\b"), lambda m: _many(self.year(m[1]))
        yield (
            re.compile(r"\b(\d{1,15})(?:st|nd|rd|th)\b", re.I),
            lambda m: self.words(int(m[1]), "ordinal"),
        )

    def last_rules(self) -> Iterator[Rule]:
        yield re.compile(r"(?<![\d,.])\d{4}(?![\d,.]\d|\d)"), lambda m: self.year(m[0])

    def _month(self, name: str) -> int:
        return 1 + [month[:3] for month in self.months].index(name[:3])

    def _slashed(self, match: Match) -> str:
        month, day = match[1], match[2]
        if int(month) > 12:
            month, day = day, month
        return self._dated(day, month, match[3], match)

    def date(self, day: int, month: int, year: str, match: Match) -> str:
        words = f"{self.months[month - 1]} {self.words(day, 'ordinal')}"
        return f"{words}, {self.year(year)}" if year else words

    def _half(self, hour: int, minute: int) -> str:
        if minute == 0:
            return self.words(hour)
        return f"{self.words(hour)} {'oh ' if minute < 10 else ''}{self.words(minute)}"

    def time(self, hour: int, minute: int) -> str:
        return self._half(hour, minute) if minute else f"{self.words(hour)} o'clock"

    def and_cents(self, digits: str, noun: Noun) -> str:
        return f" and {self.counted(digits.removeprefix('0'), noun)}"

    def year(self, digits: str) -> str:
        """2000 to 2009 as the number, others in two halves."""
        if not 1100 <= int(digits) <= 2099 or 2000 <= int(digits) <= 2009:
            return self.number(digits)
        first, last = self.words(int(digits[:2])), self.words(int(digits[2:]))
        if int(digits) % 100 == 0:
            return f"{first} hundred"
        return f"{first} oh {last}" if int(digits[2:]) < 10 else f"{first} {last}"


class German(Numbers):
    code = "de"
    decimal, group, point, dot = ",", ".", "Komma", "Punkt"
    minus, to, over, and_ = "minus", "bis", "durch", "und"
    powers = "hoch zwei", "hoch drei"
    fractions: ClassVar = {
        ("1", "2"): "ein halbes", ("1", "3"): "ein Drittel", ("2", "3"): "zwei Drittel", ("1", "4"): "ein Viertel",
        ("3", "4"): "drei Viertel",
    }  # fmt: skip
    months = (
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
    ).split()
    units: ClassVar = {
        "km/h": ("ein Kilometer pro Stunde", "Kilometer pro Stunde"),
        "m/s": ("ein Meter pro Sekunde", "Meter pro Sekunde"), "km": ("ein Kilometer", "Kilometer"),
        "cm": ("ein Zentimeter", "Zentimeter"), "mm": ("ein Millimeter", "Millimeter"), "m": ("ein Meter", "Meter"),
        "m²": ("ein Quadratmeter", "Quadratmeter"), "km²": ("ein Quadratkilometer", "Quadratkilometer"),
        "kg": ("ein Kilogramm", "Kilogramm"), "mg": ("ein Milligramm", "Milligramm"), "g": ("ein Gramm", "Gramm"),
        "t": ("eine Tonne", "Tonnen"), "ml": ("ein Milliliter", "Milliliter"), "l": ("ein Liter", "Liter"),
        "std": ("eine Stunde", "Stunden"), "h": ("eine Stunde", "Stunden"), "min": ("eine Minute", "Minuten"),
        "sek": ("eine Sekunde", "Sekunden"), "s": ("eine Sekunde", "Sekunden"),
        "ms": ("eine Millisekunde", "Millisekunden"), "khz": ("ein Kilohertz", "Kilohertz"),
        "hz": ("ein Hertz", "Hertz"), "kb": ("ein Kilobyte", "Kilobyte"), "mb": ("ein Megabyte", "Megabyte"),
        "gb": ("ein Gigabyte", "Gigabyte"), "%": ("ein Prozent", "Prozent"),
        "°c": ("ein Grad Celsius", "Grad Celsius"), "°f": ("ein Grad Fahrenheit", "Grad Fahrenheit"),
        "°": ("ein Grad", "Grad"),
    }  # fmt: skip
    money: ClassVar = {
        "$": (("ein Dollar", "Dollar"), ("ein Cent", "Cent")),
        "€": (("ein Euro", "Euro"), ("ein Cent", "Cent")),
        "£": (("ein Pfund", "Pfund"), ("ein Penny", "Pence")),
        "¥": (("ein Yen", "Yen"), ("ein Sen", "Sen")),
    }
    scales = ("Tausend", "Millionen", "Million", "Milliarden", "Milliarde")
    _SPELLED: ClassVar = {"mio": "Millionen", "mrd": "Milliarden"}
    # What stands before decides how an ordinal ends; without any of these it ends in -er.
    _WEAK = frozenset("der die das ins ans eine jede diese welche".split())
    _OBLIQUE = frozenset(
        "am im zum zur vom beim den dem des einem einen eines einer jedem jeden jedes diesem diesen bis seit ab "
        "ihrem seinem meinem".split()
    )
    _PREPOSITIONS = frozenset(
        "an auf aus bei gegenüber hinter in mit nach neben seit über unter von vor zu zwischen".split()
    )

    def own_rules(self) -> Iterator[Rule]:
        months = "|".join(self.months)
        yield re.compile(r"\bNr\. ?(?=\d)", re.I), "Nummer "
        yield re.compile(r"(\d) ?(Mio|Mrd)\.?(?!\w)"), lambda m: self._scaled(m)
        yield (
            re.compile(r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.(?:(\d{4})\b)?(?!\d)"),
            lambda m: self._dated(m[1], m[2], m[3] or "", m),
        )
        yield (
            re.compile(rf"(?<![\d.])(\d{{1,2}})\. ?({months})\b(?: (\d{{4}})\b)?"),
            lambda m: self._dated(m[1], str(1 + self.months.index(m[2])), m[3] or "", m),
        )
        yield (
            re.compile(r"(?<![\d.,:])([01]?\d|2[0-4])[.:]([0-5]\d) ?(?:Uhr|h)\b"),
            lambda m: self.time(int(m[1]), int(m[2])),
        )
        yield re.compile(r"(?<![\d.,:])1 Uhr\b"), "ein Uhr"
        # "die 3. und letzte", "im 19. Jahrhundert": not what ends a sentence, "Ich nehme 3. Du auch?"
        yield re.compile(r"(?<![\d.,])(\d{1,3})\.(?=\s+[a-zäöü])"), self._ordinal
        yield re.compile(r"(?<![\d.,])(\d{1,3})\.(?=\s+[A-ZÄÖÜ]|\W*$)"), self._named_ordinal

    def last_rules(self) -> Iterator[Rule]:
        yield re.compile(r"(?<![\d,.])\d{4}(?![\d,.]\d|\d)"), lambda m: self.year(m[0])

    def _scaled(self, match: Match) -> str:
        return f"{match[1]} {self._SPELLED[match[2].lower()]}"

    def _ordinal(self, match: Match) -> str:
        return self._inflected(int(match[1]), match)

    def _named_ordinal(self, match: Match) -> str:
        before = _words_before(match)
        known = self._WEAK | self._OBLIQUE
        return self._ordinal(match) if before and before[-1] in known else match[0]

    def _inflected(self, value: int, match: Match) -> str:
        words, before = self.words(value, "ordinal"), _words_before(match)
        last = before[-1] if before else ""
        oblique = last in self._OBLIQUE
        # "in der 3. Etage", "der 3. Etage": of the latter nobody knows.
        oblique |= last == "der" and len(before) > 1 and before[-2] in self._PREPOSITIONS
        return words + ("n" if oblique else "" if last in self._WEAK else "r")

    def date(self, day: int, month: int, year: str, match: Match) -> str:
        words = f"{self._inflected(day, match)} {self.months[month - 1]}"
        if year:
            return f"{words} {self.year(year)}"
        # The dot behind the month may have been the sentence's too.
        return words + ("." if match[0].endswith(".") and match.end() == len(match.string) else "")

    def time(self, hour: int, minute: int) -> str:
        words = "ein Uhr" if hour == 1 else f"{self.words(hour)} Uhr"
        return f"{words} {self.words(minute)}" if minute else words

    def and_cents(self, digits: str, noun: Noun) -> str:
        return f" {self.words(int(digits))}"

    def cardinal(self, value: int) -> str:
        # 100, 1000: nobody says the "ein" in front.
        return re.sub("^ein(?=hundert|tausend)", "", self.words(value))

    def year(self, digits: str) -> str:
        return (
            self.words(int(digits), "year") if 1100 <= int(digits) <= 1999 else self.number(digits)
        )

    def words(self, value: int, to: str = "cardinal") -> str:
        return "null" if value == 0 else super().words(value, to)


class Spanish(Numbers):
    code = "es"
    decimal, group, point, dot = ",", ".", "coma", "punto"
    minus, to, over, and_ = "menos", "a", "partido por", "y"
    powers = "al cuadrado", "al cubo"
    fractions: ClassVar = {
        ("1", "2"): "medio", ("1", "3"): "un tercio", ("2", "3"): "dos tercios", ("1", "4"): "un cuarto",
        ("3", "4"): "tres cuartos",
    }  # fmt: skip
    months = (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    ).split()
    units: ClassVar = {
        "km/h": ("un kilómetro por hora", "kilómetros por hora"),
        "m/s": ("un metro por segundo", "metros por segundo"), "km": ("un kilómetro", "kilómetros"),
        "cm": ("un centímetro", "centímetros"), "mm": ("un milímetro", "milímetros"), "m": ("un metro", "metros"),
        "m²": ("un metro cuadrado", "metros cuadrados"),
        "km²": ("un kilómetro cuadrado", "kilómetros cuadrados"),
        "kg": ("un kilogramo", "kilogramos"), "mg": ("un miligramo", "miligramos"), "g": ("un gramo", "gramos"),
        "t": ("una tonelada", "toneladas"), "ml": ("un mililitro", "mililitros"), "l": ("un litro", "litros"),
        "h": ("una hora", "horas"), "min": ("un minuto", "minutos"), "seg": ("un segundo", "segundos"),
        "s": ("un segundo", "segundos"), "ms": ("un milisegundo", "milisegundos"),
        "khz": ("un kilohercio", "kilohercios"), "hz": ("un hercio", "hercios"), "kb": ("un kilobyte", "kilobytes"),
        "mb": ("un megabyte", "megabytes"), "gb": ("un gigabyte", "gigabytes"),
        "%": ("uno por ciento", "por ciento"), "°c": ("un grado Celsius", "grados Celsius"),
        "°f": ("un grado Fahrenheit", "grados Fahrenheit"), "°": ("un grado", "grados"),
    }  # fmt: skip
    money: ClassVar = {
        "$": (("un dólar", "dólares"), ("un centavo", "centavos")),
        "€": (("un euro", "euros"), ("un céntimo", "céntimos")),
        "£": (("una libra", "libras"), ("un penique", "peniques")),
        "¥": (("un yen", "yenes"), ("un sen", "sen")),
    }
    scales = ("mil", "millones", "millón", "billones", "billón")
    # Behind a number these are not what it counts.
    _NOT_COUNTED = frozenset(
        "con sin para por que del los las una uno dos tres más menos era fue son está están después".split()
    )

    def own_rules(self) -> Iterator[Rule]:
        months = "|".join(self.months)
        yield re.compile(r"\b(n[úu]m|n\.?[º°o])\.? ?(?=\d)", re.I), "número "
        yield (
            re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?![\d/]|[.-]\d)"),
            lambda m: self._dated(m[1], m[3], m[4], m),
        )
        yield (
            re.compile(rf"\b(\d{{1,2}}) de ({months})\b(?: del? (\d{{4}})\b)?", re.I),
            lambda m: self._dated(m[1], str(1 + self.months.index(m[2].lower())), m[3] or "", m),
        )
        yield (
            re.compile(r"(?<![\d.,:])([01]?\d|2[0-3])[.:]([0-5]\d)(?= (?:de la|del|horas?|h)\b)"),
            lambda m: self.time(int(m[1]), int(m[2])),
        )
        yield (
            re.compile(r"(?<![\d.,])(\d{1,3})(?:\.?([ºª])|\.?(er|ro|ra|do|da|to|ta|vo|va)\b)"),
            self._ordinal,
        )

    def last_rules(self) -> Iterator[Rule]:
        yield re.compile(rf"{self.whole_n} (?=([^\W\d_]+))"), self._before_a_word

    def _before_a_word(self, match: Match) -> str:
        """What is counted shapes the number's end: "un lobo", "veintiuna espadas", "doscientas monedas"."""
        words, noun = self.number(match[1]), match[2].lower()
        if self.decimal in match[1] or len(noun) < 3 or noun in self._NOT_COUNTED:
            return f"{words} "
        if match[1] != "1" and not noun.endswith("s"):
            return f"{words} "
        return f"{self._shaped(words, is_feminine=noun.endswith(('a', 'as')))} "

    def counted(self, digits: str, noun: Noun) -> str:
        if digits == "1":
            return noun[0]
        words = self.number(digits)
        if self.decimal not in digits and noun[1] != "por ciento":
            words = self._shaped(words, is_feminine=noun[0].startswith("una "))
        # "un millón de euros"
        of = " de" if words.endswith(("millón", "millones", "billón", "billones")) else ""
        return f"{words}{of} {noun[1]}"

    def amount(self, digits: str, sign: str, scale: str | None) -> str:
        if scale:
            of = "" if scale.lower() == "mil" else " de"
            number = "un" if digits == "1" else self.number(digits)
            return f"{number} {scale}{of} {self.money[sign][0][1]}"
        return super().amount(digits, sign, scale)

    def and_cents(self, digits: str, noun: Noun) -> str:
        return f" con {self.counted(digits.removeprefix('0'), noun)}"

    def cardinal(self, value: int) -> str:
        return re.sub(r"uno(?= m| b)", lambda m: "un", self.words(value)).replace(
            "veintiun ", "veintiún "
        )

    def _shaped(self, words: str, *, is_feminine: bool) -> str:
        if is_feminine:
            words = re.sub(r"uno$", "una", words)
            return re.sub(r"(cient|quinient)os\b(?! mill)", r"\1as", words)
        return re.sub(r"veintiuno$", "veintiún", re.sub(r"\buno$", "un", words))

    def _ordinal(self, match: Match) -> str:
        words = self.words(int(match[1]), "ordinal")
        if match[3] == "er":
            return re.sub("(primer|tercer)o$", r"\1", words)
        return (
            re.sub("o$", "a", words) if match[2] == "ª" or (match[3] or "").endswith("a") else words
        )

    def date(self, day: int, month: int, year: str, match: Match) -> str:
        words = f"{'primero' if day == 1 else self.words(day)} de {self.months[month - 1]}"
        return f"{words} de {self.number(year)}" if year else words

    def time(self, hour: int, minute: int) -> str:
        words = re.sub("uno$", "una", self.words(hour))
        if minute == 0:
            return f"{words} en punto"
        if minute in (15, 30) and hour <= 12:
            return f"{words} y {'cuarto' if minute == 15 else 'media'}"
        return f"{words} y {self.words(minute)}"


_LANGUAGES = {language.code: language for language in (English, German, Spanish)}


@cache
def _numbers(code: str) -> Numbers | None:
    language = _LANGUAGES.get(code)
    return None if language is None else language()


def _plain(character: str) -> str:
    """The digits of all scripts, and what is made of digits, as the patterns and tables know them."""
    if character not in _POWERS and unicodedata.category(character) == "No":
        return " " + unicodedata.normalize("NFKD", character).replace("\u2044", "/")
    return str(unicodedata.decimal(character, character))


def _many(words: str) -> str:
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _words_before(match: Match) -> list[str]:
    """The last two, in lower case; never more of the text is looked at."""
    return match.string[max(0, match.start() - 24) : match.start()].lower().split()[-2:]
