"""Letter-to-sound rules, word errors, and the model folder that the recipe writes."""

import json

import numpy as np
import pytest
import torch

from finetune.recogniser import word_errors
from finetune.tiny.g2p import align, learn_rules, pack, read_stressed_dictionary, stressed_like
from finetune.tiny.package import write_codec
from finetune.tiny.speakers import Speakers
from finetune.tiny.teachers import TEACHERS
from kani_npc.codec.load import load_codec
from kani_npc.lm.load import load_lm
from kani_npc.text.phones import CODES, Pronunciations
from tests.support.tiny_random import make_random_model


def packed(phones: str) -> str:
    return "".join(CODES[phone] for phone in phones.split())


def test_rules_learned_from_a_few_words_say_them_and_their_likes():
    lexicon = {
        "cat": packed("K AE T"), "cats": packed("K AE T S"), "hat": packed("HH AE T"), "chat": packed("CH AE T"),
        "chin": packed("CH IH N"), "hit": packed("HH IH T"), "city": packed("S IH T IY"), "cit": packed("S IH T"),
    }  # fmt: skip
    aligned = align(lexicon)
    assert all("".join(sounds) == lexicon[word] for word, sounds in aligned.items())
    assert all(len(sounds) == len(word) for word, sounds in aligned.items())
    rules = Pronunciations(pack(learn_rules(aligned), {}))
    assert rules.sound_out("cat") == lexicon["cat"]
    assert rules.sound_out("hats") == packed("HH AE T S")


def test_a_dictionary_entry_outranks_the_rules():
    packed_file = pack({"a": packed("AE")}, {"a": packed("AH")})
    assert Pronunciations(packed_file).phones("a") == ["AH"]
    assert Pronunciations(packed_file).phones("aa") == ["AE", "AE"]


def test_festivals_dictionary_is_read_with_its_stress(tmp_path):
    path = tmp_path / "cmudict.out"
    path.write_text(
        """MNCL
("a" dt (((ax) 0)))
("a" n (((ey) 1)))
("abdicate" nil (((ae b) 1) ((d ax) 0) ((k ey t) 1)))
("butter" nil (((b ah) 1) ((t er) 0)))
("y.m.c.a" nil (((w ay) 1)))
"""
    )
    assert read_stressed_dictionary(path) == {
        "a": packed("AH"),
        "abdicate": packed("AE1 B D AH K EY1 T"),
        "butter": packed("B AH1 T ER"),
    }


@pytest.mark.parametrize(
    ("phones", "example", "stressed"),
    [
        ("G AA B L IH N", "G AA B L AH1 N", "G AA B L IH1 N"),
        ("G AA B L IH N", "G AA1 B L", "G AA1 B L IH N"),  # of other vowels
        ("P S T", "AH1", "P S T"),
    ],
)
def test_words_without_stress_take_that_of_the_rules(phones, example, stressed):
    assert stressed_like(packed(phones), packed(example)) == packed(stressed)


def test_rules_with_stress_leave_no_word_without_it():
    letters = dict(zip("aehmr", map(packed, ("AA", "EH1", "HH", "M", "R")), strict=True))
    rules = Pronunciations(pack(letters, {}))
    assert rules.have_stress
    assert rules.phones("hema") == ["HH", "EH1", "M", "AA"]
    assert rules.phones("hara") == ["HH", "AA1", "R", "AA"]
    assert rules.phones("hmm") == ["HH", "M", "M"]
    assert rules.phones("RH") == ["AA1", "R", "EY1", "CH"]


def test_letters_are_spelled_without_stress_where_the_rules_know_none():
    rules = Pronunciations(pack({"a": packed("AA")}, {}))
    assert not rules.have_stress
    assert rules.phones("RH") == ["AA", "R", "EY", "CH"]
    assert rules.phones("aa") == ["AA", "AA"]


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b", "x a b y", 2),
        ("a b", "", 2),
        ("", "a", 1),
    ],
)
def test_word_errors_are_the_fewest_edits(said, heard, errors):
    assert word_errors(said.split(), heard.split()) == errors


def test_every_voice_has_a_unit_vector_of_its_own():
    vectors = np.stack(list(Speakers.named({t.voice for t in TEACHERS}).vectors.values()))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.abs(vectors @ vectors.T - np.eye(len(vectors))).max() < 0.5


def test_a_packaged_folder_loads_and_says_what_it_is(tmp_path):
    folder = make_random_model(tmp_path)
    assert load_lm(folder).config.language_tags[0] == "en_us"
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_name"], config["speaker_space"]) == ("tiny", "tiny-0")
    voices = json.loads((folder / "voices.json").read_text())
    assert voices["default_voice"] in [voice["id"] for voice in voices["voices"]]
    assert {voice["space"] for voice in voices["voices"]} == {"tiny-0"}
    assert json.loads((folder / "generation_config.json").read_text())["do_sample"] is False


def test_a_codec_stored_in_half_precision_sounds_the_same(tmp_path):
    folder = make_random_model(tmp_path)
    write_codec(folder / "codec", tmp_path / "half")
    codes = torch.randint(0, 1000, (4, 20), generator=torch.Generator().manual_seed(0))
    whole, half = (
        load_codec(folder / "codec").decode(codes),
        load_codec(tmp_path / "half").decode(codes),
    )
    assert (whole - half).abs().max() < 0.02
