"""What every store must do, the embedded one and the live Redis alike."""

import asyncio
import os
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kani_npc.errors import (
    AlreadyExists,
    ArtefactMissing,
    ConsentRequired,
    ConsentRevoked,
    InvalidRecord,
    NpcNotFound,
    RevisionNotFound,
    SettingsError,
    StaleEtag,
    StoreUnavailable,
    VoiceNotFound,
)
from kani_npc.voices.encoding import content_hash
from kani_npc.voices.open import open_store
from kani_npc.voices.records import AccentRecord, Lexicon, Npc, VoiceRecord
from kani_npc.voices.store import Change, Records, Resumed
from kani_npc.voices.usage import Usage, UsageEntry, to_csv
from tests.support.voices import embedding, eventually, granted, sounding, voice

P = "default"


async def test_a_record_is_read_back_as_it_was_written(records: Records) -> None:
    record = voice(
        display_name="Wächter",
        labels={"set": "城"},
        tag="en_us",
        consent=granted(),
        clips=("a" * 64,),
    )
    written = await records.create(P, record)
    assert written.revision == 1 and written.etag
    assert (
        replace(
            written,
            revision=0,
            etag="",
            create_time=record.create_time,
            update_time=record.update_time,
        )
        == record
    )
    assert await records.get(VoiceRecord, P, "guard") == written
    assert await records.revision(VoiceRecord, P, "guard", 1) == written


async def test_every_kind_has_its_own_names(records: Records) -> None:
    for record in (
        voice("same"),
        Npc(id="same", voice="same@1"),
        AccentRecord(id="same", tag="en_us"),
        Lexicon(id="same", entries={"Rhaegal": "RAY-gull"}),
    ):
        written = await records.create(P, record)
        assert await records.get(type(record), P, "same") == written
    await records.delete(Npc, P, "same")
    with pytest.raises(NpcNotFound, match="ListNpcs"):
        await records.get(Npc, P, "same")
    assert (await records.get(VoiceRecord, P, "same")).id == "same"


async def test_projects_do_not_see_each_other(records: Records) -> None:
    await records.create("one", voice())
    with pytest.raises(VoiceNotFound):
        await records.get(VoiceRecord, "two", "guard")
    assert (await records.list(VoiceRecord, "two")).records == ()
    await records.create("two", voice(seed=1))
    await records.delete(VoiceRecord, "one", "guard")
    assert (await records.get(VoiceRecord, "two", "guard")).embedding == embedding(1)
    for name in ("", "No", "a}b", "a:b", "*"):
        with pytest.raises(InvalidRecord, match="project"):
            await records.get(VoiceRecord, name, "guard")


async def test_a_taken_id_is_refused_and_a_repeated_request_is_not(records: Records) -> None:
    first = await records.create(P, voice(), request_id="r1")
    assert await records.create(P, voice(), request_id="r1") == first
    for request_id in ("", "r2"):
        with pytest.raises(AlreadyExists) as taken:
            await records.create(P, voice(), request_id=request_id)
        assert taken.value.current == first.etag
    changed = await records.update(VoiceRecord, P, "guard", sounding(1))
    assert await records.create(P, voice(), request_id="r1") == changed


async def test_the_revision_moves_with_what_is_heard_or_allowed_only(records: Records) -> None:
    first = await records.create(P, voice())
    named = await records.update(
        VoiceRecord, P, "guard", lambda v: replace(v, display_name="Guard", labels={"a": "b"})
    )
    assert named.revision == 1 and named.etag != first.etag
    heard = await records.update(VoiceRecord, P, "guard", sounding(1))
    assert heard.revision == 2 and heard.update_time >= named.update_time
    allowed = await records.update(VoiceRecord, P, "guard", lambda v: replace(v, consent=granted()))
    assert allowed.revision == 3 and allowed.create_time == first.create_time
    assert await records.update(VoiceRecord, P, "guard", lambda v: v) == allowed
    assert (await records.revision(VoiceRecord, P, "guard", 1)).embedding == embedding(0)


async def test_a_stale_etag_changes_nothing_and_names_the_current_one(records: Records) -> None:
    first = await records.create(P, voice())
    second = await records.update(VoiceRecord, P, "guard", sounding(1), etag=first.etag)
    with pytest.raises(StaleEtag) as stale:
        await records.update(VoiceRecord, P, "guard", sounding(2), etag=first.etag)
    assert stale.value.current == second.etag
    with pytest.raises(StaleEtag):
        await records.delete(VoiceRecord, P, "guard", etag=first.etag)
    assert await records.get(VoiceRecord, P, "guard") == second


