"""What a speaker encoder is: sound in, a vector that says who speaks out. And how its folder is laid out."""

from typing import Protocol

from kani_npc.speech import FloatArray

CONFIG, WEIGHTS = "config.json", "model.safetensors"
LOG_MEL_KIND, WAVLM_KIND = "log_mel", "wavlm"  # the `kind` in config.json


class SpeakerEncoder(Protocol):
    """Its vectors mean something to models that take its `space`, and to no others."""

    @property
    def space(self) -> str:
        """The name of the space its embeddings live in."""
        ...

    @property
    def sample_rate_hz(self) -> int:
        """The rate at which it hears."""
        ...

    @property
    def change_threshold(self) -> float:
        """Stretches of one recording whose embeddings' cosine is below this are clearly two speakers."""
        ...

    def embed(self, samples_N: FloatArray) -> FloatArray:
        """Who speaks in these mono samples in -1..1: [D] float32, unit length. Finite for any finite samples."""
        ...
