"""No acknowledged write is lost, and nothing is half written, whoever is killed when."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.durability import check_nothing_is_lost
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


async def check(writers: Writers, num_kills: int) -> None:
    acknowledged = writers.acknowledged()
    await check_nothing_is_lost(writers.url, acknowledged, embedding, num_kills)
    print(f"{sum(map(len, acknowledged.values()))} acknowledged writes, none lost")


async def test_killed_writers_lose_nothing(writers: Writers) -> None:
    for turn in range(3):
        writers.start(f"one-{turn}", f"two-{turn}")
        await asyncio.to_thread(writers.wait_for, 20)
        writers.kill()
    await check(writers, num_kills=6)


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
    await check(writers, num_kills=2 * 4 + 2)
