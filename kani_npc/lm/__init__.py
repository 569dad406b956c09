"""The language model: text and a speaker in, codes out."""

from kani_npc.lm.config import LmConfig
from kani_npc.lm.load import load_lm, save_lm
from kani_npc.lm.model import Lfm2
from kani_npc.lm.state import LmState

__all__ = ["Lfm2", "LmConfig", "LmState", "load_lm", "save_lm"]
