"""How fast this machine speaks, measured while it does, and what follows from it.

Numbers only: knows no slots, no queue and no clock.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

FORGETTING = 0.1  # a running mean gives a new measurement so much weight
FIRST_FRAMES_PER_CHARACTER = 12.5 / 15  # of English at an ordinary pace
LONGER = 1.25  # a line may well take so much longer than its characters suggest
USUAL_BUFFER_S = 0.1  # every listener's
SLOWER = 1.15  # and a machine so much longer than it took lately


class Speed:
    """Running means that forget. `frame_s` is how long a frame sounds."""

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s
        self.portion_s = 0.0  # of reading one portion of a prompt
        self._piece_s = 0.0  # of reading a whole one
        self._step_s: dict[int, float] = {}  # of a step, by the rows in it
        self._frames_per_character = FIRST_FRAMES_PER_CHARACTER

    def note_step(self, rows: int, seconds: float) -> None:
        self._step_s[rows] = _towards(self._step_s.get(rows), seconds)

    def note_portion(self, seconds: float) -> None:
        self.portion_s = _towards(self.portion_s or None, seconds)

    def note_piece(self, characters: int, frames: int, reading_s: float) -> None:
        """A piece was said to its end."""
        self._piece_s = _towards(self._piece_s or None, reading_s)
        if characters:
            self._frames_per_character = _towards(self._frames_per_character, frames / characters)

    def frames(self, characters: int) -> float:
        """About so many frames does a text take."""
        return self._frames_per_character * characters

    def step_s(self, rows: int) -> float:
        """How long a step of so many rows takes; between and beyond what was measured, in proportion."""
        known = sorted(self._step_s)
        if not known:
            return 0.0
        at = bisect_left(known, rows)
        if at == len(known):  # more rows than ever
            return self._step_s[known[-1]] * rows / known[-1]
        above = known[at]
        if at == 0 or above == rows:
            return self._step_s[above]
        below = known[at - 1]
        share = (rows - below) / (above - below)
        return self._step_s[below] + share * (self._step_s[above] - self._step_s[below])

    def seconds_per_frame(self, streams: int, max_rows: int) -> float:
        """How long a stream waits for each frame, where so many share the rows."""
        rows = max(1, min(streams, max_rows))
        return self.step_s(rows) * max(1.0, streams / max_rows)

    def prebuffer_s(
        self, frames: float, pieces: int, groups: Sequence[int], streams: int, max_rows: int
    ) -> float:
        """What a listener should have in hand before playing, so that a line of so many frames has no gap.

        0 where playing `USUAL_BUFFER_S` after the first sound is safe. Frames come in `groups`, the last of them ever
        after, each when its last frame is made; playback must not start before that of any of them is as far ahead as
        the sound before it lasts. Where a frame takes less time than it sounds, one of the first groups decides; else
        the last.
        """
        slowness = SLOWER * self.seconds_per_frame(streams, max_rows) / self.frame_s
        length, group = max(LONGER * frames, 1.0), groups[-1]
        reading = max(0, pieces - 1) * self._piece_s / self.frame_s
        ends = list(accumulate((*groups, group)))
        starts = [0, *ends]
        start = max(
            length * slowness + reading - max(0.0, length - group),
            *(
                min(end, length) * slowness - begin
                for begin, end in zip(starts, ends, strict=False)
            ),
        )  # of playback: so long after the first frame was begun, in frames
        if start <= slowness * groups[0] + USUAL_BUFFER_S / self.frame_s:
            return 0.0
        by_then = next((end for end in ends if end * slowness >= start), start / slowness + group)
        return min(by_then, length) * self.frame_s


def _towards(mean: float | None, value: float) -> float:
    return value if mean is None else mean + FORGETTING * (value - mean)
