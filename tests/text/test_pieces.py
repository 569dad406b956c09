"""Where a text is cut, in three languages, at once and in fragments."""

import re
import time

import pytest
import sentencex
from hypothesis import example, given
from hypothesis import strategies as st

from kani_npc.text import clean
from kani_npc.text.pieces import CLAUSE_START, Pieces, PieceSplitter, split

# Each entry is a sentence: nothing in it ends one, and its own end does.
SENTENCES = {
    "en": [
        "Dr. Oz and Mrs. Bell met Prof. Quirrel, Capt. Hook, Lt. Dan and Sgt. Slaughter at St. Mary's.",
        "It costs $3.14, or approx. 1,000.50 gold, i.e. far too much, e.g. for me.",
        "J. R. R. Tolkien and George R. R. Martin lived at 7:30 p.m. in the U.S. for years.",
        "Wait... what did you say about version 2.0.1 of www.example.com/a.b?x=1 yesterday?",
        '"Halt!" he cried and drew his sword, which was 3.5 ft. long, vs. the troll\'s.',
        "No. 5 is alive at 10.30 a.m. on Jan. 5 and weighs 12 kg!",
        "Really?!",
        "The gate (see fig. 3, vol. 2) stays shut until dawn, etc. and so on.",
        "You've reached lvl. 5 with Mr. Smith vs. Mr. Jones Jr. at Baker St. 221b.",
    ],
    "de": [
        "Das ist z.B. gut, d.h. brauchbar, bzw. u.a. auch nach Dr. Meier und Prof. Schulz nicht schlecht.",
        "Am 24. Dezember kamen ca. 3,14 Mio. Gäste um 19.30 Uhr ins Haus von Hr. Müller.",
        "Im 19. Jahrhundert war Ludwig der 14. schon lange tot, und der 2. Weltkrieg kam erst noch.",
        '"Halt!", sagte die Wache und zog das Schwert, das inkl. Scheide 5,50 € gekostet hatte.',
        "J. R. R. Tolkien wohnte in der Hauptstr. Nr. 5 bei Frl. Schmidt usw. und so weiter.",
        "Moment... was haben Sie gesagt?",
        "Gehen Sie zur 3. Etage, dann links!",
        "Vgl. S. 5 und Abb. 3 bei Fr. Weber, geb. Schulz, St. Pauli.",
    ],
    "es": [
        "El Sr. Gómez, la Sra. Pérez y la Dra. López viven en EE. UU. desde hace años.",
        "Ud. sabe, p. ej. esto, que cuesta 3.500,50 euros, o sea aprox. 4.000 a las 7.30 de la tarde.",
        "¿Quién anda ahí?",
        "- ¿Quién va? - preguntó el guardia con la mano en la espada.",
        "J. R. R. Tolkien nació en 1892, etc. y escribió mucho.",
        "¡No pase Ud. por la Av. Libertad núm. 5, pág. 3!",
        "Espera... no sé qué decirte, amigo mío.",
        "D. Juan y Dña. Inés llegaron con el Gral. Prim y el Prof. Ruiz.",
    ],
}


def fed(text: str, language: str, most: int, cuts: list[int]) -> list[str]:
    """What a splitter says of a text that comes in fragments of these lengths, over and over."""
    splitter, pieces, at, i = PieceSplitter(language, most), [], 0, 0
    while at < len(text):
        length = cuts[i % len(cuts)]
        pieces += splitter.feed(text[at : at + length])
        at, i = at + length, i + 1
    return pieces + splitter.close()


@pytest.mark.parametrize(
    ("language", "sentence"), [(lang, s) for lang, table in SENTENCES.items() for s in table]
)
def test_no_sentence_is_cut_in_the_middle_and_each_ends_at_its_end(language, sentence):
    sentence, after = clean(sentence), "Now the guard waits for an answer of yours."
    pieces = split(f"{sentence} {after}", language, len(sentence) + len(after))
    # A short one does not stand alone.
    assert pieces in ([sentence, after], [f"{sentence} {after}"])
    if len(sentence) >= 30:
        assert pieces[0] == sentence


@pytest.mark.parametrize("language", SENTENCES)
def test_a_long_text_is_cut_at_the_ends_of_its_sentences_only(language):
    sentences = [clean(s) for s in SENTENCES[language]]
    text = " ".join(sentences)
    ends, at = set(), 0
    for sentence in sentences:
        at += len(sentence) + 1
        ends.add(at)
    pieces, at = split(text, language, 220), 0
    assert len(pieces) >= len(sentences) / 2
    for piece in pieces:
        at += len(piece) + 1
        assert at in ends


