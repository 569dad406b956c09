"""NeMo's form of the codec: the `.nemo` file, its names of the weights, weight norm folded and split.

Reads without NeMo and without pickle, and never unpacks to a path. Knows nothing of what the weights do.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch
import yaml
from torch import Tensor, nn

from kani_npc.codec.network import Decoder, Encoder, NanoCodecConfig
from kani_npc.errors import CheckpointError, CodecError

MAX_CONFIG_BYTES = 1 << 18
MAX_WEIGHTS_BYTES = 1 << 33  # the published file is under 1 GB

# What makes the sound. Beside it the file holds what training needed: discriminators, the losses' filters.
PARTS = ("audio_encoder.", "audio_decoder.", "vector_quantizer.")

State = dict[str, Tensor]


def read_nemo(file: Path) -> tuple[dict[str, Any], State]:
    """The configuration and the state dict. Members are read in place: nothing is ever unpacked to a path."""
    try:
        with _open_tar(file) as tar:
            members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
            text = _member(tar, members, "model_config.yaml", MAX_CONFIG_BYTES, file).read()
            config = yaml.safe_load(text)
            if not isinstance(config, dict):
                raise CodecError(f"{file}: model_config.yaml is not a mapping")
            # torch.load seeks; a plain member does so for free, and a gzip one is held in memory.
            weights = _member(tar, members, "model_weights.ckpt", MAX_WEIGHTS_BYTES, file)
            state = _load_state(BytesIO(weights.read()), file)
    except CodecError:
        raise
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise CodecError(
            f"{file} could not be read as a .nemo file: cut short, or no tar file"
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CodecError(f"{file}: model_config.yaml is not YAML") from error
    return config, state


@contextmanager
def _open_tar(file: Path) -> Iterator[tarfile.TarFile]:
    """A tar file, plain or gzipped; no other compression is a `.nemo`."""
    with file.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with (
            gzip.open(raw) if zipped else raw as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            yield tar


def _member(
    tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str, limit: int, file: Path
) -> IO[bytes]:
    member = members.get(name)
    if member is None:
        raise CodecError(f"{file} holds no {name}")
    if not member.isreg():  # a link could lead to another member, or out of the file
        raise CodecError(f"{file}: {name} is not a plain file")
    if member.size > limit:
        raise CodecError(f"{file}: {name} is {member.size} bytes; expected at most {limit}")
    stream = tar.extractfile(member)
    assert stream is not None, "a plain member always has content"
    return stream


def _load_state(stream: IO[bytes], file: Path) -> State:
    try:
        state = torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the damaged bytes lead it to
        raise CodecError(
            f"{file}: model_weights.ckpt is damaged, or holds more than tensors"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise CodecError(f"{file}: model_weights.ckpt is not a flat table of tensors")
    return state


# --- weights: names and forms

# Where torch keeps the two halves of a weight-normed weight: length [N, 1, 1] and direction.
LENGTH = "parametrizations.weight.original0"
DIRECTION = "parametrizations.weight.original1"


def fold_weight_norm(state: Mapping[str, Tensor]) -> State:
    """Every weight-normed weight as one tensor: W = g v / |v|, the norm over all dimensions but the first."""
    folded: State = {}
    for key, value in state.items():
        if key.endswith(LENGTH):
            prefix = key.removesuffix(LENGTH)
            direction = state[prefix + DIRECTION]
            folded[prefix + "weight"] = (
                value * direction / direction.flatten(1).norm(dim=1)[:, None, None]
            )
        elif not key.endswith(DIRECTION):
            folded[key] = value
    return folded


def split_weight_norm(state: Mapping[str, Tensor]) -> State:
    """The reverse: g = |W|, v = W. Folding it again gives the same weights to rounding."""
    split: State = {}
    for key, value in state.items():
        prefix = key.removesuffix("weight")
        if prefix == key:
            split[key] = value
        else:
            split[prefix + LENGTH] = value.flatten(1).norm(dim=1)[:, None, None]
            split[prefix + DIRECTION] = value
    return split


def normed_shapes(shapes: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """The shapes that `split_weight_norm` makes of these."""
    normed: dict[str, list[int]] = {}
    for key, shape in shapes.items():
        prefix = key.removesuffix("weight")
        if prefix == key:
            normed[key] = shape
        else:
            normed[prefix + LENGTH] = [shape[0], 1, 1]
            normed[prefix + DIRECTION] = shape
    return normed


def nemo_name(key: str) -> str:
    """Our name of a parameter, weight-normed or not -> NeMo's."""
    key = "audio_" + key
    if key.endswith(".alpha"):
        return key.removesuffix("alpha") + "activation.snake_act.alpha"
    for suffix in (LENGTH, DIRECTION, "weight", "bias"):
        if key.endswith("." + suffix):
            return key.removesuffix(suffix) + "conv." + suffix
    raise AssertionError(key)


def from_nemo_state(state: Mapping[str, Tensor], config: NanoCodecConfig, source: str) -> State:
    """NeMo's state dict -> ours, folded. Raises `CheckpointError` for keys, shapes or levels amiss."""
    state = {key: value for key, value in state.items() if key.startswith(PARTS)}
    with torch.device("meta"):
        network = nn.ModuleDict({"encoder": Encoder(config), "decoder": Decoder(config)})
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    normed = normed_shapes(shapes)
    expected = {nemo_name(key): shape for key, shape in normed.items()}
    quantizer = quantizer_state(config)
    check_state(state, expected | {key: value.shape for key, value in quantizer.items()}, source)
    for key, value in quantizer.items():
        if not torch.equal(state[key].long(), value.long()):
            raise CheckpointError(
                f"{source}: {key} is {state[key].flatten().tolist()}; the config makes it {value.flatten().tolist()}"
            )
    return fold_weight_norm({key: state[nemo_name(key)].float() for key in normed})


def to_nemo_state(state: Mapping[str, Tensor], config: NanoCodecConfig) -> State:
    """Our state dict, folded or not -> the one that NeMo loads, without a discriminator."""
    normed = split_weight_norm(fold_weight_norm(state))
    return {nemo_name(key): value for key, value in normed.items()} | quantizer_state(config)


def quantizer_state(config: NanoCodecConfig) -> State:
    """What NeMo stores of the quantiser: two small integer tables a group."""
    levels = torch.tensor(config.levels_per_group, dtype=torch.int32)
    base = torch.tensor([1, *config.levels_per_group[:-1]]).cumprod(0).int()
    return {
        f"vector_quantizer.fsqs.{group}.{name}": value.reshape(1, -1, 1)
        for group in range(config.num_groups)
        for name, value in (("dim_base_index", base), ("num_levels", levels))
    }


def check_state(
    state: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]], source: str
) -> None:
    """Raises `CheckpointError` unless `state` has exactly these keys and shapes, and finite numbers."""
    for problem, keys in (
        ("misses", expected.keys() - state.keys()),
        ("has unexpected", state.keys() - expected.keys()),
    ):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CheckpointError(f"{source} {problem} key {min(keys)!r}{more}")
    for key, shape in expected.items():
        if list(state[key].shape) != list(shape):
            raise CheckpointError(
                f"{source}: {key} has shape {list(state[key].shape)}; the config makes it {list(shape)}"
            )
        if not torch.isfinite(state[key]).all():
            raise CheckpointError(f"{source}: {key} holds values that are not finite")
