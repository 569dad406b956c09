"""Between records and the JSON they are kept as. Knows no store.

The JSON is canonical (sorted keys, no spaces): equal content has equal bytes, and so one hash. Arrays are base64 of
little-endian float32. A field that is not there takes its default, so that older records stay readable; one that
nobody knows is an error, since whoever wrote it meant something by it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from kani_npc.speech import SpeakerEmbedding
from kani_npc.voices.records import Record

T = TypeVar("T")
R = TypeVar("R", bound=Record)


def to_json(value: Any) -> bytes:
    """A record, or any other of our frozen dataclasses."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def from_json(kind: type[T], data: bytes) -> T:
    """The inverse of `to_json`. Raises `ValueError` for what it could not have written, `InvalidRecord` for values
    that the record itself refuses."""
    try:
        return _built(kind, json.loads(data))
    except (TypeError, AttributeError, KeyError) as wrong:
        raise ValueError(f"this is no {kind.__name__}: {wrong}") from wrong


def content_hash(record: Record) -> str:
    """sha256 over what is heard: for a voice its HEARD fields, for other kinds the fields that move the revision.

    Equal hashes sound equal, whatever the ids, names and consents are: a roll-back has the hash of the old revision.
    """
    names = getattr(record, "HEARD", record.REVISED)
    content = {name: value for name, value in _plain(record).items() if name in names}
    data = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(data.encode()).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case SpeakerEmbedding():
            raw = np.ascontiguousarray(value.vector, dtype="<f4").tobytes()
            return {"space": value.space, "float32": base64.b64encode(raw).decode()}
        case tuple():
            return [_plain(v) for v in value]
        case Mapping():
            return {k: _plain(v) for k, v in value.items()}
    # What has its default is left out: records stay small, and a new field changes no old hash.
    return {
        f.name: _plain(getattr(value, f.name))
        for f in fields(value)
        if getattr(value, f.name) != _default(f)
    }


def _default(f: Field[Any]) -> Any:
    return f.default if f.default_factory is MISSING else f.default_factory()


def _built(kind: Any, data: Any) -> Any:
    if isinstance(kind, UnionType):  # X | None is the only union there is
        if data is None:
            return None
        (kind,) = (k for k in get_args(kind) if k is not NoneType)
    if kind is SpeakerEmbedding:
        raw = base64.b64decode(data["float32"], validate=True)
        return SpeakerEmbedding(vector=np.frombuffer(raw, dtype="<f4"), space=data["space"])
    if kind is datetime:
        return datetime.fromisoformat(data)
    if is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _built(hints[name], value) for name, value in data.items()})  # pyright: ignore
    origin = get_origin(kind)
    if origin is tuple:
        return tuple(_built(get_args(kind)[0], v) for v in data)
    if origin is Mapping:
        return {k: _built(str, v) for k, v in data.items()}
    if issubclass(kind, Enum):
        return kind(data)
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if type(data) is not kind:
        raise TypeError(f"{data!r:.40} where a {kind.__name__} belongs")
    return data


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
