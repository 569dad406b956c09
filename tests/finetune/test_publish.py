"""What training made is published to a running service and heard there: as the merged model says it, until it is rolled
back; what does not fit is refused when it is published, what gets lost later fails its own lines only.
"""

import asyncio
import json
import resource
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import json_format
from typer.testing import CliRunner

from finetune.__main__ import app
from finetune.publish import (
    Character,
    publish,
    read_accent,
    read_character,
    read_consent,
    write_model,
)
from kani_npc.client import Client, ServiceError
from kani_npc.codec.load import load_codec
from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.model import load_model
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.errors import BundleError, InvalidRecord, StoreUnavailable
from kani_npc.lm.adapters import BASE_FILE, Lora
from kani_npc.lm.config import LmConfig
from kani_npc.server.npc_service import NpcService
from kani_npc.speech import SpeakerEmbedding
from kani_npc.v1 import accent_service_pb2 as accent_pb
from kani_npc.v1 import npc_service_pb2 as npc_pb
from kani_npc.v1 import sampling_pb2
from kani_npc.v1 import speech_service_pb2 as speech_pb
from kani_npc.v1 import voice_service_pb2 as pb
from kani_npc.voices import bundle as bundle_file
from kani_npc.voices.builtin import load_voices
from kani_npc.voices.bundle import Bundle, read_bundle, write_bundle
from kani_npc.voices.records import VoiceRecord
from tests.support.adapters import random_lora, write_delta, write_peft
from tests.support.random_model import random_codec
from tests.support.serving import SYNTHETIC, refused, serving
from tests.support.sound import distance

PACKED = 0.1  # of what a delta changes in the sound: the random codec's pitch starts anywhere
LSB = 3  # of int16: low-rank products round otherwise than merged ones
REPORT = b'{"rows": 20}'


@pytest.fixture(scope="module")
def model(random_model_folder: Path) -> Path:
    return random_model_folder


@pytest.fixture(scope="module")
def made(model: Path, tmp_path_factory) -> Path:
    """What training leaves: an adapter, a codec delta, an embedding."""
    folder = tmp_path_factory.mktemp("run")
    write_peft(folder / "adapter", model, size=1.0)
    write_delta(folder / "delta.safetensors", load_codec(model / "codec"), size=0.3)
    vector = torch.randn(1, 128, generator=torch.Generator().manual_seed(5))
    torch.save(vector, folder / "voice.pt")
    (folder / "report.json").write_bytes(REPORT)
    return folder


def character(model: Path, made: Path, **changes: Path | None) -> Character:
    paths: dict[str, Any] = {
        "adapter": made / "adapter",
        "codec_delta": made / "delta.safetensors",
        "embedding": made / "voice.pt",
        "report": made / "report.json",
    }
    paths.update(changes)
    return read_character(model=str(model), **paths)


@asynccontextmanager
async def speaking(model: Path, store: Path, **settings) -> AsyncIterator[Client]:
    """A client of a server of that model, whose lines are the same to the bit in any company."""
    loaded = load_model(model, weights="float32", reproducible=True)
    engine = EngineSynthesizer(loaded, EngineSettings(num_slots=4, adapters=2), num_threads=1)
    voices = load_voices(
        model, languages=loaded.info.languages, speaker_space=loaded.info.speaker_space
    )
    try:
        async with serving(
            str(store / "voices.db"),
            synthesizer=engine,
            voices=voices,
            artifacts=str(store / "parts"),
            **settings,
        ) as client:
            yield client
    finally:
        await engine.close()


async def heard(
    client: Client, voice: str = "", text: str = "Halt! Who goes there?", **who: str
) -> np.ndarray:
    speech = client.synthesize(text, voice=voice, pace=speech_pb.PACE_UNPACED, seed=1, **who)
    data = b"".join([audio.data async for audio in speech])
    return np.frombuffer(data, np.int16)


