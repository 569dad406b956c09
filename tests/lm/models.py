"""A checkpoint of the published code with its answers, and a small random model."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from kani_npc.lm import Lfm2, LmConfig
from kani_npc.prompt import Prompt

GOLDEN = Path(__file__).parents[1] / "golden" / "kani"
VARIANTS = ("a_plain_step1", "b_learn_step025_spk", "c_learn_step1", "d_plain_step05_spk")


@dataclass(frozen=True)
class Golden:
    """One variant: its checkpoint loaded, and what the published code made of it."""

    lm: Lfm2
    folder: Path
    tensors: dict[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    @property
    def speaker(self) -> Tensor | None:
        speaker = self.tensors.get("speaker_emb")
        return None if speaker is None else speaker[0]

    @property
    def prompt(self) -> Prompt:
        """The published prompt, without the two tokens that our prompts add."""
        return Prompt(tuple(self["prompt_ids"].tolist()), with_speaker=self.speaker is not None)


TINY = LmConfig(
    vocab_size=330 + 4 * 50,
    hidden_size=32,
    layer_types=("conv", "full_attention", "full_attention", "conv"),
    num_heads=4,
    num_kv_heads=2,
    ff_size=48,
    audio_tokens_start=330,
    audio_step=0.5,
    use_learnable_rope=True,
    speaker_dim=8,
)


def tiny_lm(seed: int = 0, config: LmConfig = TINY) -> Lfm2:
    """Random weights, loud enough for neighbours, positions and speakers to show in the logits."""
    torch.manual_seed(seed)
    lm = Lfm2(config)
    with torch.no_grad():
        for name, parameter in lm.named_parameters():
            if name.startswith("alpha_weights") or "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
            else:
                parameter.mul_(1.5)
    return lm.eval().requires_grad_(False)
