"""The accents of a model folder of the published form: six tags in its `language_settings`, read by its tokenizer."""

import json
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.model import load_model
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.v1 import accent_service_pb2 as accent_pb
from kani_npc.v1 import npc_service_pb2 as npc_pb
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.voices.builtin import load_voices
from tests.support.serving import refused, serving
from tests.support.tiny_random import make_random_model

TAGS = ("en_us", "en_nyork", "en_oakl", "en_glasg", "en_bost", "en_scou")
IDS = ("en-us", "en-nyork", "en-oakl", "en-glasg", "en-bost", "en-scou")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_random_model(tmp_path_factory.mktemp("model"), max_frames=8)
    config = json.loads((folder / "config.json").read_text())
    settings = {"status": "available_language_tags", "language_tags_list": TAGS}
    config |= {"language_settings": settings, "initializer_range": 0.5}
    (folder / "config.json").write_text(json.dumps(config))
    signs = ["<pad>", "<s>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyzHW0123456789_:,.!?' "]
    tokenizer = Tokenizer(WordLevel({sign: i for i, sign in enumerate(signs)}, unk_token="<unk>"))  # pyright: ignore
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")  # pyright: ignore
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "voices.json").unlink()  # nor has the published one any
    return folder


@pytest.fixture
async def client(folder: Path, tmp_path: Path):
    model = load_model(folder)
    info = model.info
    voices = load_voices(folder, languages=info.languages, speaker_space=info.speaker_space)
    engine = EngineSynthesizer(model, EngineSettings(num_slots=1), num_threads=1)
    try:
        store = str(tmp_path / "voices.db")
        async with serving(store, synthesizer=engine, voices=voices) as client:
            yield client
    finally:
        await engine.close()


async def test_the_published_tags_are_accents_that_nobody_can_change(client):
    listed = (await client.accents.ListAccents(accent_pb.ListAccentsRequest())).accents
    assert {a.id: a.tag for a in listed} == dict(zip(IDS, TAGS, strict=True))
    assert all(a.builtin and not a.etag for a in listed)
    info = await client.server_info()
    assert tuple(info.model.languages) == TAGS and info.default_accent == "en-us"
    for call in (
        client.accents.UpdateAccent(
            accent_pb.UpdateAccentRequest(accent=accent_pb.Accent(id="en-bost", tag="en_us"))
        ),
        client.accents.DeleteAccent(accent_pb.DeleteAccentRequest(id="en-bost")),
    ):
        assert (await refused(call)).reason == "READ_ONLY"


async def test_each_of_them_is_heard_and_so_is_one_of_ones_own(client):
    accent = accent_pb.Accent(id="the-docks", tag="en_scou", display_name="The docks")
    await client.accents.CreateAccent(accent_pb.CreateAccentRequest(accent=accent))
    await client.npcs.CreateNpc(
        npc_pb.CreateNpcRequest(npc=npc_pb.Npc(id="docker", voice="default", accent="the-docks"))
    )
    lines = [{"accent": name} for name in (*IDS, "en_bost", "the-docks")]
    heard: dict[str, bytes] = {}
    for line in [*lines, {"npc": "docker"}, {}]:
        speech = client.synthesize("Halt! Who goes there?", seed=1, pace=pb.PACE_UNPACED, **line)
        sound = b"".join([audio.data async for audio in speech])
        assert speech.header
        heard.setdefault(speech.header.accent, sound)
        assert heard[speech.header.accent] == sound
    assert set(heard) == {*IDS, "the-docks"}
    assert heard.pop("the-docks") == heard["en-scou"]
    assert len(set(heard.values())) == len(IDS)


async def test_a_tag_of_another_model_is_refused_with_those_that_there_are(client):
    accent = accent_pb.Accent(id="mars", tag="en_mars")
    error = await refused(client.accents.CreateAccent(accent_pb.CreateAccentRequest(accent=accent)))
    assert (error.status, error.reason) == ("FAILED_PRECONDITION", "TAG_UNKNOWN")
    assert all(tag in str(error) for tag in TAGS)