async def test_a_deleted_id_can_be_used_again_but_its_revision_numbers_are_not(
    records: Records,
) -> None:
    await records.create(P, voice(), request_id="r")
    await records.update(VoiceRecord, P, "guard", sounding(1))
    await records.delete(VoiceRecord, P, "guard")
    with pytest.raises(VoiceNotFound):
        await records.revision(VoiceRecord, P, "guard", 1)
    with pytest.raises(VoiceNotFound):
        await records.delete(VoiceRecord, P, "guard")
    assert (await records.list(VoiceRecord, P)).records == ()
    again = await records.create(P, voice(seed=5))
    assert again.revision == 3
    with pytest.raises(RevisionNotFound):
        await records.revision(VoiceRecord, P, "guard", 2)
    assert (await records.revisions(VoiceRecord, P, "guard")).records == (again,)


async def test_pages_follow_each_other_by_id(records: Records) -> None:
    ids = [f"v{n:02}" for n in range(25)]
    for id in reversed(ids):
        await records.create(P, voice(id))
    seen, token, sizes = [], "", []
    while True:
        page = await records.list(VoiceRecord, P, page_size=10, page_token=token)
        seen += [record.id for record in page.records]
        sizes.append(len(page.records))
        if not (token := page.next_page_token):
            break
        await records.delete(VoiceRecord, P, token)  # the last one seen may go meanwhile
    assert seen == ids and sizes == [10, 10, 5]
    with pytest.raises(InvalidRecord, match="page_token"):
        await records.list(VoiceRecord, P, page_token="No!")


async def test_revisions_are_listed_newest_first(records: Records) -> None:
    await records.create(P, voice())
    for seed in range(1, 7):
        await records.update(VoiceRecord, P, "guard", sounding(seed))
    page = await records.revisions(VoiceRecord, P, "guard", page_size=4)
    rest = await records.revisions(
        VoiceRecord, P, "guard", page_size=4, page_token=page.next_page_token
    )
    assert [v.revision for v in page.records + rest.records] == [7, 6, 5, 4, 3, 2, 1]
    assert rest.next_page_token == ""
    with pytest.raises(VoiceNotFound):
        await records.revisions(VoiceRecord, P, "nobody")


async def test_a_roll_back_is_a_new_revision_with_the_old_sound(records: Records) -> None:
    first = await records.create(P, voice(display_name="Old"))
    await records.update(
        VoiceRecord, P, "guard", lambda v: replace(sounding(1)(v), display_name="New")
    )
    back = await records.roll_back(VoiceRecord, P, "guard", 1)
    assert back.revision == 3 and back.display_name == "New"
    assert content_hash(back) == content_hash(first)
    assert await records.revision(VoiceRecord, P, "guard", 3) == back
    with pytest.raises(RevisionNotFound):
        await records.roll_back(VoiceRecord, P, "guard", 9)


async def test_a_lexicon_rolls_back_too(records: Records) -> None:
    await records.create(P, Lexicon(id="names", entries={"Kani": "KAH-nee"}))
    await records.update(Lexicon, P, "names", lambda x: replace(x, entries={}))
    back = await records.roll_back(Lexicon, P, "names", 1)
    assert back.revision == 3 and back.entries == {"Kani": "KAH-nee"}


async def test_a_revocation_holds_for_every_revision_before_it(records: Records) -> None:
    await records.create(P, voice(consent=granted()))
    await records.update(VoiceRecord, P, "guard", sounding(1))
    revoked = await records.revoke(P, "guard")
    assert revoked.revision == 3 and revoked.revoked_through == 3
    assert revoked.consent is not None and revoked.consent.revoked is not None
    assert await records.revoke(P, "guard") == revoked
    with pytest.raises(ConsentRevoked):
        await records.roll_back(VoiceRecord, P, "guard", 1)
    agreed = await records.update(
        VoiceRecord, P, "guard", lambda v: replace(v, consent=granted(), revoked_through=0)
    )
    assert agreed.revoked_through == 3  # nobody takes a revocation back
    with pytest.raises(ConsentRevoked):
        await records.roll_back(VoiceRecord, P, "guard", 2)


