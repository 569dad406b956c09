"""Our own offline `generate`, decoding with random weights."""

from typing import Any

import torch

from benchmarks.worker import PROMPT_TOKENS, Decode, serve
from kani_npc.lm.config import LmConfig
from kani_npc.lm.generate import generate
from kani_npc.lm.model import Lfm2
from kani_npc.prompt import build_prompt
from kani_npc.speech import Sampling


def prepare(settings: dict[str, Any]) -> Decode:
    config = LmConfig.from_json(settings["dims"])
    lm = Lfm2(config).eval().requires_grad_(False).to(getattr(torch, settings["dtype"]))
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

    def decode() -> int:
        return generate(lm, prompt, speaker, sampling).numel()

    return decode


if __name__ == "__main__":
    serve(prepare)
