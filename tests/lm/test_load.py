"""Checkpoints: the published names and shapes, whole or in shards, and nothing else."""

import json
import logging
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kani_npc.errors import CheckpointError
from kani_npc.lm import Lfm2, LmConfig, load_lm, save_lm
from kani_npc.lm.load import checkpoint_parts
from tests.lm.models import GOLDEN, TINY, tiny_lm

CHECKPOINT = GOLDEN / "b_learn_step025_spk" / "checkpoint"
LFM2_350M = {
    "model_type": "lfm2",
    "vocab_size": 80538,
    "hidden_size": 1024,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "full_attn_idxs": [2, 5, 8, 10, 12, 14],
    "intermediate_size": 1,  # block_ff_dim beats it
    "block_ff_dim": 6656,
    "block_auto_adjust_ff_dim": True,
    "block_multiple_of": 256,
    "block_ffn_dim_multiplier": 1.0,
    "theta": 1e6,
    "rope_theta": 5.0,  # theta beats it
    "tie_embedding": True,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(CHECKPOINT, tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, **changes: object) -> None:
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(fields | changes))


def with_weights(folder: Path, change) -> Path:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    return folder


def shard(folder: Path) -> Path:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    index = {}
    for number, names in enumerate((sorted(weights)[::2], sorted(weights)[1::2]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_file({name: weights[name] for name in names}, folder / file)
        index |= dict.fromkeys(names, file)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": index})
    )
    return folder


def same(first, second) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


# --- config.json


def test_the_published_backbone_is_read_through_its_aliases():
    config = LmConfig.from_json(LFM2_350M)
    assert config.ff_size == 4608
    assert config.rope_theta == 1e6
    assert config.attention_layers == (2, 5, 8, 10, 12, 14)
    assert (config.head_dim, config.num_layers, config.conv_kernel) == (64, 16, 3)
    assert config.layout.codebook_size == 4032


def test_a_newer_config_gives_its_theta_among_rope_parameters():
    newer = {
        name: value for name, value in LFM2_350M.items() if name not in ("theta", "rope_theta")
    }
    assert LmConfig.from_json(newer | {"rope_parameters": {"rope_theta": 3e5}}).rope_theta == 3e5
    assert LmConfig.from_json(newer).rope_theta == 1e6
    assert (
        LmConfig.from_json(
            newer | {"rope_theta": 2e4, "rope_parameters": {"rope_theta": 3e5}}
        ).rope_theta
        == 2e4
    )


def test_the_feed_forward_width_follows_lfm2s_rule():
    def width(**changes: object) -> int:
        return LmConfig.from_json(LFM2_350M | changes).ff_size

    assert width(block_auto_adjust_ff_dim=False) == 6656
    assert width(block_ffn_dim_multiplier=1.3) == 256 * math.ceil(int(1.3 * 4437) / 256)
    assert width(block_ffn_dim_multiplier=None) == 4437
    assert width(block_ff_dim=None, intermediate_size=96, block_multiple_of=32) == 64


def test_layers_are_all_attention_if_nothing_names_them():
    """As Lfm2Config does; `full_attn_idxs` counts only where `layer_types` is absent."""
    config = LmConfig.from_json(LFM2_350M | {"full_attn_idxs": None})
    assert set(config.layer_types) == {"full_attention"}
    types = ["conv"] * 15 + ["full_attention"]
    assert LmConfig.from_json(LFM2_350M | {"layer_types": types}).layer_types == tuple(types)


def test_missing_fields_take_the_published_defaults_are_listed_and_logged_once(caplog):
    with caplog.at_level(logging.WARNING):
        config = LmConfig.from_json(LFM2_350M)
    assert (config.audio_tokens_start, config.tokens_per_frame, config.audio_step) == (
        64410,
        4,
        1.0,
    )
    assert (config.use_learnable_rope, config.speaker_dim) == (False, 128)
    assert config.assumed == (
        "audio_tokens_start=64410",
        "tokens_per_frame=4",
        "audio_step=1.0",
        "use_learnable_rope=False",
        "speaker_emb_dim=128",
    )
    assert len(caplog.records) == 1 and "audio_step=1.0" in caplog.text


def test_the_range_of_alpha_is_assumed_only_where_it_means_something():
    config = LmConfig.from_json(LFM2_350M | {"use_learnable_rope": True})
    assert (config.alpha_min, config.alpha_max) == (0.1, 2.0)
    assert {"alpha_min=0.1", "alpha_max=2.0"} <= set(config.assumed)
    assert LmConfig.from_json(CHECKPOINT).assumed == ()


def test_language_tags_count_only_where_the_model_says_it_has_some():
    settings = {"status": "available_language_tags", "language_tags_list": ["en_us", "en_scou"]}
    assert LmConfig.from_json(LFM2_350M | {"language_settings": settings}).language_tags == (
        "en_us",
        "en_scou",
    )
    settings["status"] = "no_language_tags"
    assert LmConfig.from_json(LFM2_350M | {"language_settings": settings}).language_tags == ()


def test_the_published_size_has_the_published_keys_shapes_and_number_of_weights():
    """reference: 369,977,094 values with learnable rope; names and shapes as its checkpoint has them."""
    with torch.device("meta"):
        lm = Lfm2(LmConfig.from_json(LFM2_350M | {"use_learnable_rope": True}))
    assert sum(parameter.numel() for parameter in lm.parameters()) == 369_977_094
    shapes = {part.name: part.shape for parts in checkpoint_parts(lm).values() for part in parts}
    assert shapes["model.embed_tokens.weight"] == (80538, 1024)
    assert shapes["model.layers.0.conv.conv.weight"] == (1024, 1, 3)
    assert shapes["model.layers.15.conv.in_proj.weight"] == (3072, 1024)
    assert shapes["model.layers.2.self_attn.k_proj.weight"] == (512, 1024)
    assert shapes["model.layers.14.self_attn.q_layernorm.weight"] == (64,)
    assert shapes["model.layers.7.feed_forward.w2.weight"] == (1024, 4608)
    assert shapes["model.learnable_rope_layers.14.alpha_weight"] == ()
    assert len(shapes) == 10 * 8 + 6 * 11 + 6 + 3


def test_a_config_survives_being_written():
    assert LmConfig.from_json(TINY.to_json()) == TINY
    published = LmConfig.from_json(CHECKPOINT)
    assert LmConfig.from_json(published.to_json()) == published


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": -1024},
        {"hidden_size": 1 << 40},
        {"hidden_size": 1023},
        {"hidden_size": "1024"},
        {"hidden_size": 1024.5},
        {"hidden_size": math.inf},
        {"hidden_size": None},
        {"num_attention_heads": 0},
        {"num_key_value_heads": 3},
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": True},
        {"layer_types": ["conv"] * 3},
        {"layer_types": ["conv"] * 15 + ["mamba"]},
        {"layer_types": "conv"},
        {"full_attn_idxs": 3},
        {"block_multiple_of": 0},
        {"block_ff_dim": 0},
        {"block_ffn_dim_multiplier": math.nan},
        {"conv_L_cache": 0},
        {"conv_bias": True},
        {"tie_embedding": False},
        {"tie_word_embeddings": False, "tie_embedding": None},
        {"norm_eps": 0},
        {"theta": math.nan},
        {"theta": -1.0},
        {"rope_parameters": [1]},
        {"rope_parameters": {"rope_type": "yarn"}},
        {
            "rope_parameters": {"rope_type": "default", "rope_theta": "x"},
            "theta": None,
            "rope_theta": None,
        },
        {"audio_step": math.inf},
        {"audio_step": -0.5},
        {"audio_tokens_start": 90000},
        {"audio_tokens_start": 5},
        {"tokens_per_frame": 0},
        {"tokens_per_frame": 5},
        {"alpha_min": 3.0},
        {"use_learnable_rope": "yes"},
        {"speaker_emb_dim": 0},
        {"language_settings": []},
        {"language_settings": {"language_tags_list": [1]}},
        {"model_type": "llama"},
        {"vocab_size": 0},
    ],
    ids=str,
)
def test_a_config_that_means_nothing_is_refused_by_name(changes):
    with pytest.raises(CheckpointError) as refused:
        LmConfig.from_json(LFM2_350M | changes)
    assert "\n" not in str(refused.value) and str(refused.value).startswith(
        ("config.json: ", "vocab_size ")
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\x00"])
def test_a_config_that_is_no_json_object_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_lm(folder)


def test_a_folder_without_config_or_that_is_none_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        load_lm(tmp_path)
    with pytest.raises(CheckpointError, match="not a folder"):
        load_lm(tmp_path / "nothing")


# --- weights


def test_a_written_checkpoint_is_the_published_one_again(tmp_path):
    save_lm(load_lm(CHECKPOINT), tmp_path)
    ours, theirs = (load_file(path / "model.safetensors") for path in (tmp_path, CHECKPOINT))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_a_trained_model_is_the_same_after_saving_and_loading(tmp_path):
    lm = tiny_lm()
    save_lm(lm, tmp_path)
    assert same(lm, load_lm(tmp_path))


def test_shards_give_the_same_model(folder):
    whole = load_lm(folder)
    assert same(whole, load_lm(shard(folder)))


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_read_into_the_asked_dtype(folder, stored):
    exact = load_lm(folder)
    with_weights(
        folder, lambda weights: weights.update({k: v.to(stored) for k, v in weights.items()})
    )
    lm = load_lm(folder, dtype=torch.float32)
    assert all(parameter.dtype == torch.float32 for parameter in lm.parameters())
    assert torch.equal(lm.embed_tokens.weight, exact.embed_tokens.weight.to(stored).float())


def test_alphas_stay_float32_in_a_half_precision_model():
    lm = load_lm(CHECKPOINT, dtype=torch.bfloat16)
    dtypes = {name: parameter.dtype for name, parameter in lm.named_parameters()}
    assert {name for name, dtype in dtypes.items() if dtype == torch.float32} == {
        "alpha_weights.1",
        "alpha_weights.3",
    }
    assert lm.inv_freq().dtype == torch.float32
    assert torch.equal(lm.inv_freq(), load_lm(CHECKPOINT).inv_freq())


def test_a_loaded_model_asks_for_no_gradients():
    lm = load_lm(CHECKPOINT)
    assert not lm.training and not any(parameter.requires_grad for parameter in lm.parameters())


def test_a_tied_head_in_the_file_is_accepted_and_another_refused(folder):
    def add(weights, difference):
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"] + difference

    load_lm(with_weights(folder, lambda weights: add(weights, 0.0)))
    with pytest.raises(CheckpointError, match=r"lm_head\.weight differs"):
        load_lm(with_weights(folder, lambda weights: add(weights, 0.1)))
    with_weights(folder, lambda weights: weights.update({"lm_head.weight": torch.zeros(3, 64)}))
    with pytest.raises(
        CheckpointError, match=r"lm_head\.weight has shape \[3, 64\]; it should be \[586, 64\]"
    ):
        load_lm(folder)


def test_a_missing_key_is_named_with_its_shape(folder):
    with_weights(folder, lambda weights: weights.pop("model.layers.1.self_attn.k_proj.weight"))
    with pytest.raises(
        CheckpointError, match=r"lacks model\.layers\.1\.self_attn\.k_proj\.weight \[32, 64\]"
    ):
        load_lm(folder)


def test_many_missing_keys_are_counted(folder):
    rewrite(folder, num_hidden_layers=6, layer_types=["conv", "full_attention"] * 3)
    with pytest.raises(CheckpointError, match="and 17 more"):
        load_lm(folder)


def test_a_key_too_many_is_named(folder):
    with_weights(folder, lambda weights: weights.update({"model.extra": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=r"keys this model does not model\.extra"):
        load_lm(folder)


@pytest.mark.parametrize(
    ("key", "has", "should"),
    [
        ("model.layers.0.conv.conv.weight", (64, 3), r"\[64, 1, 3\]"),
        ("model.layers.1.self_attn.v_proj.weight", (64, 64), r"\[32, 64\]"),
        ("model.layers.0.feed_forward.w3.weight", (64, 64), r"\[128, 64\]"),
        ("model.learnable_rope_layers.1.alpha_weight", (1,), r"\[\]"),
        ("model.speaker_emb_projection.weight", (64, 128), r"\[64, 16\]"),
    ],
)
def test_a_wrong_shape_is_named_beside_the_right_one(folder, key, has, should):
    with_weights(folder, lambda weights: weights.update({key: torch.zeros(has)}))
    with pytest.raises(CheckpointError) as refused:
        load_lm(folder)
    assert str(refused.value).startswith(f"{key} has shape {list(has)}; it should be")
    assert refused.match(should)


def test_integer_weights_are_refused(folder):
    key = "model.embedding_norm.weight"
    with_weights(folder, lambda weights: weights.update({key: torch.ones(64, dtype=torch.int8)}))
    with pytest.raises(CheckpointError, match=f"{key} is stored as I8"):
        load_lm(folder)


@pytest.mark.parametrize("kept", [0, 4, 100, 5000, -1])
def test_a_truncated_file_is_refused(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors is truncated or not safetensors"
    ):
        load_lm(folder)


def test_a_pickle_by_that_name_is_refused_unread(folder):
    torch.save({"model.embed_tokens.weight": torch.zeros(586, 64)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="not safetensors"):
        load_lm(folder)


def test_a_pickled_checkpoint_is_no_checkpoint(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        CheckpointError, match=r"neither model\.safetensors nor model\.safetensors\.index\.json"
    ):
        load_lm(folder)


def test_a_missing_shard_is_named(folder):
    (shard(folder) / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors is missing"):
        load_lm(folder)


def test_a_key_that_is_not_in_its_shard_is_named(folder):
    index = shard(folder) / "model.safetensors.index.json"
    fields = json.loads(index.read_text())
    fields["weight_map"]["model.embed_tokens.weight"] = "model-00002-of-00002.safetensors"
    index.write_text(json.dumps(fields))
    with pytest.raises(CheckpointError, match=r"model\.embed_tokens\.weight is not in the file"):
        load_lm(folder)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", ".."])
def test_an_index_cannot_point_outside_its_folder(folder, name):
    index = shard(folder) / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.embed_tokens.weight": name}}))
    with pytest.raises(CheckpointError, match="outside its folder"):
        load_lm(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}'])
def test_an_index_without_a_map_is_refused(folder, text):
    (shard(folder) / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match="no weight_map"):
        load_lm(folder)
