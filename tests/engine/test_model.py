"""Opening a model folder: what it says about itself, and what is wrong with one that cannot speak."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kani_npc.codec.load import load_codec
from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.model import PUBLISHED_SAMPLING, load_model, read_sampling
from kani_npc.errors import CheckpointError, CodecError, ModelError
from kani_npc.lm.load import save_lm
from kani_npc.lm.model import Lfm2
from kani_npc.lm.sampler import SAMPLER_VERSION
from kani_npc.speech import Audio, Finished, Sampling
from tests.support.random_model import line, random_lm
from tests.support.tiny_random import make_random_model

SMALL_NEMO = Path(__file__).parents[1] / "golden" / "codec" / "small.nemo"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_random_model(tmp_path_factory.mktemp("models") / "pristine")


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(pristine, tmp_path / "mine"))


def change(path: Path, **values: object) -> None:
    """Sets keys of a JSON file; None takes a key out."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_model_says_what_it_is(pristine: Path):
    info = load_model(pristine).info
    assert (info.name, info.sample_rate_hz, info.samples_per_frame) == ("tiny", 22050, 1764)
    assert info.licence.startswith("Apache-2.0")
    assert "en_us" in info.languages
    assert info.sampling.greedy and info.sampling.max_frames == 12
    assert info.sampler_version == SAMPLER_VERSION
    assert info.notes == (), "this folder leaves nothing to guess"


def test_a_model_folder_speaks(pristine: Path):
    model = load_model(pristine)
    engine = Engine(model, EngineSettings(num_slots=1))
    utterance = line("u", "Halt! Who goes there?", voice=None, sampling=model.sampling)
    engine.submit(utterance, [utterance.text], is_open=False, submitted_s=time.perf_counter())
    events = []
    while engine.busy:
        events += [event.what for event in engine.step()]
    *audio, end = events
    assert isinstance(end, Finished) and end.total_samples == 12 * 1764
    assert sum(len(event.chunk.samples) for event in audio if isinstance(event, Audio)) == 12 * 1764


def test_what_a_folder_leaves_out_is_assumed_and_noted(folder: Path):
    change(folder / "config.json", audio_step=None, model_name=None, licence=None)
    (folder / "generation_config.json").unlink()
    info = load_model(folder).info
    assert info.name == "mine"
    assert "model's own card" in info.licence
    assert info.sampling == PUBLISHED_SAMPLING
    assert (info.sampling.temperature, info.sampling.top_p) == (1.0, 0.95)
    assert (info.sampling.top_k, info.sampling.repetition_penalty) == (50, 1.1)
    assert "config.json: audio_step=1.0 assumed" in info.notes
    assert "generation_config.json: top_k=50 assumed" in info.notes


def test_only_an_explicit_do_sample_false_is_greedy(folder: Path):
    change(folder / "generation_config.json", do_sample=None)
    sampling, notes = read_sampling(folder)
    assert not sampling.greedy
    assert notes == ()


def test_a_folder_says_how_much_text_is_said_in_one_go(folder: Path):
    assert load_model(folder).info.max_piece_characters == 90
    change(folder / "generation_config.json", max_piece_characters=None)
    assert load_model(folder).info.max_piece_characters == 220
    change(folder / "generation_config.json", max_piece_characters=0)
    with pytest.raises(ModelError, match=r"generation_config\.json: max_piece_characters"):
        load_model(folder)


def test_a_models_files_are_hashed_where_lines_are_kept_only(pristine: Path):
    assert len(load_model(pristine).info.content_hash) == 64
    assert load_model(pristine, hashed=False).info.content_hash == ""


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": -1.0},
        {"top_p": float("nan")},
        {"top_k": "many"},
        {"top_k": 20.5},
        {"max_frames": 0},
    ],
)
def test_sampling_defaults_that_mean_nothing_name_their_file(
    folder: Path, values: dict[str, object]
):
    change(folder / "generation_config.json", **values)
    with pytest.raises(ModelError, match=r"generation_config\.json"):
        load_model(folder)


