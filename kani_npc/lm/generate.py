"""One prompt to codes, start to end, for offline use. Streams and neighbours are the engine's business."""

import torch
from torch import Tensor

from kani_npc.errors import EngineFailed
from kani_npc.lm.model import Lfm2
from kani_npc.lm.sampler import Sampler
from kani_npc.prompt import Prompt
from kani_npc.speech import Sampling


@torch.inference_mode()
def generate(
    lm: Lfm2, prompt: Prompt, speaker_D: Tensor | None, sampling: Sampling, seed: int = 0
) -> Tensor:
    """Codes int64 [K, F] of a whole utterance: up to end_of_speech, or `sampling.max_frames` of them.

    Raises `EngineFailed` if the model's logits are not numbers.
    """
    layout, num_codebooks = lm.layout, lm.layout.num_codebooks
    state = lm.init_state(1, prompt.num_inputs + num_codebooks * sampling.max_frames)
    sampler = Sampler(layout, 1, lm.device)
    sampler.admit(0, sampling, seed)
    lm.prefill(prompt, speaker_D, state, 0)
    token_B = torch.tensor([layout.start_of_speech], device=lm.device)
    frames: list[Tensor] = []
    while not sampler.at_limit(0):
        frame: list[Tensor] = []
        for k in range(num_codebooks):
            position = prompt.position(len(frames), k, lm.config.audio_step)
            hidden = lm.step(token_B, torch.tensor([position], device=lm.device), state, [0])
            code = sampler.draw(lm.codebook_logits(hidden, k), k, [0])
            if k == 0 and code.item() == layout.codebook_size:
                return _stack(frames, sampler, num_codebooks)
            frame.append(code)
            token_B = code + layout.codebook_start(k)
        frames.append(torch.cat(frame))
        sampler.next_frame([0])
    return _stack(frames, sampler, num_codebooks)


def _stack(frames: list[Tensor], sampler: Sampler, num_codebooks: int) -> Tensor:
    if sampler.broken([0]).item():
        raise EngineFailed(
            "the language model's logits are not finite; the checkpoint or its dtype is unusable"
        )
    return (
        torch.stack(frames, dim=1).cpu()
        if frames
        else torch.empty(num_codebooks, 0, dtype=torch.long)
    )
