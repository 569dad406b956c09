"""Where sound stops or begins inside a line: without a click.

int16 in, int16 out; knows no frames and no slots.
"""

import numpy as np

from kani_npc.speech import Int16Array

RAMP_S = 0.005  # shorter is heard as a click, longer as a fade


def fade_in(samples: Int16Array, count: int) -> Int16Array:
    """The same, but the first `count` samples rise from nothing."""
    ramp = np.minimum(np.arange(len(samples)) / max(count, 1), 1.0)
    return np.rint(samples * ramp).astype(np.int16)


def fade_out(samples: Int16Array, count: int) -> Int16Array:
    """The same, but the last `count` samples fall to nothing."""
    return fade_in(samples[::-1], count)[::-1]


def pause(last_sample: int, count: int, ramp: int) -> Int16Array:
    """`count` samples of silence after a sound that stopped at `last_sample`, which dies away over `ramp` of them."""
    ramp = min(ramp, count)
    falling = fade_out(np.full(ramp, last_sample, np.int16), ramp)
    return np.concatenate((falling, np.zeros(count - ramp, np.int16)))
