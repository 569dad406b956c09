import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kani_npc
from kani_npc.errors import InvalidUtterance
from kani_npc.text.phones import PRONUNCIATIONS_FILE, PhoneTokenizer, Pronunciations
from kani_npc.text.spanish import normalize, phones

PACKED = (Path(kani_npc.__file__).parent / "tiny" / PRONUNCIATIONS_FILE).read_bytes()


@pytest.fixture(scope="module")
def tokenizer() -> PhoneTokenizer:
    tags = ("en_us", "en_rp", "es_es")
    return PhoneTokenizer(Pronunciations(PACKED), tags, 32, non_rhotic=("en_rp",))


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("hola", "o1 L a"),
        ("guerra", "G e1 rr a"),
        ("pingüino", "P i N G W i1 N o"),
        ("agua", "a1 G W a"),
        ("queso", "K e1 S o"),
        ("cielo", "TH Y e1 L o"),
        ("zapato", "TH a P a1 T o"),
        ("perro", "P e1 rr o"),
        ("pero", "P e1 r o"),
        ("rápido", "rr a1 P i D o"),
        ("jardín", "x a r D i1 N"),
        ("girar", "x i r a1 r"),
        ("niño", "N i1 ny o"),
        ("llave", "Y a1 B e"),
        ("rey", "rr e1 Y"),
        ("ciudad", "TH Y u D a1 D"),
        ("viuda", "B Y u1 D a"),
        ("país", "P a i1 S"),
        ("oír", "o i1 r"),
        ("huir", "W i1 r"),
        ("hueso", "W e1 S o"),
        ("examen", "e K S a1 M e N"),
        ("México", "M e1 x i K o"),
        ("él", "e1 L"),
        ("el", "e L"),
        ("y", "i"),
        ("b", "B e1"),
        ("NPC", "e1 N e P e1 TH e1"),
    ],
)
def test_spelling_says_sounds_and_stress(word, sounds):
    assert phones(word) == sounds.split()


@given(st.text("abcdefghijklmnñopqrstuvwxyzáéíóúü", min_size=1, max_size=20))
def test_no_word_is_silent_but_one_of_mute_letters_or_has_two_stresses(word):
    sounds = phones(word)
    assert sounds or set(word) <= {"h"}
    assert sum(sound.endswith("1") for sound in sounds) <= 1 or not set(word) & set("aeiouyáéíóúü")


def test_text_is_read_by_the_language_of_its_tag(tokenizer):
    spanish = tokenizer.symbols("¿Dónde está el Sr. Gil? ¡Son las 7!", "es_es")
    assert "".join(spanish) == "Do1NDe eSTa1 eL Seny" + "o1r xi1L?So1N LaS Sye1Te!".replace(
        "Sy", "SY"
    )
    english = tokenizer.symbols("Gil", "en_us")
    assert "x" not in english


def test_accents_without_r_keep_it_before_vowels_only(tokenizer):
    says = {tag: " ".join(tokenizer.symbols("Far away, sir", tag)) for tag in ("en_us", "en_rp")}
    assert says["en_us"] == "F AA1 R   AH W EY1 , S ER1 ."
    assert says["en_rp"] == "F AA1 R   AH W EY1 , S ER1 ."
    assert "R" in tokenizer.symbols("The guard", "en_us")
    assert "R" not in tokenizer.symbols("The guard", "en_rp")


def test_its_settings_bring_it_back(tokenizer, tmp_path):
    import json

    (tmp_path / PRONUNCIATIONS_FILE).write_bytes(PACKED)
    again = PhoneTokenizer.load(tmp_path, json.loads(tokenizer.settings()))
    for text in ("es_es: El niño corre.", "en_rp: The guard is far."):
        assert again.encode(text) == tokenizer.encode(text)


def test_ids_keep_their_places_as_spanish_and_then_stress_are_added():
    """So that a model goes on from one that knew less."""
    plain = Pronunciations(lzma.compress(b"a A\nb G\n\n\n"))  # AA and B
    stressed = Pronunciations(lzma.compress(b"a n\nb G\n\n\n"))  # AA1
    english = PhoneTokenizer(plain, ("en_us", "en_rp"), 32)
    with_spanish = PhoneTokenizer(plain, ("en_us", "en_rp", "es_es"), 32)
    with_stress = PhoneTokenizer(stressed, ("en_us", "en_rp", "es_es"), 32)
    assert english.encode("en_rp: ab") == with_spanish.encode("en_rp: ab")
    assert with_spanish.encode("es_es: El niño.") == with_stress.encode("es_es: El niño.")
    assert with_stress.encode("en_rp: b") == english.encode("en_rp: b")
    assert max(with_stress.encode("en_rp: ab")) >= with_spanish.vocab_size


def test_other_scripts_are_refused():
    with pytest.raises(InvalidUtterance, match="Cyrillic"):
        normalize("Привет")
