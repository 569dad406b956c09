"""Which vectors stand for which voice of `tiny`: what its speaker encoder hears in their recordings."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPEAKER_DIM = 128

_NAMED_SPACE = "tiny-0"
_NOISE = 0.03  # of each dim, at most: a cosine of 0.95 to the clean one
_CENTROID_SHARE = 0.25  # of the draws
_MOST_UTTERANCES = 3  # that a draw is the mean of, as an enrolment is


@dataclass(frozen=True, slots=True)
class Speakers:
    """Unit vectors in one space: the mean one [128] of each voice, and single utterances' [U, 128]."""

    space: str
    vectors: Mapping[str, NDArray[np.float32]]
    utterances: Mapping[str, NDArray[np.float32]]

    @staticmethod
    def named(voices: Iterable[str]) -> "Speakers":
        """A fixed random vector a voice, in a space into which no recording can be enrolled. For trials."""
        vectors = {voice: _named(voice) for voice in voices}
        return Speakers(_NAMED_SPACE, vectors, {v: x[None] for v, x in vectors.items()})

    @staticmethod
    def heard(file: Path) -> "Speakers":
        """Those that the speaker encoder's training left in `embeddings.npz`."""
        with np.load(file) as stored:
            names, embeddings_ND = stored["utterance_speaker"], stored["utterance"]
            vectors = dict(zip(stored["speaker"].tolist(), stored["centroid"], strict=True))
            utterances = {name: embeddings_ND[names == name] for name in vectors}
            return Speakers(str(stored["space"]), vectors, utterances)

    def draw(self, voice: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """What a voice may be enrolled as, [128]: the mean of one to three utterances, or of all, with noise."""
        own_UD = self.utterances[voice]
        if rng.random() < _CENTROID_SHARE:
            vector = self.vectors[voice]
        else:
            some = rng.integers(0, len(own_UD), rng.integers(1, _MOST_UTTERANCES + 1))
            vector = unit(own_UD[some].mean(0))
        noise = rng.uniform(0, _NOISE) * rng.standard_normal(len(vector))
        return unit(vector + noise.astype(np.float32))


def unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    """Its direction."""
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _named(voice: str) -> NDArray[np.float32]:
    vector = np.random.default_rng(zlib.crc32(voice.encode())).standard_normal(SPEAKER_DIM)
    return unit(vector.astype(np.float32))
