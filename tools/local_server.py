"""A real server of its own process on a free loopback port, for the demo, the benchmarks and the tests that want one.

Ends what it started. Knows the `serve` command and the health service, nothing of speech.
"""

import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from grpc_health.v1 import health_pb2

# gRPC's own back-off makes a start of three seconds look like one of ten.
RETRY_SOON = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
)


class ServerFailed(RuntimeError):
    """It did not come up. Says what it said last."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    address: str
    pid: int
    start_s: float  # from the command to the first SERVING


def free_port() -> int:
    """A port nobody listens on now.

    Below those that systems hand out by themselves (32768 on Linux, 49152 elsewhere), so that it stays free while a
    server is away: a client that asks for it again and again would once be given it as its own end, and talk to itself.
    """
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port := random.randrange(20_000, 32_000)))
            return port


@contextmanager
def local_server(
    *arguments: str, log: Path, start_timeout_s: float = 120.0, stop_timeout_s: float = 20.0
) -> Iterator[LocalServer]:
    """`kani-npc serve` with these arguments, from SERVING until the block ends; its output goes to `log`.

    Without a `--store` its voices are forgotten with it, and nobody's own are touched. Raises `ServerFailed` if it does
    not serve within `start_timeout_s`.
    """
    with TemporaryDirectory(prefix="kani-npc-") as folder:
        store = () if "--store" in arguments else ("--store", f"sqlite:{folder}/voices.db")
        with _serving((*arguments, *store), log, start_timeout_s, stop_timeout_s) as server:
            yield server


@contextmanager
def _serving(
    arguments: Sequence[str], log: Path, start_timeout_s: float, stop_timeout_s: float
) -> Iterator[LocalServer]:
    address = f"127.0.0.1:{free_port()}"
    # Two servers at once are the rule here, and both would want the web's one default port.
    web = () if "--web-address" in arguments else ("--web-address", "off")
    command = [sys.executable, "-m", "kani_npc", "serve", "--address", address, *web, *arguments]
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_serving(process, address, log, began + start_timeout_s)
        yield LocalServer(address, process.pid, time.perf_counter() - began)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(stop_timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_serving(
    process: subprocess.Popen[bytes], address: str, log: Path, end_s: float
) -> None:
    with grpc.insecure_channel(address, options=RETRY_SOON) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        while time.perf_counter() < end_s:
            if process.poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise ServerFailed(
                    f"the server ended with status {process.returncode}: {lines[-1]}"
                )
            try:
                reply = check(health_pb2.HealthCheckRequest(), timeout=1.0)
            except grpc.RpcError:
                time.sleep(0.1)
                continue
            if reply.status == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(0.05)
    raise ServerFailed(f"the server did not serve at {address} in time; see {log}")
