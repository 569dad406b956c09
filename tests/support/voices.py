"""Voices to write, and how to wait for what happens elsewhere."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np

from kani_npc.speech import SpeakerEmbedding
from kani_npc.voices.consent import Consent, ConsentKind
from kani_npc.voices.records import VoiceRecord

SYNTHETIC = Consent(kind=ConsentKind.SYNTHETIC)


def embedding(seed: int = 0, space: str = "test-space") -> SpeakerEmbedding:
    vector = np.random.default_rng(seed).normal(size=16).astype(np.float32)
    return SpeakerEmbedding(vector=vector / np.linalg.norm(vector), space=space)


def granted(holder: str = "Ada", *, expires: datetime | None = None) -> Consent:
    return Consent(
        kind=ConsentKind.GRANTED,
        holder=holder,
        statement="You may use it.",
        scope="one game",
        expires=expires,
    )


def voice(id: str = "guard", seed: int = 0, **more) -> VoiceRecord:
    return VoiceRecord(id=id, embedding=embedding(seed), **{"consent": SYNTHETIC, **more})


def sounding(seed: int):
    return lambda record: replace(record, embedding=embedding(seed))


async def eventually(condition: Callable[[], object], within_s: float = 5.0) -> float:
    """Waits until it holds; the seconds that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, "it did not happen"
        await asyncio.sleep(0.005)
    return time.monotonic() - started
