"""Which vector stands for which voice of `tiny`.

The first `tiny` has no speaker encoder: each voice is a fixed random unit vector, a name that the language model
learned. The space they are from is called `tiny-0`; no recording can be enrolled into it.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

SPEAKER_SPACE = "tiny-0"
SPEAKER_DIM = 128


def speaker_vector(voice: str) -> NDArray[np.float32]:
    """The voice's unit vector [128], a function of its id."""
    vector = np.random.default_rng(zlib.crc32(voice.encode())).standard_normal(SPEAKER_DIM)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