@pytest.mark.parametrize("device", ["cuda:99", "cpu:zz", "toaster"])
def test_a_device_that_is_not_here_is_one_clear_line(folder: Path, device: str):
    with pytest.raises(ModelError, match=device) as caught:
        load_model(folder, device=device)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_codec_says_what_to_pass(folder: Path, tmp_path: Path):
    shutil.move(folder / "codec", tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="pass --codec"):
        load_model(folder)
    assert load_model(folder, codec=tmp_path / "elsewhere").info.samples_per_frame == 1764


def test_a_codec_of_another_model_is_refused_and_both_are_named(folder: Path):
    with pytest.raises(ModelError, match=r"4 codebooks of 1000 codes.*nanocodec.*has 4 of"):
        load_model(folder, codec=SMALL_NEMO)


def test_a_model_speaks_through_a_nemo_codec(folder: Path):
    codec = load_codec(SMALL_NEMO)
    config = random_lm().config
    vocab_size = config.audio_tokens_start + codec.num_codebooks * codec.codebook_size
    shutil.rmtree(folder / "codec")
    save_lm(Lfm2(replace(config, vocab_size=vocab_size)), folder)
    engine = Engine(load_model(folder, codec=SMALL_NEMO), EngineSettings(num_slots=1))
    sampling = Sampling(min_frames=5, max_frames=5)
    utterance = line("u", "Hail", voice=None, sampling=sampling)
    engine.submit(utterance, ["Hail"], is_open=False, submitted_s=time.perf_counter())
    events = []
    while engine.busy:
        events += [event.what for event in engine.step()]
    assert isinstance(events[-1], Finished) and events[-1].total_samples == 5 * 1764


def test_a_folder_that_is_none_and_files_that_are_broken_are_named(folder: Path, tmp_path: Path):
    with pytest.raises(ModelError, match="no model folder"):
        load_model(tmp_path / "nowhere")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_model(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_model(folder)


def test_a_tokenizer_of_another_model_is_refused(folder: Path):
    change(folder / "tokenizer.json", tags=[f"tag-{i}" for i in range(5000)])
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        load_model(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "generation_config.json", "codec/config.json"]
)
@pytest.mark.parametrize("text", ["", "[" * 100_000, "\x00", "[]"])
def test_a_file_that_is_no_json_object_is_an_error_of_ours(folder: Path, name: str, text: str):
    (folder / name).write_text(text)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_broken_codec_is_named(folder: Path):
    change(folder / "codec" / "config.json", kind="vinyl")
    with pytest.raises(CodecError, match="vinyl"):
        load_model(folder)


@pytest.mark.parametrize(
    ("weights", "packed"), [("auto", True), ("int8", True), ("int4", True), ("float32", False)]
)
def test_weights_are_kept_as_asked_and_packed_where_nothing_was_asked(pristine, weights, packed):
    lm = load_model(pristine, weights=weights).lm
    assert (lm.heads is not None) is packed
    assert lm.dtype == torch.float32


def test_logits_of_bfloat16_weights_are_float32_and_their_heads_are_counted(pristine: Path):
    rounded = load_model(pristine, weights="bfloat16")
    lm, size = rounded.lm, rounded.lm.config.hidden_size
    hidden = torch.randn(3, size, generator=torch.Generator().manual_seed(0)).bfloat16()
    head = lm.head_rows()[0]
    logits = lm.codebook_logits(hidden, 0)
    assert lm.dtype == torch.bfloat16 and logits.dtype == torch.float32
    torch.testing.assert_close(logits, (hidden.double() @ head.double().T).float())
    counted = rounded.memory_needs(64).fixed_bytes
    lm.heads = None
    heads = sum(4 * head.numel() for head in lm.head_rows())
    assert counted == rounded.memory_needs(64).fixed_bytes + heads


def test_weights_that_are_no_kind_of_weights_are_refused(pristine: Path):
    with pytest.raises(ModelError, match="weights are one of auto, float32"):
        load_model(pristine, weights="int2")


def test_a_small_model_asks_for_one_thread(pristine: Path):
    assert load_model(pristine).max_threads == 1
