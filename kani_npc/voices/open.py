"""Opens the store that a setting names. The one place that knows which kinds there are."""

from pathlib import Path

from platformdirs import user_data_path

from kani_npc.errors import SettingsError
from kani_npc.voices.sqlite import SqliteStore
from kani_npc.voices.store import VoiceStore


def default_path() -> Path:
    """A file in the user's data folder."""
    return user_data_path("kani-npc") / "voices.db"


async def open_store(where: str = "", *, artefacts: Path | None = None) -> VoiceStore:
    """`redis://…` or `rediss://…`, else the path of a file, with or without `sqlite:` before it; empty is
    `default_path()`.

    `artefacts` is a folder for large parts. Raises `SettingsError` and `StoreUnavailable`.
    """
    if where.startswith(("redis://", "rediss://")):
        try:
            from kani_npc.voices.redis import RedisStore
        except ModuleNotFoundError as absent:
            if absent.name != "redis":
                raise
            raise SettingsError(
                "a store in Redis needs one more package: pip install 'kani-npc[redis]'"
            ) from None
        return await RedisStore.open(where, artefacts=artefacts)
    where = where.removeprefix("sqlite:")
    if "://" in where:
        raise SettingsError("the store must be redis://host:port/db or the path of a file")
    return await SqliteStore.open(Path(where) if where else default_path(), artefacts=artefacts)
