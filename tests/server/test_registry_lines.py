"""NPCs, accents and lexicons: their methods, and what they make of a line."""

import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from kani_npc.client import Client
from kani_npc.v1 import accent_service_pb2 as accent_pb
from kani_npc.v1 import lexicon_service_pb2 as lexicon_pb
from kani_npc.v1 import npc_service_pb2 as npc_pb
from kani_npc.v1 import sampling_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from tests.support.serving import make_npc, make_voice, refused, said, serving
from tests.support.sine import SAMPLE_RATE_HZ, SineSynthesizer


@pytest.fixture
def sine() -> SineSynthesizer:
    return SineSynthesizer()


@pytest.fixture
async def client(tmp_path, sine):
    async with serving(str(tmp_path / "voices.db"), synthesizer=sine) as client:
        await make_voice(client)
        yield client


async def make_accent(client: Client, id: str = "old-town", **fields) -> accent_pb.Accent:
    accent = accent_pb.Accent(**{"id": id, "tag": "en_us", **fields})
    request = accent_pb.CreateAccentRequest(accent=accent)
    return (await client.accents.CreateAccent(request)).accent


async def make_lexicon(client: Client, id: str, **entries: str) -> lexicon_pb.Lexicon:
    lexicon = lexicon_pb.Lexicon(id=id, entries=entries)
    request = lexicon_pb.CreateLexiconRequest(lexicon=lexicon)
    return (await client.lexicons.CreateLexicon(request)).lexicon


async def samples(client: Client, text: str, **options) -> np.ndarray:
    speech = client.synthesize(text, pace=pb.PACE_UNPACED, **options)
    data = b"".join([audio.data async for audio in speech])
    assert speech.end and speech.end.total_samples == len(data) // 2
    return np.frombuffer(data, "<i2")


# NPCs


async def test_an_npc_speaks_with_its_voice_and_accent(client):
    made = await make_npc(client, accent="en-glasg", display_name="Gunnar")
    assert made.revision == 1 and made.etag and made.seed_policy == npc_pb.SEED_POLICY_DERIVED
    header = (await said(client, npc="gunnar")).header
    assert (header.npc, header.voice, header.accent) == ("gunnar", "troll", "en-glasg")
    header = (await said(client, npc="gunnar", voice="smith", accent="en-us")).header
    assert (header.npc, header.voice, header.accent) == ("gunnar", "smith", "en-us")


async def test_an_npc_is_read_listed_changed_and_deleted(client):
    made = await make_npc(client, labels={"act": "1"})
    got = await client.npcs.GetNpc(npc_pb.GetNpcRequest(id="gunnar"))
    assert got.npc == made
    await make_npc(client, "halla", voice="guard")
    page = await client.npcs.ListNpcs(npc_pb.ListNpcsRequest(page_size=1))
    assert [n.id for n in page.npcs] == ["gunnar"] and page.next_page_token
    request = npc_pb.UpdateNpcRequest(
        npc=npc_pb.Npc(id="gunnar", etag=made.etag, voice="guard"),
        update_mask=FieldMask(paths=["voice"]),
    )
    changed = (await client.npcs.UpdateNpc(request)).npc
    assert (changed.voice, changed.revision, dict(changed.labels)) == ("guard", 2, {"act": "1"})
    error = await refused(client.npcs.UpdateNpc(request))
    assert (error.status, error.metadata["etag"]) == ("ABORTED", changed.etag)
    await client.npcs.DeleteNpc(npc_pb.DeleteNpcRequest(id="gunnar"))
    error = await refused(said(client, npc="gunnar"))
    assert (error.status, error.reason) == ("NOT_FOUND", "NPC_NOT_FOUND")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"voice": "nobody"}, "NOT_FOUND"),
        ({"accent": "martian"}, "NOT_FOUND"),
        ({"lexicon": "none"}, "NOT_FOUND"),
        ({"voice": ""}, "INVALID_ARGUMENT"),
        ({"delivery": npc_pb.Delivery(gain_db=99)}, "INVALID_ARGUMENT"),
        ({"delivery": npc_pb.Delivery(edge_silence_ms=-1)}, "INVALID_ARGUMENT"),
        ({"delivery": npc_pb.Delivery(pause_ms=5001)}, "INVALID_ARGUMENT"),
        ({"sampling": sampling_pb2.Sampling(temperature=-1)}, "INVALID_ARGUMENT"),
        ({"seed": 7}, "INVALID_ARGUMENT"),
        ({"seed_policy": npc_pb.SEED_POLICY_FIXED}, "INVALID_ARGUMENT"),
        ({"seed_policy": 17}, "INVALID_ARGUMENT"),
    ],
)
async def test_an_npc_that_cannot_be_kept_is_refused(client, fields, status):
    error = await refused(make_npc(client, **fields))
    assert error.status == status
    assert error.field or status == "NOT_FOUND"


