import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kani_npc
from kani_npc.errors import CheckpointError, InvalidUtterance
from kani_npc.text.phones import (
    MAX_SYMBOLS,
    NO_TAG,
    PAD,
    PRONUNCIATIONS_FILE,
    PhoneTokenizer,
    Pronunciations,
)

PACKED = (Path(kani_npc.__file__).parent / "tiny" / PRONUNCIATIONS_FILE).read_bytes()
TAGS = ("en_us", "en_scot", "en_rp")


@pytest.fixture(scope="module")
def tokenizer() -> PhoneTokenizer:
    return PhoneTokenizer(Pronunciations(PACKED), TAGS, 32)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Halt!", "HH AO1 L T !"),
        ("Who goes there?", "HH UW1 _ G OW1 Z _ DH EH1 R ?"),
        ("the wizard's boxes", "DH AH _ W IH1 Z ER D Z _ B AA1 K S AH Z ."),
        ("I don't 'know' it's", "AY1 _ D OW1 N T _ N OW1 _ IH1 T S ."),
        ("NPC", "EH1 N P IY1 S IY1 ."),
        ("grumbletonk", "G R AH1 M B L IH T AA1 NG K ."),
        ("yes, no...", "Y EH1 S , N OW1 ."),
        ("what?! now", "W AH1 T ? N AW1 ."),
        ("3 coins", "TH R IY1 _ K OY1 N Z ."),
    ],
)
def test_english_becomes_phones_gaps_and_pauses(tokenizer, text, symbols):
    assert " ".join(tokenizer.symbols(text)).replace("   ", " _ ") == symbols


def test_ids_start_with_bos_and_the_tag_and_are_padded_to_a_fixed_grid(tokenizer):
    plain, tagged = tokenizer.encode("Halt!"), tokenizer.encode("en_scot: Halt!")
    assert plain[0] == tagged[0] == 1
    assert plain[1] == NO_TAG
    assert tagged[1] not in (NO_TAG, PAD)
    assert plain[2:] == tagged[2:]
    assert len(plain) == 32
    assert plain[7:] == [PAD] * 25
    assert max(tagged) < tokenizer.vocab_size


def test_a_tag_that_the_model_was_not_trained_with_is_text(tokenizer):
    assert tokenizer.encode("xx: Halt!")[1] == NO_TAG


def test_a_hundred_words_nobody_ever_wrote_can_be_said(tokenizer):
    words = [
        f"{a}{b}{c}"
        for a in ("zor", "blik", "quax")
        for b in ("e", "ungo", "y")
        for c in ("th", "ks", "'s")
    ]
    for word in words:
        assert tokenizer.symbols(word)[-1] == "."
        assert len(tokenizer.symbols(word)) > 1


def test_letter_to_sound_rules_speak_every_letter_string(tokenizer):
    for letters in ("hh", "zzz", "a", "qqqq", "w"):
        assert tokenizer.symbols(letters)


def test_forty_seconds_of_phones_are_the_limit_and_the_error_says_how_long_the_text_is(tokenizer):
    with pytest.raises(InvalidUtterance, match=f"sounds long.*{MAX_SYMBOLS}") as refused:
        tokenizer.encode("9" * 600)
    assert refused.value.field == "text"


def test_text_that_is_only_signs_is_refused(tokenizer):
    with pytest.raises(InvalidUtterance, match="no word"):
        tokenizer.encode("en_us: ... !")


def test_a_very_long_text_is_refused_quickly(tokenizer):
    started = time.process_time()
    with pytest.raises(InvalidUtterance):
        tokenizer.encode("grumbletonk " * 8000)
    assert time.process_time() - started < 2.0


def test_pronunciations_load_fast():
    started = time.process_time()
    Pronunciations(PACKED)
    assert time.process_time() - started < 1.0  # 30 ms on a quiet machine


def test_a_missing_or_broken_pronunciation_file_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        PhoneTokenizer.load(tmp_path, {"kind": "phones"})
    (tmp_path / PRONUNCIATIONS_FILE).write_bytes(PACKED[: len(PACKED) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        PhoneTokenizer.load(tmp_path, {"kind": "phones"})
    with pytest.raises(CheckpointError, match="unknown keys: flavour"):
        PhoneTokenizer.load(tmp_path, {"kind": "phones", "flavour": 1})


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=120))
def test_any_ascii_text_is_spoken_or_refused(text):
    tokenizer = PhoneTokenizer(_PRONUNCIATIONS, TAGS, 32)
    try:
        ids = tokenizer.encode(text)
    except InvalidUtterance:
        return
    assert len(ids) % 32 == 0
    assert ids.count(1) == 1
    assert set(ids) <= set(range(tokenizer.vocab_size))


_PRONUNCIATIONS = Pronunciations(PACKED)
