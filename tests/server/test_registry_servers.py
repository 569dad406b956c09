"""Servers that share a store: what one writes, the other speaks with; and what they do while the store is away.

Every test runs on both kinds of store, but for those of an outage, which a file does not have.
"""

import asyncio
import time
from contextlib import suppress

import pytest

from kani_npc.client import ServiceError
from kani_npc.v1 import npc_service_pb2 as npc_pb
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import voice_service_pb2 as voice_pb
from kani_npc.voices.open import open_store
from kani_npc.voices.store import Records
from kani_npc.voices.usage import Usage, to_csv
from tests.support.serving import (
    SPACE,
    SYNTHETIC,
    granted,
    make_npc,
    make_voice,
    refused,
    said,
    serving,
    values,
)
from tests.support.sine import SineSynthesizer
from tests.support.voices import eventually

LONG = "a" * 500  # 40 s of sine


def revoke(client, id: str):
    return client.voices.RevokeConsent(voice_pb.RevokeConsentRequest(id=id))


class Listener:
    """A line that is being heard, and how it ended."""

    def __init__(self, speech) -> None:
        self.samples = 0
        self.error: ServiceError | None = None
        self.ended_s = 0.0
        self._speech = speech
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for audio in self._speech:
                self.samples += len(audio.data) // 2
        except ServiceError as error:
            self.error = error
        self.ended_s = time.monotonic()


async def test_a_voice_of_one_server_speaks_in_the_next_line_of_the_other(store_url):
    async with serving(store_url) as one, serving(store_url) as other:
        await make_voice(one)
        assert (await said(other, voice="troll")).header.voice_revision == 1
        await make_npc(other)
        assert (await said(one, npc="gunnar")).header.voice == "troll"


async def test_a_change_is_heard_by_the_other_server_within_a_moment(store_url):
    async with serving(store_url) as one, serving(store_url) as other:
        await make_voice(one)
        await said(other, voice="troll")  # which now has it in its cache
        embedding = voice_pb.Embedding(space=SPACE, values=values(1))
        await one.voices.UpdateVoice(
            voice_pb.UpdateVoiceRequest(voice=voice_pb.Voice(id="troll", embedding=embedding))
        )
        changed_s = time.monotonic()
        while (await said(other, voice="troll")).header.voice_revision != 2:
            assert time.monotonic() < changed_s + 5
        # 150 ms on a quiet machine; tests/voices has the store's own part of it
        assert time.monotonic() < changed_s + 1


@pytest.mark.parametrize("pace", [pb.PACE_REALTIME, pb.PACE_UNPACED])
async def test_a_revocation_ends_running_lines_on_every_server_within_a_second(store_url, pace):
    def sine() -> SineSynthesizer:
        return SineSynthesizer(speed=2.0)

    sines = [sine(), sine()]
    async with (
        serving(store_url, synthesizer=sines[0]) as one,
        serving(store_url, synthesizer=sines[1]) as other,
    ):
        await make_voice(one)
        lines = [Listener(c.synthesize(LONG, voice="troll", pace=pace)) for c in (one, other)]
        bystander = Listener(other.synthesize(LONG, voice="guard", pace=pace))
        # Not by their sound: a line for a file is checked whole before any of it is sent.
        await eventually(lambda: (sines[0].active, sines[1].active) == (1, 2))
        revoked_s = time.monotonic()
        await revoke(one, "troll")
        for line in lines:
            await asyncio.wait_for(line.task, 5)
            assert line.ended_s < revoked_s + 1.0
            assert line.error is not None
            assert (line.error.status, line.error.reason) == (
                "FAILED_PRECONDITION",
                "CONSENT_REVOKED",
            )
        assert sines[0].active == 0 and sines[1].active == 1
        assert not bystander.task.done()
        bystander.task.cancel()
        for client in (one, other):
            assert (await refused(said(client, voice="troll"))).reason == "CONSENT_REVOKED"


async def test_a_consent_that_ends_in_the_middle_of_a_line_ends_it_within_a_second(store_url):
    async with (
        serving(store_url, synthesizer=SineSynthesizer(speed=2.0)) as one,
        serving(store_url, synthesizer=SineSynthesizer(speed=2.0)) as other,
    ):
        consent = granted()
        ends_s = time.time() + 2.0
        consent.expire_time.FromNanoseconds(int(ends_s * 1e9))
        await make_voice(one, consent=consent)
        lines = [Listener(c.synthesize(LONG, voice="troll")) for c in (one, other)]
        await eventually(lambda: all(line.samples for line in lines))
        for line in lines:
            await asyncio.wait_for(line.task, 5)
            assert line.error is not None
            assert (line.error.status, line.error.reason) == (
                "FAILED_PRECONDITION",
                "CONSENT_EXPIRED",
            )
            assert 0 <= time.time() - ends_s < 1.0
        for client in (one, other):
            assert (await refused(said(client, voice="troll"))).reason == "CONSENT_EXPIRED"


@pytest.mark.parametrize("expires", [False, True])
async def test_a_line_that_is_remembered_is_not_said_without_consent_either(store_url, expires):
    sine = SineSynthesizer()
    async with serving(store_url, synthesizer=sine, cache="16MB") as client:
        await make_voice(client, consent=granted())
        first = await said(client, voice="troll")
        second = await said(client, voice="troll")
        assert (first.end.cache_hit, second.end.cache_hit) == (False, True)
        long = Listener(client.synthesize(LONG, voice="troll", pace=pb.PACE_UNPACED))
        await asyncio.wait_for(long.task, 60)
        kept = Listener(client.synthesize(LONG, voice="troll"))  # remembered, and being heard
        await eventually(lambda: kept.samples)
        if expires:
            consent = granted()
            consent.expire_time.FromNanoseconds(time.time_ns() + 1_000_000_000)
            wanted = voice_pb.Voice(id="troll", consent=consent)
            await client.voices.UpdateVoice(voice_pb.UpdateVoiceRequest(voice=wanted))
        else:
            await revoke(client, "troll")
        await asyncio.wait_for(kept.task, 20)
        reason = "CONSENT_EXPIRED" if expires else "CONSENT_REVOKED"
        assert long.error is None and kept.error is not None and kept.error.reason == reason
        assert (await refused(said(client, voice="troll"))).reason == reason
        assert len(sine.utterances) == 2


