"""Which words are respelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.text.lexicon import respell

NAMES = {"Jon": "John", "Jon Snow": "Jawn Snoh", "K8s": "kubernetes", "Łódź": "woodge"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Jon!", "John!"),
        ("jon, JON", "John, John"),
        ("Jon Snow knows Jon.", "Jawn Snoh knows John."),  # the longest first
        ("Jonas Jon-Snow", "Jonas John-Snow"),  # whole words
        ("Jon Snowy", "John Snowy"),
        ("k8s in ŁÓDŹ", "kubernetes in woodge"),
        ("", ""),
        ("İJon Jon", "İJon John"),
    ],
)
def test_whole_words_are_respelled_the_longest_first(text, said):
    assert respell(text, NAMES) == said


def test_a_text_without_any_of_the_words_is_handed_back_as_it_is():
    text = "Jonas looks at the snow."
    assert respell(text, NAMES) is text


def test_what_is_put_in_is_not_looked_at_again():
    assert respell("a b", {"a": "b", "b": "a"}) == "b a"


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_any_text_and_any_entries_give_a_text(text, entries):
    assert isinstance(respell(text, entries), str)


@given(st.text())
def test_without_entries_a_text_stays_as_it_is(text):
    assert respell(text, {}) == text
