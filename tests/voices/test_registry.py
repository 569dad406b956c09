"""What a server may say with which voice, and how soon it hears of a change."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kani_npc.errors import (
    AccentNotFound,
    AlreadyExists,
    ConsentExpired,
    ConsentRequired,
    ConsentRevoked,
    InvalidRecord,
    KaniError,
    NpcNotFound,
    ReadOnly,
    RevisionNotFound,
    SpaceMismatch,
    StoreUnavailable,
    TagUnknown,
    VoiceNotFound,
)
from kani_npc.speech import AccentPreset
from kani_npc.voices.cache import ReadCache
from kani_npc.voices.open import open_store
from kani_npc.voices.records import (
    AccentRecord,
    Delivery,
    Lexicon,
    Npc,
    SamplingOverrides,
    VoiceRecord,
)
from kani_npc.voices.registry import Permission, Registry
from kani_npc.voices.store import Change, Lost, Records, Resumed
from tests.support.registry import BUILTIN, INFO, P, open_registry
from tests.support.voices import SYNTHETIC, embedding, eventually, granted, sounding, voice


@pytest.fixture
async def registry(tmp_path) -> AsyncIterator[Registry]:
    async with open_registry(str(tmp_path / "voices.db")) as registry:
        yield registry


async def test_a_line_without_names_has_the_models_own_voice(registry: Registry) -> None:
    cast = await registry.cast(P)
    assert cast.voice.id == "mara" and cast.accent == AccentPreset("en-us", "en_us")
    assert cast.sampling == INFO.sampling and cast.delivery == Delivery()
    assert cast.permission == Permission()


async def test_an_npc_brings_voice_accent_lexicon_and_layers_of_sampling(
    registry: Registry,
) -> None:
    await registry.create(P, voice(tag="en_us"))
    slow = SamplingOverrides(temperature=0.5, top_p=0.8)
    await registry.create(P, AccentRecord(id="docks", tag="en_scou", sampling=slow))
    await registry.create(P, Lexicon(id="names", entries={"Kani": "KAH-nee"}))
    npc = Npc(
        id="captain",
        voice="guard",
        accent="docks",
        lexicon="names",
        delivery=Delivery(gain_db=-3),
        sampling=SamplingOverrides(temperature=0.7),
    )
    await registry.create(P, npc)
    cast = await registry.cast(P, npc="captain")
    assert cast.voice.embedding == embedding(0)
    assert cast.accent == AccentPreset("docks", "en_scou")
    assert cast.sampling == INFO.sampling.but(temperature=0.7, top_p=0.8)
    assert cast.delivery.gain_db == -3
    assert cast.lexicon is not None and cast.lexicon.entries["Kani"] == "KAH-nee"
    assert cast.permission == Permission(frozenset({"guard"}))
    assert (await registry.cast(P, npc="captain", accent="en_us")).accent == BUILTIN.accents[0]
    with pytest.raises(NpcNotFound):
        await registry.cast("other", npc="captain")


async def test_a_pinned_voice_stays_as_it_was_approved(registry: Registry) -> None:
    await registry.create(P, voice())
    await registry.create(P, Npc(id="captain", voice="guard@1"))
    await registry.update(VoiceRecord, P, "guard", sounding(1))
    assert (await registry.cast(P, npc="captain")).voice.embedding == embedding(0)
    assert (await registry.cast(P, voice="guard")).voice.embedding == embedding(1)
    with pytest.raises(RevisionNotFound):
        await registry.cast(P, voice="guard@3")
    for name in ("guard@0", "guard@", "guard@1@1", "Guard", "guard@-1", "guard@01"):
        with pytest.raises(InvalidRecord):
            await registry.cast(P, voice=name)


async def test_a_voice_of_another_encoder_is_refused_and_told_which_to_use(tmp_path) -> None:
    path = str(tmp_path / "voices.db")
    async with open_registry(path) as registry:
        foreign = replace(voice(), embedding=embedding(0, "another-space"))
        with pytest.raises(SpaceMismatch, match=r"'another-space'.*'test-space'"):
            await registry.create(P, foreign)
        await registry.create(P, voice())
    other = replace(INFO, speaker_space="newer-space")
    async with open_registry(path, info=other) as registry:
        with pytest.raises(SpaceMismatch, match=r"'test-space'.*'newer-space'"):
            await registry.cast(P, voice="guard")
        # It can still be labelled.
        await registry.update(VoiceRecord, P, "guard", lambda v: replace(v, display_name="G"))


async def test_a_tag_that_the_model_does_not_know_is_refused_when_written_and_when_used(
    tmp_path,
) -> None:
    path = str(tmp_path / "voices.db")
    async with open_registry(path) as registry:
        with pytest.raises(TagUnknown, match=r"'en_mars'.*en_us, en_scou"):
            await registry.create(P, AccentRecord(id="mars", tag="en_mars"))
        with pytest.raises(TagUnknown):
            await registry.create(P, voice(tag="en_mars"))
        await registry.create(P, AccentRecord(id="docks", tag="en_scou"))
        await registry.create(P, voice(tag="en_scou"))
    async with open_registry(path, info=replace(INFO, languages=("en_us",))) as registry:
        with pytest.raises(TagUnknown):
            await registry.cast(P, accent="docks")
        with pytest.raises(TagUnknown):
            await registry.cast(P, voice="guard")
        assert (await registry.cast(P, voice="guard", accent="en-us")).accent is not None


async def test_a_voice_needs_somebodys_consent_that_holds(tmp_path) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    path = str(tmp_path / "voices.db")
    async with open_registry(path, clock=lambda: now[0]) as registry:
        with pytest.raises(ConsentRequired):
            await registry.create(P, voice(consent=None))
        until = replace(granted(), expires=now[0] + timedelta(days=1))
        await registry.create(P, voice(consent=until))
        await registry.cast(P, voice="guard")
        now[0] += timedelta(days=1)
        with pytest.raises(ConsentExpired):
            await registry.cast(P, voice="guard@1")
        with pytest.raises(ConsentExpired):
            await registry.create(P, voice("other", consent=until))
        renewed = replace(until, expires=now[0] + timedelta(days=9))
        await registry.update(VoiceRecord, P, "guard", lambda v: replace(v, consent=renewed))
        assert (await registry.cast(P, voice="guard@1")).voice.revision == 1


async def test_a_revoked_voice_is_silent_in_all_its_revisions(registry: Registry) -> None:
    await registry.create(P, voice(consent=granted()))
    await registry.update(VoiceRecord, P, "guard", sounding(1))
    await registry.revoke(P, "guard")
    for name in ("guard", "guard@1", "guard@2", "guard@3"):
        with pytest.raises(ConsentRevoked):
            await registry.cast(P, voice=name)
    with pytest.raises(ConsentRevoked):
        await registry.create(P, Npc(id="captain", voice="guard"))
    await registry.update(VoiceRecord, P, "guard", lambda v: replace(v, consent=granted("Bea")))
    assert (await registry.cast(P, voice="guard")).voice.revision == 4
    for name in ("guard@1", "guard@3"):
        with pytest.raises(ConsentRevoked):
            await registry.cast(P, voice=name)


async def test_a_blend_may_speak_while_its_parents_may(registry: Registry) -> None:
    await registry.create(P, voice("one", 1, consent=granted(), licence="CC-BY-4.0"))
    await registry.create(P, voice("two", 2, tag="en_scou"))
    blank = VoiceRecord(id="mix", licence="MIT")
    mix = await registry.blend(P, blank, [("one", 1.0), ("two@1", 3.0), ("mara", 1.0)])
    assert mix.licence == "MIT AND CC-BY-4.0"
    assert mix.tag == "en_scou" and [p.voice for p in mix.parents] == ["one@1", "two@1", "mara@1"]
    assert (await registry.cast(P, voice="mix")).permission.rests_on == {"mix", "one", "two"}
    again = await registry.blend(P, replace(blank, id="again"), [("mix", 1.0), ("one", 1.0)])
    assert {p.voice: p.weight for p in again.parents} == {"one@1": 0.6, "two@1": 0.3, "mara@1": 0.1}
    await registry.revoke(P, "one")
    for name in ("mix", "again"):
        with pytest.raises(ConsentRevoked, match="'one@1'"):
            await registry.cast(P, voice=name)


async def test_a_blend_whose_parent_is_gone_needs_a_consent_of_its_own(registry: Registry) -> None:
    await registry.create(P, voice("one", 1))
    await registry.blend(P, VoiceRecord(id="mix"), [("one", 1.0), ("mara", 1.0)])
    await registry.delete(VoiceRecord, P, "one")
    with pytest.raises(ConsentRequired, match="'one@1', which is gone"):
        await registry.cast(P, voice="mix")
    await registry.update(VoiceRecord, P, "mix", lambda v: replace(v, consent=SYNTHETIC))
    await registry.cast(P, voice="mix")


async def test_what_came_with_the_model_is_read_only(registry: Registry) -> None:
    assert (await registry.get(VoiceRecord, P, "mara")).display_name == "Mara"
    with pytest.raises(AlreadyExists):
        await registry.create(P, voice("mara"))
    with pytest.raises(ReadOnly):
        await registry.update(VoiceRecord, P, "mara", sounding(1))
    with pytest.raises(ReadOnly):
        await registry.delete(AccentRecord, P, "en-us")
    with pytest.raises(ReadOnly):
        await registry.revoke(P, "mara")
    assert len((await registry.revisions(VoiceRecord, P, "mara")).records) == 1
    with pytest.raises(RevisionNotFound):
        await registry.cast(P, voice="mara@2")


async def test_lists_have_built_in_and_stored_ones_by_id(registry: Registry) -> None:
    for id in ("a", "b", "n", "z"):
        await registry.create(P, voice(id))
    for size in (1, 2, 3, 4, 100):
        seen, token = [], ""
        while True:
            page = await registry.list(VoiceRecord, P, page_size=size, page_token=token)
            assert len(page.records) <= size
            seen += [v.id for v in page.records]
            if not (token := page.next_page_token):
                break
        assert seen == ["a", "anon", "b", "mara", "n", "z"], size


async def test_an_npc_of_names_that_nobody_knows_is_refused(registry: Registry) -> None:
    with pytest.raises(VoiceNotFound):
        await registry.create(P, Npc(id="captain", voice="nobody"))
    with pytest.raises(AccentNotFound):
        await registry.create(P, Npc(id="captain", voice="mara", accent="nowhere"))
    for accent in ("nowhere", "en_mars"):
        with pytest.raises(AccentNotFound):
            await registry.cast(P, accent=accent)
    await registry.create(P, Npc(id="captain", voice="mara"))
    with pytest.raises(RevisionNotFound):
        await registry.update(Npc, P, "captain", lambda n: replace(n, voice="mara@7"))


async def test_a_change_through_one_server_is_in_the_next_line_of_another(store_url: str) -> None:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(open_registry(store_url))
        there = await stack.enter_async_context(open_registry(store_url))
        await here.create(P, voice())
        waits = []
        for seed in range(1, 6):
            assert (await there.cast(P, voice="guard")).voice.revision == seed
            await here.update(VoiceRecord, P, "guard", sounding(seed))
            assert (await here.cast(P, voice="guard")).voice.revision == seed + 1
            started = time.monotonic()
            while (await there.cast(P, voice="guard")).voice.revision == seed:
                assert time.monotonic() - started < 1.0
                await asyncio.sleep(0.002)
            waits.append(time.monotonic() - started)
        print(f"heard after {max(waits) * 1000:.0f} ms at most")


async def test_a_revocation_stops_lines_on_every_server(store_url: str) -> None:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(open_registry(store_url))
        there = await stack.enter_async_context(open_registry(store_url))
        await here.create(P, voice("one", consent=granted()))
        await here.blend(P, VoiceRecord(id="mix"), [("one", 1.0), ("mara", 1.0)])
        stopped: dict[str, list[KaniError]] = {"one": [], "mix": [], "mara": [], "over": []}
        for server in (here, there):
            for name in ("one", "mix", "mara"):
                cast = await server.cast(P, voice=name)
                stack.enter_context(server.speaking(cast, stopped[name].append))
            with server.speaking(await server.cast(P, voice="one"), stopped["over"].append):
                pass
        await here.update(VoiceRecord, P, "one", lambda v: replace(v, display_name="One"))
        await asyncio.sleep(0.3)
        assert not any(stopped.values())
        await here.revoke(P, "one")
        wait_s = await eventually(lambda: len(stopped["one"]) == len(stopped["mix"]) == 2, 1.0)
        print(f"stopped after {wait_s * 1000:.0f} ms")
        await asyncio.sleep(0.3)
        assert [len(errors) for errors in stopped.values()] == [2, 2, 0, 0]
        assert {type(e) for errors in stopped.values() for e in errors} == {ConsentRevoked}


async def test_a_consent_that_ends_by_itself_stops_the_lines_that_rest_on_it(
    store_url: str,
) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    async with open_registry(store_url, clock=lambda: now) as registry:
        ends = granted(expires=now + timedelta(days=1))
        await registry.create(P, voice("one", consent=ends))
        await registry.blend(P, VoiceRecord(id="mix"), [("one", 1.0), ("mara", 1.0)])
        await registry.create(P, voice("two", consent=replace(ends, holder="Bea")))
        await registry.create(P, voice("three"))
        stopped: dict[str, list[KaniError]] = {"one": [], "mix": [], "two": [], "three": []}
        casts = {}
        with ExitStack() as stack:
            for name, errors in stopped.items():
                casts[name] = await registry.cast(P, voice=name)
                stack.enter_context(registry.speaking(casts[name], errors.append))
            assert casts["mix"].permission.until == ends.expires
            assert (await registry.check_may_speak(casts["mix"])) == casts["mix"].permission
            await registry.update(
                VoiceRecord,
                P,
                "two",
                lambda v: replace(v, consent=granted("Bea", expires=now + timedelta(days=3))),
            )
            await asyncio.sleep(0.5)
            assert not any(stopped.values())
            now += timedelta(days=2)
            await eventually(lambda: stopped["one"] and stopped["mix"], 1.0)
            with pytest.raises(ConsentExpired):
                await registry.check_may_speak(casts["mix"])
            await asyncio.sleep(0.5)
            assert [len(errors) for errors in stopped.values()] == [1, 1, 0, 0]
            assert isinstance(stopped["one"][0], ConsentExpired)


async def test_a_consent_that_is_shortened_in_the_middle_of_a_line_ends_it_then(
    registry: Registry,
) -> None:
    await registry.create(P, voice(consent=granted()))
    stopped: list[KaniError] = []
    with registry.speaking(await registry.cast(P, voice="guard"), stopped.append):
        soon = datetime.now(UTC) + timedelta(seconds=0.6)
        await registry.update(
            VoiceRecord, P, "guard", lambda v: replace(v, consent=granted(expires=soon))
        )
        await eventually(lambda: stopped)
        assert datetime.now(UTC) >= soon and isinstance(stopped[0], ConsentExpired)


@pytest.mark.redis
async def test_a_consent_ends_while_the_store_is_away_too(redis_server) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    async with open_registry(redis_server.url, clock=lambda: now, stale_voice_s=0.0) as registry:
        await registry.create(P, voice(consent=granted(expires=now + timedelta(days=1))))
        await registry.create(P, voice("other"))
        stopped: list[KaniError] = []
        other: list[KaniError] = []
        with (
            registry.speaking(await registry.cast(P, voice="guard"), stopped.append),
            registry.speaking(await registry.cast(P, voice="other"), other.append),
        ):
            redis_server.kill()
            await eventually(lambda: not registry.is_heard)
            now += timedelta(days=2)
            await eventually(lambda: stopped)
            assert isinstance(stopped[0], ConsentExpired) and not other


async def test_a_revocation_between_casting_and_speaking_is_not_missed(registry: Registry) -> None:
    await registry.create(P, voice(consent=granted()))
    cast = await registry.cast(P, voice="guard")
    await registry.revoke(P, "guard")
    stopped: list[KaniError] = []
    with registry.speaking(cast, stopped.append):
        await eventually(lambda: stopped)
    assert [type(error) for error in stopped] == [ConsentRevoked]


@pytest.mark.redis
async def test_known_voices_speak_on_while_redis_is_away(redis_server) -> None:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(open_registry(redis_server.url))
        there = await stack.enter_async_context(open_registry(redis_server.url))
        await here.create(P, voice())
        await there.cast(P, voice="guard")
        await asyncio.sleep(0.2)  # a change that arrives with the end is a change nobody could read
        redis_server.kill()
        await eventually(lambda: not there.is_heard)
        for _ in range(5):
            started = time.monotonic()
            assert (await there.cast(P, voice="guard")).voice.revision == 1
            assert time.monotonic() - started < 0.5  # nobody waits for a store that is away
            assert (await there.cast(P)).voice.id == "mara"
            await asyncio.sleep(0.2)
        with pytest.raises(StoreUnavailable) as away:
            await there.cast(P, voice="unknown-here")
        assert away.value.retry_after_s > 0
        with pytest.raises(StoreUnavailable):
            await there.update(VoiceRecord, P, "guard", sounding(1))
        redis_server.start()
        await here.update(VoiceRecord, P, "guard", sounding(2))
        await eventually(lambda: there.is_heard)
        assert (await there.cast(P, voice="guard")).voice.revision == 2


@pytest.mark.redis
async def test_a_revocation_that_a_server_could_not_hear_stops_its_lines_when_it_can(
    redis_server,
) -> None:
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(open_registry(redis_server.url))
        await there.create(P, voice(consent=granted()))
        stopped: list[KaniError] = []
        cast = await there.cast(P, voice="guard")
        stack.enter_context(there.speaking(cast, stopped.append))
        redis_server.kill()
        await eventually(lambda: not there.is_heard)
        redis_server.start()
        store = await open_store(redis_server.url)
        await Records(store).revoke(P, "guard")
        await store.close()
        await eventually(lambda: stopped)
        assert [type(error) for error in stopped] == [ConsentRevoked]


class Scripted:
    """A store's hearing as a test wants it, and a store that can be away."""

    def __init__(self, store) -> None:
        self._store = store
        self.signals_to_come: asyncio.Queue = asyncio.Queue()
        self.is_away = False
        self.reads = 0

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    async def signals(self):
        while True:
            yield await self.signals_to_come.get()

    async def read(self, *names: str):
        self.reads += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return await self._store.read(*names)


