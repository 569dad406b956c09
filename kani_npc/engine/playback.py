"""What a listener has in hand, who plays at the speed of sound from the first sound on.

Seconds in, seconds out: no clock, no samples.
"""


class Playback:
    """One stream's listener. Who ran dry waits, and is not owed the missed time."""

    def __init__(self) -> None:
        self._at_s: float | None = None  # of the last sound
        self._in_hand_s = 0.0  # at that time

    def add(self, duration_s: float, now_s: float) -> None:
        """So much more has come."""
        self._in_hand_s = self.in_hand_s(now_s) + duration_s
        self._at_s = now_s

    def in_hand_s(self, now_s: float) -> float:
        """Seconds of sound that have not been played yet."""
        if self._at_s is None:
            return 0.0
        return max(0.0, self._in_hand_s - (now_s - self._at_s))
