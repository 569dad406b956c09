"""What only the store in Redis does."""

import pytest
import redis.asyncio

from kani_npc.errors import InvalidRecord, SettingsError, StoreUnavailable
from kani_npc.voices.open import open_store
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.redis import MAX_ARTEFACT_BYTES
from kani_npc.voices.store import Records
from tests.support.voices import sounding, voice

pytestmark = pytest.mark.redis


async def test_its_keys_are_as_documented(redis_server) -> None:
    store = await open_store(redis_server.url)
    records = Records(store)
    await records.create("studio", voice("guard"))
    await records.update(VoiceRecord, "studio", "guard", sounding(1))
    async with redis.asyncio.Redis.from_url(redis_server.url, decode_responses=True) as client:
        assert set(await client.keys()) == {
            "kani:schema",
            "kani:{studio}:voice:guard",
            "kani:{studio}:voice:guard:rev:1",
            "kani:{studio}:voice:guard:rev:2",
            "kani:{studio}:voices",
            "kani:{studio}:sequence",
        }
        assert await client.get("kani:{studio}:sequence") == "2"
        assert await client.zrange("kani:{studio}:voices", 0, -1, withscores=True) == [("guard", 0)]
        await records.delete(VoiceRecord, "studio", "guard")
        assert await client.exists("kani:{studio}:voice:guard:rev:1", "kani:{studio}:voices") == 0
    await store.close()


async def test_records_of_another_version_are_refused(redis_server) -> None:
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        await client.set("kani:schema", 99)
    with pytest.raises(SettingsError, match="99"):
        await open_store(redis_server.url)


async def test_a_redis_that_forgets_is_warned_of(
    redis_server, caplog: pytest.LogCaptureFixture
) -> None:
    await (await open_store(redis_server.url)).close()
    assert not caplog.records
    redis_server.kill()
    redis_server.start(*"--appendonly no --maxmemory 100mb --maxmemory-policy allkeys-lru".split())
    await (await open_store(redis_server.url)).close()
    assert "append-only file" in caplog.text and "noeviction" in caplog.text


async def test_a_redis_that_is_full_refuses_loudly_and_keeps_what_it_has(redis_server) -> None:
    store = await open_store(redis_server.url)
    records = Records(store)
    kept = await records.create("p", voice())
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        await client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable):
            await records.update(VoiceRecord, "p", "guard", sounding(1))
        assert await records.get(VoiceRecord, "p", "guard") == kept
        await client.config_set("maxmemory", 0)
    assert (await records.update(VoiceRecord, "p", "guard", sounding(1))).revision == 2
    await store.close()


async def test_a_part_too_large_for_redis_goes_into_a_folder(redis_server, tmp_path) -> None:
    data = b"x" * (MAX_ARTEFACT_BYTES + 1)
    store = await open_store(redis_server.url)
    with pytest.raises(InvalidRecord, match="16 MiB"):
        async with Records(store).keeping("p", [data]):
            pass
    await store.close()
    store = await open_store(redis_server.url, artefacts=tmp_path / "parts")
    async with Records(store).keeping("p", [data]) as (digest,):
        pass
    assert await Records(store).get_artefact("p", digest) == data
    await store.close()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://127.0.0.1:notaport", "http://x"])
async def test_a_store_that_is_not_there_is_an_error_of_ours(url: str) -> None:
    with pytest.raises((StoreUnavailable, SettingsError)):
        await open_store(url)
