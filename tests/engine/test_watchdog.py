"""The watchdog lets ordinary speech pass and stops what no speaker would do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kani_npc.engine.watchdog import Alarm, Watchdog, WatchdogLimits, letters

LIMITS = WatchdogLimits()
FRAME = 1764
TONE = (3000 * np.sin(np.arange(FRAME) / 10)).astype(np.int16)
LONG = "Nobody has seen the bridge since the night of the storm, and nobody wants to." * 5


def frames(num: int, seed: int = 0) -> list[list[int]]:
    """Codes that never come again by chance."""
    return np.random.default_rng(seed).integers(0, 4032, (num, 4)).tolist()


def first_alarm(text: str, codes: list[list[int]]) -> tuple[Alarm | None, int]:
    watchdog = Watchdog()
    watchdog.begin(text)
    for i, frame in enumerate(codes, 1):
        if alarm := watchdog.codes(frame):
            return alarm, i
    return None, len(codes)


@pytest.mark.parametrize("text", ["Hi!", "No.", "3", "I", "...what"])
def test_a_word_may_take_three_seconds_and_not_ten(text):
    assert first_alarm(text, frames(37)) == (None, 37)
    alarm, at = first_alarm(text, frames(125))
    assert alarm is Alarm.RUNAWAY and at < 100


def test_a_longer_text_may_take_longer():
    texts = ["Halt!", "Halt! Who goes there?", LONG]
    ends = [first_alarm(text, frames(3000))[1] for text in texts]
    assert ends == sorted(ends) and len(set(ends)) == 3


def test_numbers_signs_and_ideographs_count_as_what_is_said_of_them():
    assert letters("1984") > letters("nineteen eighty") and letters("$5") > letters("five dollars")
    assert letters("三百") >= letters("san byaku")
    assert letters("NPC") > letters("npc")


@given(period=st.integers(1, 40), before=st.integers(0, 60), seed=st.integers(0, 2**32 - 1))
def test_a_cycle_of_frames_is_noticed_when_it_has_come_round_twice(period, before, seed):
    codes = frames(before, seed) + frames(period, seed + 1) * 40
    alarm, at = first_alarm(LONG, codes)
    assert alarm is Alarm.REPETITION
    assert at == before + period + max(2 * period, LIMITS.repeated_frames)


def test_a_cycle_is_one_though_a_code_of_each_frame_changes():
    codes = np.array(frames(30) + frames(1, 1) * 40)
    codes[:, 2] = np.arange(len(codes))
    assert first_alarm(LONG, codes.tolist())[0] is Alarm.REPETITION
    codes[:, 1] = np.arange(len(codes))
    assert first_alarm(LONG, codes.tolist())[0] is None


def test_a_vowel_may_be_held_and_a_word_said_again():
    held = frames(20) + frames(1, 1) * 20 + frames(20, 2)
    again = frames(10, 3) * 3 + frames(20, 4)
    assert first_alarm(LONG, held)[0] is None
    assert first_alarm(LONG, again)[0] is None


def test_silence_is_noticed_however_the_sound_is_cut_into_groups():
    for group in (1, 2, 4):
        watchdog = Watchdog()
        watchdog.begin("Halt!")
        sound = np.concatenate([np.tile(TONE, 4), np.zeros(FRAME * 60, np.int16)])
        groups = sound.reshape(-1, FRAME * group)
        alarms = [watchdog.sound(samples, FRAME) for samples in groups]
        assert next(i for i, alarm in enumerate(alarms) if alarm) == (4 + 31) // group
        assert Alarm.SILENCE in alarms


def test_a_pause_between_words_is_no_silence():
    watchdog = Watchdog()
    watchdog.begin("Well... no.")
    pause = np.zeros(FRAME * 28, np.int16)
    for samples in (TONE, pause, TONE, pause, TONE):
        assert watchdog.sound(samples, FRAME) is None


def test_what_one_piece_said_is_not_held_against_the_next():
    watchdog = Watchdog()
    for _ in range(5):
        watchdog.begin("Halt!")
        assert all(watchdog.codes(frame) is None for frame in frames(24))