async def test_what_is_spoken_goes_into_the_ledger(store_url):
    async with serving(store_url, project="north") as client:
        await make_voice(client)
        await make_npc(client)
        for text in ("Halt!", "Who?"):
            await said(client, text, npc="gunnar")
        await said(client, "Hm", voice="troll", pace=pb.PACE_REALTIME)
        await refused(said(client, voice="nobody"))
    store = await open_store(store_url)
    try:
        entries = [e async for e in Records(store).usage("north")]
        table = "".join([part async for part in to_csv(Records(store).usage("north"))])
    finally:
        await store.close()
    found: dict[tuple[str, Usage], tuple[int, float]] = {}
    for e in entries:
        assert (e.voice, e.revision) == ("troll", 1)
        lines, seconds = found.get((e.npc, e.usage), (0, 0.0))
        found[e.npc, e.usage] = (lines + e.lines, seconds + e.seconds)
    assert found == {
        ("gunnar", Usage.RENDERED): (2, pytest.approx(9 * 0.08)),
        ("", Usage.LIVE): (1, pytest.approx(2 * 0.08)),
    }
    assert table.splitlines()[0] == "time,voice,revision,lines,seconds,usage,npc"


async def test_a_line_that_was_broken_off_is_in_the_ledger_with_what_was_sent(store_url):
    async with serving(store_url, synthesizer=SineSynthesizer(speed=4.0)) as client:
        speech = client.synthesize(LONG, pace=pb.PACE_UNPACED)
        async for _ in speech:
            speech.interrupt()
    store = await open_store(store_url)
    try:
        (entry,) = [e async for e in Records(store).usage("default")]
    finally:
        await store.close()
    assert entry.lines == 1 and 0 < entry.seconds < 5


async def test_records_survive_the_servers(store_url):
    async with serving(store_url) as client:
        made = await make_voice(client)
    async with serving(store_url) as client:
        got = await client.voices.GetVoice(voice_pb.GetVoiceRequest(id="troll"))
        assert got.voice == made


@pytest.mark.redis
async def test_known_voices_speak_on_while_redis_is_away_and_writes_say_when_to_come_back(
    redis_server,
):
    async with serving(redis_server.url, synthesizer=SineSynthesizer(speed=4.0)) as client:
        await make_voice(client)
        await make_npc(client)
        await said(client, npc="gunnar")
        running = Listener(client.synthesize("a" * 150, npc="gunnar"))
        await eventually(lambda: running.samples)
        redis_server.kill()
        away_s = time.monotonic()
        lines = 0
        while time.monotonic() < away_s + 5:
            line = await said(client, "Halt!", npc="gunnar")
            assert line.end.total_samples == 5 * 1764
            await said(client, "Halt!", voice="guard")  # came with the model
            lines += 1
        assert lines > 3
        for call in (
            make_npc(client, "halla"),
            revoke(client, "troll"),
            client.npcs.ListNpcs(npc_pb.ListNpcsRequest()),
            said(client, voice="unseen"),
        ):
            error = await refused(call)
            assert error.status == "UNAVAILABLE" and error.reason == "STORE_UNAVAILABLE"
            assert error.retry_after_s
        redis_server.start()
        await eventually_written(client)
        assert (await said(client, npc="halla")).header.voice == "troll"
        await asyncio.wait_for(running.task, 30)
        assert running.error is None and running.samples == 150 * 1764


async def eventually_written(client) -> None:
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        with suppress(ServiceError):
            await make_npc(client, "halla")
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the store is back, and takes no writes")


@pytest.mark.redis
async def test_a_voice_revoked_while_nobody_could_hear_it_ends_when_the_store_is_back(redis_server):
    """The other server's connection is lost at the moment of the revocation: it learns of it after the gap."""
    async with serving(redis_server.url, synthesizer=SineSynthesizer(speed=2.0)) as client:
        await make_voice(client)
        line = Listener(client.synthesize(LONG, voice="troll"))
        await eventually(lambda: line.samples)
        redis_server.kill()
        redis_server.start()
        store = await open_store(redis_server.url)
        await Records(store).revoke("default", "troll")
        await store.close()
        await asyncio.wait_for(line.task, 5)
        assert line.error is not None and line.error.reason == "CONSENT_REVOKED"


async def test_a_blend_ends_with_the_consent_of_what_it_was_made_of(store_url):
    async with serving(store_url, synthesizer=SineSynthesizer(speed=2.0)) as client:
        for seed, id in enumerate(("one", "two")):
            await make_voice(client, id, seed, consent=SYNTHETIC)
        shares = [voice_pb.BlendShare(voice=id, weight=1) for id in ("one", "two")]
        request = voice_pb.BlendVoicesRequest(voice=voice_pb.Voice(id="both"), shares=shares)
        await client.voices.BlendVoices(request)
        line = Listener(client.synthesize(LONG, voice="both"))
        await eventually(lambda: line.samples)
        await revoke(client, "two")
        await asyncio.wait_for(line.task, 1)
        assert line.error is not None and line.error.reason == "CONSENT_REVOKED"
