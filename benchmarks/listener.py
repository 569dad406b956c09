"""One listener's side of one line: what arrived when, and whether playback of it would have had a gap.

Seconds and numbers only: no wire, no clock.
"""

from dataclasses import dataclass, field

# A listener starts this long after its first packet, as games do that keep a jitter buffer.
BUFFER_S = 0.1


@dataclass(slots=True)
class Listened:
    """A line as it was heard. Times are of one clock."""

    asked_s: float  # when it was due; in an open loop that may be before the call could be made
    arrivals: list[tuple[float, float]] = field(default_factory=list)  # (when, seconds of sound)
    prebuffer_s: float = 0.0  # what the server's header recommends to have in hand first
    compute_s: float = 0.0  # the engine's own time
    status: str = "OK"  # gRPC's name of what came instead

    @property
    def duration_s(self) -> float:
        return sum(duration for _, duration in self.arrivals)

    @property
    def first_audio_s(self) -> float:
        return self.arrivals[0][0] - self.asked_s

    @property
    def between_s(self) -> list[float]:
        """From each packet to the next."""
        return [b[0] - a[0] for a, b in zip(self.arrivals, self.arrivals[1:], strict=False)]

    @property
    def playback_start_s(self) -> float:
        """`BUFFER_S` after the first packet, or when the recommended prebuffer is in hand, whichever is later."""
        in_hand_s, filled_s = 0.0, self.arrivals[-1][0]  # a line that is shorter is whole by then
        for when, duration in self.arrivals:
            in_hand_s += duration
            if in_hand_s >= self.prebuffer_s:
                filled_s = when
                break
        return max(self.arrivals[0][0] + BUFFER_S, filled_s)

    @property
    def worst_underrun_s(self) -> float:
        """How long playback stood still at its worst packet; 0 for a line without a gap."""
        plays_s, worst_s = self.playback_start_s, 0.0
        for when, duration in self.arrivals:
            late_s = max(0.0, when - plays_s)
            worst_s = max(worst_s, late_s)
            plays_s += late_s + duration
        return worst_s
