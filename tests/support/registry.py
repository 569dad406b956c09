"""A registry of a model that is described but not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kani_npc.speech import AccentPreset, ModelInfo, Sampling, Voice
from kani_npc.voices.builtin import BuiltinVoices
from kani_npc.voices.open import open_store
from kani_npc.voices.registry import Registry
from kani_npc.voices.store import Records
from tests.support.voices import embedding, eventually

P = "default"
INFO = ModelInfo(
    name="test",
    licence="",
    sample_rate_hz=22050,
    samples_per_frame=1764,
    speaker_space="test-space",
    speaker_dim=16,
    languages=("en_us", "en_scou"),
    sampling=Sampling(temperature=0.9, top_k=40),
)
BUILTIN = BuiltinVoices(
    [Voice("mara", "Mara", embedding(1000), "en_us"), Voice("anon", "Anon")],
    [AccentPreset("en-us", "en_us"), AccentPreset("en-scou", "en_scou")],
    default_voice="mara",
    default_accent="en_us",
)


@asynccontextmanager
async def open_registry(url: str, **options) -> AsyncIterator[Registry]:
    store = await open_store(url)
    try:
        records = Records(store, **{k: v for k, v in options.items() if k == "clock"})
        rest = {k: v for k, v in options.items() if k != "clock"}
        async with Registry(records, BUILTIN, rest.pop("info", INFO), **rest) as registry:
            await eventually(lambda: registry.is_heard)
            yield registry
    finally:
        await store.close()
