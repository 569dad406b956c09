"""VoiceService: every method, and what each refuses."""

import asyncio

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from kani_npc.client import Client
from kani_npc.server.calls import MAX_REQUEST_BYTES, MAX_UPLOAD_BYTES
from kani_npc.v1 import voice_service_pb2 as pb
from tests.support.serving import (
    SPACE,
    SYNTHETIC,
    a_voice,
    granted,
    make_voice,
    refused,
    said,
    serving,
    values,
)


async def get(client: Client, id: str) -> pb.Voice:
    return (await client.voices.GetVoice(pb.GetVoiceRequest(id=id))).voice


async def update(client: Client, voice: pb.Voice, *paths: str) -> pb.Voice:
    request = pb.UpdateVoiceRequest(voice=voice, update_mask=FieldMask(paths=paths))
    return (await client.voices.UpdateVoice(request)).voice


async def revoke(client: Client, id: str) -> pb.Voice:
    return (await client.voices.RevokeConsent(pb.RevokeConsentRequest(id=id))).voice


async def test_a_voice_is_found_as_it_was_made(client):
    made = await make_voice(
        client, display_name="Troll", labels={"act": "2"}, tag="en_us", consent=granted()
    )
    assert (made.id, made.revision, made.display_name) == ("troll", 1, "Troll")
    assert made.etag and made.content_hash and made.source == pb.VOICE_SOURCE_ENROLLED
    assert made.create_time == made.update_time and made.create_time.seconds > 1_600_000_000
    assert made.consent == granted() and dict(made.labels) == {"act": "2"}
    assert await get(client, "troll") == made


async def test_a_voice_speaks_in_the_next_line(client):
    await make_voice(client)
    speech = await said(client, voice="troll")
    assert (speech.header.voice, speech.header.voice_revision) == ("troll", 1)


async def test_the_values_of_an_embedding_are_not_read_back(client):
    made = await make_voice(client)
    assert made.embedding.space == SPACE and not made.embedding.values


async def test_a_call_that_is_repeated_makes_one_voice(client):
    request = pb.CreateVoiceRequest(voice=a_voice(), request_id="r1")
    first, again = [await client.voices.CreateVoice(request) for _ in range(2)]
    assert first == again
    request.request_id = "r2"
    error = await refused(client.voices.CreateVoice(request))
    assert (error.status, error.reason) == ("ALREADY_EXISTS", "ALREADY_EXISTS")
    assert error.metadata["etag"] == first.voice.etag


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"id": "Troll"}, "INVALID_ARGUMENT", "INVALID_RECORD"),
        ({"id": ""}, "INVALID_ARGUMENT", "INVALID_RECORD"),
        ({"id": "guard"}, "ALREADY_EXISTS", "ALREADY_EXISTS"),  # came with the model
        ({"consent": None}, "FAILED_PRECONDITION", "CONSENT_REQUIRED"),
        ({"consent": pb.Consent()}, "INVALID_ARGUMENT", "INVALID_RECORD"),
        (
            {"consent": pb.Consent(kind=pb.CONSENT_KIND_GRANTED, holder="A")},
            "INVALID_ARGUMENT",
            "INVALID_RECORD",
        ),
        (
            {
                "consent": pb.Consent(
                    kind=pb.CONSENT_KIND_OWN_VOICE, expire_time=Timestamp(seconds=1)
                )
            },
            "FAILED_PRECONDITION",
            "CONSENT_EXPIRED",
        ),
        ({"tag": "klingon"}, "FAILED_PRECONDITION", "TAG_UNKNOWN"),
        (
            {"embedding": pb.Embedding(space="wavlm", values=values(0))},
            "FAILED_PRECONDITION",
            "SPACE_MISMATCH",
        ),
        (
            {"embedding": pb.Embedding(space=SPACE, values=[1.0, 1.0])},
            "INVALID_ARGUMENT",
            "INVALID_RECORD",
        ),
        (
            {"embedding": pb.Embedding(space=SPACE, values=[float("nan")] * 4)},
            "INVALID_ARGUMENT",
            "INVALID_RECORD",
        ),
        ({"source": pb.VOICE_SOURCE_BUILTIN}, "INVALID_ARGUMENT", "INVALID_RECORD"),
        ({"labels": {"x" * 64: "y"}}, "INVALID_ARGUMENT", "INVALID_RECORD"),
    ],
)
async def test_a_voice_that_cannot_be_kept_is_refused_by_what_is_wrong(
    client, fields, status, reason
):
    error = await refused(client.voices.CreateVoice(pb.CreateVoiceRequest(voice=a_voice(**fields))))
    assert (error.status, error.reason) == (status, reason)
    if status == "INVALID_ARGUMENT":
        assert error.field


