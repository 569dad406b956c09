"""`python -m benchmarks.voices`: what a store of 100,000 voices costs: a get, a page of a list, bytes of each voice.

Both kinds of store, SQLite in a file and a real `redis-server` with its append-only file. The filling is not timed, and
done without a sync of each write: it would measure the disk for a quarter of an hour.
"""

import argparse
import asyncio
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import redis

from benchmarks import machine
from kani_npc.speech import SpeakerEmbedding
from kani_npc.voices.consent import Consent, ConsentKind
from kani_npc.voices.open import open_store
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.sqlite import SqliteStore
from kani_npc.voices.store import Records, VoiceStore
from tools.local_server import free_port

RESULTS = Path(__file__).parent / "results"
SPACE, DIM = "nineninesix/speaker-emb-tbr", 128
GETS, PAGES, PAGE_SIZE = 1000, 100, 100
SYNTHETIC = Consent(kind=ConsentKind.SYNTHETIC)


async def measure(url: str, num_voices: int) -> dict[str, Any]:
    """Fills an empty store and measures it. Times are in milliseconds, of the store and the decoding of records."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(num_voices, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = await open_store(url)
    records = Records(store)

    async def create(n: int) -> None:
        record = VoiceRecord(
            id=f"voice-{n:06}",
            display_name=f"Voice {n}",
            embedding=SpeakerEmbedding(vectors[n], SPACE),
            consent=SYNTHETIC,
        )
        await records.create("default", record)

    async def get(n: int) -> None:
        found = await records.get(VoiceRecord, "default", f"voice-{n:06}")
        assert found.embedding and np.array_equal(found.embedding.vector, vectors[n])

    async def page(n: int) -> None:
        found = await records.list(
            VoiceRecord, "default", page_size=PAGE_SIZE, page_token=f"voice-{n:06}"
        )
        wanted = range(n + 1, min(n + 1 + PAGE_SIZE, num_voices))
        assert [v.id for v in found.records] == [f"voice-{m:06}" for m in wanted]

    try:
        await _without_syncs(store, url)
        before = _bytes_used(store, url)
        for start in range(0, num_voices, 50):
            await asyncio.gather(*(create(n) for n in range(start, min(start + 50, num_voices))))
        used = _bytes_used(store, url) - before
        return {
            "store": type(store).__name__,
            "voices": num_voices,
            "get_ms": await _timed(get, rng.integers(0, num_voices, GETS).tolist()),
            "page_ms": await _timed(page, rng.integers(0, num_voices, PAGES).tolist()),
            "page_size": PAGE_SIZE,
            "bytes_a_voice": round(used / num_voices),
            "of_which_embedding": 4 * DIM,
        }
    finally:
        await store.close()


async def _timed(call: Callable[[int], Awaitable[None]], at: list[int]) -> dict[str, float]:
    """One after the other."""
    times = []
    for n in at:
        began_s = time.perf_counter()
        await call(n)
        times.append((time.perf_counter() - began_s) * 1000)
    p50, p95, p99 = np.percentile(times, (50, 95, 99))
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "p99": round(float(p99), 3)}


async def _without_syncs(store: VoiceStore, url: str) -> None:
    if isinstance(store, SqliteStore):
        db = store._write_db
        await store._run(store._writer, lambda: db.execute("PRAGMA synchronous = OFF"))
    else:
        with redis.Redis.from_url(url) as client:
            client.config_set("appendfsync", "no")


def _bytes_used(store: VoiceStore, url: str) -> int:
    """On disk, the log of writes included; or in Redis's memory."""
    if isinstance(store, SqliteStore):
        return sum(file.stat().st_size for file in Path(url).parent.glob("voices.db*"))
    with redis.Redis.from_url(url) as client:
        return client.info("memory")["used_memory"]  # pyright: ignore[reportIndexIssue]


@contextmanager
def _redis_server(folder: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [
            *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--appendonly", "yes", "--save", ""),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port) as client:
            for _ in range(200):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Both stores, or SQLite alone where no `redis-server` is installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voices", description=__doc__)
    parser.add_argument("--voices", type=int, default=100_000)
    parser.add_argument(
        "--settle", type=float, default=90.0, help="seconds to wait for a load below 0.5"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    load = machine.settle(arguments.settle)
    rows = []
    with tempfile.TemporaryDirectory(prefix="kani-npc-") as folder:
        rows.append(asyncio.run(measure(f"{folder}/voices.db", arguments.voices)))
        if shutil.which("redis-server"):
            with _redis_server(Path(folder)) as url:
                rows.append(asyncio.run(measure(url, arguments.voices)))
        else:
            print("redis-server is not installed: SQLite alone", file=sys.stderr)
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.hardware(),
        "load": {"before": load, "after": machine.load_average()},
        "rows": rows,
    }
    for row in rows:
        print(
            f"{row['voices']} voices in {row['store']}: get {row['get_ms']['p50']} ms (p99 {row['get_ms']['p99']}), "
            f"page of {PAGE_SIZE} {row['page_ms']['p50']} ms (p99 {row['page_ms']['p99']}), "
            f"{row['bytes_a_voice']} bytes a voice"
        )
    arguments.results.mkdir(parents=True, exist_ok=True)
    path = arguments.results / f"{result['date'][:10]}-voices.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