def test_a_tag_of_a_model_names_the_language_and_one_that_nobody_knows_is_english():
    text = "Wir trafen uns bzw. Sie kamen zu uns. Dann ging alles sehr schnell vorbei."
    assert split(text, "de_de", 70) == split(text, "de", 70) == split(text, "DE-at", 70)
    english = "We met Mr. Bell and all of his friends. Then it was over rather quickly."
    assert split(english, "en_glasg", 70) == split(english, "", 70) == split(english, "zz", 70)


def test_a_text_that_fits_is_one_piece():
    text = "Halt! Who goes there? Friend or foe?"
    assert split(text, "en", len(text)) == [text]


def test_a_longer_text_starts_with_its_first_sentence_and_short_ones_wait_for_the_next():
    text = "Good evening, Sir. Yes. No. The road to the old mill is closed since the flood. Go."
    assert split(text, "en", 80) == [
        "Good evening, Sir.",
        "Yes. No. The road to the old mill is closed since the flood.",
        "Go.",
    ]


def test_a_sentence_that_is_too_long_is_cut_at_a_clause_mark_else_between_words():
    text = "The road to the mill is closed, for the bridge fell into the river last winter night"
    assert split(text, "en", 50) == [
        "The road to the mill is closed,",
        "for the bridge fell into the river last winter",
        "night",
    ]


@pytest.mark.parametrize("language", SENTENCES)
def test_a_piece_is_cut_when_it_is_asked_for_and_no_sooner(language, monkeypatch):
    text = " ".join(clean(sentence) for sentence in SENTENCES[language] * 20)
    looked_at, segment = 0, sentencex.segment  # pyright: ignore[reportAttributeAccessIssue]  ships no types

    def counting(language: str, words: str) -> list[str]:
        nonlocal looked_at
        looked_at = max(looked_at, text.index(words) + len(words))
        return segment(language, words)

    monkeypatch.setattr(sentencex, "segment", counting)
    pieces = Pieces(text, language, 220)
    assert looked_at == 0
    first, second = next(pieces), next(pieces)
    assert len(first) + len(second) <= looked_at < 400 < len(text) / 20
    assert [first, second, *pieces] == split(text, language, 220)


@pytest.mark.parametrize("most", [60, 220])
def test_what_is_left_to_be_cut_is_known_about(most):
    """To a factor of two in ordinary prose; in a text of abbreviations they count as sentences."""
    text = " ".join(
        "The miller went home late, and nobody saw him again. Who goes there? Halt! The road to the old mill by the "
        f"river is closed, for the bridge fell into it {number} winters ago."
        for number in range(40)
    )
    pieces, cut = Pieces(text, "en", most), split(text, "en", most)
    assert pieces.characters == len(text)
    for number, piece in enumerate(cut):
        left = len(cut) - number
        assert left / 2 <= pieces.about <= 2 * left + 1
        assert abs(pieces.characters - len(" ".join(cut[number:]))) <= 1
        assert next(pieces) == piece
    assert next(pieces, None) is None
    assert pieces.about == pieces.characters == 0


def test_words_that_belong_together_are_not_parted_by_such_a_cut():
    for word, number in [
        ("costs", "$5 million"),
        ("at", "7:30 p.m."),
        ("Mr.", "Bell"),
        ("5", "kg"),
    ]:
        text = f"{'x' * 20} {'y' * 20} {word} {number} {'z' * 30}"
        for most in range(30, 60):
            for piece in split(text, "en", most)[:-1]:
                assert not piece.endswith((" Mr.", " 5", " $5", " 7:30"))


def test_a_word_that_is_longer_than_a_piece_is_cut_all_the_same():
    assert split("a" * 25, "en", 10) == ["a" * 10, "a" * 10, "a" * 5]


def test_signs_without_a_word_are_no_piece():
    assert all(any(c.isalnum() for c in p) for p in split("?! " * 100 + "Halt! " * 50, "en", 60))
    splitter = PieceSplitter("en", 60)
    assert splitter.feed("... ?! ") == [] and splitter.close() == []


# As it is written


def test_speech_starts_at_the_first_clause_as_soon_as_it_is_certain():
    splitter, said = PieceSplitter("en", 220), []
    for token in re.findall(r"\s?\S{1,4}", "Well, if you ask me, Sir, the bridge is gone."):
        said.append(splitter.feed(token))
    first = next(i for i, pieces in enumerate(said) if pieces)
    assert said[first] == ["Well, if you ask me, Sir,"] and len(said[first][0]) >= CLAUSE_START
    assert sum(map(len, said)) == 1  # the rest of the sentence is not certain before it is closed
    assert splitter.close() == ["the bridge is gone."]