async def test_a_request_without_a_voice_says_so(client):
    error = await refused(client.voices.CreateVoice(pb.CreateVoiceRequest()))
    assert (error.status, error.field) == ("INVALID_ARGUMENT", "voice")


async def test_voices_are_listed_by_pages_with_those_of_the_model(client):
    for i in range(5):
        await make_voice(client, f"troll-{i}")
    pages, token = [], ""
    while True:
        page = await client.voices.ListVoices(pb.ListVoicesRequest(page_size=3, page_token=token))
        pages.append([v.id for v in page.voices])
        if not (token := page.next_page_token):
            break
    assert pages == [
        ["guard", "smith", "troll-0"],
        ["troll-1", "troll-2", "troll-3"],
        ["troll-4"],
    ]
    whole = await client.voices.ListVoices(pb.ListVoicesRequest())
    assert whole.voices[0].source == pb.VOICE_SOURCE_BUILTIN and len(whole.voices) == 7
    for wrong in ({"page_size": -1}, {"page_token": "No Token"}):
        error = await refused(client.voices.ListVoices(pb.ListVoicesRequest(**wrong)))
        assert error.status == "INVALID_ARGUMENT" and error.field == next(iter(wrong))


async def test_an_update_changes_what_its_mask_names(client):
    made = await make_voice(client, display_name="Troll", licence="CC0")
    renamed = await update(
        client, pb.Voice(id="troll", display_name="Ogre", licence="MIT"), "display_name"
    )
    assert (renamed.display_name, renamed.licence) == ("Ogre", "CC0")
    assert renamed.revision == 1 and renamed.etag != made.etag  # a name is not heard
    retold = await update(client, pb.Voice(id="troll", tag="en_us"))  # no mask: what is set
    assert (retold.tag, retold.display_name, retold.revision) == ("en_us", "Ogre", 2)
    cleared = await update(client, pb.Voice(id="troll"), "tag")
    assert (cleared.tag, cleared.revision) == ("", 3)


async def test_part_of_a_consent_is_updated(client):
    await make_voice(client, consent=granted())
    changed = await update(
        client, pb.Voice(id="troll", consent=pb.Consent(scope="two games")), "consent.scope"
    )
    assert (changed.consent.scope, changed.consent.holder) == ("two games", "Ada Aktorin")


async def test_an_embedding_is_replaced_and_rolled_back(client):
    made = await make_voice(client, seed=0)
    other = await update(client, a_voice(seed=1), "embedding")
    assert other.revision == 2 and other.content_hash != made.content_hash
    back = await client.voices.RollBackVoice(pb.RollBackVoiceRequest(id="troll", revision=1))
    assert back.voice.revision == 3 and back.voice.content_hash == made.content_hash
    listed = await client.voices.ListVoiceRevisions(pb.ListVoiceRevisionsRequest(id="troll"))
    assert [v.revision for v in listed.voices] == [3, 2, 1]
    page = await client.voices.ListVoiceRevisions(
        pb.ListVoiceRevisionsRequest(id="troll", page_size=1, page_token="3")
    )
    assert [v.revision for v in page.voices] == [2] and page.next_page_token
    old = await client.voices.GetVoiceRevision(pb.GetVoiceRevisionRequest(id="troll", revision=2))
    assert old.voice.content_hash == other.content_hash
    assert (await said(client, voice="troll@2")).header.voice_revision == 2
    error = await refused(
        client.voices.GetVoiceRevision(pb.GetVoiceRevisionRequest(id="troll", revision=9))
    )
    assert (error.status, error.reason) == ("NOT_FOUND", "REVISION_NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["id", "revision", "etag", "nothing", "labels.act", "consent.revoke_time", "parents"]
)
async def test_what_is_not_the_callers_to_set_is_refused_in_a_mask(client, path):
    await make_voice(client)
    error = await refused(update(client, pb.Voice(id="troll"), path))
    assert (error.status, error.field) == ("INVALID_ARGUMENT", "update_mask")


