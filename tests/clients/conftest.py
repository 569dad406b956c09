"""A live service of random weights, in a process of its own, for all clients."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from kani_npc.server.web_frames import trailers_frame
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


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The model that is shipped."""
    folder = tmp_path_factory.mktemp("tiny")
    web = f"127.0.0.1:{free_port()}"
    with local_server("--model", "tiny", "--web-address", web, log=folder / "log") as server:
        yield Service(server.address, f"http://{web}", server.pid)


@pytest.fixture
def mortal(start_service: Start) -> Iterator[Service]:
    """One that a test may kill."""
    with start_service() as running:
        yield running


@pytest.fixture(scope="session")
def overloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trailer block as the service writes it."""
    details = [
        error_details_pb2.ErrorInfo(domain="kani-npc", reason="OVERLOADED", metadata={"etag": "7"}),
        error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=250_000_000)),
        error_details_pb2.BadRequest(field_violations=[{"field": "text", "description": "so"}]),
    ]
    packed = [AnyMessage() for _ in details]
    for any_message, detail in zip(packed, details, strict=True):
        any_message.Pack(detail)
    status = status_pb2.Status(
        code=code_pb2.RESOURCE_EXHAUSTED, message="voll: 日本 100%", details=packed
    )
    trailers = rpc_status.to_status(status).trailing_metadata
    block = trailers_frame(status.code, status.message, trailers)[5:]
    file = tmp_path_factory.mktemp("golden") / "trailers"
    file.write_bytes(block)
    return file
