"""Servers on a store, with a sine behind each, and what tests say to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from kani_npc.client import Client, ServiceError, Speech
from kani_npc.config import ServeSettings
from kani_npc.server.app import no_embedder, server
from kani_npc.speech import AccentPreset, Voice
from kani_npc.v1 import npc_service_pb2 as npc_pb
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import voice_service_pb2 as voice_pb
from kani_npc.voices.builtin import BuiltinVoices
from tests.support.sine import SineSynthesizer

SPACE = "sine"
SYNTHETIC = voice_pb.Consent(kind=voice_pb.CONSENT_KIND_SYNTHETIC)


def granted(holder: str = "Ada Aktorin") -> voice_pb.Consent:
    return voice_pb.Consent(
        kind=voice_pb.CONSENT_KIND_GRANTED, holder=holder, statement="I agree.", scope="one game"
    )


def builtin_voices() -> BuiltinVoices:
    return BuiltinVoices(
        [
            Voice(id="guard", display_name="Guard", tag="en_glasg", licence="Apache-2.0"),
            Voice(id="smith", display_name="Smith"),
        ],
        [AccentPreset("en-us", "en_us"), AccentPreset("en-glasg", "en_glasg")],
        default_voice="guard",
        default_accent="en-us",
    )


@asynccontextmanager
async def serving(
    store: str,
    *,
    synthesizer=None,
    voices: BuiltinVoices | None = None,
    open_embedder=no_embedder,
    project: str = "",
    **settings,
) -> AsyncIterator[Client]:
    """A client of a server of its own, which keeps no lines unless it is told to."""
    settings = {"cache": "off", **settings}
    settings = ServeSettings(address="127.0.0.1:0", drain_s=2.0, store=store, **settings)
    async with (
        server(
            synthesizer or SineSynthesizer(),
            voices or builtin_voices(),
            settings,
            open_embedder,
        ) as address,
        Client(address, timeout_s=20, project=project) as client,
    ):
        yield client


def values(seed: int, size: int = 16) -> list[float]:
    vector = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    return (vector / np.linalg.norm(vector)).tolist()


def a_voice(id: str = "troll", seed: int = 0, **fields) -> voice_pb.Voice:
    embedding = voice_pb.Embedding(space=SPACE, values=values(seed))
    return voice_pb.Voice(**{"id": id, "embedding": embedding, "consent": SYNTHETIC, **fields})


async def make_voice(client: Client, id: str = "troll", seed: int = 0, **fields) -> voice_pb.Voice:
    request = voice_pb.CreateVoiceRequest(voice=a_voice(id, seed, **fields))
    return (await client.voices.CreateVoice(request)).voice


async def make_npc(client: Client, id: str = "gunnar", **fields) -> npc_pb.Npc:
    request = npc_pb.CreateNpcRequest(npc=npc_pb.Npc(**{"id": id, "voice": "troll", **fields}))
    return (await client.npcs.CreateNpc(request)).npc


async def said(client: Client, text: str = "Halt!", **options) -> Speech:
    """A line, to its end."""
    speech = client.synthesize(text, **{"pace": pb.PACE_UNPACED, **options})
    async for _ in speech:
        pass
    return speech


async def refused(call) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await call
    return caught.value
