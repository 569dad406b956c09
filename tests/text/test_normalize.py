import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.errors import InvalidUtterance
from kani_npc.text import clean
from kani_npc.text.normalize import normalize


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("I have 3 keys and 12 coins.", "I have three keys and twelve coins."),
        ("1,234 wolves", "one thousand two hundred and thirty four wolves"),
        ("pi is 3.14", "pi is three point one four"),
        ("agent 007", "agent zero zero seven"),
        ("the 1st, 2nd and 23rd", "the first, second and twenty third"),
        ("in 1984", "in nineteen eighty four"),
        ("in 1905 and 1900", "in nineteen oh five and nineteen hundred"),
        ("the 1990s", "the nineteen nineties"),
        ("in 2005", "in two thousand and five"),
        ("It costs $5.", "It costs five dollars."),
        ("$1 or $2.01", "one dollar or two dollars and one cent"),
        ("£1 million", "one million pounds"),
        ("5€ or 7 $", "five euros or seven dollars"),
        ("at 7:30 pm", "at seven thirty p m"),
        ("at 7:05", "at seven oh five"),
        ("at 12:00", "at twelve o'clock"),
        ("at 10 a.m. sharp", "at ten a m sharp"),
        ("50% off", "fifty percent off"),
        ("-5°C", "minus five degrees Celsius"),
        ("1 km, 20 km", "one kilometer, twenty kilometers"),
        ("5-10 wolves", "five to ten wolves"),
        ("1/2 or 3/4", "one half or three quarters"),
        ("½ cup", "one half cup"),
        ("Dr. Oz and Mrs. Fox vs. Mr. Bear", "Doctor Oz and Missus Fox versus Mister Bear"),
        ("St. Mary, etc.", "Saint Mary, et cetera"),
        ("fire & ice", "fire and ice"),
        ("you have 30 HP", "you have thirty hit points"),
        ("roll 2d6", "roll two d six"),
        ("Café naïve Łódź", "Cafe naive Lodz"),
        ("٣ dragons", "three dragons"),
        ("wait... what", "wait, what"),
        ("well...", "well."),
        ("stop - now", "stop, now"),
        ("listen: go; run", "listen, go, run"),
        ("Halt! Who goes there?", "Halt! Who goes there?"),
    ],
)
def test_digits_signs_and_abbreviations_become_words(written, said):
    assert normalize(clean(written)) == said


def test_a_number_too_long_to_say_is_read_digit_by_digit():
    assert normalize("1" * 20) == " ".join(["one"] * 20)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("שלום", "Hebrew"),
        ("مرحبا", "Arabic"),
        ("Привет", "Cyrillic"),
        ("こんにちは", "Hiragana"),
        ("你好", "Cjk"),
    ],
)
def test_another_script_is_refused_by_name(text, script):
    with pytest.raises(InvalidUtterance, match=script) as refused:
        normalize(text)
    assert refused.value.field == "text"
    assert text not in str(refused.value)


@given(st.text(alphabet=st.characters(max_codepoint=0x17F), max_size=200))
def test_no_digit_survives_and_what_is_left_is_ascii(text):
    try:
        said = normalize(clean(text))
    except InvalidUtterance:
        return
    assert said.isascii()
    assert not any(c.isdigit() for c in said)


@pytest.mark.parametrize(
    "piece", ["1", "1,", "$1", "1:", "-1", "1/", "a.", "1.", "no. ", "e.g.", "--", "1 "]
)
def test_time_is_linear_in_the_text(piece):
    started = time.process_time()
    normalize(piece * (10_000 // len(piece)))
    assert time.process_time() - started < 2.0
