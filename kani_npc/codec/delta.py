"""A fine-tuned decoder as what it adds to the one it came from: one small file that travels with a voice.

Encoder and quantiser are the base's, so the codes mean the same. A delta fits one base and no other: it carries the
hash of that decoder's weights. Knows no voices, no store and no training.

The file is safetensors: keys are the decoder's parameter names (those that changed), values new minus base, float16
unless that would move a weight by more than rounding does. Metadata: `format`, `kind` (the codec's), `base` (the hash).

Where that is too large, `pack` makes a third of it (format 2): a matrix is whole steps of a size of each row's own, as
deflated int8 under its name, `<name>.step` [rows], and its shape in the metadata's `shapes`; the rest is as before.
"""

import copy
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor, nn

from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.protocol import Codec
from kani_npc.codec.source_filter import SourceFilterCodec
from kani_npc.errors import CodecError

FORMAT = "kani_npc.codec_delta.1"
PACKED_FORMAT = "kani_npc.codec_delta.2"

# Of a tensor's norm: 80 dB below it, where float16 throughout a full-size decoder leaves noise 55 dB below the sound.
_ROUNDING = 1e-4

# Steps to a row's root mean square. Rounding to them is noise 29 dB below the change, and takes five bits a weight:
# that of normally distributed values, which no others of that mean square exceed.
_STEPS = 8

AnyCodec = TypeVar("AnyCodec", bound=Codec)


@dataclass(frozen=True, slots=True)
class PackedChange:
    """A parameter's change as it lies in a packed file. Nothing is inflated before it is known to be of a codec."""

    shape: torch.Size
    step: Tensor  # [rows] float32
    deflated: bytes  # int8, of `shape`

    @classmethod
    def of(cls, change: Tensor) -> "PackedChange":
        """`change` [rows, ...] rounded to steps of each row's own."""
        rows = change.float().flatten(1)
        # What lies far out has larger steps, so that all are in int8.
        step = torch.maximum(rows.square().mean(1).sqrt() / _STEPS, rows.abs().amax(1) / 127)
        # Of a row without a change, and where float32 ends.
        step = step.clamp_min(torch.finfo(torch.float32).tiny)
        steps = (rows / step[:, None]).round().clamp(-127, 127).to(torch.int8)
        # No string of weights comes twice: Huffman's code alone is as small, and four times as fast.
        deflate = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
        data = deflate.compress(steps.numpy().tobytes()) + deflate.flush()
        return cls(change.shape, step, data)

    def float(self) -> Tensor:
        """float32, of `shape`. Raises `CodecError` where the file holds more or less."""
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(self.deflated, self.shape.numel() + 1)
        except zlib.error:
            data = b""
        if len(data) != self.shape.numel() or not inflate.eof or inflate.unused_data:
            raise CodecError(f"a packed change of the delta is not of shape {list(self.shape)}")
        steps = torch.frombuffer(bytearray(data), dtype=torch.int8).view(self.shape[0], -1)
        return (steps * self.step[:, None]).view(self.shape)


@dataclass(frozen=True, slots=True)
class CodecDelta:
    """What a decoder's parameters gain."""

    kind: str  # of codec
    base: str  # `decoder_hash` of the codec that it is added to
    changes: Mapping[
        str, Tensor | PackedChange
    ]  # by parameter name; tensors are float16 or float32

    def to_bytes(self) -> bytes:
        """Its file: the same delta is the same bytes, by whose hash stores name it."""
        tensors: dict[str, Tensor] = {}
        shapes: dict[str, list[int]] = {}
        for name, change in self.changes.items():
            if isinstance(change, PackedChange):
                tensors[name] = torch.frombuffer(bytearray(change.deflated), dtype=torch.uint8)
                tensors[f"{name}.step"] = change.step
                shapes[name] = list(change.shape)
            else:
                tensors[name] = change
        about = {"format": FORMAT, "kind": self.kind, "base": self.base}
        if shapes:
            about |= {"format": PACKED_FORMAT, "shapes": json.dumps(shapes, sort_keys=True)}
        data = serialise(tensors, about)
        # The writer's metadata are in an order of chance.
        header = json.dumps(_header(data), sort_keys=True, separators=(",", ":")).encode()
        size = _header_size(data)
        return data[:8] + header.ljust(size) + data[8 + size :]


def save_delta(path: str | Path, base: Codec, tuned: Codec) -> None:
    """Writes what turns `base`'s decoder into `tuned`'s, whole or not at all.

    Raises `CodecError` if the two are not of one kind and one set of shapes, or hold what is no number; `OSError`.
    """
    before, after = _parameters(base), _parameters(tuned)
    if base.kind != tuned.kind or _shapes(before) != _shapes(after):
        raise CodecError(
            f"a {tuned.kind} decoder of other dims than its base, a {base.kind}, has no delta to it"
        )
    changes: dict[str, Tensor] = {}
    for name, weight in after.items():
        if not torch.isfinite(weight).all():
            raise CodecError(f"the tuned decoder's {name} holds values that are not finite")
        change = weight - before[name]
        if change.any():
            half = change.half()
            close = (half.float() - change).norm() <= _ROUNDING * weight.norm()
            changes[name] = half if close else change
    data = CodecDelta(base.kind, _hash(base.kind, before), changes).to_bytes()
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def pack(delta: CodecDelta) -> CodecDelta:
    """The same in a third of the bytes, its matrices rounded; what is packed already stays as it is."""
    changes = {
        name: PackedChange.of(change) if isinstance(change, Tensor) and change.ndim > 1 else change
        for name, change in delta.changes.items()
    }
    return CodecDelta(delta.kind, delta.base, changes)