async def test_a_stale_etag_is_told_the_current_one(client):
    made = await make_voice(client)
    renamed = await update(client, pb.Voice(id="troll", display_name="Ogre"))
    stale = pb.Voice(id="troll", display_name="Orc", etag=made.etag)
    for call in (
        update(client, stale),
        client.voices.DeleteVoice(pb.DeleteVoiceRequest(id="troll", etag=made.etag)),
        client.voices.RollBackVoice(
            pb.RollBackVoiceRequest(id="troll", revision=1, etag=made.etag)
        ),
        client.voices.RevokeConsent(pb.RevokeConsentRequest(id="troll", etag=made.etag)),
    ):
        error = await refused(call)
        assert (error.status, error.reason) == ("ABORTED", "STALE_ETAG")
        assert error.metadata["etag"] == renamed.etag
    stale.etag = error.metadata["etag"]
    assert (await update(client, stale)).display_name == "Orc"


async def test_what_came_with_the_model_is_read_only(client):
    for call in (
        update(client, pb.Voice(id="guard", display_name="G")),
        client.voices.DeleteVoice(pb.DeleteVoiceRequest(id="guard")),
        client.voices.RollBackVoice(pb.RollBackVoiceRequest(id="guard", revision=1)),
        client.voices.RevokeConsent(pb.RevokeConsentRequest(id="guard")),
    ):
        error = await refused(call)
        assert (error.status, error.reason) == ("FAILED_PRECONDITION", "READ_ONLY")


async def test_a_deleted_voice_is_gone_from_the_next_line_on(client):
    made = await make_voice(client)
    await client.voices.DeleteVoice(pb.DeleteVoiceRequest(id="troll", etag=made.etag))
    for call in (get(client, "troll"), said(client, voice="troll"), revoke(client, "troll")):
        error = await refused(call)
        assert (error.status, error.reason) == ("NOT_FOUND", "VOICE_NOT_FOUND")
    assert (await make_voice(client)).revision > 1  # troll@1 never becomes another voice


async def test_a_blend_lies_between_its_voices_and_rests_on_their_consent(client):
    await make_voice(client, "one", 1)
    await make_voice(client, "two", 2)
    request = pb.BlendVoicesRequest(
        voice=pb.Voice(id="both"),
        shares=[pb.BlendShare(voice="one", weight=3), pb.BlendShare(voice="two@1", weight=1)],
    )
    both = (await client.voices.BlendVoices(request)).voice
    assert both.source == pb.VOICE_SOURCE_BLENDED
    assert {p.voice: p.weight for p in both.parents} == {"one@1": 0.75, "two@1": 0.25}
    await said(client, voice="both")
    await revoke(client, "two")
    error = await refused(said(client, voice="both"))
    assert (error.status, error.reason) == ("FAILED_PRECONDITION", "CONSENT_REVOKED")


