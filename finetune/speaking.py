"""A model folder that speaks lines one by one, with what was fine-tuned of it, and a speaker encoder that listens.

For judges: no slots, no streams, weights as training left them. Knows no lines, no figures and no files of sound.
Shapes: K codebooks, F frames, N samples, D embedding.
"""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor

from kani_npc import models
from kani_npc.codec.delta import load as load_delta
from kani_npc.codec.delta import with_delta
from kani_npc.codec.load import load_codec, read_config
from kani_npc.codec.protocol import Codec
from kani_npc.codec.source_filter import SourceFilterCodec
from kani_npc.errors import ModelError
from kani_npc.lm.adapters import merge, read_peft
from kani_npc.lm.generate import generate
from kani_npc.lm.load import load_lm
from kani_npc.prompt import build_prompt
from kani_npc.speaker.enrollment import unit
from kani_npc.speaker.load import load_speaker_encoder
from kani_npc.speaker.protocol import SpeakerEncoder
from kani_npc.speech import FloatArray, Sampling
from kani_npc.text import load_tokenizer

TINY_CODEC_ENCODER = Path(__file__).parent / "assets" / "tiny" / "codec_encoder.safetensors"


class Speaking:
    """A model that says lines, and the recordings it is given through its codec.

    `codec` is of a model folder without one; `codec_encoder` the encoder's weights, where they lie apart (for `copy`).
    `adapter` is a folder that peft wrote, `codec_delta` a file of `adapt-codec`. Raises `ModelError` and its kin for
    parts that are missing or do not fit each other.
    """

    def __init__(
        self,
        model: Path,
        *,
        codec: Path | None = None,
        codec_encoder: Path | None = None,
        adapter: Path | None = None,
        codec_delta: Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.lm = load_lm(model, device=device)
        if adapter is not None:
            merge(self.lm, read_peft(adapter, model))
        self._base_codec = open_codec(codec or model / "codec", codec_encoder)
        self.codec = (
            self._base_codec
            if codec_delta is None
            else with_delta(self._base_codec, load_delta(codec_delta))
        )
        layout = self.lm.layout
        spoken, known = (
            (layout.num_codebooks, layout.codebook_size),
            (self.codec.num_codebooks, self.codec.codebook_size),
        )
        if spoken != known:
            raise ModelError(
                f"{model} speaks {spoken[0]} codebooks of {spoken[1]} codes, its codec has {known[0]} of {known[1]}"
            )
        self._encode = load_tokenizer(model).encode
        self.sampling = _sampling(model)

    def codes(
        self,
        text: str,
        speaker: FloatArray | None,
        tag: str | None,
        *,
        max_frames: int,
        seed: int = 0,
    ) -> Tensor:
        """The codes [K, F] of a line, sampled as the model folder says; `speaker` is an embedding [D]."""
        with_speaker = speaker is not None
        prompt = build_prompt(self.lm.layout, self._encode, text, tag, with_speaker=with_speaker)
        vector = torch.from_numpy(speaker).to(self.lm.device) if speaker is not None else None
        return generate(self.lm, prompt, vector, self.sampling.but(max_frames=max_frames), seed)

    def copy(self, samples: FloatArray) -> FloatArray:
        """A recording [N] of whole frames through the codec. Raises `CodecError` where its encoder is not at hand."""
        codes = self._base_codec.encode(torch.from_numpy(samples)).long()
        return self.codec.decode(codes).numpy()


def open_codec(path: Path, encoder: str | Path | None = None) -> Codec:
    """The codec at `path`, with its encoder; `encoder` is the file of that one's weights, where they lie apart.

    Raises `CodecError`.
    """
    if encoder is None or not path.is_dir() or read_config(path).get("kind") != "source_filter":
        return load_codec(path)
    return SourceFilterCodec.from_folder(path, encoder=encoder)


def codec_encoder_of(model: str) -> Path | None:
    """The file of a shipped model's codec encoder; None where the codec has its own."""
    return TINY_CODEC_ENCODER if model == models.TINY else None


def speaker_encoder_of(model: str, given: str | None = None) -> Path:
    """The folder of the encoder whose vectors a model takes. Raises `ModelError`, `HubError`."""
    folder = models.resolve_model(model)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    space = config.get("speaker_space", "") or models.PUBLISHED_SPEAKER_ENCODER
    return models.resolve_speaker_encoder(given, folder, space)


class Listening:
    """A speaker encoder that hears sounds of any rate."""

    def __init__(self, encoder: SpeakerEncoder) -> None:
        self.encoder = encoder

    @staticmethod
    def from_folder(folder: Path) -> "Listening":
        return Listening(load_speaker_encoder(folder))

    @property
    def space(self) -> str:
        return self.encoder.space

    def hear(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """Who speaks in a sound: [D] of unit length."""
        return self.encoder.embed(
            soxr.resample(samples, sample_rate_hz, self.encoder.sample_rate_hz)
        )

    def who(self, sounds: Sequence[FloatArray], sample_rate_hz: int) -> FloatArray:
        """The embedding [D] that these sounds have together."""
        return unit(np.mean([self.hear(x, sample_rate_hz) for x in sounds], axis=0))


def _sampling(model: Path) -> Sampling:
    """As the model folder says; greedy where it does not: a judge wants the same line twice."""
    path = model / "generation_config.json"
    given = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known = {f.name for f in fields(Sampling)}
    values = {name: value for name, value in given.items() if name in known and value is not None}
    return Sampling(greedy=not given.get("do_sample", False)).but(**values)
