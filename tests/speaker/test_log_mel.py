"""The small speaker encoder: what it hears does not depend on level, silence or length; its files are strict."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from kani_npc.errors import CheckpointError, ModelError
from kani_npc.speaker.load import encoder_space, load_speaker_encoder
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder
from tests.support.clips import speechlike


@pytest.fixture(scope="module")
def encoder() -> LogMelEncoder:
    torch.manual_seed(0)
    return LogMelEncoder(LogMelConfig("test-1", change_threshold=0.5)).eval()


@pytest.fixture
def folder(encoder: LogMelEncoder, tmp_path: Path) -> Path:
    encoder.save(tmp_path / "speaker")
    return tmp_path / "speaker"


def test_embedding_has_unit_length_and_the_stated_width(encoder):
    vector = encoder.embed(speechlike())
    assert vector.shape == (128,) and vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 160, 511, 512, 513, 700, 16_000])
@pytest.mark.parametrize("gain", [0.0, 1e-7, 1.0, 1e4])
def test_any_finite_sound_gives_a_finite_embedding(encoder, samples: int, gain: float):
    vector = encoder.embed(gain * speechlike()[:samples])
    assert np.isfinite(vector).all()


def test_level_says_nothing_of_the_speaker(encoder):
    quiet, loud = (encoder.embed(gain * speechlike()) for gain in (0.01, 1.0))
    np.testing.assert_allclose(quiet, loud, atol=1e-4)


def test_silence_around_the_speech_says_nothing_of_the_speaker(encoder):
    silence = np.zeros(32_000, np.float32)
    alone = encoder.embed(speechlike())
    framed = encoder.embed(np.concatenate([silence, speechlike(), silence]))
    assert alone @ framed > 0.999


def test_saved_encoder_is_the_same_one(encoder, folder: Path):
    loaded = load_speaker_encoder(folder)
    np.testing.assert_array_equal(loaded.embed(speechlike()), encoder.embed(speechlike()))
    assert (loaded.space, loaded.change_threshold) == ("test-1", 0.5)
    assert encoder_space(folder) == "test-1"


def test_weights_are_a_sixth_of_a_million_and_less_than_a_megabyte(encoder, folder: Path):
    assert 100_000 < sum(p.numel() for p in encoder.parameters()) < 200_000
    assert (folder / "model.safetensors").stat().st_size < 1_000_000


def test_truncated_weights_are_named(folder: Path):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_speaker_encoder(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": None}, "space"),
        ({"space": ""}, "space"),
        ({"width": 3}, "unknown"),
        ({"dim": 0}, "dim"),
        ({"dim": 10**9}, "dim"),
        ({"dim": True}, "dim"),
        ({"channels": "96"}, "channels"),
        ({"sample_rate_hz": 8000}, "sample_rate_hz"),
        ({"change_threshold": 2.0}, "cosine"),
        ({"kind": "resnet"}, "kind"),
        ({"kind": None}, "kind"),
    ],
)
def test_config_that_means_nothing_is_refused(folder: Path, change: dict, message: str):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        load_speaker_encoder(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_config_that_is_no_object_is_refused(folder: Path, text: str):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json"):
        load_speaker_encoder(folder)


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="could not be read"):
        load_speaker_encoder(tmp_path)
