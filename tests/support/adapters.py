"""Adapters of random matrices, large enough to be heard, and their bytes as a voice carries them."""

from pathlib import Path

import peft
import torch

from kani_npc.codec.delta import save_delta, with_own_decoder
from kani_npc.lm.adapters import LORA_TARGETS, Lora, adaptable, note_base
from kani_npc.lm.config import LmConfig
from kani_npc.lm.load import load_lm


def random_lora(
    config: LmConfig, *, seed: int = 0, rank: int = 4, size: float = 0.5, base: str = "base"
) -> Lora:
    """Of every matrix that may have one; `size` is that of its output beside the matrix's own."""
    draw = torch.Generator().manual_seed(seed)

    def pair(num_rows: int, num_columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        down = torch.randn(rank, num_columns, generator=draw) / num_columns**0.5
        return down, torch.randn(rank, num_rows, generator=draw) * size / rank**0.5

    return Lora(base, {name: pair(*shape) for name, shape in adaptable(config).items()})


def write_peft(
    folder: Path, model: Path, *, seed: int = 0, rank: int = 4, size: float = 0.5
) -> Path:
    """The folder that peft itself writes for the model in `model`, with B drawn as if it had been trained."""
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LORA_TARGETS))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted = peft.get_peft_model(load_lm(model), config)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=size / rank**0.5)
    adapted.save_pretrained(str(folder))
    note_base(folder, model)
    return folder


def write_delta(path: Path, codec, *, seed: int = 0, size: float = 0.2):
    """A delta that is heard: every weight of the decoder moved at random. The tuned codec."""
    tuned = with_own_decoder(codec)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in tuned.decoder.parameters():
            noise = torch.randn(parameter.shape, generator=draw, dtype=torch.float32)
            parameter += (size * parameter.float().std(correction=0) * noise).to(parameter)
    save_delta(path, codec, tuned)
    return tuned
