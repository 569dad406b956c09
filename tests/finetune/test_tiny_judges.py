"""What `evaluate` makes of errors, and what the card says of it."""

import numpy as np
import pytest
import torch

from finetune.tiny import accents, card, likeness
from finetune.tiny.evaluate import KINDS, Line, Original, _figures
from finetune.tiny.languages import aligned_distance
from finetune.tiny.speaking import MAX_FRAMES, Speaking
from finetune.tiny.teachers import ENGLISH, TEACHERS
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder
from tests.support.tiny_random import make_random_model


def judged(tiny_errors: int) -> tuple[list[Original], list[Line]]:
    """Sixty lines of ten words of each kind; every fourth has that many errors."""
    originals = [
        Original(kind, f"{i}", 10, 20, int(i % 10 == 0), 1, "mira")
        for kind in KINDS
        for i in range(60)
    ]
    lines = [
        Line(
            tiny_errors * (i % 4 == 0),
            20 + i % 3,
            False,
            "rowan" if i % 6 == 0 else "mira",
            0.4,
            0.02,
        )
        for i, _ in enumerate(originals)
    ]
    return originals, lines


def test_figures_are_rates_over_words_with_intervals_around_them():
    figures = _figures(TEACHERS[0], *judged(tiny_errors=4))
    game = figures["game"]
    assert game["words"] == 600 and game["lines"] == 60
    assert (game["teacher"], game["copy"], game["tiny"]) == pytest.approx((0.01, 0.1, 0.1))
    low, high = game["tiny_interval"]
    assert 0.03 < low < 0.1 < high < 0.17
    low, high = game["tiny_above_teacher_interval"]
    assert low < game["tiny_above_teacher"] < high
    assert game["tiny_above_teacher"] == pytest.approx(0.09)
    assert figures["length_ratio"] == pytest.approx(1.05)
    assert figures["heard_as_itself"] == pytest.approx(5 / 6)
    assert figures["lm_rtf"] == pytest.approx(0.4 / (21 / 12.5))


def test_a_voice_without_errors_has_no_width():
    assert _figures(TEACHERS[0], *judged(0))["plain"]["tiny_interval"] == [0.0, 0.0]


def test_the_card_tells_each_voice_its_figures():
    report = {
        "voices": [_figures(teacher, *judged(4)) for teacher in ENGLISH],
        "spanish": {
            "voice": "ada",
            "tag": "es_es",
            **{
                kind: {
                    "lines": 30,
                    "right_text": 2.5,
                    "wrong_text": 4.25,
                    "length_ratio": 1.01,
                    "length_spread": 0.1,
                    "runaways": 0,
                    "copy_db": 3.0,
                    "tiny_db": 5.5,
                    "other_line_db": 9.0,
                }
                for kind in ("game", "plain")
            },
        },
        "lines": 1320,
        "runaways": 3,
        "accents": {
            "unheard_teachers": 0.9,
            "lines": 24,
            "voices": [{"voice": "ada", "tag": "en_rp", "tiny": 0.75, "teacher": 1.0, "copy": 0.5}],
        },
        "enrolled": {
            "floor": {"mean": 0.1, "95_percent": 0.6},
            "speakers": [
                {
                    "speaker": name,
                    "teacher": 0.99,
                    "copy": 0.9,
                    "tiny": 0.8,
                    "nearest_shipped": "mira",
                    "tiny_to_nearest_shipped": 0.7,
                }
                for name in ("sltx105", "e-Andy")
            ],
        },
    }
    text = card.tables(report)
    for teacher in ENGLISH:
        assert text.count(f"| {teacher.voice} | {teacher.tag} | ") == 3 + (
            teacher.key == "ada-en_rp"
        )
    assert "| 600 | 1.0% | 10.0% | 10.0% (" in text
    assert "3 ran on" in text
    assert "| 2.50 | 4.25 | 1.01 ± 0.10 | 0 | 3.0 dB | 5.5 dB | 9.0 dB |" in text
    assert "| ada | en_rp | 100% | 50% | 75% |" in text
    assert "| slt, 1.05 | 0.99 | 0.90 | 0.80 | 0.70 (mira) |" in text
    assert "espeak-ng Andy" in text


def test_sounds_are_compared_along_the_best_alignment():
    rng = np.random.default_rng(0)
    sound_MT = rng.normal(size=(8, 30)).astype(np.float32)
    slower_MT = np.repeat(sound_MT, 2, axis=1)
    assert aligned_distance(sound_MT, sound_MT) == 0
    assert aligned_distance(sound_MT, slower_MT) == 0
    assert aligned_distance(sound_MT, sound_MT + 1) == pytest.approx(1, abs=0.15)
    other_MT = rng.normal(size=(8, 30)).astype(np.float32)
    assert aligned_distance(sound_MT, other_MT) > 0.5


def test_a_model_folder_speaks_and_is_heard(tmp_path):
    folder = make_random_model(tmp_path)
    LogMelEncoder(LogMelConfig("tiny-0")).eval().save(folder / "speaker")
    speaking = Speaking(folder)
    said = speaking.speak("Halt! Who goes there?", "mira", "en_us")
    assert len(said) == MAX_FRAMES * 1764  # it hardly ever ends a line by itself
    again = speaking.speak("Halt! Who goes there?", speaking.voices["mira"], "en_us")
    assert np.array_equal(said, again)
    assert speaking.nearest(said) in speaking.voices
    assert np.linalg.norm(speaking.who([said])) == pytest.approx(1, abs=1e-5)


def test_a_crowd_that_is_not_finished_is_said_to_be_so(tmp_path):
    model = make_random_model(tmp_path)
    LogMelEncoder(LogMelConfig("tiny-0")).eval().save(model / "speaker")
    with pytest.raises(ValueError, match=r"has 0 lines .* let `crowd` run to its end"):
        likeness.judge(tmp_path, model)


def test_the_accent_probe_answers_with_a_tag():
    torch.manual_seed(0)
    noise = np.random.default_rng(0).standard_normal(22_050).astype(np.float32)
    assert accents.Probe().eval().heard(0.1 * noise) in accents.TAGS
