"""A real server on a free loopback port, with a sine behind it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import pytest

from kani_npc.client import Client
from kani_npc.config import ServeSettings
from kani_npc.server.app import server
from kani_npc.v1 import speech_service_pb2_grpc as rpc
from tests.support.serving import builtin_voices, serving
from tests.support.sine import SineSynthesizer
from tests.voices.conftest import redis_server, store_url  # noqa: F401  fixtures: the stores there are

# Without a cache: what a test says twice is said twice.
SETTINGS = ServeSettings(address="127.0.0.1:0", drain_s=5.0, cache="off")


@dataclass
class Service:
    """One server, one connection to it, and the sine that speaks."""

    address: str
    sine: SineSynthesizer
    client: Client
    channel: grpc.aio.Channel

    @property
    def stub(self) -> rpc.SpeechServiceStub:
        return rpc.SpeechServiceStub(self.channel)


@pytest.fixture
async def start() -> AsyncIterator:
    """Starts servers: `await start(sine)`."""
    async with AsyncExitStack() as stack:

        async def start(sine: SineSynthesizer | None = None) -> Service:
            sine = sine or SineSynthesizer()
            address = await stack.enter_async_context(server(sine, builtin_voices(), SETTINGS))
            client = await stack.enter_async_context(Client(address, timeout_s=20))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            return Service(address, sine, client, channel)

        yield start


@pytest.fixture
async def service(start) -> Service:
    return await start()


@pytest.fixture
async def client(tmp_path) -> AsyncIterator[Client]:
    """Of a server with an empty store of its own."""
    async with serving(str(tmp_path / "voices.db")) as client:
        yield client
