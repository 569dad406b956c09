"""Notices a voice that will not end, says the same over and over, or has fallen silent.

Frame by frame, from the codes that the model writes and the sound that they become. What it says depends on the line
alone, never on the clock or on neighbours. Knows no model, no slots and no listeners; what to do about an alarm is its
caller's business.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from kani_npc.speech import Int16Array

# What counts as how many letters' worth of speech, where it is not one: a digit may be read as a word of a long
# number, a capital by its name, a sign by a word of its own; a stop is a pause.
_DIGIT, _CAPITAL, _WIDE, _SIGN, _STOP = 10, 2, 5, 8, 4
_STOPS = frozenset(".,;:!?-…()'\"")


class Alarm(Enum):
    """What is wrong."""

    RUNAWAY = "runaway"  # far longer than anybody takes to say the text
    REPETITION = "repetition"  # the same frames again and again
    SILENCE = "silence"  # nothing to hear for too long


@dataclass(frozen=True, slots=True)
class WatchdogLimits:
    """Where ordinary speech ends, in frames of 80 ms.

    Measured on 540 lines of `tiny` in its nine voices, one word to 370 characters, greedy: all ended by themselves, in
    at most 25 frames + 0.77 a letter; none was quieter than -50 dBFS for more than 4 frames; in all but two no frame
    was like the one 1 to 40 before it more than 6 times in a row. Those two, texts longer than the model was trained
    for, held one vowel for 26 and for 79 frames, and are what this is for. The limits leave twice the room or more, for
    voices that are slower and pause longer.
    """

    base_frames: int = 38
    frames_per_letter: float = 1.6
    longest_period: int = 40
    alike: float = 0.75  # the share of a frame's codes that make it like another one
    repeated_frames: int = 25  # at least so many in a row like the one a period before
    repeats: int = 2  # and at least so many periods of them
    silent_frames: int = 31
    silent_level: float = 10 ** (-50 / 20)  # root mean square of a frame


class Watchdog:
    """One line's. `begin` each piece of its text, then `codes` for each frame that is written, and `sound` for what
    they become, which may come later and in groups."""

    def __init__(self, limits: WatchdogLimits | None = None) -> None:
        self._limits = limits or WatchdogLimits()
        self.begin("")

    def begin(self, text: str) -> None:
        """The next piece: nothing said yet. `text` is what the model is given to say."""
        self._longest = self.longest(text)
        self._num_frames = 0
        self._silent_frames = 0
        period = self._limits.longest_period
        self._last: NDArray[np.int64] | None = None  # [P, K]: the last P frames, latest first
        self._same_for = np.zeros(
            period, np.int64
        )  # frames in a row that equalled the one p + 1 before

    def longest(self, text: str) -> int:
        """So many frames may be spent on a text."""
        return self._limits.base_frames + round(self._limits.frames_per_letter * letters(text))

    def codes(self, frame: Sequence[int]) -> Alarm | None:
        """One more frame, K codes."""
        self._num_frames += 1
        if self._num_frames > self._longest:
            return Alarm.RUNAWAY
        return Alarm.REPETITION if self._repeats(np.asarray(frame, np.int64)) else None

    def sound(self, samples: Int16Array, samples_per_frame: int) -> Alarm | None:
        """The sound of one or more whole frames, in order."""
        frames = samples.reshape(-1, samples_per_frame).astype(np.float32) / 32768
        for level in np.sqrt(np.square(frames).mean(axis=1)):
            quiet = level < self._limits.silent_level
            self._silent_frames = self._silent_frames + 1 if quiet else 0
            if self._silent_frames > self._limits.silent_frames:
                return Alarm.SILENCE
        return None

    def _repeats(self, frame: NDArray[np.int64]) -> bool:
        """Whether the last frames are a cycle, of any period, that has gone round often enough."""
        period = self._limits.longest_period
        if self._last is None:
            self._last = np.full((period, len(frame)), -1, np.int64)
        same = (self._last == frame).mean(axis=1) >= self._limits.alike
        self._same_for = np.where(same, self._same_for + 1, 0)
        self._last = np.concatenate((frame[None], self._last[:-1]))
        again = self._limits.repeats * np.arange(1, period + 1)
        return bool((self._same_for >= np.maximum(again, self._limits.repeated_frames)).any())


def letters(text: str) -> int:
    """How much there is to say, in letters; generous where a sign may be read as a word."""
    return sum(map(_weight, text))


def _weight(character: str) -> int:
    if character in _STOPS:
        return _STOP
    category = unicodedata.category(character)
    match category[0]:
        case "L":
            if category == "Lu":
                return _CAPITAL
            return _WIDE if unicodedata.east_asian_width(character) in "WF" else 1
        case "N":
            return _DIGIT
        case "S" | "P":
            return _SIGN
    return 1
