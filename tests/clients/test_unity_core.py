"""The Unity package's core, without a network and without an engine: every check is a C# method, run under mono."""

import re
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from kani_npc.server.web_frames import trailers_frame
from tests.clients.builds import HERE, UNITY_CORE_SOURCES, cs_program, run, tool

SOURCE = HERE / "unity/CoreTests.cs"


def checks(source: Path) -> list[str]:
    """`Class.Method` of every check in a file."""
    found, of = [], ""
    for kind, name in re.findall(r"public static (class|void) (\w+)", source.read_text("utf-8")):
        if kind == "class":
            of = name
        else:
            found.append(f"{of}.{name}")
    return found


@pytest.fixture(scope="module")
def program() -> Path:
    # One assembly: the checks see what is internal.
    return cs_program("CoreTests", [*UNITY_CORE_SOURCES, HERE / "unity/Checks.cs", SOURCE])


@pytest.fixture(scope="module")
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


@pytest.mark.parametrize("check", checks(SOURCE))
def test_check(program: Path, overloaded: Path, check: str):
    run([tool("mono"), program, check, overloaded], timeout=110)
