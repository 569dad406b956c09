"""Opens the cache that settings name. The one place that knows which kinds of store there are."""

from pathlib import Path

from kani_npc.cache.disk import DiskLines
from kani_npc.cache.lines import LineCache, LineStore
from kani_npc.errors import SettingsError


async def open_cache(memory_bytes: int, store: str, store_bytes: int) -> LineCache | None:
    """None where there is nothing to keep lines in. `store` is a folder or `redis://…`, empty for none.

    Raises `SettingsError` for what cannot be used.
    """
    if not store:
        return LineCache(memory_bytes) if memory_bytes else None
    return LineCache(memory_bytes, await _open_store(store, store_bytes))


async def _open_store(where: str, max_bytes: int) -> LineStore:
    if where.startswith(("redis://", "rediss://")):
        try:
            from kani_npc.cache.redis import RedisLines
        except ModuleNotFoundError as absent:
            if absent.name != "redis":
                raise
            raise SettingsError(
                "lines in Redis need one more package: pip install 'kani-npc[redis]'"
            ) from None
        return RedisLines(where, max_bytes)
    if "://" in where:
        raise SettingsError("lines are kept in a folder or at redis://host:port/db")
    return await DiskLines.open(Path(where), max_bytes)