async def test_a_published_character_is_heard_at_once_as_the_merged_model_says_it_and_rolled_back(
    model, made, tmp_path
):
    plain = character(model, made, adapter=None, codec_delta=None)
    write_model(
        tmp_path / "merged",
        model=str(model),
        adapter=made / "adapter",
        codec_delta=made / "delta.safetensors",
    )
    async with speaking(model, tmp_path / "a") as client:
        await publish(client, "troll", plain, consent=SYNTHETIC, about={"display_name": "Troll"})
        before = await heard(client, "troll")
        voice = await publish(client, "troll", character(model, made))
        assert (voice.revision, voice.display_name) == (2, "Troll")
        assert voice.source == pb.VOICE_SOURCE_FINE_TUNED and voice.lora and voice.codec_delta
        assert voice.report == sha256(REPORT).hexdigest()
        after = await heard(client, "troll")
        assert not np.array_equal(after, before)
        both = await asyncio.gather(
            *(heard(client, name) for name in ("troll@1", "troll", "troll@2", "troll@1"))
        )
        for sound, expected in zip(both, (before, after, after, before), strict=True):
            np.testing.assert_array_equal(sound, expected)
        back = await client.voices.RollBackVoice(pb.RollBackVoiceRequest(id="troll", revision=1))
        assert back.voice.revision == 3 and not back.voice.lora
        np.testing.assert_array_equal(await heard(client, "troll"), before)
        forth = await client.voices.RollBackVoice(pb.RollBackVoiceRequest(id="troll", revision=2))
        assert forth.voice.content_hash == voice.content_hash
        np.testing.assert_array_equal(await heard(client, "troll"), after)
    async with speaking(tmp_path / "merged", tmp_path / "b") as client:
        await publish(client, "troll", plain, consent=SYNTHETIC)
        merged = await heard(client, "troll")
    assert len(merged) == len(after)
    assert np.abs(merged.astype(int) - after.astype(int)).max() <= LSB


async def test_what_is_not_given_stays_as_the_voice_had_it(model, made, tmp_path):
    async with speaking(model, tmp_path) as client:
        first = await publish(client, "troll", character(model, made), consent=SYNTHETIC)
        delta = read_character(model=str(model), codec_delta=made / "delta.safetensors")
        same = await publish(client, "troll", delta)
        assert same == first  # nothing new: no revision
        renamed = await publish(client, "troll", Character(), about={"licence": "CC0-1.0"})
        assert (renamed.lora, renamed.report) == (first.lora, first.report)
        assert renamed.revision == 2 and renamed.consent == first.consent
        exported = await client.voices.ExportVoice(pb.ExportVoiceRequest(voice="troll"))
        bundle = read_bundle(exported.bundle)
        assert set(bundle.parts) == bundle.voice.parts and REPORT in bundle.parts.values()
        # And on to another name, whole.
        request = pb.ImportVoiceRequest(bundle=exported.bundle, id="ogre", consent=SYNTHETIC)
        await client.voices.ImportVoice(request)
        np.testing.assert_array_equal(await heard(client, "ogre"), await heard(client, "troll"))


async def test_a_report_alone_is_the_next_revision_and_sounds_the_same(model, made, tmp_path):
    async with speaking(model, tmp_path) as client:
        first = await publish(client, "troll", character(model, made), consent=SYNTHETIC)
        before = await heard(client, "troll")
        second = await publish(client, "troll", Character(report=b'{"rows": 21}'))
        assert (first.revision, second.revision) == (1, 2)
        assert second.report == sha256(b'{"rows": 21}').hexdigest()
        assert second.content_hash == first.content_hash
        np.testing.assert_array_equal(await heard(client, "troll"), before)
        assert await publish(client, "troll", Character(report=b'{"rows": 21}')) == second
        # Both are kept, and what else changes takes the present one along.
        third = await publish(client, "troll", Character(), about={"licence": "CC0-1.0"})
        assert third.report == second.report
        for revision, data in ((1, REPORT), (2, b'{"rows": 21}')):
            name = f"troll@{revision}"
            exported = await client.voices.ExportVoice(pb.ExportVoiceRequest(voice=name))
            assert data in read_bundle(exported.bundle).parts.values()
        back = await client.voices.RollBackVoice(pb.RollBackVoiceRequest(id="troll", revision=1))
        assert back.voice.report == first.report