@pytest.mark.parametrize(
    ("written", "goes_on"),
    [
        ("I have walked a thousand miles to pay you 3", ".14 gold."),
        ("I have walked a thousand miles to pay you 3.", "14 gold."),
        ("I have walked a thousand miles, all for 3,", "000 gold."),
        ("I have walked all these miles to see Dr", ". Bell."),
        ("I have walked all these miles to see Dr.", " Bell."),
        ("I have walked all these miles to see J. ", "R. R. Tolkien."),
        ("I have walked all these miles for that..", ". thing."),
        ("I have walked all these miles to be here at 5 p.", "m. today."),
        ("I have walked all these miles to see you?", "!"),
    ],
)
def test_what_the_next_fragment_could_continue_is_kept_back(written, goes_on):
    splitter = PieceSplitter("en", 220)
    said = splitter.feed(written)
    assert not any(piece.endswith(written.split()[-1]) for piece in said)
    assert " ".join([*said, *splitter.feed(goes_on), *splitter.close()]) == written + goes_on


def test_flush_says_what_is_there_and_speech_starts_anew():
    splitter = PieceSplitter("en", 220)
    assert splitter.feed("Let me loo") == []
    assert splitter.flush() == ["Let me loo"]
    assert splitter.flush() == []
    assert splitter.feed("Here it is, the map that you wanted, and") == [
        "Here it is, the map that you wanted,"
    ]
    assert splitter.close() == ["and"]


words = st.sampled_from(
    "the guard sees you Dr. Mr. e.g. 3.14 $5 p.m. 7:30 No. Halt! \"Halt!\" 'Who?' what, so; - ... ?! (well) "
    "J. R. etc. z.B. 24. Dezember Ud. ¡No! ¿Qué? www.example.com U.S. 1,000 it's … — end. End. gone.".split()
)
texts = st.lists(words, min_size=1, max_size=40).map(" ".join)
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=8)
languages = st.sampled_from(["en", "de", "es"])
most = st.sampled_from([40, 90, 220])


@given(texts | st.text(max_size=200), cuts, languages, most)
@example("e\u0301 — 1️⃣\x1c2 \u2028", [1], "en", 40)
def test_how_a_text_is_cut_into_fragments_changes_nothing(text, cuts, language, most):
    whole = PieceSplitter(language, most)
    assert fed(text, language, most, cuts) == [*whole.feed(text), *whole.close()]


@given(texts, cuts, languages, most)
def test_no_word_is_lost_or_put_elsewhere_and_no_piece_is_too_long(text, cuts, language, most):
    def spoken(pieces: list[str]) -> list[str]:
        return [w for p in pieces for w in p.split() if any(c.isalnum() for c in w)]

    if not any(c.isalnum() for c in text):
        return
    cleaned = clean(text)
    for pieces in (fed(text, language, most, cuts), split(cleaned, language, most)):
        assert spoken(pieces) == spoken([cleaned])
        assert all(0 < len(piece) <= most or pieces == [cleaned] for piece in pieces)


@given(texts, cuts, languages, most)
@example("the the the the the end. — 7:30 the guard", [1], "en", 40)
@example("the the the the the end. — — 7:30 the guard", [1], "en", 40)
def test_a_long_text_in_fragments_is_cut_as_at_once_but_for_its_first_sentence(
    text, cuts, language, most
):
    if not any(c.isalnum() for c in text) or len(clean(text)) <= most:
        return
    whole, pieces = split(clean(text), language, most), fed(text, language, most, cuts)
    # The first piece may have been said clause by clause.
    if pieces[0] != whole[0] and whole[0].startswith(pieces[0]):
        first = " ".join(pieces[:2])
        if first == whole[0]:
            assert pieces[2:] == whole[1:]
    else:
        assert pieces == whole


@pytest.mark.parametrize("text", ["a. ", "a", "- ", '"', "Who? ", "a, ", "1. ", "(", "J. R. "])
def test_twenty_thousand_characters_of_anything_are_cut_quickly_however_they_come(text):
    text = "a " + text * (20_000 // len(text))
    started_s = time.process_time()
    pieces = fed(text, "en", 220, [3])
    assert time.process_time() - started_s < 5.0  # 0.6 s at most where nobody else computes
    assert all(len(piece) <= 220 for piece in pieces)
