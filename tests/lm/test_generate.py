"""A prompt becomes codes: the same for the same seed, no longer than allowed, and never from numbers that are none."""

import pytest
import torch

from kani_npc.errors import EngineFailed
from kani_npc.lm import generate
from kani_npc.prompt import build_prompt
from kani_npc.speech import Sampling
from tests.lm.models import tiny_lm

LM = tiny_lm()
LAYOUT = LM.layout
PROMPT = build_prompt(
    LAYOUT, lambda text: [1, *(3 + byte for byte in text.encode())], "Halt!", with_speaker=True
)
SPEAKER = torch.nn.functional.normalize(torch.arange(8.0), dim=0)


def test_codes_are_whole_legal_frames_no_more_than_allowed():
    codes = generate(LM, PROMPT, SPEAKER, Sampling(min_frames=12, max_frames=12), seed=3)
    assert codes.shape == (4, 12) and codes.dtype == torch.int64
    assert codes.min() >= 0 and codes.max() < LAYOUT.codebook_size


def test_the_same_seed_says_the_same_and_another_does_not():
    sampling = Sampling(min_frames=8, max_frames=8)
    first, again, other = (generate(LM, PROMPT, SPEAKER, sampling, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_end_of_speech_ends_the_codes_there():
    lm = tiny_lm()
    hidden = lm.hidden(
        torch.tensor([PROMPT.ids]), torch.arange(PROMPT.num_inputs)[None].float(), SPEAKER[None]
    )
    lm.embed_tokens.weight[LAYOUT.end_of_speech] = (
        10 * hidden[0, -1]
    )  # what the first frame would rather say
    sampling = Sampling(greedy=True, min_frames=0)
    assert generate(lm, PROMPT, SPEAKER, sampling).shape == (4, 0)
    longer = generate(lm, PROMPT, SPEAKER, sampling.but(min_frames=3, max_frames=50))
    assert 3 <= longer.shape[1] <= 50


def test_logits_that_are_no_numbers_are_an_error_and_no_codes():
    lm = tiny_lm()
    lm.embed_tokens.weight[LAYOUT.codebook_start(2)] = torch.nan
    with pytest.raises(EngineFailed, match="not finite"):
        generate(lm, PROMPT, SPEAKER, Sampling(max_frames=3))
