"""A real server on a free loopback port, with a sine behind it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import pytest

from kani_npc.client import Client
from kani_npc.config import ServeSettings
from kani_npc.server.app import server
from kani_npc.speech import AccentPreset, Voice
from kani_npc.v1 import speech_service_pb2_grpc as rpc
from kani_npc.voices.builtin import BuiltinVoices
from tests.support.serving import serving
from tests.support.sine import SineSynthesizer
from tests.voices.conftest import redis_server, store_url  # noqa: F401  fixtures: the stores there are

SETTINGS = ServeSettings(address="127.0.0.1:0", drain_s=5.0)


def some_voices() -> BuiltinVoices:
    return BuiltinVoices(
        [
            Voice(id="guard", display_name="Guard", tag="en_glasg", licence="Apache-2.0"),
            Voice(id="smith", display_name="Smith"),
        ],
        [AccentPreset("en-us", "en_us"), AccentPreset("en-glasg", "en_glasg")],
        default_voice="guard",
        default_accent="en-us",
    )


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
            address = await stack.enter_async_context(server(sine, some_voices(), SETTINGS))
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