async def test_what_is_too_large_for_an_upload_is_rounded_and_heard_as_before(
    model, made, tmp_path, monkeypatch
):
    write_delta(tmp_path / "delta", load_codec(model / "codec"), size=0.05)
    whole = (tmp_path / "delta").stat().st_size
    tuned = character(model, made, adapter=None, codec_delta=tmp_path / "delta")
    async with speaking(model, tmp_path) as client:
        plain = character(model, made, adapter=None, codec_delta=None)
        await publish(client, "guard", plain, consent=SYNTHETIC)
        await publish(client, "troll", tuned, consent=SYNTHETIC)
        monkeypatch.setattr(bundle_file, "MAX_BYTES", whole)
        first = await publish(client, "ogre", tuned, consent=SYNTHETIC)
        base, expected, sound = [
            torch.tensor(await heard(client, name)).float() for name in ("guard", "troll", "ogre")
        ]
        assert 0 < distance(sound, expected) < PACKED * distance(base, expected)
        # An adapter is rounded with it, and both once more are no revision.
        both = character(model, made, codec_delta=tmp_path / "delta")
        second = await publish(client, "ogre", both)
        assert (second.revision, second.codec_delta) == (2, first.codec_delta) and second.lora
        assert len(await heard(client, "ogre"))
        assert await publish(client, "ogre", replace(both, lora=None)) == second
        assert await publish(client, "ogre", both) == second
        monkeypatch.setattr(bundle_file, "MAX_BYTES", whole // 4)
        with pytest.raises(BundleError, match="a model folder with it"):
            await publish(client, "giant", both, consent=SYNTHETIC)


async def test_kept_lines_are_not_those_of_another_adapter(model, made, tmp_path):
    async with speaking(model, tmp_path, cache="16MB") as client:
        plain = character(model, made, adapter=None, codec_delta=None)
        await publish(client, "troll", plain, consent=SYNTHETIC)
        sounds = [await heard(client, "troll") for _ in range(2)]
        await publish(client, "troll", character(model, made, codec_delta=None))
        sounds += [await heard(client, "troll") for _ in range(2)]
        await publish(client, "troll", character(model, made))
        sounds += [await heard(client, "troll") for _ in range(2)]
    assert [np.array_equal(sounds[0], sound) for sound in sounds] == [True] * 2 + [False] * 4
    assert np.array_equal(sounds[2], sounds[3]) and np.array_equal(sounds[4], sounds[5])
    assert not np.array_equal(sounds[2], sounds[4])


# --- the accent preset and the NPC beside it

GRUFF = accent_pb.Accent(
    id="gruff",
    display_name="Gruff",
    tag="en_scot",
    sampling=sampling_pb2.Sampling(greedy=False, temperature=2),
)


async def accents(client: Client) -> dict[str, accent_pb.Accent]:
    """Those of the project."""
    listed = await client.accents.ListAccents(accent_pb.ListAccentsRequest())
    return {accent.id: accent for accent in listed.accents if not accent.builtin}


async def npc_of(client: Client, id: str) -> npc_pb.Npc:
    return (await client.npcs.GetNpc(npc_pb.GetNpcRequest(id=id))).npc


async def test_an_accent_is_published_with_the_voice_and_heard_of_the_npc(model, made, tmp_path):
    plain = character(model, made, adapter=None, codec_delta=None)
    async with speaking(model, tmp_path) as client:
        await publish(client, "ogre", plain, consent=SYNTHETIC, about={"tag": "en_us"})
        voice = await publish(
            client, "troll", plain, consent=SYNTHETIC, accent=GRUFF, npc="gate-guard"
        )
        kept = (await accents(client))["gruff"]
        assert (voice.tag, kept.tag, kept.sampling) == ("en_scot", "en_scot", GRUFF.sampling)
        npc = await npc_of(client, "gate-guard")
        assert (npc.voice, npc.accent) == ("troll", "gruff")
        sound = await heard(client, npc="gate-guard")
        np.testing.assert_array_equal(sound, await heard(client, "ogre", accent="gruff"))
        assert not np.array_equal(sound, await heard(client, "troll"))  # the sampling is the NPC's
        # Once more changes nothing; what is given of them later, that.
        assert await publish(client, "troll", plain, accent=GRUFF, npc="gate-guard") == voice
        assert (await accents(client))["gruff"] == kept
        assert await npc_of(client, "gate-guard") == npc
        calmer = accent_pb.Accent(id="gruff", tag="en_us")
        calmer.sampling.temperature = 0.2
        assert (await publish(client, "troll", Character(), accent=calmer)).tag == "en_us"
        changed = (await accents(client))["gruff"]
        assert (changed.display_name, changed.tag) == ("Gruff", "en_us")
        assert changed.sampling == calmer.sampling
        await publish(client, "ogre", Character(), npc="gate-guard")
        npc = await npc_of(client, "gate-guard")
        assert (npc.voice, npc.accent) == ("ogre", "gruff")


async def test_an_accent_that_is_refused_leaves_the_voice_as_it_was(model, made, tmp_path):
    plain = character(model, made, adapter=None, codec_delta=None)
    builtin = accent_pb.Accent(id="en-us", tag="en_us")
    hot = accent_pb.Accent(id="hot", tag="en_us", sampling=sampling_pb2.Sampling(temperature=9))
    async with speaking(model, tmp_path) as client:
        before = await publish(client, "troll", plain, consent=SYNTHETIC)
        for accent, status, why in (
            (builtin, "FAILED_PRECONDITION", "came with the model"),
            (accent_pb.Accent(id="nordic", tag="xx"), "FAILED_PRECONDITION", "model knows en_us"),
            (hot, "INVALID_ARGUMENT", "temperature"),
            (accent_pb.Accent(id="No!", tag="en_us"), "INVALID_ARGUMENT", "id must be"),
        ):
            whole = character(model, made)
            error = await refused(publish(client, "troll", whole, accent=accent, npc="guard"))
            assert error.status == status and why in str(error), accent.id
        with pytest.raises(ValueError, match="the tag is 'en_us', the accent's 'en_scot'"):
            await publish(client, "troll", whole, accent=GRUFF, about={"tag": "en_us"})
        with pytest.raises(InvalidRecord, match="npc must be"):
            await publish(client, "troll", whole, accent=GRUFF, npc="Gate guard")
        assert await accents(client) == {}
        assert (await client.voices.GetVoice(pb.GetVoiceRequest(id="troll"))).voice == before
        assert (await refused(npc_of(client, "guard"))).status == "NOT_FOUND"


async def test_a_voice_that_is_refused_leaves_the_accent_as_it_was(model, made, tmp_path):
    bad, _ = unfit(model, made, tmp_path)["another base"]
    plain = character(model, made, adapter=None, codec_delta=None)
    async with speaking(model, tmp_path) as client:
        error = await refused(
            publish(client, "troll", bad, consent=SYNTHETIC, accent=GRUFF, npc="guard")
        )
        assert error.reason == "ADAPTER_UNFIT"
        assert await accents(client) == {}
        await publish(client, "troll", plain, consent=SYNTHETIC, accent=GRUFF)
        changed = accent_pb.Accent(id="gruff", tag="en_us", labels={"game": "one"})
        assert (await refused(publish(client, "troll", bad, accent=changed))).status == error.status
        kept = (await accents(client))["gruff"]
        assert (kept.tag, kept.sampling, kept.labels) == ("en_scot", GRUFF.sampling, {})


async def test_an_npc_that_cannot_be_kept_is_said_with_what_is_published(
    model, made, tmp_path, monkeypatch
):
    async def away(*_: Any) -> None:
        raise StoreUnavailable("the store went away just now", retry_after_s=1.0)

    monkeypatch.setattr(NpcService, "CreateNpc", away)
    async with speaking(model, tmp_path) as client:
        with pytest.raises(ValueError, match=r"troll@1 is published, but not npc guard: "):
            await publish(client, "troll", character(model, made), consent=SYNTHETIC, npc="guard")
        assert (await client.voices.GetVoice(pb.GetVoiceRequest(id="troll"))).voice.revision == 1


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"id": "gruff"}, "tag is missing"),
        ({"id": "gruff", "tag": "en_us", "temperature": 1}, "'temperature' is no part"),
        ({"id": "gruff", "tag": "en_us", "builtin": True}, "'builtin' is no part"),
        ({"id": "gruff", "tag": "en_us", "sampling": {"temprature": 1}}, "temprature"),
        ({"id": "gruff", "tag": "en_us", "sampling": {"top_k": 0.5}}, "top_k"),
        ({"id": "gruff", "tag": 7}, "tag"),
        (["gruff"], "not a JSON object"),
    ],
)
def test_an_accent_preset_that_means_nothing_is_refused_in_a_line(record, why, tmp_path):
    path = tmp_path / "gruff.json"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=rf"gruff\.json.*{why}") as caught:
        read_accent(path)
    assert len(str(caught.value).splitlines()) == 1