@pytest.fixture
async def scripted(tmp_path) -> AsyncIterator[Scripted]:
    store = await open_store(str(tmp_path / "voices.db"))
    yield Scripted(store)
    await store.close()


async def test_the_cache_reads_once_while_it_hears_and_again_after_a_silence(
    scripted: Scripted,
) -> None:
    now_s = [0.0]
    records = Records(scripted)  # pyright: ignore  stands in for a store
    cache = ReadCache(records, stale_s=300, clock_s=lambda: now_s[0])
    cache.start()
    await records.create(P, voice())

    async def hear(signal) -> None:
        scripted.signals_to_come.put_nowait(signal)
        await eventually(scripted.signals_to_come.empty)
        await asyncio.sleep(0)

    async def reads_of_two() -> int:
        before = scripted.reads
        for _ in range(2):
            await cache.get(VoiceRecord, P, "guard")
        return scripted.reads - before

    assert await reads_of_two() == 2  # nothing is heard yet
    await hear(Resumed())
    assert await reads_of_two() == 1
    await hear(Change(P, "voice", "somebody-else"))
    assert await reads_of_two() == 0
    before = scripted.reads
    await hear(Change(P, "voice", "guard"))
    await eventually(lambda: scripted.reads == before + 1)  # at once, in case the store goes away
    await asyncio.sleep(0.05)
    assert await reads_of_two() == 0
    now_s[0] = 1000.0
    await hear(Lost())
    scripted.is_away = True
    now_s[0] = 1300.0
    assert await reads_of_two() == 0
    now_s[0] = 1301.0
    with pytest.raises(StoreUnavailable):
        await cache.get(VoiceRecord, P, "guard")
    scripted.is_away = False
    await hear(Resumed())
    assert await reads_of_two() == 1
    await cache.close()


