"""No acknowledged write is lost, and nothing is half written, whoever is killed when."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from kani_npc.voices.open import open_store
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.store import Records
from tests.support.voices import embedding

ROOT = Path(__file__).parents[2]


class Writers:
    """Processes that write, each with a file of what was acknowledged."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.running: list[subprocess.Popen] = []

    def start(self, *names: str) -> None:
        for name in names:
            with (self.folder / f"{name}.acknowledged").open("ab") as file:
                self.running.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "tests.support.store_writer", self.url, name],
                        stdout=file,
                        cwd=ROOT,
                    )
                )

    def acknowledged(self) -> dict[str, dict[int, int]]:
        """Voice -> revision -> what it should sound like."""
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for file in self.folder.glob("*.acknowledged"):
            for line in file.read_text().splitlines(keepends=True):
                if line.endswith("\n"):  # not what a kill cut short
                    id, revision, seed = line.split()
                    assert int(revision) not in found[id], "two writes were given one revision"
                    found[id][int(revision)] = int(seed)
        return found

    def wait_for(self, more: int) -> None:
        def so_far() -> int:
            return sum(len(revisions) for revisions in self.acknowledged().values())

        wanted, until = so_far() + more, time.monotonic() + 60
        while so_far() < wanted:
            assert time.monotonic() < until, "the writers do not get on"
            assert all(p.poll() is None for p in self.running), "a writer ended by itself"
            time.sleep(0.02)

    def kill(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.running.clear()


@pytest.fixture
def writers(store_url: str, tmp_path: Path):
    folder = tmp_path / "writers"
    folder.mkdir()
    writers = Writers(store_url, folder)
    yield writers
    writers.kill()


async def check_nothing_is_lost(writers: Writers, num_kills: int) -> int:
    """The number of acknowledged writes, all of which are there; each kill may have cost a writer one answer."""
    store = await open_store(writers.url)
    records = Records(store)
    acknowledged = writers.acknowledged()
    try:
        num_written = 0
        for id, revisions in acknowledged.items():
            head = await records.get(VoiceRecord, "default", id)
            for number in range(1, head.revision + 1):
                voice = await records.revision(VoiceRecord, "default", id, number)
                seed = int(voice.labels["n"])
                assert voice.embedding == embedding(seed), "half of two writes"
                assert revisions.get(number, seed) == seed, "an acknowledged write was replaced"
                num_written += 1
            assert max(revisions) <= head.revision, "an acknowledged write was lost"
            newest = await records.revision(VoiceRecord, "default", id, head.revision)
            assert newest == head, "record and revision moved apart"
        listed = (await records.list(VoiceRecord, "default")).records
        assert {v.id for v in listed} >= set(acknowledged), "record and index moved apart"
        num_acknowledged = sum(map(len, acknowledged.values()))
        assert num_written - num_acknowledged <= num_kills
        return num_acknowledged
    finally:
        await store.close()


async def test_killed_writers_lose_nothing(writers: Writers) -> None:
    for turn in range(3):
        writers.start(f"one-{turn}", f"two-{turn}")
        await asyncio.to_thread(writers.wait_for, 20)
        writers.kill()
    num = await check_nothing_is_lost(writers, num_kills=6)
    print(f"{num} acknowledged writes, none lost")


@pytest.mark.parametrize("store_url", ["redis"], indirect=True)
@pytest.mark.redis
async def test_a_killed_redis_loses_nothing(writers: Writers, redis_server) -> None:
    writers.start("one", "two")
    for _ in range(4):
        await asyncio.to_thread(writers.wait_for, 20)
        redis_server.kill()
        await asyncio.sleep(0.2)
        redis_server.start()
    await asyncio.to_thread(writers.wait_for, 20)
    writers.kill()
    num = await check_nothing_is_lost(writers, num_kills=2 * 4 + 2)
    print(f"{num} acknowledged writes, none lost")
