"""Sound as arrays: rounding to int16 at the engine's exit.

Mono float32 in -1..1 throughout. Knows no wire and no model.
"""

import numpy as np

from kani_npc.speech import FloatArray, Int16Array


def to_int16(samples: FloatArray) -> Int16Array:
    """Samples in -1..1 to int16: times 32767, half to even, clipped."""
    return np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16)
