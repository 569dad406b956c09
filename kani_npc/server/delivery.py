"""How an NPC's sound is finished: its gain, and the silence around a line.

Mono float32 in, mono float32 out, piece by piece; any cutting of a line gives the same samples. Knows no wire.
"""

import numpy as np

from kani_npc.speech import FloatArray
from kani_npc.voices.records import Delivery

SILENCE = 10 ** (-50 / 20)  # what is below -50 dBFS is not speech

_NOTHING = np.zeros(0, np.float32)


class Finisher:
    """One line's. Without a gain and an edge it gives back what it gets.

    With an edge, the quiet before the first sound and after the last one is cut, or filled up with silence, to that
    length. What is quiet is held back until there is sound again, or the end.
    """

    def __init__(self, delivery: Delivery, sample_rate_hz: int) -> None:
        self.gain = np.float32(10 ** (delivery.gain_db / 20))
        edge_ms = delivery.edge_silence_ms
        self._edge = None if edge_ms is None else round(edge_ms / 1000 * sample_rate_hz)
        self._quiet: FloatArray = _NOTHING  # held back
        self._has_begun = False

    def __call__(self, samples: FloatArray) -> FloatArray:
        """The next samples, possibly none."""
        if self._edge is not None:
            samples = self._between(samples, self._edge)
        return samples if self.gain == 1 else np.clip(samples * self.gain, -1.0, 1.0)

    def flush(self) -> FloatArray:
        """The last samples."""
        if self._edge is None:
            return _NOTHING
        kept = self._quiet[: self._edge] if self._has_begun else _NOTHING
        tail = np.concatenate((kept, np.zeros(self._edge - len(kept), np.float32)))
        return tail * self.gain

    def _between(self, samples: FloatArray, edge: int) -> FloatArray:
        held = np.concatenate((self._quiet, samples))
        loud = np.flatnonzero(np.abs(held) >= SILENCE)
        if len(loud) == 0:
            # Before a line, no more than its edge can be wanted of it.
            self._quiet = held if self._has_begun else held[max(0, len(held) - edge) :]
            return _NOTHING
        first, end = int(loud[0]), int(loud[-1]) + 1
        self._quiet = held[end:]
        if self._has_begun:
            return held[:end]
        self._has_begun = True
        before = held[max(0, first - edge) : first]
        silence = np.zeros(edge - len(before), np.float32)
        return np.concatenate((silence, before, held[first:end]))
