"""A live service of random weights, in a process of its own, for all clients."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.tiny_random import make_random_model
from tools.local_server import free_port, local_server


@dataclass(frozen=True)
class Service:
    grpc: str  # host:port
    web: str  # http://host:port
    pid: int


Start = Callable[[], AbstractContextManager[Service]]


@pytest.fixture(scope="session")
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts a service whose lines may have 60 frames, 4.8 s."""
    folder = tmp_path_factory.mktemp("clients")
    model = make_random_model(folder / "model", max_frames=60)

    @contextmanager
    def start() -> Iterator[Service]:
        web = f"127.0.0.1:{free_port()}"
        log = folder / f"server-{web.rpartition(':')[2]}.log"
        with local_server("--model", str(model), "--web-address", web, log=log) as server:
            yield Service(server.address, f"http://{web}", server.pid)

    return start


@pytest.fixture(scope="session")
def service(start_service: Start) -> Iterator[Service]:
    with start_service() as running:
        yield running


@pytest.fixture
def mortal(start_service: Start) -> Iterator[Service]:
    """One that a test may kill."""
    with start_service() as running:
        yield running


@pytest.fixture(scope="session")
def clients_folder() -> Path:
    return Path(__file__).resolve().parents[2] / "clients"
