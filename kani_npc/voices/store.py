"""Keeps records, their revisions, the usage ledger and large parts. The rules are here; where the bytes lie is not.

A `VoiceStore` is a set of small atomic operations (`sqlite.py` and `redis.py` have one each, and pass one test file).
`Records` puts the rules on top of it: numbers revisions, draws etags, retries, rolls back, revokes. It trusts its
caller about what may be written (see `registry.py`).
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from kani_npc.errors import (
    AccentNotFound,
    AlreadyExists,
    ConsentRequired,
    ConsentRevoked,
    InvalidRecord,
    LexiconNotFound,
    NotFound,
    NpcNotFound,
    RevisionNotFound,
    StaleEtag,
    StoreUnavailable,
    VoiceNotFound,
)
from kani_npc.voices.encoding import from_json, to_json
from kani_npc.voices.names import check_id, check_project
from kani_npc.voices.records import (
    AccentRecord,
    Lexicon,
    Npc,
    Record,
    VoiceRecord,
    check_sha256,
)
from kani_npc.voices.usage import UsageEntry

R = TypeVar("R", bound=Record)
V = TypeVar("V", VoiceRecord, Lexicon)  # the kinds that keep revisions

MAX_PAGE_SIZE = 500  # some 15 ms of decoding, during which nobody is served
SCHEMA = 1  # of what a store holds; another number is refused at the start
SWEEP_GRACE_S = 3600.0  # longer than any call that puts a part takes to name it in a record
_DIGEST = re.compile(rb'"([0-9a-f]{64})"')  # how a record's JSON names a part
_TRIES = 64  # of an update that names no etag, while others write the same record
_NOT_FOUND: dict[type[Record], tuple[type[NotFound], str]] = {
    VoiceRecord: (VoiceNotFound, "ListVoices"),
    Npc: (NpcNotFound, "ListNpcs"),
    AccentRecord: (AccentNotFound, "ListAccents"),
    Lexicon: (LexiconNotFound, "ListLexicons"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One record as a store keeps it. A deleted one stays as a row without a body, so that its revision numbers are
    never given to something else."""

    id: str
    etag: str
    revision: int
    body: bytes | None
    request_id: str = ""  # of the call that created it

    @property
    def is_deleted(self) -> bool:
        return self.body is None


@dataclass(frozen=True, slots=True)
class Write:
    """A row that takes the place of the one with the etag `expected` (empty: of none)."""

    kind: str
    row: Row
    expected: str
    new_revision: bool  # keep the body under its revision number too


@dataclass(frozen=True, slots=True)
class Change:
    """Something was written, by this process or another."""

    project: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The store cannot be heard: what was read before may be out of date."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The store is heard from now on; changes before this may have been missed. The first signal there is."""


Signal = Change | Lost | Resumed


