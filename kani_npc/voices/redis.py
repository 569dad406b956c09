"""A `VoiceStore` in Redis, shared by any number of servers. Knows no rules about records.

    kani:schema                                string    checked at the start
    kani:{project}:voice:<id>                  hash      etag, revision, first, request_id, body (none: deleted)
    kani:{project}:voice:<id>:rev:<n>          string    the body at that revision, `first` to `revision`
    kani:{project}:voices                      zset      ids that are not deleted, score 0; so npcs, accents, lexicons
    kani:{project}:sequence                    string    of the last write; published with it
    kani:{project}:changes                     channel   "<sequence> <kind> <id>"
    kani:{project}:usage                       stream    the ledger
    kani:{project}:usage:batch:<id>            string    expires: these entries are in the ledger
    kani:{project}:artefact:<sha256>           string    a large part
    kani:{project}:artefacts                   zset      their names, by the time they were last put

The braces are Redis Cluster's: all keys of a project lie on one node, as scripts need. Every write is one script, which
Redis runs alone and whole.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from kani_npc.errors import InvalidRecord, SettingsError, StoreUnavailable
from kani_npc.voices.artefacts import ArtefactFolder, missing
from kani_npc.voices.store import SCHEMA, Change, Lost, Resumed, Row, Signal, Write

log = logging.getLogger(__name__)

MAX_ARTEFACT_BYTES = 16 * 2**20  # larger ones belong into a folder
_CONNECT_S = 1.0
_ANSWER_S = 3.0  # a disk that syncs each write may be slow; a line does not wait longer
_HEARTBEAT_S = 1.0  # a connection that does not answer this often is lost
_RECONNECT_S = 0.1
_BATCH_KEPT_S = 2 * 86_400
_BODIES_A_CALL = 50  # voices, with all their revisions: Redis serves nobody meanwhile

# KEYS: record, index, sequence. ARGV: expected etag, new etag, revision, body or "", request id, "1" for a new
# revision, kind, id, channel.
_WRITE = """
local etag, first = unpack(redis.call('HMGET', KEYS[1], 'etag', 'first'))
if (etag or '') ~= ARGV[1] then return etag == ARGV[2] and 1 or 0 end
if ARGV[4] == '' then
  local last = redis.call('HGET', KEYS[1], 'revision')
  for n = tonumber(first), tonumber(last) do redis.call('DEL', KEYS[1] .. ':rev:' .. n) end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'etag', ARGV[2], 'revision', ARGV[3])
  redis.call('ZREM', KEYS[2], ARGV[8])
else
  redis.call('HSET', KEYS[1], 'etag', ARGV[2], 'revision', ARGV[3], 'first', first or ARGV[3],
    'body', ARGV[4], 'request_id', ARGV[5])
  if ARGV[6] == '1' then redis.call('SET', KEYS[1] .. ':rev:' .. ARGV[3], ARGV[4]) end
  redis.call('ZADD', KEYS[2], 0, ARGV[8])
end
redis.call('PUBLISH', ARGV[9], redis.call('INCR', KEYS[3]) .. ' ' .. ARGV[7] .. ' ' .. ARGV[8])
return 1
"""

# KEYS: index. ARGV: prefix of the records' keys, after, limit.
_PAGE = """
local rows = {}
for i, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '(' .. ARGV[2], '+', 'LIMIT', 0, ARGV[3])) do
  rows[i] = {id, redis.call('HMGET', ARGV[1] .. id, 'etag', 'revision', 'body', 'request_id')}
