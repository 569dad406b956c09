"""How far a stream may run ahead of its listener.

HTTP/2's windows do not bound it: with default ones a server ran 130 s of audio ahead of a client that did not read.
Seconds in, seconds out: no clock, no sleep, no wire.
"""

import math

from kani_npc.engine.playback import Playback

BURST_S = 0.5  # at once, so that a client can fill its buffer
MAX_LEAD_S = 2.0  # later on; the burst grows to it at the rate of playback


class Pacer:
    """One stream's listener, who starts playing when the first audio is accepted and plays at the speed of sound.

    The sound in hand may be `min(burst_s + elapsed, max_lead_s)` seconds: a bucket that fills at twice real time and
    is drained by playback. A listener who ran dry waits, and is not owed the missed time.
    """

    def __init__(self, burst_s: float = BURST_S, max_lead_s: float = MAX_LEAD_S) -> None:
        self._burst_s = burst_s
        self._max_lead_s = max_lead_s
        self._started_s: float | None = None
        self._playback = Playback()

    def wait_s(self, duration_s: float, now_s: float) -> float:
        """How long to wait before so much more audio may be sent. A listener who is dry gets a piece of any size."""
        if self._started_s is None:
            return 0.0
        in_hand_s = self.in_hand_s(now_s)
        lead_s = in_hand_s + duration_s
        elapsed_s = now_s - self._started_s
        until_allowed_s = max((lead_s - self._burst_s - elapsed_s) / 2, lead_s - self._max_lead_s)
        return max(0.0, min(until_allowed_s, in_hand_s))

    def sent(self, duration_s: float, now_s: float) -> None:
        """So much audio was accepted by the transport."""
        if self._started_s is None:
            self._started_s = now_s
        self._playback.add(duration_s, now_s)

    def in_hand_s(self, now_s: float) -> float:
        """Seconds of sound that the listener has not played yet."""
        return self._playback.in_hand_s(now_s)


def unpaced() -> Pacer:
    """For a listener that is a file: nothing waits."""
    return Pacer(burst_s=math.inf, max_lead_s=math.inf)