class VoiceStore(Protocol):
    """Every operation is atomic and, once it has returned, durable. All of them raise `StoreUnavailable`."""

    async def read(self, project: str, kind: str, id: str) -> Row | None: ...

    async def page(self, project: str, kind: str, after: str, limit: int) -> Sequence[Row]:
        """Rows that are not deleted, by id, from the first above `after` on."""
        ...

    async def write(self, project: str, write: Write) -> bool:
        """Writes record, revision, index and sequence number together; or, where another etag than the expected one is
        found, writes nothing and returns False. Deleting takes the revisions along. A write that is repeated because
        its answer was lost has happened once."""
        ...

    async def revision(self, project: str, kind: str, id: str, revision: int) -> bytes | None: ...

    async def revisions(
        self, project: str, kind: str, id: str, below: int, limit: int
    ) -> Sequence[bytes]:
        """Bodies, newest first, of revisions under `below`."""
        ...

    async def append_usage(self, project: str, batch: str, entries: Sequence[bytes]) -> None:
        """Appends all or nothing; a batch that is there already is not appended again (for a day at least)."""
        ...

    def usage(self, project: str) -> AsyncGenerator[bytes]:
        """In the order they were appended."""
        ...

    def bodies(self, project: str, kind: str) -> AsyncGenerator[bytes]:
        """Of all records and all their revisions, in no order, some perhaps twice. What is written meanwhile may be
        missed."""
        ...

    async def put_artefact(self, project: str, sha256: str, data: bytes) -> None:
        """Keeps it, or gives the one that is there a new time."""
        ...

    async def get_artefact(self, project: str, sha256: str) -> bytes:
        """Raises `ArtefactMissing`."""
        ...

    async def artefacts(self, project: str) -> Sequence[str]:
        """The names of all that are there."""
        ...

    async def delete_artefact(self, project: str, sha256: str, *, put_before_s: float) -> bool:
        """Whether it is gone: not if it was put at that time of `clock_s` or later."""
        ...

    async def tidy_artefacts(self, project: str, *, put_before_s: float) -> None:
        """Removes what killed processes left half done before that time."""
        ...

    async def clock_s(self) -> float:
        """The clock by which artefacts are put."""
        ...

    def signals(self) -> AsyncGenerator[Signal]:
        """What happens in all projects, within 150 ms, for as long as it is iterated. Does not raise."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    records: tuple[R, ...]
    next_page_token: str  # empty: there is no more


class Records:
    """Typed records in a store. `clock` gives the times that are written."""

    def __init__(
        self, store: VoiceStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.store = store
        self.now = clock

    async def get(self, kind: type[R], project: str, id: str) -> R:
        """Raises the kind's `NotFound`."""
        row = await self._row(kind, project, id)
        if row is None or row.is_deleted:
            raise self.not_found(kind, id)
        return _record(kind, row)

    async def list(
        self, kind: type[R], project: str, *, page_size: int = 100, page_token: str = ""
    ) -> Page[R]:
        """By id. `page_token` is what the page before gave; pages stay right while others write."""
        size = checked_page_size(page_size)
        if page_token:
            check_id(page_token, field="page_token")
        rows = await self.store.page(check_project(project), kind.KIND, page_token, size + 1)
        token = rows[size - 1].id if len(rows) > size else ""
        return Page(tuple(_record(kind, row) for row in rows[:size]), token)

    async def all(self, kind: type[R], project: str) -> AsyncGenerator[R]:
        """Every one, by id, a page at a time."""
        token = ""
        while True:
            page = await self.list(kind, project, page_size=MAX_PAGE_SIZE, page_token=token)
            for record in page.records:
                yield record
            if not (token := page.next_page_token):
                return

    async def create(self, project: str, record: R, *, request_id: str = "") -> R:
        """The record as it was written. With the `request_id` of the call that created it, a repeated call gets that
        record. Raises `AlreadyExists`."""
        check_project(project)
        while True:
            before = await self._row(type(record), project, record.id)
            if before is not None and not before.is_deleted:
                if request_id and request_id == before.request_id:
                    return _record(type(record), before)
                raise AlreadyExists(f"{record.KIND} {record.id!r} is taken", current=before.etag)
            now = self.now()
            written = replace(record, create_time=now, update_time=now)
            if done := await self._write(project, written, before, request_id):
                return done

    async def update(
        self,
        kind: type[R],
        project: str,
        id: str,
        change: Callable[[R], R],
        *,
        etag: str = "",
        check: Callable[[R, R], Awaitable[None]] | None = None,
    ) -> R:
        """Replaces the record by `change` of it, and returns it as written; a change of nothing writes nothing.

        With an `etag`, only if the record still has it: raises `StaleEtag`. Without, `change` is applied to whatever is
        there, again where others were quicker. `check` sees the changed record and the current one before anything is
        written, and may raise. Raises the kind's `NotFound`.
        """
        for _ in range(_TRIES):
            before = await self._row(kind, project, id)
            if before is None or before.is_deleted:
                raise self.not_found(kind, id)
            if etag and etag != before.etag:
                raise _stale(kind, id, before.etag)
            current = _record(kind, before)
            changed = replace(change(current), id=id, create_time=current.create_time)
            if _with_stores_own(changed, current) == current:
                return current
            if check is not None:
                await check(changed, current)
            changed = replace(changed, update_time=self.now())
            if done := await self._write(project, changed, before, before.request_id):
                return done
        raise StoreUnavailable(f"too many others write {kind.KIND} {id!r}", retry_after_s=1.0)

    async def delete(self, kind: type[Record], project: str, id: str, *, etag: str = "") -> None:
        """With its revisions. Raises the kind's `NotFound` and, where an `etag` is given, `StaleEtag`."""
        for _ in range(_TRIES):
            before = await self._row(kind, project, id)
            if before is None or before.is_deleted:
                raise self.not_found(kind, id)
            if etag and etag != before.etag:
                raise _stale(kind, id, before.etag)
            gone = Row(id, _new_etag(), before.revision, None)
            write = Write(kind.KIND, gone, expected=before.etag, new_revision=False)
            if await self.store.write(project, write):
                return
        raise StoreUnavailable(f"too many others write {kind.KIND} {id!r}", retry_after_s=1.0)

    async def revision(self, kind: type[V], project: str, id: str, revision: int) -> V:
        """As it was then. Raises the kind's `NotFound`, or `RevisionNotFound`."""
        body = await self.store.revision(check_project(project), kind.KIND, check_id(id), revision)
        if body is None:
            await self.get(kind, project, id)
            raise RevisionNotFound(
                f"{kind.KIND} {id!r} has no revision {revision}; list its revisions to see which there are"
            )
        return _read(kind, body)

    async def revisions(
        self, kind: type[V], project: str, id: str, *, page_size: int = 100, page_token: str = ""
    ) -> Page[V]:
        """Newest first. Raises the kind's `NotFound`."""
        size = checked_page_size(page_size)
        if page_token and not (page_token.isdecimal() and len(page_token) < 10):
            raise InvalidRecord("page_token is not one of ours", field="page_token")
        newest = (await self.get(kind, project, id)).revision
        below = int(page_token) if page_token else newest + 1
        bodies = await self.store.revisions(project, kind.KIND, id, below, size + 1)
        found = [_read(kind, body) for body in bodies]
        token = str(found[size - 1].revision) if len(found) > size else ""
        return Page(tuple(found[:size]), token)

    async def roll_back(
        self, kind: type[V], project: str, id: str, revision: int, *, etag: str = ""
    ) -> V:
        """A new revision that sounds as an old one did; what is allowed stays as it is now.

        Raises `ConsentRevoked` for a revision that was revoked, and `ConsentRequired` for one that somebody else than
        the present holder agreed to: neither comes back by itself.
        """
        old = await self.revision(kind, project, id, revision)

        def change(current: V) -> V:
            if isinstance(current, VoiceRecord) and isinstance(old, VoiceRecord):
                _check_roll_back(current, old)
            return current.rolled_back_to(old)  # pyright: ignore  both are of the kind V

        return await self.update(kind, project, id, change, etag=etag)

    async def revoke(self, project: str, id: str, *, etag: str = "") -> VoiceRecord:
        """Ends the consent for a voice in all its revisions. Raises `VoiceNotFound`."""

        def change(voice: VoiceRecord) -> VoiceRecord:
            is_revoked = voice.consent is not None and voice.consent.revoked is not None
            return voice if is_revoked else voice.revoked(self.now())

        return await self.update(VoiceRecord, project, id, change, etag=etag)

    async def append_usage(
        self, project: str, entries: Sequence[UsageEntry], *, request_id: str = ""
    ) -> None:
        """Appends all or none. Repeated with the same `request_id`, once."""
        if entries:
            batch = request_id or _new_etag()
            await self.store.append_usage(
                check_project(project), batch, [to_json(entry) for entry in entries]
            )

    async def usage(self, project: str) -> AsyncGenerator[UsageEntry]:
        async for body in self.store.usage(check_project(project)):
            yield from_json(UsageEntry, body)

    @asynccontextmanager
    async def keeping(self, project: str, parts: Sequence[bytes]) -> AsyncIterator[tuple[str, ...]]:
        """Keeps large parts; inside, the record that names them is written, by the sha256 that this gives for each.

        Raises `InvalidRecord` for one that is too large for the store.
        """
        check_project(project)
        # Beside the event loop: a hash of 32 MiB takes as long as a frame of sound.
        names = tuple([await asyncio.to_thread(_sha256, part) for part in parts])
        for sha256, part in zip(names, parts, strict=True):
            await self.store.put_artefact(project, sha256, part)
        yield names
        # Once more: whoever dropped one as nobody's in between did not see the record yet. Next time they will.
        for sha256, part in zip(names, parts, strict=True):
            await self.store.put_artefact(project, sha256, part)

    async def get_artefact(self, project: str, sha256: str) -> bytes:
        """Raises `ArtefactMissing`."""
        check_sha256(sha256, "artefact")
        return await self.store.get_artefact(check_project(project), sha256)

    async def drop_artefacts(
        self, project: str, names: Iterable[str], *, put_before_s: float
    ) -> int:
        """Deletes those of the large parts that no voice names in any revision; how many these were.

        Safe beside writers (see `keeping`): what was put at or after `put_before_s` of the store's clock stays, and
        what records from before it name is seen.
        """
        unused = set(names)
        async for body in self.store.bodies(check_project(project), VoiceRecord.KIND):
            if not unused:
                return 0
            unused.difference_update(name.decode() for name in _DIGEST.findall(body))
        gone = 0
        for sha256 in unused:
            gone += await self.store.delete_artefact(project, sha256, put_before_s=put_before_s)
        return gone

    async def sweep(self, project: str, *, grace_s: float = SWEEP_GRACE_S) -> int:
        """Deletes the large parts that calls which were killed or refused left behind, older than `grace_s`; how many
        these were. Others may write meanwhile."""
        now_s = await self.store.clock_s()
        # Never with less grace: a half of somebody's file looks like any other.
        await self.store.tidy_artefacts(
            check_project(project), put_before_s=now_s - max(grace_s, SWEEP_GRACE_S)
        )
        names = await self.store.artefacts(project)
        return await self.drop_artefacts(project, names, put_before_s=now_s - grace_s)

    def not_found(self, kind: type[Record], id: str) -> NotFound:
        error, listing = _NOT_FOUND[kind]
        return error(f"no {kind.KIND} {id[:64]!r}; {listing} lists them")

    async def _row(self, kind: type[Record], project: str, id: str) -> Row | None:
        return await self.store.read(check_project(project), kind.KIND, check_id(id))

    async def _write(
        self, project: str, record: R, before: Row | None, request_id: str
    ) -> R | None:
        """The record as written, or None if somebody else was quicker."""
        new_revision = True
        revision = 1 if before is None else before.revision + 1
        if before is not None and before.body is not None:
            current = _record(type(record), before)
            new_revision = current.revised_by(record)
            revision = before.revision + new_revision
            if isinstance(record, VoiceRecord) and isinstance(current, VoiceRecord):
                last = max(record.revoked_through, current.revoked_through)
                record = replace(record, revoked_through=last)
        record = replace(record, revision=revision, etag=_new_etag())
        row = Row(record.id, record.etag, revision, to_json(record), request_id)
        write = Write(
            record.KIND,
            row,
            expected="" if before is None else before.etag,
            new_revision=new_revision and record.KEEPS_REVISIONS,
        )
        return record if await self.store.write(project, write) else None


