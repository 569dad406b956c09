"""The voices and accents of a model folder, found by name and checked against the model."""

import json

import numpy as np
import pytest

from kani_npc.errors import AccentNotFound, ModelError, VoiceNotFound
from kani_npc.voices.builtin import load_voices

TAGS = ("en_us", "en_glasg")
UNIT = [0.6, 0.8]


def write(folder, voices=None, **changes):
    data = {
        "default_voice": "guard",
        "default_accent": "en_us",
        "voices": voices
        if voices is not None
        else [
            {
                "id": "guard",
                "display_name": "The guard",
                "space": "tiny",
                "embedding": UNIT,
                "tag": "en_glasg",
                "licence": "Apache-2.0",
            },
            {"id": "plain", "display_name": "", "space": "tiny", "embedding": None},
        ],
    } | changes
    (folder / "voices.json").write_text(
        json.dumps({k: v for k, v in data.items() if v != "absent"})
    )


def load(folder, languages=TAGS, speaker_space="tiny"):
    return load_voices(folder, languages=languages, speaker_space=speaker_space)


def test_voices_and_accents_are_found_by_id(tmp_path):
    write(tmp_path)
    voices = load(tmp_path)
    guard = voices.voice("guard")
    assert (guard.display_name, guard.tag, guard.licence) == ("The guard", "en_glasg", "Apache-2.0")
    assert guard.embedding is not None and guard.embedding.space == "tiny"
    np.testing.assert_array_equal(guard.embedding.vector, np.array(UNIT, np.float32))
    assert voices.voice("plain").embedding is None and voices.voice("plain").display_name == "plain"
    assert voices.accent("en-glasg") == voices.accent("en_glasg") == voices.accent_of(guard)
    assert (
        voices.accent_of(voices.voice("plain")) == voices.default_accent == voices.accent("en-us")
    )


def test_what_is_not_there_is_not_found(tmp_path):
    write(tmp_path)
    voices = load(tmp_path)
    with pytest.raises(VoiceNotFound, match=r"GetServerInfo .*\(guard, plain\)"):
        voices.voice("nobody")
    with pytest.raises(AccentNotFound, match=r"GetServerInfo .*\(en-us, en-glasg\)"):
        voices.accent("martian")


def test_a_folder_without_voices_has_one_without_a_speaker(tmp_path):
    voices = load(tmp_path)
    assert [v.id for v in voices.voices] == ["default"]
    assert voices.default_voice.embedding is None
    assert voices.default_accent == voices.accent("en-us")
    assert load(tmp_path, languages=()).default_accent is None


def test_a_model_without_tags_knows_no_accent(tmp_path):
    with pytest.raises(AccentNotFound, match="knows none"):
        load(tmp_path, languages=()).accent("en-us")


@pytest.mark.parametrize(
    ("voices", "says"),
    [
        ([{"id": "Guard!", "embedding": None}], "voice id"),
        ([{"embedding": None}], "'id' is missing"),
        ([{"id": "guard", "embedding": None}] * 2, "same id"),
        ([{"id": "guard", "embedding": UNIT, "space": "other"}], "takes 'tiny'"),
        ([{"id": "guard", "embedding": UNIT}], "'space' is missing"),
        ([{"id": "guard", "embedding": [3.0, 4.0], "space": "tiny"}], "unit length"),
        ([{"id": "guard", "embedding": [float("nan")], "space": "tiny"}], "unit length"),
        ([{"id": "guard", "embedding": [UNIT], "space": "tiny"}], "unit length"),
        ([{"id": "guard", "embedding": "x", "space": "tiny"}], "could not convert"),
        ([{"id": "guard", "embedding": None, "tag": "fr_fr"}], "not trained with"),
        ([{"id": "guard", "embedding": None, "colour": "red"}], "colour"),
        ([], "no voice 'guard'"),
        (["guard"], "voices.json"),
    ],
)
def test_a_voices_file_that_does_not_fit_says_what_is_wrong(tmp_path, voices, says):
    write(tmp_path, voices)
    with pytest.raises(ModelError, match=says) as caught:
        load(tmp_path)
    assert "voices.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"default_voice": "nobody"}, "no voice 'nobody'"),
        ({"default_voice": "absent"}, "'default_voice' is missing"),
        ({"default_accent": "fr_fr"}, "no accent 'fr_fr'"),
    ],
)
def test_a_default_that_is_not_there_is_an_error(tmp_path, changes, says):
    write(tmp_path, **changes)
    with pytest.raises(ModelError, match=says):
        load(tmp_path)


def test_a_file_that_is_no_json_is_an_error(tmp_path):
    (tmp_path / "voices.json").write_text("{")
    with pytest.raises(ModelError, match=r"voices\.json"):
        load(tmp_path)
