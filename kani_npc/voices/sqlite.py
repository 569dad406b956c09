"""A `VoiceStore` in one SQLite file, for one machine: several processes may share it. Knows no rules about records.

Every transaction is one plain function that runs to its end in a worker: a cancelled call cannot leave one open. Writes
have one connection and one worker, reads another, so that a line never waits behind a write's fsync.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, time
from typing import TypeVar

from kani_npc.errors import SettingsError, StoreUnavailable
from kani_npc.voices.artefacts import ArtefactFolder
from kani_npc.voices.store import SCHEMA, Change, Lost, Resumed, Row, Signal, Write

T = TypeVar("T")

POLL_S = 0.1  # how often other processes' writes are looked for
_BUSY_TIMEOUT_S = 5.0  # another process's write is done long before

_SCHEMA = """
CREATE TABLE records (
  project TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  etag TEXT NOT NULL, revision INTEGER NOT NULL, body BLOB, request_id TEXT NOT NULL, sequence INTEGER NOT NULL,
  PRIMARY KEY (project, kind, id));
CREATE INDEX records_by_sequence ON records (project, sequence);
CREATE TABLE revisions (
  project TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (project, kind, id, revision));
CREATE TABLE sequences (project TEXT PRIMARY KEY, sequence INTEGER NOT NULL);
CREATE TABLE usage (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL, batch TEXT NOT NULL, position INTEGER NOT NULL, body BLOB NOT NULL,
  UNIQUE (project, batch, position));
