"""Kept lines: the latest at hand, more in a store, and nothing that is not whole."""

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kani_npc.cache.disk import DiskLines
from kani_npc.cache.lines import MAX_LINE_SAMPLES, LineCache, pack, unpack
from kani_npc.cache.open import open_cache
from kani_npc.errors import SettingsError
from tests.voices.conftest import redis_server  # noqa: F401  a fixture

STORE_BYTES = 100_000


def line(n: int, num_samples: int = 1000) -> np.ndarray:
    return np.random.default_rng(n).integers(-32768, 32768, num_samples).astype(np.int16)


def key(n: int) -> str:
    return f"{n:02x}" * 32


@pytest.fixture(params=["disk", pytest.param("redis", marks=pytest.mark.redis)])
def where(request, tmp_path) -> str:
    """A store's place; any number may be opened on it, one after the other."""
    if request.param == "disk":
        return str(tmp_path / "lines")
    return request.getfixturevalue("redis_server").url


async def opened(where: str, memory_bytes: int = 0, store_bytes: int = STORE_BYTES) -> LineCache:
    cache = await open_cache(memory_bytes, where, store_bytes)
    assert cache is not None
    return cache


async def kept(cache: LineCache, numbers: range) -> list[int]:
    found = [n for n in numbers if await cache.get(key(n)) is not None]
    for n in found:
        np.testing.assert_array_equal(await cache.get(key(n)), line(n))
    return found


