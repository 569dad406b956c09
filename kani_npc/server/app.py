"""The process around the service: model, socket, health, reflection, and an orderly end.

Knows what is started in which order; what a call does is in `service`.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
import torch
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kani_npc import models
from kani_npc.cache.checked import CheckedSynthesizer
from kani_npc.cache.lines import LineCache
from kani_npc.cache.open import open_cache
from kani_npc.cache.synthesizer import CachedSynthesizer
from kani_npc.config import ServeSettings
from kani_npc.engine.cores import apart
from kani_npc.engine.engine import EngineSettings, within
from kani_npc.engine.model import load_model
from kani_npc.engine.synthesizer import EngineSynthesizer, Synthesizer
from kani_npc.errors import ModelError, SettingsError
from kani_npc.server.accent_service import AccentService
from kani_npc.server.calls import MAX_UPLOAD_BYTES, Calls
from kani_npc.server.lexicon_service import LexiconService
from kani_npc.server.npc_service import NpcService
from kani_npc.server.prewarm import Prewarmer
from kani_npc.server.service import SpeechService
from kani_npc.server.voice_service import Enroller, VoiceService
from kani_npc.server.web import web_server
from kani_npc.server.web_calls import WebCalls
from kani_npc.speaker.embedder import Embedder
from kani_npc.v1 import (
    accent_service_pb2,
    lexicon_service_pb2,
    npc_service_pb2,
    speech_service_pb2,
    voice_service_pb2,
)
from kani_npc.v1 import accent_service_pb2_grpc as accent_rpc
from kani_npc.v1 import lexicon_service_pb2_grpc as lexicon_rpc
from kani_npc.v1 import npc_service_pb2_grpc as npc_rpc
from kani_npc.v1 import speech_service_pb2_grpc as speech_rpc
from kani_npc.v1 import voice_service_pb2_grpc as voice_rpc
from kani_npc.voices.builtin import BuiltinVoices, load_voices
from kani_npc.voices.meter import UsageMeter
from kani_npc.voices.open import open_store
from kani_npc.voices.registry import Registry
from kani_npc.voices.store import Records

SERVICE = speech_service_pb2.DESCRIPTOR.services_by_name["SpeechService"].full_name
SERVICES = (
    SERVICE,
    voice_service_pb2.DESCRIPTOR.services_by_name["VoiceService"].full_name,
    npc_service_pb2.DESCRIPTOR.services_by_name["NpcService"].full_name,
    accent_service_pb2.DESCRIPTOR.services_by_name["AccentService"].full_name,
    lexicon_service_pb2.DESCRIPTOR.services_by_name["LexiconService"].full_name,
)
HEARD_S = 5.0  # a store that was just opened is heard long before
GOODBYE_S = 0.2  # for connections to close in good order once nobody listens any more

OPTIONS = (
    # One for all methods: `calls` keeps the smaller one of most.
    ("grpc.max_receive_message_length", MAX_UPLOAD_BYTES),
    # gRPC unfolds a compressed request whole before it looks at its length: 32 MiB can become 32 GiB. Nothing here
    # gains by it: lines are short, and recordings are compressed or noise.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.max_send_message_length", -1),  # a voice file is as large as what is uploaded
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
class Addresses:
    """Where a server listens, with the real ports where 0 was asked for."""

    grpc: str
    web: str | None  # None where it is off


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves. Addresses are as in `Addresses`."""

    address: str
    web_address: str | None
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
    synthesizer, voices, folder = await apart(_load, settings, device)

    def open_embedder() -> Embedder:
        space = synthesizer.info.speaker_space
        return Embedder(models.resolve_speaker_encoder(settings.speaker_encoder, folder, space))

    try:
        async with listening(synthesizer, voices, settings, open_embedder) as at:
            yield Running(at.grpc, at.web, device, synthesizer, voices)
    finally:
        await synthesizer.close()


def _load(settings: ServeSettings, device: str) -> tuple[Synthesizer, BuiltinVoices, Path]:
    folder = models.resolve_model(settings.model)
    codec = models.resolve_codec(settings.codec, folder)
    model = load_model(
        folder,
        codec=codec,
        device=device,
        weights=settings.weights,
        reproducible=settings.reproducible,
        hashed=bool(settings.cache_bytes or settings.cache_store),
    )
    voices = load_voices(
        folder, languages=model.info.languages, speaker_space=model.info.speaker_space
    )
    for voice in voices.voices:
        model.check_voice(voice)
    engine = EngineSettings(
        num_slots=settings.slots,
        max_rows=settings.rows or None,
        max_lead_s=settings.max_lead_s,
        adapters=settings.adapters or None,
    )
    if settings.vram_bytes:
        engine = within(settings.vram_bytes, model, engine)
    synthesizer = EngineSynthesizer(
        model,
        engine,
        num_threads=settings.threads or None,
    )
    return synthesizer, voices, folder