def load(source: str | Path | bytes) -> CodecDelta:
    """A delta's file, or its bytes. Raises `CodecError` for what is none."""
    if isinstance(source, bytes):
        name, data = "the codec delta", source
    else:
        name = str(source)
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise CodecError(f"{name} could not be read: {error.strerror}") from error
    try:
        changes = parse(data)
        header = _header(data)  # the parser checked it, but does not hand out what stands in it
    except (SafetensorError, ValueError, KeyError) as error:
        raise CodecError(f"{name} is cut short, or no safetensors file") from error
    metadata = header.get("__metadata__", {})
    formats = (FORMAT, PACKED_FORMAT)
    if metadata.get("format") not in formats or not {"kind", "base"} <= metadata.keys():
        raise CodecError(f"{name} is no codec delta; `python -m finetune adapt-codec` writes them")
    packed = _packed(name, changes, metadata.get("shapes", "{}"))
    for key, change in changes.items():
        if change.dtype not in (torch.float16, torch.float32):
            raise CodecError(f"{name}: {key} is {change.dtype}; expected float16 or float32")
        if not torch.isfinite(change).all():
            raise CodecError(f"{name}: {key} holds values that are not finite")
    return CodecDelta(metadata["kind"], metadata["base"], {**changes, **packed})


def _packed(file: str, tensors: dict[str, Tensor], shapes: str) -> dict[str, PackedChange]:
    """Those of the tensors that are packed, which are taken out. Raises `CodecError` for what is not as we write it."""
    packed: dict[str, PackedChange] = {}
    try:
        for name, shape in json.loads(shapes).items():
            data, step = tensors.pop(name), tensors.pop(f"{name}.step")
            change = PackedChange(torch.Size(shape), step, data.numpy().tobytes())
            whole = data.dtype == torch.uint8 and step.dtype == torch.float32
            if not whole or len(shape) < 2 or min(shape) < 1 or list(step.shape) != shape[:1]:
                raise ValueError(f"{name} has no steps for each of its rows")
            packed[name] = change
    # torch has a RuntimeError for sizes that no tensor can have.
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as wrong:
        raise CodecError(f"{file} is packed otherwise than we do it: {wrong}") from wrong
    for name, change in packed.items():
        # The largest change, not the step alone: nothing that is added to a weight is infinite.
        if not torch.isfinite(128 * change.step).all():
            raise CodecError(f"{file}: {name} holds values that are not finite")
    return packed


def _header(data: bytes) -> dict[str, Any]:
    return json.loads(data[8 : 8 + _header_size(data)])


def _header_size(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def with_delta(codec: AnyCodec, delta: CodecDelta) -> AnyCodec:
    """A codec with a decoder of its own, tuned; encoder and quantiser are shared. `codec` stays as it is.

    As ready to decode as `codec` is: same device, same precision, exact streams. Raises `CodecError` if the delta is
    another codec's.
    """
    weights = _parameters(codec)
    if delta.kind != codec.kind:
        raise CodecError(f"the delta is for a {delta.kind} codec; this one is a {codec.kind}")
    for name, change in delta.changes.items():
        if name not in weights or weights[name].shape != change.shape:
            raise CodecError(
                f"the delta's {name} has shape {list(change.shape)}; this codec's has "
                + (f"{list(weights[name].shape)}" if name in weights else "none of that name")
            )
    if delta.base != _hash(codec.kind, weights):
        raise CodecError(
            f"the delta was made for the decoder {delta.base[:12]}…; this one has other weights"
        )
    tuned = with_own_decoder(codec)
    with torch.no_grad():
        for name, parameter in _network(tuned).decoder.named_parameters():
            if name in delta.changes:
                parameter.copy_(weights[name] + delta.changes[name].float())
    return tuned


def with_own_decoder(codec: AnyCodec) -> AnyCodec:
    """The codec with a copy of its decoder, to be changed; encoder and quantiser are shared."""
    network = _network(codec)
    copied = copy.copy(network)
    # A shallow copy shares the table of modules too. Only the decoder is copied: packed weights of streams cannot be.
    copied._modules = {**network._modules, "decoder": copy.deepcopy(network.decoder)}
    copied.train(network.training)  # forgets what the base packed
    return copied  # pyright: ignore[reportReturnType]  # a copy is of the class it was copied from


def decoder_hash(codec: Codec) -> str:
    """Names a decoder by its weights, whatever device or precision it serves on: SHA-256, in hex."""
    return _hash(codec.kind, _parameters(codec))


def _network(codec: Codec) -> NanoCodec | SourceFilterCodec:
    if not isinstance(codec, NanoCodec | SourceFilterCodec):
        raise CodecError(f"a {codec.kind} codec takes no delta")
    return codec


def _parameters(codec: Codec) -> dict[str, Tensor]:
    """As they are stored: float32, on the CPU."""
    decoder: nn.Module = _network(codec).decoder
    return {name: p.detach().float().cpu() for name, p in decoder.named_parameters()}


def _shapes(parameters: Mapping[str, Tensor]) -> dict[str, list[int]]:
    return {name: list(parameter.shape) for name, parameter in parameters.items()}


def _hash(kind: str, parameters: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(kind.encode())
    for name in sorted(parameters):
        parameter = parameters[name].contiguous()
        digest.update(f"\n{name} {list(parameter.shape)}\n".encode())
        digest.update(parameter.numpy().data)
    return digest.hexdigest()
