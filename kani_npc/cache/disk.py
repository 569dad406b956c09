"""Kept lines as files in a folder: `<folder>/ab/abcd….line`. One server's own.

A file appears whole, by renaming; the process may die at any moment. Which lines there are is known from memory, so
that a line that was never said costs no look at the disk. Knows what a key is, nothing of what is in a file.
"""

import asyncio
import os
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from kani_npc.errors import SettingsError

_SUFFIX, _HALF = ".line", ".part"


class DiskLines:
    """A `LineStore`. `DiskLines.open` looks at what is there."""

    def __init__(self, folder: Path, max_bytes: int, sizes: "OrderedDict[str, int]") -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._sizes = sizes  # by key, the one not asked for longest first
        self._used_bytes = sum(sizes.values())

    @classmethod
    async def open(cls, folder: Path, max_bytes: int) -> "DiskLines":
        """Raises `SettingsError` for a folder that cannot be used."""
        try:
            store = cls(folder, max_bytes, await asyncio.to_thread(_scan, folder))
        except OSError as error:
            raise SettingsError(
                f"lines cannot be kept in {folder}: {error.strerror or type(error).__name__}"
            ) from None
        await store._evict()
        return store

    async def get(self, key: str) -> bytes | None:
        if key not in self._sizes:
            return None
        try:
            data = await asyncio.to_thread(_read, self._path(key))
        except FileNotFoundError:  # somebody tidied up
            self._forget(key)
            return None
        if key in self._sizes:
            self._sizes.move_to_end(key)
        return data

    async def put(self, key: str, data: bytes) -> None:
        await asyncio.to_thread(_write, self._path(key), data)
        self._forget(key)
        self._sizes[key] = len(data)
        self._used_bytes += len(data)
        await self._evict()

    async def touch(self, key: str) -> None:
        if key in self._sizes:
            self._sizes.move_to_end(key)
            await asyncio.to_thread(_touch, self._path(key))

    async def drop(self, key: str) -> None:
        self._forget(key)
        await asyncio.to_thread(_unlink, self._path(key))

    async def close(self) -> None:
        pass

    async def _evict(self) -> None:
        while self._used_bytes > self._max_bytes:
            await self.drop(next(iter(self._sizes)))

    def _forget(self, key: str) -> None:
        self._used_bytes -= self._sizes.pop(key, 0)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / (key + _SUFFIX)


def _scan(folder: Path) -> "OrderedDict[str, int]":
    """Keys and sizes, by the time they were last asked for. What a killed process left half-written is swept away."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[tuple[float, str, int]] = []
    for path in folder.glob("??/*"):
        if path.suffix == _HALF:
            _unlink(path)
        elif path.suffix == _SUFFIX and path.stem.startswith(path.parent.name):
            about = path.stat()
            found.append((about.st_mtime, path.stem, about.st_size))
    probe = folder / f"probe{_HALF}"
    probe.touch()  # said now, not at the first line
    _unlink(probe)
    return OrderedDict((key, size) for _, key, size in sorted(found))


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    _touch(path)
    return data


def _touch(path: Path) -> None:
    """Asked for just now, as whoever starts next will see."""
    with suppress(OSError):
        os.utime(path)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    half = path.with_suffix(f".{os.urandom(4).hex()}{_HALF}")
    try:
        half.write_bytes(data)
        # Not synced: after a power cut a file may be empty or torn, which its checksum tells.
        half.replace(path)
    except OSError:
        _unlink(half)
        raise


def _unlink(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
