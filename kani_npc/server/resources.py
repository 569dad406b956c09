"""What the services of voices, NPCs, accents and lexicons share: projects, times, update masks, sampling.

The border, as `convert` is for speech: what a request holds is checked here, with our errors. Knows no store.
"""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kani_npc.errors import InvalidRecord
from kani_npc.v1 import sampling_pb2
from kani_npc.voices.names import DEFAULT_PROJECT, check_project
from kani_npc.voices.records import Record, SamplingOverrides

M = TypeVar("M", bound=Message)

PROJECT_KEY = "kani-project"  # of the metadata


class HasMetadata(Protocol):
    def invocation_metadata(self) -> Any: ...


def project_of(context: HasMetadata) -> str:
    """The project of a call. Raises `InvalidRecord` for what is no name, and for two."""
    named = [value for key, value in context.invocation_metadata() or () if key == PROJECT_KEY]
    if len(named) > 1:
        raise InvalidRecord(f"the metadata key {PROJECT_KEY} may stand once", field="project")
    return check_project(named[0]) if named else DEFAULT_PROJECT


def head(record: Record) -> dict[str, Any]:
    """The fields that every resource has."""
    values: dict[str, Any] = {
        "id": record.id,
        "display_name": record.display_name,
        "labels": record.labels,
        "etag": record.etag,
        "revision": record.revision,
    }
    if record.create_time.timestamp() > 0:  # what came with the model has no times
        values["create_time"] = to_timestamp(record.create_time)
        values["update_time"] = to_timestamp(record.update_time)
    return values


def to_timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def to_time(message: Message, field: str, *, of: str) -> datetime | None:
    """A field's time in UTC, None where it is not set. Raises `InvalidRecord` beyond the years 1 to 9999."""
    if not message.HasField(field):
        return None
    try:
        return getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidRecord(f"{field} is no time", field=f"{of}.{field}") from None


def given(message: Message, field: str) -> Any:
    """A field that a request cannot do without. Raises `InvalidRecord`."""
    if not message.HasField(field):
        raise InvalidRecord(f"{field} is missing", field=field)
    return getattr(message, field)


def update_paths(mask: FieldMask, resource: Message, writable: Collection[str]) -> Sequence[str]:
    """What an update changes. Raises `InvalidRecord` for what cannot be changed, or is not there."""
    if list(mask.paths) == ["*"]:
        return sorted(writable)
    if not mask.paths:
        return [f.name for f, _ in resource.ListFields() if f.name in writable]
    for path in mask.paths:
        alone = FieldMask(paths=[path])
        known = alone.IsValidForDescriptor(resource.DESCRIPTOR)  # pyright: ignore[reportArgumentType]
        if not known or path.partition(".")[0] not in writable:
            raise InvalidRecord(
                f"{path[:80]!r} cannot be updated; there are {', '.join(sorted(writable))}",
                field="update_mask",
            )
    return list(mask.paths)


def merged(current: M, change: M, paths: Sequence[str]) -> M:
    """`current`, with what `paths` name taken from `change`; what is not set there is not set any more."""
    FieldMask(paths=paths).MergeMessage(
        change, current, replace_message_field=True, replace_repeated_field=True
    )
    return current


def to_overrides(message: sampling_pb2.Sampling) -> SamplingOverrides:
    return SamplingOverrides(**{field.name: value for field, value in message.ListFields()})


def from_overrides(overrides: SamplingOverrides) -> sampling_pb2.Sampling:
    values = {f.name: getattr(overrides, f.name) for f in fields(overrides)}
    return sampling_pb2.Sampling(**{k: v for k, v in values.items() if v is not None})
