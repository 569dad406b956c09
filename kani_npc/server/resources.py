"""What the services of voices, NPCs, accents and lexicons share: projects, times, update masks, sampling, and the five
methods that each of them has.

The border, as `convert` is for speech: what a request holds is checked here, with our errors. Knows no store.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kani_npc.errors import InvalidRecord
from kani_npc.v1 import sampling_pb2
from kani_npc.voices.names import DEFAULT_PROJECT, check_project
from kani_npc.voices.records import Record, SamplingOverrides
from kani_npc.voices.registry import Registry

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Record)

PROJECT_KEY = "kani-project"  # of the metadata


class HasMetadata(Protocol):
    def invocation_metadata(self) -> Any: ...


class PageRequest(Protocol):
    page_size: int
    page_token: str


class DeleteRequest(Protocol):
    id: str
    etag: str


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


class Resources(Generic[R, M]):
    """The methods that every kind of resource has, said once: `kind` in the registry, `M` on the wire.

    They raise what `Registry`'s do, and `InvalidRecord` for what a message cannot say.
    """

    def __init__(
        self,
        registry: Registry,
        kind: type[R],
        to_record: Callable[[M], R],
        from_record: Callable[[R], M],
        writable: Collection[str],
    ) -> None:
        self._registry = registry
        self._kind = kind
        self._to_record = to_record
        self._from_record = from_record
        self._writable = writable

    async def create(self, context: HasMetadata, message: M, request_id: str) -> M:
        made = await self._registry.create(
            project_of(context), self._to_record(message), request_id=request_id
        )
        return self._from_record(made)

    async def get(self, context: HasMetadata, id: str) -> M:
        return self._from_record(await self._registry.get(self._kind, project_of(context), id))

    async def list(self, context: HasMetadata, request: PageRequest) -> tuple[list[M], str]:
        """A page, and the token of the next."""
        page = await self._registry.list(
            self._kind,
            project_of(context),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return [self._from_record(record) for record in page.records], page.next_page_token

    async def update(self, context: HasMetadata, wanted: Any, mask: FieldMask) -> M:
        """`wanted` has the resource's id and, if it is to be looked at, its etag."""
        paths = update_paths(mask, wanted, self._writable)

        def change(current: R) -> R:
            return self._to_record(merged(self._from_record(current), wanted, paths))

        changed = await self._registry.update(
            self._kind, project_of(context), wanted.id, change, etag=wanted.etag
        )
        return self._from_record(changed)

    async def delete(self, context: HasMetadata, request: DeleteRequest) -> None:
        await self._registry.delete(self._kind, project_of(context), request.id, etag=request.etag)
