"""A studio's whole cast: what a store of 100,000 voices costs. Times and bytes are printed, only their order asserted.

`pytest -m slow -s tests/voices/test_many_voices.py` takes minutes; otherwise a few hundred keep the test true.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
import redis

from kani_npc.speech import SpeakerEmbedding
from kani_npc.voices.open import open_store
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.sqlite import SqliteStore
from kani_npc.voices.store import Records, VoiceStore
from tests.support.voices import SYNTHETIC


async def relax(store: VoiceStore, url: str) -> None:
    """No sync of each write while the store is filled: that would measure the disk for a quarter of an hour."""
    if isinstance(store, SqliteStore):
        db = store._write_db
        await store._run(store._writer, lambda: db.execute("PRAGMA synchronous = OFF"))
    else:
        with redis.Redis.from_url(url) as client:
            client.config_set("appendfsync", "no")


def bytes_used(store: VoiceStore, url: str) -> int:
    if isinstance(store, SqliteStore):
        return sum(f.stat().st_size for f in Path(url).parent.glob("voices.db*"))
    with redis.Redis.from_url(url) as client:
        return client.info("memory")["used_memory"]  # pyright: ignore


async def milliseconds(call: Callable[[int], Awaitable[object]], at: list[int]) -> list[float]:
    """Sorted."""
    times = []
    for n in at:
        started = time.perf_counter()
        await call(n)
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("num_voices", [300, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_many_voices_are_found_and_listed_in_milliseconds(
    store_url: str, num_voices: int
) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(num_voices, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = await open_store(store_url)
    try:
        await relax(store, store_url)
        records = Records(store)

        async def create(n: int) -> None:
            embedding = SpeakerEmbedding(vector=vectors[n], space="nineninesix/speaker-emb-tbr")
            record = VoiceRecord(
                id=f"voice-{n:06}",
                display_name=f"Voice {n}",
                embedding=embedding,
                consent=SYNTHETIC,
            )
            await records.create("default", record)

        before = bytes_used(store, store_url)
        for start in range(0, num_voices, 50):
            await asyncio.gather(*(create(n) for n in range(start, start + 50)))
        each = (bytes_used(store, store_url) - before) / num_voices

        async def get(n: int) -> None:
            found = await records.get(VoiceRecord, "default", f"voice-{n:06}")
            assert found.embedding is not None
            assert np.array_equal(found.embedding.vector, vectors[n])

        async def page(n: int) -> None:
            found = await records.list(VoiceRecord, "default", page_token=f"voice-{n:06}")
            assert [v.id for v in found.records] == [f"voice-{m:06}" for m in range(n + 1, n + 101)]

        gets = await milliseconds(get, rng.integers(0, num_voices, 500).tolist())
        pages = await milliseconds(page, rng.integers(0, num_voices - 101, 50).tolist())
        print(
            f"{num_voices} voices in {type(store).__name__}: get {gets[250]:.2f} ms (p99 {gets[495]:.2f}), "
            f"page of 100 {pages[25]:.1f} ms (p90 {pages[45]:.1f}), {each:.0f} bytes each"
        )
        assert gets[250] < 200 and pages[25] < 2000 and each < 50_000
    finally:
        await store.close()