async def test_a_roll_back_does_not_bring_back_another_holders_voice(records: Records) -> None:
    await records.create(P, voice(consent=granted("Ada")))
    await records.update(
        VoiceRecord, P, "guard", lambda v: replace(sounding(1)(v), consent=granted("Bea"))
    )
    with pytest.raises(ConsentRequired):
        await records.roll_back(VoiceRecord, P, "guard", 1)


async def test_eight_writers_on_one_voice_make_one_revision_per_acknowledged_write(
    store_url: str,
) -> None:
    """Each with a connection of its own, as eight servers have."""
    stores = [await open_store(store_url) for _ in range(8)]
    try:
        await Records(stores[0]).create(P, voice(labels={"count": "0"}))

        async def write(store, writer: int) -> list[int]:
            records = Records(store)
            made = []
            for turn in range(6):
                seed = 1 + writer * 100 + turn

                def change(v: VoiceRecord, seed: int = seed) -> VoiceRecord:
                    count = str(int(v.labels["count"]) + 1)
                    return replace(v, embedding=embedding(seed), labels={"count": count})

                made.append((await records.update(VoiceRecord, P, "guard", change)).revision)
            return made

        made = await asyncio.gather(*(write(store, n) for n, store in enumerate(stores)))
        assert sorted(n for each in made for n in each) == list(range(2, 50))
        head = await Records(stores[3]).get(VoiceRecord, P, "guard")
        assert head.revision == 49 and head.labels["count"] == "48"
        revisions = await Records(stores[5]).revisions(VoiceRecord, P, "guard")
        assert [v.labels["count"] for v in reversed(revisions.records)] == [
            str(n) for n in range(49)
        ]
    finally:
        for store in stores:
            await store.close()


async def test_of_eight_writers_with_one_etag_exactly_one_is_first(store_url: str) -> None:
    stores = [await open_store(store_url) for _ in range(8)]
    try:
        etag = (await Records(stores[0]).create(P, voice())).etag
        done = await asyncio.gather(
            *(
                Records(store).update(VoiceRecord, P, "guard", sounding(n + 1), etag=etag)
                for n, store in enumerate(stores)
            ),
            return_exceptions=True,
        )
        (first,) = [d for d in done if isinstance(d, VoiceRecord)]
        stale = [d for d in done if isinstance(d, StaleEtag)]
        assert len(stale) == 7 and {s.current for s in stale} == {first.etag}
    finally:
        for store in stores:
            await store.close()


async def test_the_usage_ledger_keeps_every_entry_once_and_in_order(records: Records) -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def entry(n: int) -> UsageEntry:
        return UsageEntry(
            time=time + timedelta(seconds=n),
            voice="guard",
            revision=1,
            lines=n,
            seconds=n / 4,
            usage=Usage.LIVE,
        )

    entries = [entry(n) for n in range(2500)]
    await records.append_usage(P, entries[:1500], request_id="first")
    await records.append_usage(P, entries[:1500], request_id="first")
    await records.append_usage(P, entries[1500:])
    await records.append_usage("other", entries[:1])
    assert [e async for e in records.usage(P)] == entries
    csv = "".join([piece async for piece in to_csv(records.usage(P))]).splitlines()
    assert len(csv) == 2501
    assert csv[0] == "time,voice,revision,lines,seconds,usage,npc"
    assert csv[2] == "2026-01-02T03:04:06+00:00,guard,1,1,0.250,live,"


async def put(records: Records, *parts: bytes) -> list[str]:
    async with records.keeping(P, parts) as names:
        return list(names)


async def test_large_parts_are_found_by_their_hash(records: Records) -> None:
    data = bytes(range(256)) * 4096
    (digest,) = await put(records, data)
    assert await put(records, data) == [digest]
    assert await records.get_artefact(P, digest) == data
    with pytest.raises(ArtefactMissing):
        await records.get_artefact("other", digest)