# --- what does not fit


def unfit(model: Path, made: Path, tmp_path: Path) -> dict[str, tuple[Character, str]]:
    good = character(model, made)
    assert good.lora is not None and good.codec_delta is not None
    config = LmConfig.from_json(model)
    write_delta(tmp_path / "other", random_codec())
    pair = next(iter(good.lora.matrices.values()))
    renamed = Lora(good.lora.base, {"embed_tokens": pair})

    def with_lora(lora: Lora) -> Character:
        return replace(good, lora=lora)

    base = good.lora.base
    other = replace(config, ff_size=2 * config.ff_size)
    return {
        "another base": (with_lora(random_lora(config)), "trained on the weights base"),
        "other dims": (with_lora(random_lora(other, base=base)), "is for a matrix of"),
        "rank": (with_lora(random_lora(config, rank=33, base=base)), "has rank 33"),
        "target": (with_lora(renamed), "changes embed_tokens"),
        "another codec": (
            replace(good, codec_delta=(tmp_path / "other").read_bytes()),
            "the delta's",
        ),
        "half a delta": (replace(good, codec_delta=good.codec_delta[:999]), "cut short"),
    }


async def test_what_the_model_cannot_speak_with_is_refused_when_it_is_published(
    model, made, tmp_path
):
    async with speaking(model, tmp_path) as client:
        for what, (bad, why) in unfit(model, made, tmp_path).items():
            error = await refused(publish(client, "troll", bad, consent=SYNTHETIC))
            assert (error.status, error.reason) == ("FAILED_PRECONDITION", "ADAPTER_UNFIT"), what
            assert why in str(error), what
        error = await refused(publish(client, "troll", character(model, made)))
        assert error.reason == "CONSENT_REQUIRED"
        listed = await client.voices.ListVoices(pb.ListVoicesRequest())
        assert "troll" not in {voice.id for voice in listed.voices}
        assert not list((tmp_path / "parts").rglob("*"))  # nor is anything kept of them
        # As the next revision of a voice they are refused too, and the voice stays as it was.
        await publish(client, "troll", character(model, made), consent=SYNTHETIC)
        before = await heard(client, "troll")
        for bad, _ in unfit(model, made, tmp_path).values():
            assert (await refused(publish(client, "troll", bad))).reason == "ADAPTER_UNFIT"
        np.testing.assert_array_equal(await heard(client, "troll"), before)