@pytest.mark.parametrize(
    ("shares", "status"),
    [
        ([("one", 1.0)], "INVALID_ARGUMENT"),
        ([("one", 1.0), ("two", -1.0)], "INVALID_ARGUMENT"),
        ([("one", 1.0), ("two", float("nan"))], "INVALID_ARGUMENT"),
        ([("one", 1.0), ("guard", 1.0)], "INVALID_ARGUMENT"),  # has no embedding
        ([("one", 1.0), ("nobody", 1.0)], "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_blended_is_refused(client, shares, status):
    await make_voice(client, "one", 1)
    await make_voice(client, "two", 2)
    request = pb.BlendVoicesRequest(
        voice=pb.Voice(id="both"),
        shares=[pb.BlendShare(voice=voice, weight=weight) for voice, weight in shares],
    )
    assert (await refused(client.voices.BlendVoices(request))).status == status


async def test_a_voice_travels_as_a_file_without_its_consent(client, tmp_path):
    made = await make_voice(client, display_name="Troll", consent=granted())
    exported = await client.voices.ExportVoice(pb.ExportVoiceRequest(voice="troll"))
    assert exported.file_name == "troll.voice.safetensors" and b"Ada" not in exported.bundle
    async with serving(str(tmp_path / "other.db")) as other:
        request = pb.ImportVoiceRequest(bundle=exported.bundle)
        error = await refused(other.voices.ImportVoice(request))
        assert (error.status, error.reason) == ("FAILED_PRECONDITION", "CONSENT_REQUIRED")
        request.consent.CopyFrom(granted())
        imported = (await other.voices.ImportVoice(request)).voice
        assert imported.source == pb.VOICE_SOURCE_IMPORTED and imported.display_name == "Troll"
        assert imported.content_hash == made.content_hash
        request.id = "ogre"
        assert (await other.voices.ImportVoice(request)).voice.id == "ogre"
        damaged = bytearray(exported.bundle)
        damaged[-1] ^= 1
        error = await refused(
            other.voices.ImportVoice(pb.ImportVoiceRequest(bundle=bytes(damaged), id="x"))
        )
        assert (error.status, error.field) == ("INVALID_ARGUMENT", "bundle")


async def test_a_voice_that_may_not_speak_is_not_exported(client):
    await make_voice(client)
    await revoke(client, "troll")
    error = await refused(client.voices.ExportVoice(pb.ExportVoiceRequest(voice="troll")))
    assert (error.status, error.reason) == ("FAILED_PRECONDITION", "CONSENT_REVOKED")


async def test_a_revoked_voice_is_silent_in_all_its_revisions_until_somebody_agrees_anew(client):
    await make_voice(client, consent=granted())
    await update(client, pb.Voice(id="troll", tag="en_us"))
    revoked = await revoke(client, "troll")
    assert revoked.consent.HasField("revoke_time") and revoked.revision == 3
    for name in ("troll", "troll@1", "troll@2"):
        error = await refused(said(client, voice=name))
        assert (error.status, error.reason) == ("FAILED_PRECONDITION", "CONSENT_REVOKED")
    # Who writes back what was read has agreed to nothing.
    echoed = await update(client, await get(client, "troll"), "consent")
    assert echoed.consent.HasField("revoke_time")
    error = await refused(said(client, voice="troll"))
    assert error.reason == "CONSENT_REVOKED"
    await update(client, pb.Voice(id="troll", consent=granted("Bert")), "consent")
    await said(client, voice="troll")
    assert (await refused(said(client, voice="troll@1"))).reason == "CONSENT_REVOKED"


async def test_projects_do_not_see_each_other(tmp_path):
    store = str(tmp_path / "voices.db")
    async with (
        serving(store, project="north") as north,
        serving(store, project="south") as south,
        serving(store) as nobody,
        serving(store, project="default") as default,
        serving(store, project="Not A Project") as wrong,
    ):
        await make_voice(north)
        assert (await refused(said(south, voice="troll"))).status == "NOT_FOUND"
        assert (await refused(get(nobody, "troll"))).status == "NOT_FOUND"
        await make_voice(south, seed=1)
        await make_voice(nobody, "ours")
        assert (await get(default, "ours")).id == "ours"
        error = await refused(get(wrong, "troll"))
        assert (error.status, error.field) == ("INVALID_ARGUMENT", "project")


async def test_requests_but_uploads_are_small(client):
    large = "x" * MAX_REQUEST_BYTES
    error = await refused(client.voices.GetVoice(pb.GetVoiceRequest(id=large)))
    assert error.status == "INVALID_ARGUMENT" and str(MAX_REQUEST_BYTES) in str(error)
    bundle = bytes(MAX_REQUEST_BYTES * 3)
    error = await refused(client.voices.ImportVoice(pb.ImportVoiceRequest(bundle=bundle)))
    assert (error.status, error.field) == ("INVALID_ARGUMENT", "bundle")
    bundle = bytes(MAX_UPLOAD_BYTES + 1)
    error = await refused(client.voices.ImportVoice(pb.ImportVoiceRequest(bundle=bundle)))
    assert error.status == "RESOURCE_EXHAUSTED"


async def test_writers_that_do_not_know_of_each_other_lose_nothing(client):
    await make_voice(client)
    await asyncio.gather(
        *(
            update(
                client,
                pb.Voice(id="troll", embedding=pb.Embedding(space=SPACE, values=values(i))),
                "embedding",
            )
            for i in range(1, 9)
        )
    )
    assert (await get(client, "troll")).revision == 9


async def test_a_server_without_an_encoder_says_how_it_gets_one(client):
    request = pb.EnrollVoiceRequest(voice=pb.Voice(id="ada", consent=SYNTHETIC), clips=[b"RIFF"])
    error = await refused(client.voices.EnrollVoice(request))
    assert error.status == "FAILED_PRECONDITION" and "--speaker-encoder" in str(error)
