"""The process around the service: model, socket, health, reflection, and an orderly end.

Knows what is started in which order; what a call does is in `service`.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import torch
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kani_npc import models
from kani_npc.config import ServeSettings
from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.model import load_model
from kani_npc.engine.synthesizer import EngineSynthesizer, Synthesizer
from kani_npc.errors import SettingsError
from kani_npc.server.calls import Calls
from kani_npc.server.service import SpeechService
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import speech_service_pb2_grpc as rpc
from kani_npc.voices.builtin import BuiltinVoices, load_voices

SERVICE = pb.DESCRIPTOR.services_by_name["SpeechService"].full_name
MAX_REQUEST_BYTES = 64 * 1024
GOODBYE_S = 0.2  # for connections to close in good order once nobody listens any more

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    # Per connection, and well above the queue's end: beyond it a burst on a fresh connection gets a bare RST_STREAM,
    # while the queue says when to come back.
    ("grpc.max_concurrent_streams", 1024),
    # Game clients sit idle for minutes between lines. gRPC's own limits answer a ping sent more often than every
    # 5 minutes with GOAWAY; these allow one every 10 s, and notice within 40 s that a client has vanished.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.so_reuseport", 0),  # a second server on one port is an error, not a lottery
)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves. `address` has the real port where 0 was asked for."""

    address: str
    device: str
    synthesizer: Synthesizer
    voices: BuiltinVoices


async def serve(settings: ServeSettings, announce: Callable[[Running], None]) -> None:
    """Serves until the first SIGTERM or SIGINT, then drains. A second signal ends the process as it always does.

    Raises `SettingsError` for an address that is taken, `ModelError` for a model that cannot be used.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    async with speaking_server(settings) as running:
        # Not the loop's own signal handlers, which Windows does not have.
        before = {
            number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        announce(running)
        await stop.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


@asynccontextmanager
async def speaking_server(settings: ServeSettings) -> AsyncIterator[Running]:
    """Loads the model and serves it until the block ends."""
    check_address(settings)  # before the seconds that a model takes
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    synthesizer, voices = await asyncio.to_thread(_load, settings, device)
    try:
        async with server(synthesizer, voices, settings) as address:
            yield Running(address, device, synthesizer, voices)
    finally:
        await synthesizer.close()


def _load(settings: ServeSettings, device: str) -> tuple[Synthesizer, BuiltinVoices]:
    folder = models.resolve_model(settings.model)
    codec = models.resolve_codec(settings.codec, folder)
    model = load_model(folder, codec=codec, device=device)
    voices = load_voices(
        folder, languages=model.info.languages, speaker_space=model.info.speaker_space
    )
    for voice in voices.voices:
        model.check_voice(voice)
    synthesizer = EngineSynthesizer(
        model,
        EngineSettings(num_slots=settings.slots),
        num_threads=settings.threads or None,
    )
    return synthesizer, voices


@asynccontextmanager
async def server(
    synthesizer: Synthesizer, voices: BuiltinVoices, settings: ServeSettings
) -> AsyncIterator[str]:
    """The gRPC server; yields the address it listens on.

    At the end new calls are refused and health says NOT_SERVING, while running lines may finish for `drain_s`; then
    the synthesizer is closed.
    """
    calls, health_service = Calls(), health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue]
    grpc_server = grpc.aio.server(options=OPTIONS, interceptors=[calls])
    rpc.add_SpeechServiceServicer_to_server(SpeechService(synthesizer, voices), grpc_server)
    health_pb2_grpc.add_HealthServicer_to_server(health_service, grpc_server)
    await health_service.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection(
        (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), grpc_server
    )
    check_address(settings)
    port = grpc_server.add_insecure_port(settings.address)
    await grpc_server.start()
    try:
        yield f"{settings.address.rpartition(':')[0]}:{port}"
    finally:
        # Not grpc's own draining: it cancels a new call on an old connection without a word, turns health's probes
        # away, and waits for health's watchers, who never leave by themselves.
        await health_service.enter_graceful_shutdown()
        await calls.drain(settings.drain_s)
        await synthesizer.close()  # lines that took too long end with a reason
        await grpc_server.stop(GOODBYE_S)


def check_address(settings: ServeSettings) -> None:
    """Raises `SettingsError` if nobody can listen there. gRPC itself would not say why."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.address}: {error.strerror}; pass another --address"
        ) from None