async def test_a_bundle_that_lacks_what_its_voice_names_is_refused(model, made, tmp_path):
    good = character(model, made)
    assert good.lora is not None
    data = good.lora.to_bytes()
    name = sha256(data).hexdigest()
    voice = VoiceRecord(id="troll", embedding=good.embedding, lora=name)
    async with speaking(model, tmp_path) as client:
        for bundle in (
            write_bundle(Bundle(voice)),
            write_bundle(Bundle(voice, {name: data}))[:-50],
        ):
            request = pb.ImportVoiceRequest(bundle=bundle, consent=SYNTHETIC)
            error = await refused(client.voices.ImportVoice(request))
            assert (error.status, error.field) == ("INVALID_ARGUMENT", "bundle")


async def test_a_part_that_is_lost_later_fails_its_own_lines_and_no_others(model, made, tmp_path):
    async with speaking(model, tmp_path) as client:
        await publish(client, "troll", character(model, made), consent=SYNTHETIC)
        plain = character(model, made, adapter=None, codec_delta=None)
        await publish(client, "guard", plain, consent=SYNTHETIC)
        expected = await heard(client, "guard")
        lora = (await client.voices.GetVoice(pb.GetVoiceRequest(id="troll"))).voice.lora
    next((tmp_path / "parts").rglob(lora)).unlink()
    async with speaking(model, tmp_path) as client:
        results = await asyncio.gather(
            *(heard(client, name) for name in ("guard", "troll", "guard", "troll")),
            return_exceptions=True,
        )
        for sound in results[::2]:
            assert isinstance(sound, np.ndarray)
            np.testing.assert_array_equal(sound, expected)
        for error in results[1::2]:
            assert isinstance(error, ServiceError)
            assert (error.status, error.reason) == ("FAILED_PRECONDITION", "ARTEFACT_MISSING")
        # Whoever publishes the same once more, under any name, brings it back.
        await publish(client, "ogre", character(model, made), consent=SYNTHETIC)
        np.testing.assert_array_equal(await heard(client, "troll"), await heard(client, "ogre"))


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def test_a_service_whose_disk_is_full_says_so_and_keeps_what_it_has(model, made, tmp_path):
    plain = character(model, made, adapter=None, codec_delta=None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with speaking(model, tmp_path) as client:
        await publish(client, "troll", plain, consent=SYNTHETIC)
        before = await heard(client, "troll")
        kept = files(tmp_path / "parts")
        size = (made / "delta.safetensors").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, limits[1]))
        try:
            error = await refused(publish(client, "troll", character(model, made, adapter=None)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert error.status == "UNAVAILABLE" and "File too large" in str(error)
        assert files(tmp_path / "parts") == kept
        np.testing.assert_array_equal(await heard(client, "troll"), before)
        assert (await publish(client, "troll", character(model, made))).revision == 2


async def test_a_server_of_another_model_refuses_the_voice_s_lines(model, made, tmp_path):
    async with speaking(model, tmp_path / "store") as client:
        await publish(client, "troll", character(model, made), consent=SYNTHETIC)
    write_model(tmp_path / "merged", model=str(model), adapter=made / "adapter")
    async with speaking(tmp_path / "merged", tmp_path / "store") as client:
        error = await refused(heard(client, "troll"))
        assert (error.status, error.reason) == ("FAILED_PRECONDITION", "ADAPTER_UNFIT")


# --- the command line, and files


async def test_the_command_publishes_and_says_the_revision(model, made, tmp_path):
    consent = tmp_path / "consent.json"
    consent.write_text(
        json.dumps(
            {
                "kind": "granted",
                "holder": "Ada",
                "statement": "I agree.",
                "scope": "one game",
                "expires": "2099-01-01",
            }
        )
    )
    accent = tmp_path / "gruff.json"
    accent.write_text(json_format.MessageToJson(GRUFF, preserving_proto_field_name=True))
    async with speaking(model, tmp_path / "store") as client:
        arguments = ["publish", "troll", "--server", client.address, "--model", str(model)]
        arguments += ["--adapter", str(made / "adapter"), "--embedding", str(made / "voice.pt")]
        arguments += ["--consent", str(consent), "--tag", "en_scot", "--name", "Troll"]
        arguments += ["--accent", str(accent), "--npc", "gate-guard"]
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "finetune", *arguments), stdout=PIPE, stderr=PIPE
        )
        output, errors = await command.communicate()
        assert (command.returncode, output) == (
            0,
            b"troll@1\naccent gruff\nnpc gate-guard\n",
        ), errors
        voice = (await client.voices.GetVoice(pb.GetVoiceRequest(id="troll"))).voice
        assert (voice.tag, voice.consent.holder, voice.display_name) == ("en_scot", "Ada", "Troll")
        assert voice.consent.expire_time.ToJsonString() == "2099-01-01T00:00:00Z"
        kept = (await accents(client))["gruff"]
        assert (kept.display_name, kept.sampling) == (GRUFF.display_name, GRUFF.sampling)
        assert (await npc_of(client, "gate-guard")).accent == "gruff"


