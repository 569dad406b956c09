"""Ours is transformers' LFM2 at dims drawn by chance: the published backbone, from the hand that maintains it."""

import json
import random

import pytest
import torch
from safetensors.torch import save_file
from transformers import Lfm2Config, Lfm2ForCausalLM

from kani_npc.lm import load_lm


def draw(seed: int) -> Lfm2Config:
    rng = random.Random(seed)
    kv_heads = rng.choice([1, 2, 3])
    heads = kv_heads * rng.choice([1, 2, 4])
    kinds = ["full_attention", *rng.choices(["conv", "full_attention"], k=rng.randint(1, 5))]
    rng.shuffle(kinds)  # transformers 5.23 cannot do without any attention layer
    return Lfm2Config(
        vocab_size=330 + 4 * rng.randint(8, 40),
        hidden_size=heads * rng.choice([4, 8, 16]),
        intermediate_size=rng.randint(40, 200),
        num_hidden_layers=len(kinds),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        layer_types=kinds,
        norm_eps=rng.choice([1e-5, 1e-3]),
        rope_parameters={"rope_type": "default", "rope_theta": rng.choice([1e4, 1e6])},
        conv_L_cache=rng.choice([2, 3, 4]),
        block_multiple_of=rng.choice([8, 32]),
        block_ffn_dim_multiplier=rng.choice([1.0, 1.3, 0.5]),
        block_auto_adjust_ff_dim=rng.random() < 0.7,
    )


@pytest.mark.parametrize("seed", range(12))
def test_logits_equal_transformers_at_drawn_dims_whole_and_step_by_step(seed, tmp_path):
    config = draw(seed)
    torch.manual_seed(seed)
    theirs = Lfm2ForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():  # fresh weights are too quiet to tell rules apart
            parameter.add_(0.3 * torch.randn_like(parameter) / parameter.shape[-1] ** 0.5)
    config.save_pretrained(tmp_path)
    weights = {
        name: tensor for name, tensor in theirs.state_dict().items() if name != "lm_head.weight"
    }
    weights["model.speaker_emb_projection.weight"] = torch.zeros(config.hidden_size, 128)
    save_file(weights, tmp_path / "model.safetensors")
    fields = json.loads((tmp_path / "config.json").read_text()) | {"audio_tokens_start": 330}
    (tmp_path / "config.json").write_text(json.dumps(fields))
    ours = load_lm(tmp_path)

    ids = torch.randint(3, 330, (23,))
    with torch.no_grad():
        expected = theirs(ids[None], attention_mask=torch.ones(1, 23, dtype=torch.long)).logits[0]
    torch.testing.assert_close(
        ours.logits(ids), expected, atol=2e-5 * float(expected.std()) + 2e-5, rtol=0
    )

    state = ours.init_state(2, 23)
    hidden = [
        ours.step(token[None], torch.tensor([float(i)]), state, [1]) for i, token in enumerate(ids)
    ]
    stepped = torch.cat(hidden) @ ours.embed_tokens.weight.T
    torch.testing.assert_close(stepped, expected, atol=2e-5 * float(expected.std()) + 2e-5, rtol=0)
