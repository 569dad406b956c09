"""What a run begins with, and what it leaves: a model with weights to train, an adapter's or a model's folder.

Knows no data and no loss.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from finetune.recipe import Lora, Recipe
from kani_npc import models
from kani_npc.errors import CheckpointError
from kani_npc.lm.config import LmConfig
from kani_npc.lm.load import WEIGHTS, checkpoint_parts, load_lm, save_lm
from kani_npc.lm.model import Lfm2

# Of a model's config.json, beside what the language model reads.
OTHER_FIELDS = ("model_name", "licence", "speaker_space")
NOT_COPIED = ("config.json", "*.safetensors", "*.safetensors.index.json", "*.bin", ".*", "README*")


def open_model(recipe: Recipe) -> tuple[Lfm2, Path]:
    """The model to train, float32, and the folder that its tokenizer and other parts are in.

    Raises `KaniError` for a model that cannot be used, `ValueError` for a recipe that does not fit it.
    """
    folder = models.resolve_model(recipe.model)
    torch.manual_seed(recipe.optimiser.seed)
    if recipe.start == "weights":
        lm = load_lm(folder, torch.float32)
    elif recipe.start == "scratch":
        lm = Lfm2(LmConfig.from_json(folder))
    else:
        lm = _from_lfm2(folder, recipe.speech)
    return lm.train().requires_grad_(True), folder


def tokenizer_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ("tokenizer.json", "pronunciations.xz"):
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _from_lfm2(folder: Path, speech: dict[str, Any]) -> Lfm2:
    """A plain LFM2 with the tokens, the speaker projection and the rope factors that speaking takes.

    New rows of the embedding matrix are drawn around the mean of the old ones, as the published first training does
    (transformers' rule: their covariance, times 1e-9).
    """
    config = LmConfig.from_json({**json.loads((folder / "config.json").read_text()), **speech})
    lm = Lfm2(config)
    path = folder / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{path} is missing")
    given = load_file(path)
    state = lm.state_dict()
    with torch.no_grad():
        for ours, parts in checkpoint_parts(lm).items():
            if ours.startswith(("alpha_weights", "speaker_emb_projection")):
                continue
            for part in parts:
                if part.name not in given:
                    raise CheckpointError(f"{path} lacks {part.name}; it is no LFM2 of these dims")
                value = given[part.name].float()
                if ours == "embed_tokens.weight":
                    value = _resized(value, part.shape[0])
                if tuple(value.shape) != part.shape:
                    raise CheckpointError(
                        f"{part.name} has shape {list(value.shape)}; it should be {list(part.shape)}"
                    )
                target = state[ours][part.rows]
                target.copy_(value.reshape(target.shape))
    return lm


def _resized(embeddings_VH: Tensor, num_rows: int) -> Tensor:
    if num_rows <= len(embeddings_VH):
        return embeddings_VH[:num_rows]
    mean = embeddings_VH.mean(0)
    centred = embeddings_VH - mean
    covariance = 1e-9 * centred.T @ centred / len(embeddings_VH)
    # The eigenvalues may be a little below nothing; a Cholesky factor would not exist then.
    values, vectors = torch.linalg.eigh(covariance.double())
    spread = (vectors * values.clamp_min(0).sqrt()).float()
    new = mean + torch.randn(num_rows - len(embeddings_VH), len(mean)) @ spread.T
    return torch.cat((embeddings_VH, new))


def with_lora(lm: Lfm2, lora: Lora, model: str) -> Any:
    """peft's model around ours, which it changes: its matrices learn through adapters, all else is frozen."""
    import peft

    adapted = peft.get_peft_model(
        lm,  # pyright: ignore[reportArgumentType]
        peft.LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,  # pyright: ignore[reportArgumentType]
            lora_dropout=lora.dropout,
            use_rslora=lora.rslora,
            target_modules=list(lora.targets),
        ),
    )
    # peft asks the model for its own name, which ours has not.
    adapted.peft_config["default"].base_model_name_or_path = model
    return adapted


def merged(weights: Mapping[str, Tensor], lora: Lora | None) -> dict[str, Tensor]:
    """The plain model's weights of an adapted one's: what each adapter adds is added."""
    if lora is None:
        return dict(weights)
    scale = lora.alpha / (math.sqrt(lora.rank) if lora.rslora else lora.rank)
    plain: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if ".lora_" in name:
            continue
        if ".base_layer." in name:
            inner = name.removesuffix(".base_layer.weight")
            down, up = (weights[f"{inner}.lora_{x}.default.weight"] for x in "AB")
            name, weight = f"{inner}.weight", weight + scale * (up @ down)
        plain[name] = weight
    return plain


def write_adapter(adapted: Any, weights: Mapping[str, Tensor], folder: Path) -> None:
    """peft's folder for an adapter of these weights, by the names that they have in `adapted.base_model.model`."""
    own = {f"base_model.model.{name}": weight for name, weight in weights.items()}
    adapted.save_pretrained(folder, state_dict=own, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's form for a hub, not filled in
    (folder / "adapter_model.safetensors").chmod(0o644)


def write_model(
    config: LmConfig, weights: Mapping[str, Tensor], source: Path, folder: Path
) -> None:
    """A model folder as `kani-npc serve` loads it: these weights in bfloat16, everything else the source's."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), dirs_exist_ok=True)
    # The codec's and the speaker encoder's weights are in folders of their own.
    for part in ("codec", "speaker"):
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part, dirs_exist_ok=True)
    with torch.device("meta"):
        lm = Lfm2(config)
    stored = {
        name: weight if name.startswith("alpha_weights.") else weight.bfloat16()
        for name, weight in weights.items()
    }
    lm.load_state_dict(stored, assign=True)
    save_lm(lm, folder)
    given = json.loads((source / "config.json").read_text())
    fields = json.loads((folder / "config.json").read_text())
    fields |= {name: given[name] for name in OTHER_FIELDS if name in given}
    (folder / "config.json").write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
    (folder / WEIGHTS).chmod(0o644)
