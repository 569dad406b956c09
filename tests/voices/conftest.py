"""A real Redis for each test that asks, and one store of each kind for the tests that every store must pass."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from kani_npc.voices.open import open_store
from kani_npc.voices.store import Records
from tools.local_server import free_port

HERE = Path(__file__).parent


class RedisServer:
    """Debian's redis-server on a free port of the loopback, every write synced to its append-only file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *more: str) -> None:
        options = "--bind 127.0.0.1 --save  --appendonly yes --appendfsync always".split(" ")
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--dir", str(self.folder), *options, *more],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    s.sendall(b"PING\r\n")
                    if s.recv(16).startswith(b"+PONG"):  # not while it loads its file
                        return
            except OSError:
                pass
            assert time.monotonic() < until, "redis-server does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Minutes are for who asks for them, with -m."""
    if "slow" not in config.option.markexpr:
        for item in items:
            if HERE in item.path.parents and item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; ask for it with -m slow"))


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store lies that is empty; any number may be opened on it."""
    if request.param == "sqlite":
        return str(tmp_path / "voices.db")
    return request.getfixturevalue("redis_server").url


@pytest_asyncio.fixture
async def records(store_url: str) -> AsyncIterator[Records]:
    store = await open_store(store_url)
    yield Records(store)
    await store.close()