def test_the_command_says_in_a_line_what_is_wrong(model, made):
    arguments = ["publish", "troll", "--model", str(model), "--adapter", str(made / "adapter")]
    for more, why in (([], "--server must be"), (["--server", "127.0.0.1:1"], "127.0.0.1:1: ")):
        result = CliRunner().invoke(app, [*arguments, *more])
        assert isinstance(result.exception, ValueError) and str(result.exception).startswith(why)


def test_a_model_folder_is_whole_and_of_the_base_s_files(model, made, tmp_path):
    out = tmp_path / "merged"
    write_model(out, model=str(model), adapter=made / "adapter", say=lambda _: None)
    assert {path.name for path in out.iterdir()} == {path.name for path in model.iterdir()}
    ours, base = (json.loads((folder / "config.json").read_text()) for folder in (out, model))
    assert {name: ours[name] for name in base if name in ours}.keys() == base.keys()
    assert ours["speaker_space"] == base["speaker_space"]
    with pytest.raises(ValueError, match="is there already"):
        write_model(out, model=str(model), adapter=made / "adapter")
    load_model(out)


def test_the_adapter_says_which_model_it_is_for(model, made, tmp_path):
    adapter = tmp_path / "adapter"
    shutil.copytree(made / "adapter", adapter)
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"base_model_name_or_path": str(model)}))
    lora = read_character(adapter=adapter).lora
    assert lora is not None
    assert lora.base == json.loads((adapter / BASE_FILE).read_text())["weights"]
    path.write_text(json.dumps(config | {"base_model_name_or_path": None}))
    with pytest.raises(ValueError, match="pass --model"):
        read_character(adapter=adapter)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"kind": "maybe"}, "kind must be"),
        ({"kind": "granted", "holdr": "Ada"}, "'holdr' is no part"),
        ({"kind": "granted", "holder": 3}, "are texts"),
        ({"kind": "granted", "expires": "soon"}, "isoformat"),
        ([], "not a JSON object"),
    ],
)
def test_a_consent_that_means_nothing_is_refused(record, why, tmp_path):
    path = tmp_path / "consent.json"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=why):
        read_consent(str(path))


