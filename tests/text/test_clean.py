# ruff: noqa: RUF001  the signs that look alike are the point
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.errors import InvalidUtterance
from kani_npc.text import MAX_CHARACTERS, check_length, clean
from kani_npc.text.clean import plain


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  Halt!\n\tWho goes   there?  ", "Halt! Who goes there?"),
        ("“Wait…” – it’s ‘late’", "\"Wait...\" - it's 'late'"),
        ("Stop—now", "Stop - now"),
        ("beep\x07\x00 boop\x1b[31m", "beep boop[31m"),
        ("Run! 🏃‍♂️🔥👍🏽 Run!", "Run! Run!"),
        ("press 1️⃣ now", "press now"),
        ("zero​width\u200b﻿", "zerowidth"),
        ("cafe\u0301", "café"),
        ("-40° outside", "-40° outside"),
        ("\u202eabc\u202c", "abc"),
        ("שלום", "שלום"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_cannot_be_spoken_is_dropped_and_typographic_signs_become_plain(raw, cleaned):
    assert clean(raw) == cleaned


@pytest.mark.parametrize("raw", ["", "   ", "\n\t\x00", "🙂🙃", "...!?", "— “ ” —", "\u200d\ufe0f"])
def test_text_without_a_letter_or_digit_is_refused_and_says_so(raw):
    with pytest.raises(InvalidUtterance, match="nothing to speak") as refused:
        clean(raw)
    assert refused.value.field == "text"


@pytest.mark.parametrize(
    "piece", ["a", "é", "🙂", " ", "1,", "e\u0301\u0301", "\u200d", "(((", "-5:"]
)
def test_a_hundred_kilobytes_of_anything_are_refused_quickly(piece):
    text = "a" + piece * (100_000 // len(piece))
    started = time.process_time()
    with pytest.raises(InvalidUtterance) as refused:
        check_length(len(clean(text)))
    assert time.process_time() - started < 0.5
    assert refused.value.field == "text"


def test_the_length_limit_is_named_with_the_field():
    check_length(MAX_CHARACTERS)
    with pytest.raises(InvalidUtterance, match=r"20001 characters.* 20000") as refused:
        check_length(MAX_CHARACTERS + 1, field="piece.text")
    assert refused.value.field == "piece.text"


@given(st.text(max_size=300))
def test_clean_text_is_clean(raw):
    try:
        cleaned = clean(raw)
    except InvalidUtterance:
        return
    assert clean(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert not any(c in cleaned for c in "\n\t\r\x00‘’“”…")


@given(st.lists(st.text(max_size=20), max_size=5), st.sampled_from(" \n\u2028\u3000"))
def test_the_parts_of_a_text_between_blanks_are_cleaned_as_the_whole_is(parts, blank):
    apart = " ".join(filter(None, map(plain, parts)))
    assert plain(blank.join(parts)) == apart


def test_a_long_text_is_cleaned_character_for_character_as_a_short_one():
    raw = "“Año nuevo” — ¡ya! … `5 °C` 🔥^ "
    assert clean(raw * 300) == " ".join([clean(raw)] * 300)


def test_a_refusal_never_repeats_the_text():
    with pytest.raises(InvalidUtterance) as refused:
        clean("☃☃☃")
    assert "☃" not in str(refused.value)
