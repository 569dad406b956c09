"""The quantiser against the published rule, and what training needs of it."""

import numpy as np
import pytest
import torch

from kani_npc.codec.fsq import GroupFSQ
from kani_npc.errors import CodecError


def test_every_entry_of_the_codebook_is_the_published_one(golden):
    vectors = golden("fsq_9x8x8x7")
    codes = torch.from_numpy(vectors["index"])[None, None]
    latents = GroupFSQ([9, 8, 8, 7], 1).decode(codes)
    assert np.array_equal(latents[0].T.numpy(), vectors["codes"])


def test_latents_are_encoded_to_the_published_codes(golden):
    vectors = golden("fsq_9x8x8x7")
    codes = GroupFSQ([9, 8, 8, 7], 1).encode(torch.from_numpy(vectors["enc_in"]))
    assert np.array_equal(codes[0, 0].numpy(), vectors["enc_index"])


def test_each_group_fills_its_own_latent_rows(golden):
    vectors = golden("small_decode")
    latents = GroupFSQ([9, 8, 8, 7], 4).decode(torch.from_numpy(vectors["tokens"]))
    assert np.array_equal(latents.numpy(), vectors["dequantized"])


def test_training_sees_the_values_that_serving_decodes():
    fsq = GroupFSQ([9, 8, 8, 7], 4)
    latents = 2 * torch.randn(3, fsq.latent_size, 11, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(fsq.quantize(latents), fsq.decode(fsq.encode(latents)), atol=1e-6)


def test_gradients_pass_straight_through_the_rounding():
    fsq = GroupFSQ([8, 5], 2)
    latents = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    fsq.quantize(latents).sum().backward()
    assert latents.grad is not None
    assert (latents.grad > 0).all()


def test_the_quantiser_stores_nothing():
    assert not GroupFSQ([9, 8, 8, 7], 4).state_dict()


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        (torch.zeros(1, 3, 2, dtype=torch.long), "expected [batch, 4, frames]"),
        (torch.zeros(4, 2, dtype=torch.long), "expected [batch, 4, frames]"),
        (torch.full((1, 4, 2), 4032), "code 4032 is outside the codebook, 0 to 4031"),
        (torch.full((1, 4, 2), -1), "code -1 is outside the codebook"),
        (torch.zeros(1, 4, 2), "expected integers"),
    ],
)
def test_codes_that_are_none_are_refused(codes, says):
    with pytest.raises(CodecError, match=says.replace("[", r"\[")):
        GroupFSQ([9, 8, 8, 7], 4).check(codes)


def test_levels_that_make_no_quantiser_are_refused():
    for levels, groups in (([], 4), ([9, 1], 4), ([9], 0)):
        with pytest.raises(CodecError, match="no quantiser"):
            GroupFSQ(levels, groups)
