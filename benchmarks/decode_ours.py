"""Our own decoding with random weights: the language model alone through `generate`, or with the codec as served."""

import time
from collections import deque
from typing import Any

import torch

from benchmarks.codec_step import codec_of
from benchmarks.worker import PROMPT_TOKENS, Decode, serve
from kani_npc.engine.engine import CPU_DECODE_GROUPS, Engine, EngineSettings
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.scheduler import Line, Piece
from kani_npc.lm.config import LmConfig
from kani_npc.lm.generate import generate
from kani_npc.lm.independent import make_rows_independent
from kani_npc.lm.model import Lfm2
from kani_npc.lm.packed import pack
from kani_npc.prompt import Prompt, build_prompt
from kani_npc.speech import (
    ModelInfo,
    Pace,
    Sampling,
    SpeakerEmbedding,
    Utterance,
    Voice,
)

SPACE = "random"


class NoTokenizer:
    """Prompts are made here, of random ids."""

    vocab_size = 0

    def encode(self, text: str) -> list[int]:
        raise NotImplementedError


def prepare(settings: dict[str, Any]) -> Decode:
    config = LmConfig.from_json(settings["dims"])
    lm = Lfm2(config).eval().requires_grad_(False)
    weights = settings["dtype"]
    lm = pack(lm, weights) if weights in ("int8", "int4") else lm.to(getattr(torch, weights))
    if settings.get("reproducible"):
        make_rows_independent(lm)
    # start_of_human, BOS and text, end_of_text and three markers. The peer's prompt has no start_of_ai and
    # start_of_speech, since it generates them itself: of its tokens, two are not sound.
    text = torch.randint(3, config.layout.base, (PROMPT_TOKENS - 5,)).tolist()
    prompt = build_prompt(config.layout, lambda _: text, "", with_speaker=True)
    assert len(prompt.ids) == PROMPT_TOKENS
    speaker = torch.nn.functional.normalize(torch.randn(config.speaker_dim), dim=-1)
    frames = settings["tokens"] // config.tokens_per_frame
    # The published settings (kani-tts-2 0.0.5); the length is fixed, so that both sides make the same number of tokens.
    sampling = Sampling(
        temperature=1.0,
        top_k=50,
        top_p=0.95,
        repetition_penalty=1.1,
        min_frames=frames,
        max_frames=frames,
    )
    if streams := settings.get("streams"):
        return _spoken(lm, prompt, speaker, sampling, streams)

    def decode() -> int:
        return generate(lm, prompt, speaker, sampling).numel()

    return decode


def _spoken(
    lm: Lfm2, prompt: Prompt, speaker_D: torch.Tensor, sampling: Sampling, streams: int
) -> Decode:
    """Lines as the engine speaks them, codec included, all begun at once."""
    codec = codec_of(lm.layout)
    info = ModelInfo(
        name="random",
        licence="",
        sample_rate_hz=codec.sample_rate_hz,
        samples_per_frame=codec.samples_per_frame,
        speaker_space=SPACE,
        sampling=sampling,
    )
    engine = Engine(
        SpeechModel(lm, codec, NoTokenizer(), info),
        EngineSettings(num_slots=streams, watchdog=None, decode_groups=CPU_DECODE_GROUPS),
    )
    embedding = SpeakerEmbedding(speaker_D.numpy(), SPACE)
    voice = Voice(id="random", display_name="Random", embedding=embedding)

    def decode() -> int:
        for number in range(streams):
            utterance = Utterance(
                id=str(number),
                text="",
                voice=voice,
                accent=None,
                sampling=sampling,
                seed=number,
                pace=Pace.UNPACED,
            )
            piece = Piece("", prompt)
            engine.scheduler.submit(Line(utterance, time.perf_counter(), deque([piece])))
        while engine.busy:
            engine.step()
        return streams * sampling.max_frames * lm.layout.num_codebooks

    return decode


if __name__ == "__main__":
    serve(prepare)
