"""Kept lines in Redis, for several servers that say the same.

    {kani:lines}:line:<key>   string   a packed line
    {kani:lines}:asked        zset     keys, by when they were last asked for
    {kani:lines}:sizes        hash     bytes, by key
    {kani:lines}:bytes        string   their sum

Every change is one script, which Redis runs alone and whole. A Redis that does not answer costs a line half a second,
and then none for a while: a slow cache is worse than none. Knows no files, and nothing of what is in a line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from kani_npc.errors import SettingsError

_PREFIX = (
    "{kani:lines}:"  # the braces are Redis Cluster's: all of it lies on one node, as scripts need
)
_KEYS = [_PREFIX + name for name in ("asked", "sizes", "bytes")]
_ANSWER_S = 0.5
_LEFT_ALONE_S = 5.0

# Each has KEYS: asked, sizes, bytes. ARGV: prefix of the lines, key, and what is said there.

_GET = """
local data = redis.call('GET', ARGV[1] .. ARGV[2])
if data then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000, ARGV[2])
end
return data
"""

# Data, most bytes of all.
_PUT = """
local function drop(key)
  redis.call('DEL', ARGV[1] .. key)
  redis.call('ZREM', KEYS[1], key)
  local size = redis.call('HGET', KEYS[2], key) or 0
  redis.call('HDEL', KEYS[2], key)
  return redis.call('DECRBY', KEYS[3], size)
end
drop(ARGV[2])
local now = redis.call('TIME')
redis.call('SET', ARGV[1] .. ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000, ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], #ARGV[3])
local used = redis.call('INCRBY', KEYS[3], #ARGV[3])
while used > tonumber(ARGV[4]) do used = drop(redis.call('ZRANGE', KEYS[1], 0, 0)[1]) end
"""

_TOUCH = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', now[1] + now[2] / 1000000, ARGV[2])
"""

_DROP = """
redis.call('DEL', ARGV[1] .. ARGV[2])
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('DECRBY', KEYS[3], redis.call('HGET', KEYS[2], ARGV[2]) or 0)
redis.call('HDEL', KEYS[2], ARGV[2])
"""


class RedisLines:
    """A `LineStore`. Raises `SettingsError` for a URL that is none; a Redis that is away may come back."""

    def __init__(self, url: str, max_bytes: int) -> None:
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_connect_timeout=_ANSWER_S,
                socket_timeout=_ANSWER_S,
                retry=Retry(
                    NoBackoff(), 1, (RedisConnectionError,)
                ),  # a connection may have died unused
                max_connections=64,
            )
        except ValueError as wrong:
            raise SettingsError(f"lines are kept at redis://host:port/db: {wrong}") from None
        self._max_bytes = max_bytes
        self._get_script = self._redis.register_script(_GET)
        self._put_script = self._redis.register_script(_PUT)
        self._touch_script = self._redis.register_script(_TOUCH)
        self._drop_script = self._redis.register_script(_DROP)
        self._left_alone_until_s = 0.0

    async def get(self, key: str) -> bytes | None:
        if self._is_left_alone:
            return None
        with self._noticing():
            return cast(bytes | None, await self._get_script(_KEYS, [_PREFIX + "line:", key]))

    async def put(self, key: str, data: bytes) -> None:
        if self._is_left_alone or len(data) > self._max_bytes:
            return
        with self._noticing():
            await self._put_script(_KEYS, [_PREFIX + "line:", key, data, self._max_bytes])

    async def touch(self, key: str) -> None:
        if not self._is_left_alone:
            with self._noticing():
                await self._touch_script(_KEYS, [_PREFIX + "line:", key])

    async def drop(self, key: str) -> None:
        with self._noticing():
            await self._drop_script(_KEYS, [_PREFIX + "line:", key])

    async def close(self) -> None:
        await self._redis.aclose()

    @property
    def _is_left_alone(self) -> bool:
        return monotonic() < self._left_alone_until_s

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            self._left_alone_until_s = monotonic() + _LEFT_ALONE_S
            raise OSError(f"Redis: {type(error).__name__}") from error