def _check_roll_back(current: VoiceRecord, old: VoiceRecord) -> None:
    if old.revision <= current.revoked_through:
        raise ConsentRevoked(
            f"the consent for {old.ref!r} was revoked; it does not come back by rolling back"
        )
    if old.consent is not None and not old.consent.same_giver(current.consent):
        raise ConsentRequired(
            f"{old.ref!r} was allowed by somebody else than the voice is now; "
            "update the voice with that consent first"
        )


def _record(kind: type[R], row: Row) -> R:
    assert row.body is not None
    return _read(kind, row.body)


def _read(kind: type[R], body: bytes) -> R:
    try:
        return from_json(kind, body)
    except (ValueError, InvalidRecord) as wrong:
        # Somebody wrote to the store past us, or a newer version did.
        raise StoreUnavailable(
            f"the store holds a {kind.KIND} that cannot be read: {wrong}"
        ) from wrong


def _with_stores_own(record: R, current: R) -> R:
    return replace(
        record,
        revision=current.revision,
        etag=current.etag,
        update_time=current.update_time,
    )


def _stale(kind: type[Record], id: str, current: str) -> StaleEtag:
    return StaleEtag(
        f"{kind.KIND} {id!r} has changed since it was read; its etag is {current!r}",
        current=current,
    )


def checked_page_size(size: int) -> int:
    """0 is 100; never more than `MAX_PAGE_SIZE`. Raises `InvalidRecord`."""
    if size < 0:
        raise InvalidRecord("page_size must not be negative", field="page_size")
    return min(size or 100, MAX_PAGE_SIZE)


def _new_etag() -> str:
    return secrets.token_hex(8)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
