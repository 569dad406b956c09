"""A whole `SpeechModel` of random weights, small enough that a step takes a millisecond or two.

It babbles, and everything else about it is real: the language-model class, the sampler, the source-filter codec.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from kani_npc.codec.source_filter import SourceFilterCodec, SourceFilterConfig
from kani_npc.engine.model import SpeechModel
from kani_npc.lm.config import LmConfig
from kani_npc.lm.independent import make_rows_independent
from kani_npc.lm.model import Lfm2
from kani_npc.speech import ModelInfo, Sampling, SpeakerEmbedding, Utterance, Voice
from kani_npc.tokens import START_OF_TEXT

SPEAKER_SPACE = "random"
SPEAKER_DIM = 8
TEXT_IDS = 3 + 256  # BOS and its neighbours, then bytes
LEVELS = (4, 3)
NUM_CODEBOOKS = 4


class ByteTokenizer:
    """Text as its UTF-8 bytes."""

    vocab_size = TEXT_IDS

    def encode(self, text: str) -> list[int]:
        return [START_OF_TEXT, *(3 + byte for byte in text.encode())]


def random_lm(seed: int = 0) -> Lfm2:
    """A convolution and an attention, learnable rope, fractional steps, a speaker of `SPEAKER_DIM`."""
    codes = math.prod(LEVELS)
    config = LmConfig(
        vocab_size=TEXT_IDS + 10 + NUM_CODEBOOKS * codes,
        hidden_size=32,
        layer_types=("conv", "full_attention"),
        num_heads=4,
        num_kv_heads=2,
        ff_size=64,
        audio_tokens_start=TEXT_IDS + 10,
        tokens_per_frame=NUM_CODEBOOKS,
        audio_step=0.25,
        use_learnable_rope=True,
        speaker_dim=SPEAKER_DIM,
        initializer_range=0.5,  # lively: greedy choices then differ from line to line
        language_tags=("en_us", "en_glasg"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Lfm2(config).eval().requires_grad_(False)


def random_codec(seed: int = 0) -> SourceFilterCodec:
    config = SourceFilterConfig(
        levels=LEVELS,
        num_groups=NUM_CODEBOOKS,
        frame_channels=16,
        frame_blocks=1,
        hop_channels=8,
        hop_blocks=1,
        pitch_channels=8,
        pitch_blocks=1,
        harmonic_bands=8,
        noise_bands=4,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SourceFilterCodec(config).serve()


class EchoState:
    def __init__(self, num_slots: int) -> None:
        self.num_slots = num_slots

    def reset(self, slots: Sequence[int]) -> None: ...


class EchoCodec:
    """A codec whose sound is its codes, one sample each: what the engine says can be read off its audio."""

    kind = "echo"
    sample_rate_hz = 50
    samples_per_frame = NUM_CODEBOOKS
    num_codebooks = NUM_CODEBOOKS
    codebook_size = math.prod(LEVELS)

    def decode(self, codes_KF: Tensor) -> Tensor:
        return codes_KF.T.flatten().float() / 32767

    def encode(self, samples_N: Tensor) -> Tensor:
        return (samples_N * 32767).round().long().reshape(-1, NUM_CODEBOOKS).T

    def streaming_decoder(self) -> "EchoCodec":
        return self

    def init_state(self, num_slots: int) -> EchoState:
        return EchoState(num_slots)

    def __call__(
        self, codes_BKF: Tensor, state: EchoState, slots: Sequence[int] | None = None
    ) -> Tensor:
        return torch.stack([self.decode(codes_KF) for codes_KF in codes_BKF])


@cache
def echo_model() -> SpeechModel:
    """The random model with its codes for sound."""
    model, codec = random_model(), EchoCodec()
    info = replace(model.info, sample_rate_hz=codec.sample_rate_hz, samples_per_frame=NUM_CODEBOOKS)
    return SpeechModel(model.lm, codec, model.tokenizer, info)


@cache
def random_model(seed: int = 0) -> SpeechModel:
    """The same model for every test of a process; nothing in it changes by speaking."""
    lm, codec = random_lm(seed), random_codec(seed)
    info = ModelInfo(
        name="random",
        licence="Apache-2.0",
        sample_rate_hz=codec.sample_rate_hz,
        samples_per_frame=codec.samples_per_frame,
        speaker_space=SPEAKER_SPACE,
        languages=lm.config.language_tags,
        sampling=Sampling(greedy=True, min_frames=3, max_frames=12),
    )
    return SpeechModel(lm, codec, ByteTokenizer(), info)


@cache
def independent_model() -> SpeechModel:
    """The random model with rows that are the same bits in any company, and so whatever step they are in."""
    model = random_model()
    return replace(model, lm=make_rows_independent(copy.deepcopy(model.lm)))


def random_voice(seed: int | None) -> Voice:
    """A voice with a unit-length embedding of its own; None for the model's mode without a speaker."""
    if seed is None:
        return Voice(id="nobody", display_name="Nobody")
    vector = np.random.default_rng(seed).standard_normal(SPEAKER_DIM).astype(np.float32)
    vector /= np.linalg.norm(vector).astype(np.float32)
    vector.setflags(write=False)  # as voices from a file are
    embedding = SpeakerEmbedding(vector, SPEAKER_SPACE)
    return Voice(id=f"voice-{seed}", display_name=f"Voice {seed}", embedding=embedding)


def line(
    id: str,
    text: str = "Halt!",
    *,
    voice: int | None = 0,
    seed: int = 0,
    sampling: Sampling | None = None,
) -> Utterance:
    """An utterance for the random model."""
    sampling = sampling or random_model().sampling
    return Utterance(
        id=id, text=text, voice=random_voice(voice), accent=None, sampling=sampling, seed=seed
    )
