"""A voice as one file, to be carried from one server to another. Knows no store.

The file is safetensors, which anybody can open: the embedding is its tensor `embedding`, large parts are bytes named
`part.<sha256>`, and its metadata holds `format`, the voice as JSON, and a sha256 over both. Nothing in it is ever
executed: it is lengths, JSON and numbers. Consent does not travel: who imports a voice says why they may.
"""

import hashlib
import io
import json
import pickletools
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import safetensors
import safetensors.numpy

from kani_npc.errors import BundleError, InvalidRecord
from kani_npc.speech import FloatArray, SpeakerEmbedding
from kani_npc.voices.encoding import from_json, to_json
from kani_npc.voices.names import check_id
from kani_npc.voices.records import VoiceRecord, VoiceSource

FORMAT = "kani-npc.voice.v1"
MAX_BYTES = 32 * 2**20  # of a whole file; also the wire's limit for an upload
MAX_PT_BYTES = 2**20  # 128 numbers and a header are 2 kB
_MAX_HEADER_BYTES = 2**20

# What a pickled float tensor is made of, and nothing else; storages with the bytes of one value.
# `torch.load(weights_only=True)` would let a few more through, of which some allocate whatever size a file claims.
_STORAGES = {
    "torch FloatStorage": 4,
    "torch DoubleStorage": 8,
    "torch HalfStorage": 2,
    "torch BFloat16Storage": 2,
}
_INTEGERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
_INDIRECT = {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"}  # names that are computed
_MAX_PICKLE_BYTES = 4096
_TENSOR_PARTS = {"torch._utils _rebuild_tensor_v2", "collections OrderedDict", *_STORAGES}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A voice and its large parts, by the sha256 that the voice calls them by."""

    voice: VoiceRecord
    parts: Mapping[str, bytes] = field(default_factory=dict)


def part_names(voice: VoiceRecord, *, with_clips: bool) -> tuple[str, ...]:
    """The large parts that belong into its file. Reference clips are recordings of a person: only where asked for."""
    names = (voice.lora, voice.codec_delta, voice.report, *(voice.clips if with_clips else ()))
    return tuple(name for name in names if name is not None)


def write_bundle(bundle: Bundle) -> bytes:
    """Raises `BundleError` where it would be larger than anybody would read."""
    voice = replace(
        bundle.voice,
        consent=None,
        revoked_through=0,
        parents=(),
        clips=tuple(name for name in bundle.voice.clips if name in bundle.parts),
        etag="",
        embedding=None,
    )
    embedding = bundle.voice.embedding
    tensors = {f"part.{name}": np.frombuffer(data, np.uint8) for name, data in bundle.parts.items()}
    about = {"voice": json.loads(to_json(voice))}
    if embedding is not None:
        tensors["embedding"] = np.ascontiguousarray(embedding.vector, dtype="<f4")
        about["space"] = embedding.space
    text = json.dumps(about, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    metadata = {"format": FORMAT, "voice": text, "sha256": _checksum(text, tensors)}
    data = safetensors.numpy.save(tensors, metadata=metadata)
    if len(data) > MAX_BYTES:
        raise BundleError("this voice is too large for one file of 32 MiB")
    return data


def read_bundle(data: bytes) -> Bundle:
    """The voice, as `IMPORTED` (or still `FINE_TUNED`) and with no consent. Raises `BundleError` for a file that is not
    whole, not ours, or not what its checksum says."""
    header = _header(data)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise BundleError(f"this is no voice file of ours ({FORMAT})")
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as wrong:
        raise BundleError(f"the voice file is damaged: {wrong}") from wrong
    text = metadata.get("voice", "")
    if metadata.get("sha256") != _checksum(text, tensors):
        raise BundleError("the voice file is damaged: its checksum does not fit")
    try:
        about = json.loads(text)
        voice = from_json(VoiceRecord, json.dumps(about["voice"]).encode())
        if (vector := tensors.pop("embedding", None)) is not None:
            embedding = SpeakerEmbedding(vector=_floats(vector), space=about["space"])
            voice = replace(voice, embedding=embedding)
    except (ValueError, KeyError, TypeError, InvalidRecord) as wrong:
        raise BundleError(f"the voice file holds no voice that we can read: {wrong}") from wrong
    parts = {name.removeprefix("part."): part.tobytes() for name, part in tensors.items()}
    for name, part in parts.items():
        if hashlib.sha256(part).hexdigest() != name:
            raise BundleError("the voice file has a part that is not what it is called")
    if absent := set(part_names(voice, with_clips=True)) - set(parts):
        raise BundleError(f"the voice file lacks {len(absent)} of its parts")
    is_tuned = voice.source is VoiceSource.FINE_TUNED
    source = VoiceSource.FINE_TUNED if is_tuned else VoiceSource.IMPORTED
    return Bundle(replace(voice, source=source, consent=None, parents=()), parts)


def read_pt(data: bytes, *, id: str, space: str) -> VoiceRecord:
    """A published `.pt` voice: one float tensor [D] or [1, D], as `torch.save` writes it. `space` names the encoder
    that made it, which the file does not say.

    The file is looked through before PyTorch sees it: a zip of uncompressed members whose pickle builds one tensor.
    Raises `BundleError`.
    """
    check_id(id)
    if len(data) > MAX_PT_BYTES:
        raise BundleError("a .pt voice is a few kilobytes; this file is no voice")
    data = _checked_pt(data)
    import torch  # here, so that a client that only writes bundles needs none

    try:
        tensor = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as wrong:  # of many kinds, none of them ours
        raise BundleError(f"the .pt file cannot be read: {type(wrong).__name__}") from wrong
    if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
        raise BundleError("the .pt file holds no tensor of floats")
    if tensor.ndim == 2 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 1 or not 2 <= tensor.shape[0] <= 4096:
        raise BundleError(f"the .pt file holds {list(tensor.shape)} values, not one embedding")
    vector = tensor.detach().double().numpy()
    length = float(np.linalg.norm(vector))
    if not (np.isfinite(length) and length > 1e-6):
        raise BundleError("the .pt file holds an embedding that is zero or not finite")
    # Averages of several embeddings are published without being made of unit length again (reference/kani.md §8).
    embedding = SpeakerEmbedding(vector=(vector / length).astype(np.float32), space=space)
    return VoiceRecord(id=id, embedding=embedding, source=VoiceSource.IMPORTED)


def _header(data: bytes) -> dict:
    if len(data) > MAX_BYTES:
        raise BundleError("a voice file is at most 32 MiB")
    size = int.from_bytes(data[:8], "little")
    if len(data) < 10 or not 2 <= size <= min(_MAX_HEADER_BYTES, len(data) - 8):
        raise BundleError("this is no voice file, or not all of it")
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise BundleError("this is no voice file")
    return header


def _checksum(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    """Over everything that matters, each piece with its length, so that none can pass for two."""
    digest = hashlib.sha256()
    pieces: list[bytes] = [FORMAT.encode(), text.encode()]
    for name in sorted(tensors):
        tensor = tensors[name]
        pieces += [f"{name} {tensor.dtype.str} {tensor.shape}".encode(), tensor.tobytes()]
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "little") + piece)
    return digest.hexdigest()


def _floats(vector: np.ndarray) -> FloatArray:
    if vector.dtype != np.float32:
        raise ValueError("its embedding is not float32")
    return vector


def _checked_pt(data: bytes) -> bytes:
    """The same tensor in a zip of our own making, so that PyTorch's reader sees the members that were looked at."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = file.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise BundleError("the .pt file is compressed; torch.save writes none that are")
            if len(members) > 32 or sum(m.file_size for m in members) > MAX_PT_BYTES:
                raise BundleError("the .pt file claims more than a voice has")
            content = {m.filename.partition("/")[2]: file.read(m) for m in members}
        pickled = content["data.pkl"]
        operations = list(pickletools.genops(pickled[:_MAX_PICKLE_BYTES]))
    except BundleError:
        raise
    except Exception as wrong:  # zipfile and pickletools raise whatever a broken file makes them
        raise BundleError("the .pt file is no zip of torch.save, or not all of it") from wrong
    values = content.get("data/0", b"")
    _check_pickle(operations, len(values))
    clean = io.BytesIO()
    with zipfile.ZipFile(clean, "w") as file:
        file.writestr("voice/data.pkl", pickled)
        file.writestr("voice/data/0", values)
        file.writestr("voice/version", b"3\n")
        file.writestr("voice/byteorder", content.get("byteorder", b"little"))
    return clean.getvalue()


def _check_pickle(operations: Sequence[tuple], num_bytes: int) -> None:
    names = {argument for op, argument, _ in operations if op.name == "GLOBAL"}
    if any(op.name in _INDIRECT for op, _, _ in operations):
        raise BundleError("the .pt file is not as torch.save writes it")
    if foreign := names - _TENSOR_PARTS:
        raise BundleError(f"the .pt file holds more than a tensor of floats: {min(foreign)[:60]}")
    if len(storages := names & set(_STORAGES)) != 1:
        raise BundleError("the .pt file holds no tensor of floats")
    # PyTorch takes a pickle's word for how many values there are, and would read beyond their end.
    most = num_bytes // _STORAGES[storages.pop()]
    if any(op.name in _INTEGERS and not 0 <= claim <= most for op, claim, _ in operations):
        raise BundleError("the .pt file claims more values than it has")