async def test_an_npc_of_a_revision_stays_with_what_was_approved(client):
    await make_npc(client, voice="troll@1")
    request = await make_voice(client, "ogre", 5)
    assert request.revision == 1
    assert (await said(client, npc="gunnar")).header.voice_revision == 1


async def test_sampling_is_the_requests_over_the_npcs_over_the_accents_over_the_models(
    client, sine
):
    Sampling = sampling_pb2.Sampling
    await make_accent(client, sampling=Sampling(temperature=0.5, top_k=5, top_p=0.5, greedy=False))
    await make_npc(client, accent="old-town", sampling=Sampling(temperature=0.6, top_k=6))
    await said(client, npc="gunnar", sampling={"temperature": 0.7})
    found = sine.utterances[-1].sampling
    assert (found.temperature, found.top_k, found.top_p) == (0.7, 6, 0.5)
    assert not found.greedy and found.repetition_penalty == 1.1


async def test_an_npcs_seed_policy_is_below_what_a_request_says(client):
    policies = {
        "derived": {},
        "fixed": {"seed_policy": npc_pb.SEED_POLICY_FIXED, "seed": 7},
        "vary": {"seed_policy": npc_pb.SEED_POLICY_VARY},
    }
    for id, fields in policies.items():
        await make_npc(client, id, **fields)

    async def seeds(npc: str, **options) -> set[int]:
        return {(await said(client, npc=npc, **options)).header.seed for _ in range(2)}

    assert len(await seeds("derived")) == 1 and len(await seeds("vary")) == 2
    assert await seeds("fixed") == {7}
    assert await seeds("fixed", seed=8) == await seeds("vary", seed=8) == {8}
    assert len(await seeds("fixed", vary=True)) == 2


async def test_gain_is_applied_and_clipped(client):
    plain = await samples(client, "Halt!", voice="troll")
    await make_npc(client, "loud", delivery=npc_pb.Delivery(gain_db=12))
    await make_npc(client, "soft", delivery=npc_pb.Delivery(gain_db=-6))
    soft = await samples(client, "Halt!", npc="soft")
    assert np.abs(soft).max() == pytest.approx(np.abs(plain).max() * 10 ** (-6 / 20), abs=2)
    loud = await samples(client, "Halt!", npc="loud")
    assert np.abs(loud.astype(int)).max() == 32767 and len(loud) == len(plain)


@pytest.mark.parametrize("rate_hz", [0, 48000])
async def test_silence_around_a_line_is_as_long_as_its_npc_wants_it(client, rate_hz):
    await make_npc(client, delivery=npc_pb.Delivery(edge_silence_ms=200))
    sound = await samples(client, "Halt!", npc="gunnar", sample_rate_hz=rate_hz)
    plain = await samples(client, "Halt!", voice="troll", sample_rate_hz=rate_hz)
    edge = (rate_hz or SAMPLE_RATE_HZ) // 5
    assert len(sound) == pytest.approx(len(plain) + 2 * edge, abs=100)
    assert np.abs(sound[: edge - 100]).max() < 150 and np.abs(sound[100 - edge :]).max() < 150


async def test_a_delivery_is_kept_as_it_was_given_and_changed_field_by_field(client):
    delivery = npc_pb.Delivery(gain_db=-3, pause_ms=250, edge_silence_ms=0)
    assert (await make_npc(client, delivery=delivery)).delivery == delivery
    request = npc_pb.UpdateNpcRequest(
        npc=npc_pb.Npc(id="gunnar", delivery=npc_pb.Delivery(pause_ms=400)),
        update_mask=FieldMask(paths=["delivery.pause_ms"]),
    )
    changed = (await client.npcs.UpdateNpc(request)).npc
    delivery.pause_ms = 400
    assert (changed.delivery, changed.revision) == (delivery, 2)


# Accents


