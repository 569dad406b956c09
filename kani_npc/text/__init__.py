"""From what a player's game sends to what a model reads: cleaning, length, tokens."""

from kani_npc.text.clean import clean
from kani_npc.text.limits import MAX_CHARACTERS, MAX_SPEECH_S, check_length
from kani_npc.text.tokenizer import Tokenizer, load_tokenizer

__all__ = ["MAX_CHARACTERS", "MAX_SPEECH_S", "Tokenizer", "check_length", "clean", "load_tokenizer"]
