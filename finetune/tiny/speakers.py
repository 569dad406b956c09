"""Which vector stands for which voice of `tiny`.

The language model first learns each voice by a name: a fixed random unit vector, in a space called `tiny-0` into which
no recording can be enrolled. `adapt` then teaches it the space of the speaker encoder.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPEAKER_SPACE = "tiny-0"
SPEAKER_DIM = 128


@dataclass(frozen=True, slots=True)
class Speakers:
    """The voices' unit vectors [128] in one space, by voice id."""

    space: str
    vectors: Mapping[str, NDArray[np.float32]]

    @staticmethod
    def named(voices: Iterable[str]) -> "Speakers":
        """Those that the language model is first trained with."""
        return Speakers(SPEAKER_SPACE, {voice: speaker_vector(voice) for voice in voices})

    @staticmethod
    def heard(file: Path) -> "Speakers":
        """The centroids of the speaker encoder, from `embeddings.npz`."""
        with np.load(file) as stored:
            vectors = dict(zip(stored["voice"].tolist(), stored["centroid"], strict=True))
            return Speakers(str(stored["space"]), vectors)


def speaker_vector(voice: str) -> NDArray[np.float32]:
    """The voice's unit vector [128], a function of its id."""
    vector = np.random.default_rng(zlib.crc32(voice.encode())).standard_normal(SPEAKER_DIM)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