end
return rows
"""

# KEYS: ledger, batch. ARGV: seconds that the batch is remembered, entries.
_APPEND = """
if not redis.call('SET', KEYS[2], '', 'NX', 'EX', ARGV[1]) then return end
for i = 2, #ARGV do redis.call('XADD', KEYS[1], '*', 'entry', ARGV[i]) end
"""

# KEYS: index. ARGV: prefix of the records' keys, after, limit. The last id of the page, then all its bodies.
_BODIES = """
local found = {''}
for _, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '(' .. ARGV[2], '+', 'LIMIT', 0, ARGV[3])) do
  found[1] = id
  local key = ARGV[1] .. id
  local body, first, last = unpack(redis.call('HMGET', key, 'body', 'first', 'revision'))
  if body then found[#found + 1] = body end
  for n = tonumber(first or 1), tonumber(last or 0) do
    local old = redis.call('GET', key .. ':rev:' .. n)
    if old then found[#found + 1] = old end
  end
end
return found
"""

# KEYS: part, names. ARGV: sha256, and its data if it is known to be absent. Whether it is there now.
_PUT = """
if ARGV[2] then redis.call('SET', KEYS[1], ARGV[2])
elseif redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] + now[2] / 1000000, ARGV[1])
return 1
"""

# KEYS: part, names. ARGV: sha256, time.
_DROP = """
local put = redis.call('ZSCORE', KEYS[2], ARGV[1])
if put and tonumber(put) >= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
"""


class RedisStore:
    """Opens with `RedisStore.open`."""

    def __init__(self, url: str, artefacts: ArtefactFolder | None) -> None:
        # One retry, at once: a pooled connection may have died with the last Redis. Scripts are safe to repeat.
        retry = Retry(NoBackoff(), 1, (RedisConnectionError, RedisTimeoutError))
        self._redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_ANSWER_S,
            retry=retry,
            max_connections=256,
        )
        self._artefacts = artefacts
        self._write_script = self._redis.register_script(_WRITE)
        self._page_script = self._redis.register_script(_PAGE)
        self._append_script = self._redis.register_script(_APPEND)
        self._bodies_script = self._redis.register_script(_BODIES)
        self._put_script = self._redis.register_script(_PUT)
        self._drop_script = self._redis.register_script(_DROP)

    @classmethod
    async def open(cls, url: str, *, artefacts: Path | None = None) -> "RedisStore":
        """`redis://` or `rediss://`. `artefacts` is a folder that all servers share; without it large parts, up to 16
        MiB each, lie in Redis.

        Raises `StoreUnavailable`, and `SettingsError` for a URL that is none or records that another version wrote.
        """
        try:
            store = cls(url, None if artefacts is None else ArtefactFolder(artefacts))
        except ValueError as wrong:
            raise SettingsError(f"the store must be redis://host:port/db: {wrong}") from None
        try:
            await store._check_schema()
            await store._look_around()
        except BaseException:
            await store.close()
            raise
        return store

    async def _check_schema(self) -> None:
        with _unavailable():
            await self._redis.set("kani:schema", SCHEMA, nx=True)
            found = await self._redis.get("kani:schema")
        if found != str(SCHEMA).encode():
            raise SettingsError(
                f"this Redis holds records of another version (schema {found!r}, not {SCHEMA}); "
                "give another database"
            )

    async def _look_around(self) -> None:
        """What an operator would rather hear before the first loss than after it."""
        try:
            about: dict[str, Any] = await _answer(self._redis.info("everything"))
        except RedisError:  # managed ones may not tell
            return
        if not about.get("aof_enabled"):
            log.warning(
                "this Redis keeps no append-only file: acknowledged writes can be lost with it; "
                "set appendonly yes"
            )
        if about.get("maxmemory") and about.get("maxmemory_policy") != "noeviction":
            log.warning(
                "this Redis may evict voices when its memory is full; set maxmemory-policy noeviction"
            )

    async def read(self, project: str, kind: str, id: str) -> Row | None:
        fields = ["etag", "revision", "body", "request_id"]
        with _unavailable():
            values = await _answer(self._redis.hmget(_key(project, kind, id), fields))
        return None if values[0] is None else _row(id, values)

    async def page(self, project: str, kind: str, after: str, limit: int) -> Sequence[Row]:
        with _unavailable():
            found = await self._page_script(
                [_key(project, f"{kind}s")], [_key(project, kind, ""), after, limit]
            )
        return [_row(id.decode(), values) for id, values in found]

    async def write(self, project: str, write: Write) -> bool:
        row = write.row
        keys = [
            _key(project, write.kind, row.id),
            _key(project, f"{write.kind}s"),
            _key(project, "sequence"),
        ]
        with _unavailable():
            done = await self._write_script(
                keys,
                [
                    write.expected,
                    row.etag,
                    row.revision,
                    row.body or b"",
                    row.request_id,
                    int(write.new_revision),
                    write.kind,
                    row.id,
                    _key(project, "changes"),
                ],
            )
        return done == 1

    async def revision(self, project: str, kind: str, id: str, revision: int) -> bytes | None:
        with _unavailable():
            return await _answer(self._redis.get(_key(project, kind, id, "rev", revision)))

    async def revisions(
        self, project: str, kind: str, id: str, below: int, limit: int
    ) -> Sequence[bytes]:
        with _unavailable():
            first = await _answer(self._redis.hget(_key(project, kind, id), "first"))
            oldest = max(int(first or below), below - limit)
            keys = [_key(project, kind, id, "rev", n) for n in range(below - 1, oldest - 1, -1)]
            bodies = await _answer(self._redis.mget(keys)) if keys else []
        return [body for body in bodies if body is not None]

    async def append_usage(self, project: str, batch: str, entries: Sequence[bytes]) -> None:
        keys = [_key(project, "usage"), _key(project, "usage", "batch", batch)]
        with _unavailable():
            await self._append_script(keys, [_BATCH_KEPT_S, *entries])

    async def usage(self, project: str) -> AsyncGenerator[bytes]:
        after = "-"
        while True:
            with _unavailable():
                ledger = _key(project, "usage")
                found = await _answer(self._redis.xrange(ledger, after, count=1000))
            for ordinal, fields in found:
                yield fields[b"entry"]
                after = f"({ordinal.decode()}"
            if not found:
                return

    async def put_artefact(self, project: str, sha256: str, data: bytes) -> None:
        if self._artefacts is not None:
            with _unavailable():
                await asyncio.to_thread(self._artefacts.put, project, sha256, data)
            return
        if len(data) > MAX_ARTEFACT_BYTES:
            raise InvalidRecord(
                "a part of a voice may have at most 16 MiB in Redis; give the server a folder for artefacts",
                field="artefact",
            )
        keys = [_key(project, "artefact", sha256), _key(project, "artefacts")]
        with _unavailable():
            if not await self._put_script(keys, [sha256]):
                await self._put_script(keys, [sha256, data])

    async def get_artefact(self, project: str, sha256: str) -> bytes:
        if self._artefacts is not None:
            with _unavailable():
                return await asyncio.to_thread(self._artefacts.get, project, sha256)
        with _unavailable():
            data = await _answer(self._redis.get(_key(project, "artefact", sha256)))
        if data is None:
            raise missing(sha256)
        return data

    async def bodies(self, project: str, kind: str) -> AsyncGenerator[bytes]:
        after, index, prefix = "", _key(project, f"{kind}s"), _key(project, kind, "")
        while True:
            with _unavailable():
                last, *bodies = await self._bodies_script([index], [prefix, after, _BODIES_A_CALL])
            for body in bodies:
                yield body
            if not (after := last.decode()):
                return

    async def artefacts(self, project: str) -> Sequence[str]:
        with _unavailable():
            if self._artefacts is not None:
                return await asyncio.to_thread(self._artefacts.names, project)
            names = await _answer(self._redis.zrange(_key(project, "artefacts"), 0, -1))
        return [name.decode() for name in names]

    async def delete_artefact(self, project: str, sha256: str, *, put_before_s: float) -> bool:
        with _unavailable():
            if self._artefacts is not None:
                return await asyncio.to_thread(
                    self._artefacts.delete, project, sha256, put_before_s=put_before_s
                )
            keys = [_key(project, "artefact", sha256), _key(project, "artefacts")]
            return await self._drop_script(keys, [sha256, put_before_s]) == 1

    async def tidy_artefacts(self, project: str, *, put_before_s: float) -> None:
        if self._artefacts is not None:  # Redis leaves nothing half done
            with _unavailable():
                await asyncio.to_thread(self._artefacts.tidy, project, put_before_s=put_before_s)

    async def clock_s(self) -> float:
        if self._artefacts is not None:
            return time()
        with _unavailable():
            seconds, microseconds = await _answer(self._redis.time())
        return seconds + microseconds / 1e6

    async def signals(self) -> AsyncGenerator[Signal]:
        while True:
            pubsub = self._redis.pubsub()
            heard = False
            try:
                async for signal in _listen(pubsub):
                    heard = True
                    yield signal
            except (RedisError, OSError) as wrong:
                if heard:
                    log.warning("the voice store is away: %s", wrong)
                    yield Lost()
            finally:
                await pubsub.aclose()
            await asyncio.sleep(_RECONNECT_S)

    async def close(self) -> None:
        await self._redis.aclose()


async def _listen(pubsub: Any) -> AsyncGenerator[Signal]:
    """Until the connection is lost, which raises."""
    await pubsub.psubscribe(_key("*", "changes"))
    last: dict[bytes, int] = {}
    asked = False
    while True:
        message = await pubsub.get_message(timeout=_HEARTBEAT_S)
        if message is None:
            # A connection can be dead without an end: no answer to the last question is an end.
            if asked:
                raise RedisTimeoutError("no heartbeat")
            await pubsub.ping()
            asked = True
            continue
        asked = False
        if message["type"] == "psubscribe":
            yield Resumed()
        if message["type"] == "pmessage":
            sequence, kind, id = message["data"].split(b" ")
            project = message["channel"].split(b"{")[1].split(b"}")[0]
            if last.get(project, int(sequence) - 1) != int(sequence) - 1:
                yield Resumed()  # a gap
            last[project] = int(sequence)
            yield Change(project.decode(), kind.decode(), id.decode())


def _key(project: str, *parts: object) -> str:
    return ":".join(("kani", f"{{{project}}}", *map(str, parts)))


def _row(id: str, values: Sequence[bytes | None]) -> Row:
    etag, revision, body, request_id = values
    return Row(id, (etag or b"").decode(), int(revision or 0), body, (request_id or b"").decode())


async def _answer(command: Awaitable[Any] | Any) -> Any:
    """redis-py types its commands for both of its clients at once."""
    return await cast(Awaitable[Any], command)


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as wrong:
        raise StoreUnavailable(f"the voice store cannot be used: {type(wrong).__name__}") from wrong
