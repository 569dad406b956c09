# ruff: noqa: E501  a row is a sentence and what is said of it
"""Numbers, dates, money, units and times in three languages; of others nothing is changed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.text import clean
from kani_npc.text.clean import is_speakable
from kani_npc.text.numbers import say_numbers

SAID = {
    "en": [
        ("I have 3 keys, and 12,500 coins.", "I have three keys, and twelve thousand five hundred coins."),
        ("pi is 3.14, version 2.0.1", "pi is three point one four, version two point zero point one"),
        ("$5.50, 1 €, $2 million, £2.01", "five dollars and fifty cents, one euro, two million dollars, two pounds and one penny"),
        ("at 7:05, at 19:30, at 12:00", "at seven oh five, at nineteen thirty, at twelve o'clock"),
        ("at 7.30 p.m. or 10 AM", "at seven thirty p m or ten a m"),
        ("on Nov. 3, 2026 and May 21st", "on November third, twenty twenty six and May twenty first"),
        ("on 11/3/2026, 30/11/2026, 2026-11-03", "on November third, twenty twenty six, November thirtieth, twenty twenty six, November third, twenty twenty six"),
        ("in 1984, 1905, the 1990s", "in nineteen eighty four, nineteen oh five, the nineteen nineties"),
        ("the 1st and 22nd, no. 5", "the first and twenty second, number five"),
        ("1 km, 20 km/h, 5 ft. long", "one kilometer, twenty kilometers per hour, five feet long"),
        ("-5 °C, 50 % off, 30 m²", "minus five degrees Celsius, fifty percent off, thirty square meters"),
        ("5-10 wolves, 1/2, 1½ cups", "five to ten wolves, one half, one and one half cups"),
        ("agent 007 rolls 2d6", "agent zero zero seven rolls two d six"),
    ],
    "de": [
        ("Ich habe 3 Schlüssel, und 12.500 Münzen.", "Ich habe drei Schlüssel, und zwölftausendfünfhundert Münzen."),
        ("Pi ist 3,14, Version 2.0.1", "Pi ist drei Komma eins vier, Version zwei Punkt null Punkt eins"),
        ("5,50 €, 1 €, $5, £1", "fünf Euro fünfzig, ein Euro, fünf Dollar, ein Pfund"),
        ("2,5 Mio. € und 3 Millionen $", "zwei Komma fünf Millionen Euro und drei Millionen Dollar"),
        ("um 19.30 Uhr, 19:05, 1 Uhr", "um neunzehn Uhr dreißig, neunzehn Uhr fünf, ein Uhr"),
        ("am 3.11.2026, der 3.11.", "am dritten November zweitausendsechsundzwanzig, der dritte November."),
        ("am 24. Dezember 1984", "am vierundzwanzigsten Dezember neunzehnhundertvierundachtzig"),
        ("Heute ist der 1. Mai, morgen 2. Mai.", "Heute ist der erste Mai, morgen zweiter Mai."),
        ("im 19. Jahrhundert, der 2. Weltkrieg, in der 3. Etage", "im neunzehnten Jahrhundert, der zweite Weltkrieg, in der dritten Etage"),
        ("Ich nehme 3. Du auch?", "Ich nehme drei. Du auch?"),
        ("1 km, 20 km/h, 21 kg, Nr. 5", "ein Kilometer, zwanzig Kilometer pro Stunde, einundzwanzig Kilogramm, Nummer fünf"),
        ("-5 °C, 50 % mehr, 30 m²", "minus fünf Grad Celsius, fünfzig Prozent mehr, dreißig Quadratmeter"),
        ("5-10 Wölfe, 3/4 Liter, 100 Mann", "fünf bis zehn Wölfe, drei Viertel Liter, hundert Mann"),
        ("Agent 007 würfelt 2w6", "Agent null null sieben würfelt zwei w sechs"),
    ],
    "es": [
        ("Tengo 3 llaves, y 12.500 monedas.", "Tengo tres llaves, y doce mil quinientas monedas."),
        ("21 lobos, 1 lobo, 21 espadas, 200 monedas", "veintiún lobos, un lobo, veintiuna espadas, doscientas monedas"),
        ("pi es 3,14 o 3.14, versión 2.0.1", "pi es tres coma uno cuatro o tres punto uno cuatro, versión dos punto cero punto uno"),
        ("5,50 €, 1 €, $5, 21 £", "cinco euros con cincuenta céntimos, un euro, cinco dólares, veintiuna libras"),
        ("2 millones €, 1.000.000 €", "dos millones de euros, un millón de euros"),
        ("a las 7:30, a las 7.15 de la tarde, 19:05, 1:00", "a las siete y media, a las siete y cuarto de la tarde, diecinueve y cinco, una en punto"),
        ("el 3/11/2026, el 3.11.2026", "el tres de noviembre de dos mil veintiséis, el tres de noviembre de dos mil veintiséis"),
        ("el 3 de noviembre de 1984, el 1 de enero", "el tres de noviembre de mil novecientos ochenta y cuatro, el primero de enero"),
        ("el 1.º, la 2ª, el 3er día, núm. 5", "el primero, la segunda, el tercer día, número cinco"),
        ("1 km, 20 km/h, 21 kg", "un kilómetro, veinte kilómetros por hora, veintiún kilogramos"),
        ("-5 °C, 50 % más, 30 m²", "menos cinco grados Celsius, cincuenta por ciento más, treinta metros cuadrados"),
        ("5-10 lobos, 3/4 de litro", "cinco a diez lobos, tres cuartos de litro"),
        ("el agente 007 tira 2d6", "el agente cero cero siete tira dos d seis"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "written", "said"), [(lang, *row) for lang, rows in SAID.items() for row in rows]
)
def test_numbers_dates_money_units_and_times_become_words(language, written, said):
    assert say_numbers(clean(written), language) == said


def test_the_language_is_that_of_the_tag_and_of_an_unknown_one_nothing_is_changed():
    assert (
        say_numbers("3,5 kg", "de_AT")
        == say_numbers("3,5 kg", "DE-ch")
        == "drei Komma fünf Kilogramm"
    )
    for tag in ("fr", "ky", "", "zz_de"):
        assert say_numbers("3,5 kg  am 2.", tag) == "3,5 kg  am 2."


@pytest.mark.parametrize("language", SAID)
@given(text=st.text(alphabet=st.characters(max_codepoint=0x17F), max_size=80))
def test_whatever_it_is_no_digit_is_left_and_said_again_it_stays(language, text):
    said = say_numbers(text, language)
    assert not any(c.isdecimal() for c in said)
    assert is_speakable(said) or not is_speakable(text)
    assert say_numbers(said, language) == said


@pytest.mark.parametrize("language", SAID)
@pytest.mark.parametrize(
    "piece", ["1", "1,", "1.", "$1", "1:", "-1", "1/", "1,111", "1.111", "1 ", "1. a ", "der 1. ", "1.1.", "Nr. 1", "1½"]
)  # fmt: skip
def test_time_is_linear_in_the_text(language, piece):
    started = time.process_time()
    say_numbers(piece * (10_000 // len(piece)), language)
    assert time.process_time() - started < 2.0
