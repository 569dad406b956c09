"""Reads and writes language-model checkpoints: config.json and safetensors, names and shapes as published.

Strict: every expected key is there, nothing else is, each has its shape. safetensors only, so a checkpoint cannot run
code. Knows how the model's fused matrices are split in a file; knows no tokenizer, no codec.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kani_npc.errors import CheckpointError, ModelError
from kani_npc.lm.config import LmConfig
from kani_npc.lm.model import Lfm2

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
HEAD = "lm_head.weight"
EMBEDDINGS = "model.embed_tokens.weight"


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor of a file: its name, its shape there, and the rows of our parameter that it fills."""

    name: str
    shape: tuple[int, ...]
    rows: slice | EllipsisType = ...  # all


def load_lm(
    folder: str | Path, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> Lfm2:
    """A model for serving from a folder with config.json and model.safetensors (or shards and their index).

    The weights do not ask for gradients. Alphas stay float32 whatever the dtype, as rope does. Raises `CheckpointError`
    that names the key, the shape it has and the shape it should have.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder")
    config = LmConfig.from_json(folder)
    with torch.device("meta"):
        lm = Lfm2(config)
    lm.load_state_dict(_read_weights(lm, folder, dtype, torch.device(device)), assign=True)
    return lm.eval().requires_grad_(False)


def usable_device(name: str | torch.device) -> torch.device:
    """The device of that name. Raises `ModelError` where this machine has none; torch would say so in a page."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"no device is called {name!r}; pass cpu, cuda or cuda:0") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"there is no {device} here that torch can use; pass --device cpu")
    return device


def save_lm(lm: Lfm2, folder: str | Path) -> None:
    """Write config.json and model.safetensors as the published code names things (head left out, being tied).

    Each file appears whole or not at all.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = lm.state_dict()
    tensors = {
        part.name: state[ours][part.rows].reshape(part.shape).detach().cpu().contiguous().clone()
        for ours, parts in checkpoint_parts(lm).items()
        for part in parts
    }
    _replace(folder / WEIGHTS, lambda path: save_file(tensors, path, metadata={"format": "pt"}))
    text = json.dumps(lm.config.to_json(), indent=2, sort_keys=True) + "\n"
    _replace(folder / "config.json", lambda path: path.write_text(text, encoding="utf-8"))


def reference_gradients(lm: Lfm2) -> dict[str, Tensor]:
    """Gradients under the names and shapes of the published checkpoint, for comparing and reporting."""
    ours = dict(lm.named_parameters())
    gradients: dict[str, Tensor] = {}
    for name, parts in checkpoint_parts(lm).items():
        gradient = ours[name].grad
        if gradient is not None:
            gradients |= {part.name: gradient[part.rows].reshape(part.shape) for part in parts}
    return gradients


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    draft = path.with_name(path.name + ".part")
    write(draft)
    os.replace(draft, path)


def checkpoint_parts(lm: Lfm2) -> dict[str, list[Part]]:
    """Our parameter names -> the tensors of a checkpoint that make them up."""
    config = lm.config
    kv_size = config.num_kv_heads * config.head_dim
    fused = {
        "qkv_proj": (("q_proj", config.hidden_size), ("k_proj", kv_size), ("v_proj", kv_size)),
        "w13": (("w1", config.ff_size), ("w3", config.ff_size)),
    }
    layout: dict[str, list[Part]] = {}
    for ours, parameter in lm.state_dict().items():
        shape = tuple(parameter.shape)
        *_, module, leaf = ours.split(".")
        if module in fused:
            parts, first = [], 0
            for name, size in fused[module]:
                theirs = "model." + ours.replace(f".{module}.", f".{name}.")
                parts.append(Part(theirs, (size, *shape[1:]), slice(first, first + size)))
                first += size
            layout[ours] = parts
        elif module == "alpha_weights":
            layout[ours] = [Part(f"model.learnable_rope_layers.{leaf}.alpha_weight", shape)]
        elif module == "conv":
            layout[ours] = [
                Part(f"model.{ours.removesuffix('weight')}conv.weight", (shape[0], 1, shape[1]))
            ]
        else:
            layout[ours] = [Part(f"model.{ours}", shape)]
    return layout


def _read_weights(
    lm: Lfm2, folder: Path, dtype: torch.dtype, device: torch.device
) -> dict[str, Tensor]:
    layout = checkpoint_parts(lm)
    expected = {part.name: part.shape for parts in layout.values() for part in parts}
    files = _shards(folder)
    open_files = {path: _open(path) for path in sorted(set(files.values()))}
    try:
        _check(expected, {key: open_files[path] for key, path in files.items()})

        def read(name: str) -> Tensor:
            try:
                return open_files[files[name]].get_tensor(name)
            except SafetensorError as error:
                raise CheckpointError(f"{files[name]}: {name} cannot be read: {error}") from None

        weights: dict[str, Tensor] = {}
        for ours, parts in layout.items():
            kept = torch.float32 if ours.startswith("alpha_weights.") else dtype
            whole = torch.empty(lm.state_dict()[ours].shape, dtype=kept, device=device)
            for part in parts:
                target = whole[part.rows]
                target.copy_(read(part.name).reshape(target.shape))
            weights[ours] = whole
        if HEAD in files and not torch.equal(read(HEAD), read(EMBEDDINGS)):
            raise CheckpointError(f"{HEAD} differs from {EMBEDDINGS}; the two must be one matrix")
        return weights
    finally:
        for file in open_files.values():
            file.__exit__(None, None, None)


def _shards(folder: Path) -> dict[str, Path]:
    """Key -> the file that holds it."""
    if (folder / WEIGHTS).is_file():
        with _open(folder / WEIGHTS) as file:
            return dict.fromkeys(file.keys(), folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        raise CheckpointError(f"{folder} has neither {WEIGHTS} nor {INDEX}")
    try:
        names = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        pairs = [(str(key), str(name)) for key, name in names.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{folder / INDEX} has no weight_map of keys to files") from None
    for _, name in pairs:
        if Path(name).name != name or name == "..":
            raise CheckpointError(f"{folder / INDEX} names a file outside its folder: {name!r}")
    return {key: folder / name for key, name in pairs}


def _open(path: Path) -> safe_open:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not safetensors: {error}") from None


def _check(expected: dict[str, tuple[int, ...]], files: dict[str, safe_open]) -> None:
    missing = sorted(expected.keys() - files.keys())
    if missing:
        raise CheckpointError(
            _listed("the checkpoint lacks", [f"{key} {list(expected[key])}" for key in missing])
        )
    extra = sorted(files.keys() - expected.keys() - {HEAD})
    if extra:
        raise CheckpointError(_listed("the checkpoint has keys this model does not", extra))
    for key, file in files.items():
        shape_is = expected[EMBEDDINGS] if key == HEAD else expected[key]
        try:
            stored = file.get_slice(key)
        except SafetensorError:
            raise CheckpointError(f"{key} is not in the file that the index names for it") from None
        if tuple(stored.get_shape()) != shape_is:
            raise CheckpointError(
                f"{key} has shape {list(stored.get_shape())}; it should be {list(shape_is)}"
            )
        if stored.get_dtype() not in ("F32", "BF16", "F16"):
            raise CheckpointError(
                f"{key} is stored as {stored.get_dtype()}; only F32, BF16 and F16 can be read"
            )


def _listed(what: str, keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"{what} {', '.join(keys[:3])}{more}"