def test_an_embedding_comes_from_prepared_rows_of_one_speaker(model, tmp_path):
    import datasets

    from finetune.rows import features

    def row(speaker: str, value: float) -> dict:
        vector = [value] * 64 + [0.5] * 64
        codes = {f"nano_layer_{k + 1}": [1, 2] for k in range(4)}
        return {
            **codes,
            **{"text": "Halt!", "encoded_len": 2, "speaker_emb": vector, "tag": "en_us"},
            **{"grouped_sp_emb": vector, "speaker": speaker, "source": "a.wav", "speech_s": 1.0},
        }

    rows = [row("ada", 1.0), row("bob", -1.0), row("ada", 1.0)]
    (tmp_path / "rows").mkdir()
    table = datasets.Dataset.from_list(rows, features=features(128))
    table.to_parquet(tmp_path / "rows" / "train.parquet")
    (tmp_path / "report.json").write_bytes(REPORT)
    with pytest.raises(ValueError, match="has ada, bob; name one"):
        read_character(model=str(model), data=tmp_path)
    found = read_character(model=str(model), data=tmp_path, speaker="bob")
    assert read_character(model=str(model), data=tmp_path / "rows", speaker="bob") == found
    assert isinstance(found.embedding, SpeakerEmbedding) and found.report == REPORT
    assert found.embedding.vector[0] < 0 and np.isclose(np.linalg.norm(found.embedding.vector), 1)
    assert found.embedding.space == json.loads((model / "config.json").read_text())["speaker_space"]
