"""The language model: text and a speaker in, codes out."""

from kani_npc.lm.config import LmConfig
from kani_npc.lm.generate import generate
from kani_npc.lm.load import load_lm, save_lm
from kani_npc.lm.loss import training_labels, training_loss
from kani_npc.lm.model import Lfm2
from kani_npc.lm.packed import WEIGHTS, Weights, can_pack, pack
from kani_npc.lm.sampler import SAMPLER_VERSION, Sampler
from kani_npc.lm.state import LmState

__all__ = [
    "SAMPLER_VERSION",
    "WEIGHTS",
    "Lfm2",
    "LmConfig",
    "LmState",
    "Sampler",
    "Weights",
    "can_pack",
    "generate",
    "load_lm",
    "pack",
    "save_lm",
    "training_labels",
    "training_loss",
]