def no_embedder() -> Embedder:
    """A server without a speaker encoder enrols nobody."""
    raise ModelError("this server has no speaker encoder; start it with --speaker-encoder")


@asynccontextmanager
async def server(
    synthesizer: Synthesizer,
    voices: BuiltinVoices,
    settings: ServeSettings,
    open_embedder: Callable[[], Embedder] = no_embedder,
) -> AsyncIterator[str]:
    """`listening`, for who needs no more than the gRPC address."""
    async with listening(synthesizer, voices, settings, open_embedder) as at:
        yield at.grpc


@asynccontextmanager
async def listening(
    synthesizer: Synthesizer,
    voices: BuiltinVoices,
    settings: ServeSettings,
    open_embedder: Callable[[], Embedder] = no_embedder,
) -> AsyncIterator[Addresses]:
    """The server on both its wires. `open_embedder` is called when a voice is first enrolled.

    At the end new calls are refused and health says NOT_SERVING, while running lines may finish for `drain_s`; then
    the synthesizer is closed, and last the store.
    """
    check_address(settings)
    async with (
        _registry(voices, synthesizer, settings) as registry,
        UsageMeter(registry.records) as usage,
        _cache(settings) as cache,
    ):
        calls, health_service = Calls(), health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue]
        grpc_server = grpc.aio.server(options=OPTIONS, interceptors=[calls])
        web_calls = WebCalls([calls])
        enroller = Enroller(open_embedder, synthesizer.info.speaker_space)
        speaking: Synthesizer = CheckedSynthesizer(synthesizer)
        prewarmer = None
        if cache is not None:
            speaking = CachedSynthesizer(speaking, cache)
            prewarmer = Prewarmer(speaking, registry, cache, lambda: calls.is_draining)
        speech = SpeechService(
            speaking,
            voices,
            registry,
            usage,
            max_lead_s=settings.max_lead_s,
            prewarmer=prewarmer,
        )
        voice = VoiceService(registry, enroller)
        # What generated code asks of a server, both have.
        for wire in cast(tuple[grpc.aio.Server, ...], (grpc_server, web_calls)):
            speech_rpc.add_SpeechServiceServicer_to_server(speech, wire)
            voice_rpc.add_VoiceServiceServicer_to_server(voice, wire)
            npc_rpc.add_NpcServiceServicer_to_server(NpcService(registry), wire)
            accent_rpc.add_AccentServiceServicer_to_server(AccentService(registry), wire)
            lexicon_rpc.add_LexiconServiceServicer_to_server(LexiconService(registry), wire)
            health_pb2_grpc.add_HealthServicer_to_server(health_service, wire)
        for service in SERVICES:
            await health_service.set(service, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection(
            (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), grpc_server
        )
        check_address(settings)  # again: the store may have taken a moment
        port = grpc_server.add_insecure_port(settings.address)
        async with _web(web_calls, settings) as web_address:
            await grpc_server.start()
            try:
                yield Addresses(f"{settings.address.rpartition(':')[0]}:{port}", web_address)
            finally:
                # Not grpc's own draining: it cancels a new call on an old connection without a word, turns health's
                # probes away, and waits for health's watchers, who never leave by themselves.
                await health_service.enter_graceful_shutdown()
                await calls.drain(settings.drain_s)
                await synthesizer.close()  # lines that took too long end with a reason
                await grpc_server.stop(GOODBYE_S)


@asynccontextmanager
async def _web(calls: WebCalls, settings: ServeSettings) -> AsyncIterator[str | None]:
    """The web port, unless it is off; yields its address."""
    if settings.web is None:
        yield None
        return
    host, port = settings.web
    async with web_server(calls, host, port, settings.origins, GOODBYE_S) as port:
        yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@asynccontextmanager
async def _cache(settings: ServeSettings) -> AsyncIterator[LineCache | None]:
    """The lines that are kept; None where none are. Raises `SettingsError`."""
    cache = await open_cache(settings.cache_bytes, settings.cache_store, settings.cache_store_bytes)
    try:
        yield cache
    finally:
        if cache is not None:
            await cache.close()


@asynccontextmanager
async def _registry(
    voices: BuiltinVoices, synthesizer: Synthesizer, settings: ServeSettings
) -> AsyncIterator[Registry]:
    """The registry on the store of the settings. Raises `StoreUnavailable` and `SettingsError`."""
    artefacts = Path(settings.artifacts) if settings.artifacts else None
    store = await open_store(settings.store, artefacts=artefacts)
    try:
        records = Records(store)
        async with Registry(
            records,
            voices,
            synthesizer.info,
            stale_voice_s=settings.stale_voice_s,
            check_adapters=synthesizer.check_adapters,
        ) as registry:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARD_S):
                    await registry.heard()
            yield registry
    finally:
        await store.close()


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