async def test_a_change_that_overtakes_a_read_is_not_cached_away(scripted: Scripted) -> None:
    records = Records(scripted)  # pyright: ignore
    cache = ReadCache(records, stale_s=300)
    cache.start()
    scripted.signals_to_come.put_nowait(Resumed())
    await eventually(lambda: cache.is_heard)
    await records.create(P, voice())
    original = scripted._store.read
    go_on = asyncio.Event()

    async def slow(*names: str):
        row = await original(*names)
        await go_on.wait()
        return row

    scripted._store.read = slow
    reading = asyncio.create_task(cache.get(VoiceRecord, P, "guard"))
    await asyncio.sleep(0.05)
    scripted._store.read = original
    await records.update(VoiceRecord, P, "guard", sounding(1))
    cache.forget(P, VoiceRecord, "guard")
    go_on.set()
    assert (await reading).revision == 1
    assert (await cache.get(VoiceRecord, P, "guard")).revision == 2
    await cache.close()


async def test_the_cache_holds_so_many_and_no_more(tmp_path) -> None:
    async with open_registry(str(tmp_path / "voices.db"), max_cached=10) as registry:
        for n in range(30):
            await registry.create(P, voice(f"v{n}", n))
            await registry.cast(P, voice=f"v{n}")
        assert 0 < len(registry._cache._slots) <= 10