CREATE INDEX usage_by_project ON usage (project, ordinal);
"""


class SqliteStore:
    """Opens with `SqliteStore.open`."""

    def __init__(self, path: Path, artefacts: ArtefactFolder) -> None:
        self._path = path
        self._artefacts = artefacts
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-read")

    @classmethod
    async def open(cls, path: Path, *, artefacts: Path | None = None) -> "SqliteStore":
        """Creates the file where there is none. `artefacts` is a folder for large parts, beside the file by default.

        Raises `StoreUnavailable`, and `SettingsError` for a file that another version wrote.
        """
        store = cls(path, ArtefactFolder(artefacts or path.with_name("artefacts")))
        try:
            await store._run(store._writer, store._open)
        except BaseException:
            await store.close()
            raise
        return store

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)  # voices are personal data
        self._write_db = self._connect()
        self._read_db = self._connect()
        _enter_wal(self._write_db)
        self._write_db.execute("PRAGMA synchronous = FULL")
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA}")
        if version not in (0, SCHEMA):
            raise SettingsError(
                f"{self._path.name} was written by another version (schema {version}, not {SCHEMA}); "
                "give another file"
            )

    def _connect(self) -> sqlite3.Connection:
        # No implicit transactions: `_transaction` opens them. Each connection stays with its worker after `_open`.
        return sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._write_db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    async def _run(self, worker: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(worker, work)
        except (sqlite3.Error, OSError) as wrong:
            raise _unavailable(wrong) from wrong

    async def _read(self, sql: str, *values: object) -> list[tuple]:
        return await self._run(self._reader, lambda: self._read_db.execute(sql, values).fetchall())

    async def read(self, project: str, kind: str, id: str) -> Row | None:
        rows = await self._read(
            "SELECT id, etag, revision, body, request_id FROM records "
            "WHERE project = ? AND kind = ? AND id = ?",
            *(project, kind, id),
        )
        return Row(*rows[0]) if rows else None

    async def page(self, project: str, kind: str, after: str, limit: int) -> Sequence[Row]:
        rows = await self._read(
            "SELECT id, etag, revision, body, request_id FROM records "
            "WHERE project = ? AND kind = ? AND id > ? AND body IS NOT NULL ORDER BY id LIMIT ?",
            *(project, kind, after, limit),
        )
        return [Row(*row) for row in rows]

    async def write(self, project: str, write: Write) -> bool:
        return await self._run(self._writer, lambda: self._write(project, write))

    def _write(self, project: str, write: Write) -> bool:
        row, key = write.row, (project, write.kind, write.row.id)
        with self._transaction() as db:
            found = db.execute(
                "SELECT etag FROM records WHERE project = ? AND kind = ? AND id = ?", key
            ).fetchone()
            if (found[0] if found else "") != write.expected:
                return found is not None and found[0] == row.etag
            (sequence,) = db.execute(
                "INSERT INTO sequences VALUES (?, 1) "
                "ON CONFLICT DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
                (project,),
            ).fetchone()
            db.execute(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, row.etag, row.revision, row.body, row.request_id, sequence),
            )
            if row.is_deleted:
                db.execute("DELETE FROM revisions WHERE project = ? AND kind = ? AND id = ?", key)
            elif write.new_revision:
                db.execute(
                    "INSERT INTO revisions VALUES (?, ?, ?, ?, ?)", (*key, row.revision, row.body)
                )
            return True

    async def revision(self, project: str, kind: str, id: str, revision: int) -> bytes | None:
        rows = await self._read(
            "SELECT body FROM revisions WHERE project = ? AND kind = ? AND id = ? AND revision = ?",
            *(project, kind, id, revision),
        )
        return rows[0][0] if rows else None

    async def revisions(
        self, project: str, kind: str, id: str, below: int, limit: int
    ) -> Sequence[bytes]:
        rows = await self._read(
            "SELECT body FROM revisions "
            "WHERE project = ? AND kind = ? AND id = ? AND revision < ? "
            "ORDER BY revision DESC LIMIT ?",
            *(project, kind, id, below, limit),
        )
        return [body for (body,) in rows]

    async def append_usage(self, project: str, batch: str, entries: Sequence[bytes]) -> None:
        rows = [(project, batch, position, entry) for position, entry in enumerate(entries)]

        def work() -> None:
            with self._transaction() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO usage (project, batch, position, body) "
                    "VALUES (?, ?, ?, ?)",
                    rows,
                )

        await self._run(self._writer, work)

    async def usage(self, project: str) -> AsyncGenerator[bytes]:
        last = 0
        while rows := await self._read(
            "SELECT ordinal, body FROM usage WHERE project = ? AND ordinal > ? "
            "ORDER BY ordinal LIMIT 1000",
            *(project, last),
        ):
            for last, body in rows:  # noqa: B007  the last ordinal is where the next piece starts
                yield body

    async def put_artefact(self, project: str, sha256: str, data: bytes) -> None:
        await self._run(self._writer, lambda: self._artefacts.put(project, sha256, data))

    async def get_artefact(self, project: str, sha256: str) -> bytes:
        try:  # beside the reader: a line does not wait for a large file
            return await asyncio.to_thread(self._artefacts.get, project, sha256)
        except OSError as wrong:
            raise _unavailable(wrong) from wrong

    async def bodies(self, project: str, kind: str) -> AsyncGenerator[bytes]:
        for table in ("records", "revisions"):
            last: Sequence[object] = ("", 0)
            while rows := await self._read(
                f"SELECT id, revision, body FROM {table} "
                "WHERE project = ? AND kind = ? AND (id, revision) > (?, ?) AND body IS NOT NULL "
                "ORDER BY id, revision LIMIT 500",
                *(project, kind, *last),
            ):
                for *last, body in rows:  # noqa: B007  the last key is where the next piece starts
                    yield body

    async def artefacts(self, project: str) -> Sequence[str]:
        return await self._run(self._writer, lambda: self._artefacts.names(project))

    async def delete_artefact(self, project: str, sha256: str, *, put_before_s: float) -> bool:
        return await self._run(
            self._writer,
            lambda: self._artefacts.delete(project, sha256, put_before_s=put_before_s),
        )

    async def tidy_artefacts(self, project: str, *, put_before_s: float) -> None:
        await self._run(
            self._writer, lambda: self._artefacts.tidy(project, put_before_s=put_before_s)
        )

    async def clock_s(self) -> float:
        return time()

    async def signals(self) -> AsyncGenerator[Signal]:
        version, sequences = -1, None
        while True:
            try:
                # Moves when any other connection has written, this process's own writer among them.
                ((now,),) = await self._read("PRAGMA data_version")
                if sequences is None:
                    sequences = await self._sequences()
                    yield Resumed()
                elif now != version:
                    for change in await self._changes(sequences):
                        yield change
                version = now
            except StoreUnavailable:
                if sequences is not None:
                    yield Lost()
                sequences = None
            await asyncio.sleep(POLL_S)

    async def _sequences(self) -> dict[str, int]:
        return dict(await self._read("SELECT project, sequence FROM sequences"))

    async def _changes(self, sequences: dict[str, int]) -> list[Change]:
        """What was written since `sequences`, which is brought up to date."""
        changes = []
        for project, sequence in (await self._sequences()).items():
            if sequence != (last := sequences.get(project, 0)):
                rows = await self._read(
                    "SELECT kind, id FROM records "
                    "WHERE project = ? AND sequence > ? AND sequence <= ?",
                    *(project, last, sequence),
                )
                changes += [Change(project, kind, id) for kind, id in rows]
                sequences[project] = sequence
        return changes

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._reader.shutdown()
        self._writer.shutdown()
        for name in ("_read_db", "_write_db"):
            if db := getattr(self, name, None):
                db.close()


def _unavailable(wrong: sqlite3.Error | OSError) -> StoreUnavailable:
    # An OSError's own text has the path in it, which is nobody's business out there.
    reason = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
    return StoreUnavailable(f"the voice store cannot be used: {reason}")


def _enter_wal(db: sqlite3.Connection) -> None:
    """Two processes that create the file together: SQLite does not wait in this one place, whatever its timeout."""
    until = monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if monotonic() > until:
                raise
            sleep(0.02)