async def test_a_sweep_takes_what_no_voice_has_and_leaves_what_any_revision_has(
    records: Records,
) -> None:
    first, second, third, nobodys = await put(records, b"1", b"2", b"3", b"nobody's")
    await records.create(P, voice("one", clips=(first,)))
    await records.update(VoiceRecord, P, "one", lambda v: sounding(1)(replace(v, clips=())))
    await records.create(P, voice("two", 2, clips=(second,)))
    # The same sound with other recordings is the same revision.
    await records.update(VoiceRecord, P, "two", lambda v: replace(v, clips=(third,)))
    for n in range(60):  # more than a page
        await records.create(P, voice(f"v{n}"))
    assert await records.sweep(P) == 0  # all of them are young
    assert await records.sweep("other", grace_s=0) == 0
    assert await records.sweep(P, grace_s=0) == 1
    assert set(await records.store.artefacts(P)) == {first, second, third}
    with pytest.raises(ArtefactMissing):
        await records.get_artefact(P, nobodys)
    await records.delete(VoiceRecord, P, "two")
    assert await records.sweep(P, grace_s=0) == 2
    assert await records.get_artefact(P, first) == b"1"


async def test_a_part_that_is_put_again_is_young_again(records: Records) -> None:
    (name,) = await put(records, b"part")
    before_s = await records.store.clock_s()
    await put(records, b"part")
    assert not await records.store.delete_artefact(P, name, put_before_s=before_s)
    assert await records.get_artefact(P, name) == b"part"
    now_s = await records.store.clock_s()
    assert await records.store.delete_artefact(P, name, put_before_s=now_s + 1)
    with pytest.raises(ArtefactMissing):
        await records.get_artefact(P, name)
    assert await put(records, b"part") == [name]


@pytest.mark.parametrize("is_quick", [True, False])
async def test_a_voice_does_not_lose_its_recording_to_who_clears_up_beside_it(
    records: Records, is_quick: bool
) -> None:
    """A sweep looks for voices that have the part before there is one, and deletes it before or after there is."""
    async with records.keeping(P, [b"part"]) as clips:
        before_s = await records.store.clock_s()
        assert [body async for body in records.store.bodies(P, "voice")] == []
        await records.create(P, voice(clips=clips))
        if is_quick:
            assert await records.store.delete_artefact(P, clips[0], put_before_s=before_s)
    if not is_quick:
        assert not await records.store.delete_artefact(P, clips[0], put_before_s=before_s)
    assert await records.get_artefact(P, clips[0]) == b"part"


async def test_a_sweep_of_a_folder_takes_the_drafts_of_killed_writers_along(
    tmp_path: Path,
) -> None:
    store = await open_store(str(tmp_path / "voices.db"))
    records = Records(store)
    (name,) = await put(records, b"part")
    (kept,) = (tmp_path / "artefacts").rglob(name)
    draft = kept.with_name(f"{name}.1.abcd.part")
    draft.write_bytes(b"pa")
    await records.sweep(P, grace_s=0)
    assert draft.exists() and not kept.exists()  # somebody may be at it
    os.utime(draft, (0, 0))
    await records.sweep(P)
    assert not draft.exists()
    await store.close()


async def test_a_write_in_one_store_is_heard_in_another(store_url: str) -> None:
    here, there = await open_store(store_url), await open_store(store_url)
    heard: list = []

    async def listen() -> None:
        async with aclosing(there.signals()) as signals:
            async for signal in signals:
                heard.append(signal)

    listener = asyncio.create_task(listen())
    try:
        await eventually(lambda: heard == [Resumed()])
        records = Records(here)
        waits = []
        for n in range(5):
            await records.create("p", voice(f"v{n}"))
            waits.append(
                await eventually(lambda n=n: Change("p", "voice", f"v{n}") in heard, within_s=1.0)
            )
        await records.delete(VoiceRecord, "p", "v0")
        await eventually(lambda: heard[-1] == Change("p", "voice", "v0"), within_s=1.0)
        print(f"heard after {max(waits) * 1000:.0f} ms at most")
        assert heard[1:-1] == [Change("p", "voice", f"v{n}") for n in range(5)]
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        await here.close()
        await there.close()


async def test_a_cancelled_write_leaves_the_store_usable(records: Records) -> None:
    await records.create(P, voice())
    for n in range(20):
        task = asyncio.create_task(records.update(VoiceRecord, P, "guard", sounding(n + 1)))
        await asyncio.sleep(0.0005 * n)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    last = await records.update(VoiceRecord, P, "guard", sounding(99))
    revisions = (await records.revisions(VoiceRecord, P, "guard")).records
    assert [v.revision for v in revisions] == list(range(last.revision, 0, -1))


async def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "voices.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SettingsError, match="schema 99"):
        await open_store(str(path))


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "voices.db"
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreUnavailable):
        await open_store(str(path))