async def test_accents_of_the_model_are_listed_and_read_only(client):
    await make_accent(client, display_name="Old town")
    listed = (await client.accents.ListAccents(accent_pb.ListAccentsRequest())).accents
    assert [(a.id, a.tag, a.builtin) for a in listed] == [
        ("en-glasg", "en_glasg", True),
        ("en-us", "en_us", True),
        ("old-town", "en_us", False),
    ]
    got = await client.accents.GetAccent(accent_pb.GetAccentRequest(id="en-us"))
    assert got.accent == listed[1]
    for call in (
        client.accents.UpdateAccent(
            accent_pb.UpdateAccentRequest(accent=accent_pb.Accent(id="en-us", tag="en_glasg"))
        ),
        client.accents.DeleteAccent(accent_pb.DeleteAccentRequest(id="en-us")),
    ):
        assert (await refused(call)).reason == "READ_ONLY"


async def test_an_accent_is_changed_and_deleted(client, sine):
    made = await make_accent(client)
    request = accent_pb.UpdateAccentRequest(
        accent=accent_pb.Accent(id="old-town", tag="en_glasg", etag=made.etag)
    )
    assert (await client.accents.UpdateAccent(request)).accent.revision == 2
    await said(client, voice="troll", accent="old-town")
    assert sine.utterances[-1].accent.tag == "en_glasg"
    await client.accents.DeleteAccent(accent_pb.DeleteAccentRequest(id="old-town"))
    error = await refused(said(client, voice="troll", accent="old-town"))
    assert (error.status, error.reason) == ("NOT_FOUND", "ACCENT_NOT_FOUND")


async def test_a_tag_that_the_model_does_not_know_is_refused(client):
    error = await refused(make_accent(client, tag="en_scou"))
    assert (error.status, error.reason) == ("FAILED_PRECONDITION", "TAG_UNKNOWN")
    assert "en_glasg" in str(error)


# Lexicons


async def test_words_of_the_projects_lexicon_are_respelled(client, sine):
    await make_lexicon(client, "default", Cthulhu="kuh thoo loo")
    await said(client, "Fear CTHULHU's call!", voice="guard")
    assert sine.utterances[-1].text == "Fear kuh thoo loo's call!"
    await said(client, "Cthulhus are rare.", voice="guard")
    assert sine.utterances[-1].text == "Cthulhus are rare."


async def test_an_npcs_lexicon_is_taken_instead(client, sine):
    await make_lexicon(client, "default", ork="orc")
    await make_lexicon(client, "elvish", elen="eh-len")
    await make_npc(client, lexicon="elvish")
    await said(client, "elen ork", npc="gunnar")
    assert sine.utterances[-1].text == "eh-len ork"


async def test_a_lexicon_is_changed_in_the_next_line_and_rolled_back(client, sine):
    await said(client, "An ork!")
    assert sine.utterances[-1].text == "An ork!"  # seen that there is none
    await make_lexicon(client, "default", ork="orc")
    wanted = lexicon_pb.Lexicon(id="default", entries={"ork": "awk"})
    changed = await client.lexicons.UpdateLexicon(lexicon_pb.UpdateLexiconRequest(lexicon=wanted))
    assert changed.lexicon.revision == 2
    await said(client, "An ork!")
    assert sine.utterances[-1].text == "An awk!"
    request = lexicon_pb.RollBackLexiconRequest(id="default", revision=1)
    back = (await client.lexicons.RollBackLexicon(request)).lexicon
    assert (back.revision, dict(back.entries)) == (3, {"ork": "orc"})
    request = lexicon_pb.ListLexiconRevisionsRequest(id="default")
    revisions = (await client.lexicons.ListLexiconRevisions(request)).lexicons
    assert [r.revision for r in revisions] == [3, 2, 1]
    got = await client.lexicons.GetLexicon(lexicon_pb.GetLexiconRequest(id="default"))
    listed = await client.lexicons.ListLexicons(lexicon_pb.ListLexiconsRequest())
    assert list(listed.lexicons) == [got.lexicon] == [back]
    await client.lexicons.DeleteLexicon(lexicon_pb.DeleteLexiconRequest(id="default"))
    await said(client, "An ork!")
    assert sine.utterances[-1].text == "An ork!"
    error = await refused(client.lexicons.GetLexicon(lexicon_pb.GetLexiconRequest(id="default")))
    assert (error.status, error.reason) == ("NOT_FOUND", "LEXICON_NOT_FOUND")


async def test_a_lexicon_with_an_empty_respelling_is_refused(client):
    error = await refused(make_lexicon(client, "default", ork=" "))
    assert (error.status, error.field) == ("INVALID_ARGUMENT", "entries")


async def test_a_line_that_grows_too_long_by_its_lexicon_is_refused(client):
    await make_lexicon(client, "default", ork="a" * 200)
    error = await refused(said(client, "ork " * 101))
    assert (error.status, error.field) == ("INVALID_ARGUMENT", "text")