async def test_memory_keeps_what_was_asked_for_last_within_its_bound():
    cache = LineCache(10 * 2000)
    for n in range(10):
        cache.put(key(n), line(n))
    await cache.get(key(0))
    cache.put(key(10), line(10))
    cache.put(key(10), line(10))  # once more
    assert await kept(cache, range(11)) == [0, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert cache.used_bytes == 10 * 2000


async def test_a_line_that_is_larger_than_the_memory_is_not_kept_and_pushes_nothing_out():
    cache = LineCache(5000)
    cache.put(key(1), line(1))
    cache.put(key(2), line(2, 3000))
    cache.put(key(3), np.zeros(MAX_LINE_SAMPLES + 1, np.int16))
    assert await cache.get(key(1)) is not None
    assert await cache.get(key(2)) is None and await cache.get(key(3)) is None


async def test_what_is_kept_cannot_be_changed_from_outside():
    cache, samples = LineCache(5000), line(1)
    cache.put(key(1), samples)
    samples[:] = 0
    got = await cache.get(key(1))
    np.testing.assert_array_equal(got, line(1))
    with pytest.raises(ValueError, match="read-only"):
        got[0] = 1


def test_a_packed_line_comes_back_and_a_damaged_one_does_not():
    data = pack(line(1))
    np.testing.assert_array_equal(unpack(data), line(1))
    rng = random.Random(0)
    for _ in range(200):
        at = rng.randrange(len(data))
        assert unpack(data[:at]) is None
        flipped = bytearray(data)
        flipped[at] ^= 1 << rng.randrange(8)
        assert unpack(bytes(flipped)) is None
    assert unpack(b"") is None and unpack(data + b"\0\0") is None


async def test_a_store_outlives_its_process_and_keeps_the_order_of_use(where):
    cache = await opened(where)
    for n in range(3):
        cache.put(key(n), line(n))
    await cache.close()
    cache = await opened(where)
    assert await kept(cache, range(4)) == [0, 1, 2]
    await asyncio.sleep(0.02)
    assert await cache.get(key(0)) is not None  # asked for last
    await cache.close()
    cache = await opened(where, store_bytes=2 * 2100)
    cache.put(key(9), line(9))
    await cache.close()
    cache = await opened(where)
    assert await kept(cache, range(10)) == [0, 9]
    await cache.close()


async def test_a_line_that_is_asked_for_from_memory_stays_in_the_store(where, monkeypatch):
    monkeypatch.setattr("kani_npc.cache.lines._TOUCH_S", 0.0)
    cache = await opened(where, memory_bytes=100_000, store_bytes=5 * 2100)
    for n in range(20):
        cache.put(key(n), line(n))
        await asyncio.sleep(0.01)
        assert await cache.get(key(0)) is not None
        await asyncio.sleep(0.01)
    await cache.close()
    cache = await opened(where)
    assert 0 in await kept(cache, range(20))
    await cache.close()


async def test_a_store_stays_within_its_bound(where):
    cache = await opened(where, store_bytes=10 * 2100)
    for n in range(50):
        cache.put(key(n), line(n))
        await asyncio.sleep(0.002)
    await cache.close()
    cache = await opened(where)
    found = await kept(cache, range(50))
    assert 8 <= len(found) <= 10 and found[-1] == 49 and found[0] >= 39
    await cache.close()


async def test_writing_a_line_again_does_not_count_it_twice(where):
    cache = await opened(where, store_bytes=3 * 2100)
    cache.put(key(0), line(0))
    for _ in range(20):
        cache.put(key(1), line(1))
    await cache.close()
    cache = await opened(where)
    assert await kept(cache, range(3)) == [0, 1]
    await cache.close()


async def test_memory_answers_for_a_store_that_has_gone_and_a_miss_is_no_error(where, request):
    cache = await opened(where, memory_bytes=3000)
    cache.put(key(1), line(1))
    cache.put(key(2), line(2))
    await asyncio.sleep(0.2)
    if where.startswith("redis"):
        request.getfixturevalue("redis_server").kill()
    else:
        for path in Path(where).rglob("*.line"):
            path.unlink()
    assert await cache.get(key(2)) is not None
    assert await cache.get(key(1)) is None
    cache.put(key(3), line(3))
    await cache.close()


async def test_a_damaged_file_is_no_line_and_is_dropped(tmp_path, caplog):
    cache = await opened(str(tmp_path))
    for n in range(3):
        cache.put(key(n), line(n))
    await cache.close()
    files = sorted(tmp_path.rglob("*.line"))
    files[0].write_bytes(files[0].read_bytes()[:-100])
    files[1].write_bytes(b"")
    cache = await opened(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert await kept(cache, range(3)) == [2]
    assert len(caplog.records) == 2
    assert sorted(tmp_path.rglob("*.line")) == files[2:]
    await cache.close()


WRITER = """
import asyncio, sys
from tests.cache.test_lines import key, line, opened
async def main():
    cache = await opened(sys.argv[1], store_bytes=10**9)
    for n in range(10**6):
        cache.put(key(n % 200), line(n % 200, 200_000))
        await asyncio.sleep(0)
        print(n, flush=True)
        if n % 3 == 2:
            await asyncio.sleep(0.005)
asyncio.run(main())
"""


async def test_a_killed_process_leaves_whole_lines_only(tmp_path):
    environment = dict(os.environ, PYTHONPATH=".", OMP_NUM_THREADS="1")
    folder = tmp_path / "lines"
    for round in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, env=environment
        )
        for _ in range(10 + 7 * round):
            assert writer.stdout.readline()
        time.sleep(0.003 * round)
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    store = await DiskLines.open(folder, 10**9)
    assert not list(folder.rglob("*.part"))  # swept away
    whole = 0
    for n in range(200):
        data = await store.get(key(n))
        if data is not None:
            np.testing.assert_array_equal(unpack(data), line(n, 200_000))
            whole += 1
    assert whole > 0


async def test_nothing_to_keep_lines_in_is_no_cache():
    assert await open_cache(0, "", STORE_BYTES) is None
    assert await open_cache(1, "", STORE_BYTES) is not None


async def test_a_place_that_cannot_be_used_is_said_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    for where in (str(tmp_path / "file" / "lines"), "ftp://host", "redis://host:port"):
        with pytest.raises(SettingsError):
            await open_cache(0, where, STORE_BYTES)
