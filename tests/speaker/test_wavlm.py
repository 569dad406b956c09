"""The published speaker encoder: its own arithmetic against golden vectors, its network against transformers' class."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import WavLMConfig, WavLMModel

from kani_npc.errors import CheckpointError, ModelError
from kani_npc.speaker.load import PUBLISHED_SPACE, encoder_space, load_speaker_encoder
from kani_npc.speaker.wavlm import PUBLISHED_THRESHOLD, TopLayers, normalised

UNITS = Path(__file__).parents[1] / "golden" / "kani" / "units" / "units.safetensors"
TOP = "top_layers."
SMALL = WavLMConfig(
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    conv_dim=[16, 16, 16, 16, 16, 16, 16],
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
    num_conv_pos_embeddings=8,
    num_conv_pos_embedding_groups=2,
    num_buckets=16,
    max_bucket_distance=40,
)
CONV = "wavlm.encoder.pos_conv_embed.conv."


@pytest.fixture(scope="module")
def units() -> dict[str, torch.Tensor]:
    return load_file(UNITS)


@pytest.fixture(scope="module")
def wavlm() -> WavLMModel:
    torch.manual_seed(0)
    model = WavLMModel(SMALL)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model.eval()


def checkpoint(wavlm: WavLMModel) -> dict[str, torch.Tensor]:
    """As the published one is written, at small dims."""
    top = TopLayers(SMALL.hidden_size, 12, 6)
    state = {f"wavlm.{name}": weight.clone() for name, weight in wavlm.state_dict().items()}
    generator = torch.Generator().manual_seed(1)
    for name, weight in top.state_dict().items():
        if weight.is_floating_point():
            weight = torch.randn(weight.shape, generator=generator)
        state[TOP + name] = weight.abs() + 0.5 if name.endswith("var") else weight
    return state


def write(folder: Path, state: dict[str, torch.Tensor], **config) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(SMALL.to_dict() | config))
    save_file(state, folder / "model.safetensors")
    return folder


def sound(seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, int(16_000 * seconds)).astype(np.float32)


def test_recording_is_normalised_as_the_reference_does(units):
    torch.testing.assert_close(
        normalised(units["spk.wav"]), units["spk.wav_mvn"], atol=1e-6, rtol=0
    )


def test_pooling_and_head_give_the_references_embedding(units):
    hidden, width = units["spk.top_layers.affine1.weight"].shape[:2]
    top = TopLayers(width // 2, hidden, len(units["spk.embedding"])).eval()
    prefix = "spk." + TOP
    top.load_state_dict(
        {n.removeprefix(prefix): w for n, w in units.items() if n.startswith(prefix)}
    )
    with torch.no_grad():
        ours = top(units["spk.encoder_out"])
    torch.testing.assert_close(ours, units["spk.embedding"], atol=1e-5, rtol=0)


def test_encoder_is_transformers_wavlm_between_normalisation_and_head(wavlm, tmp_path: Path):
    state = checkpoint(wavlm)
    encoder = load_speaker_encoder(write(tmp_path / "encoder", state))
    samples = torch.from_numpy(sound())
    top = TopLayers(SMALL.hidden_size, 12, 6).eval()
    top.load_state_dict({n.removeprefix(TOP): w for n, w in state.items() if n.startswith(TOP)})
    with torch.no_grad():
        frames = wavlm((samples - samples.mean())[None] / (samples.std() + 1e-10)).last_hidden_state
        theirs = top(frames[0])
    ours = encoder.embed(samples.numpy())
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours), 1, atol=1e-5)
    assert encoder.sample_rate_hz == 16_000
    assert encoder.change_threshold == PUBLISHED_THRESHOLD


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 400, 500, 719])
def test_one_frame_or_less_gives_an_embedding_and_not_nan(wavlm, tmp_path: Path, samples: int):
    encoder = load_speaker_encoder(write(tmp_path / "encoder", checkpoint(wavlm)))
    vector = encoder.embed(sound()[:samples])
    assert np.isfinite(vector).all()
    np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-5)


def test_only_the_first_thirty_seconds_are_heard(wavlm, tmp_path: Path):
    encoder = load_speaker_encoder(write(tmp_path / "encoder", checkpoint(wavlm)))
    long = sound(31)
    np.testing.assert_array_equal(encoder.embed(long), encoder.embed(long[: 30 * 16_000]))


def test_both_spellings_of_weight_norm_are_read(wavlm, tmp_path: Path):
    new = checkpoint(wavlm)
    old = {
        name.replace(CONV + "parametrizations.weight.original0", CONV + "weight_g").replace(
            CONV + "parametrizations.weight.original1", CONV + "weight_v"
        ): weight
        for name, weight in new.items()
    }
    assert old.keys() != new.keys()
    one = load_speaker_encoder(write(tmp_path / "new", new))
    other = load_speaker_encoder(write(tmp_path / "old", old))
    np.testing.assert_array_equal(one.embed(sound()), other.embed(sound()))


def test_counts_of_training_batches_are_not_asked_for(wavlm, tmp_path: Path):
    state = {n: w for n, w in checkpoint(wavlm).items() if "num_batches" not in n}
    load_speaker_encoder(write(tmp_path / "encoder", state))


def test_half_precision_weights_are_computed_in_float32(wavlm, tmp_path: Path):
    state = {n: w.bfloat16() if w.is_floating_point() else w for n, w in checkpoint(wavlm).items()}
    vector = load_speaker_encoder(write(tmp_path / "encoder", state)).embed(sound())
    assert vector.dtype == np.float32


def test_published_folder_names_no_space_and_gets_the_published_one(wavlm, tmp_path: Path):
    folder = write(tmp_path / "encoder", checkpoint(wavlm))
    assert encoder_space(folder) == PUBLISHED_SPACE
    assert load_speaker_encoder(folder).space == PUBLISHED_SPACE


def test_space_of_a_config_is_kept(wavlm, tmp_path: Path):
    folder = write(tmp_path / "encoder", checkpoint(wavlm), kind="wavlm", space="studio-1")
    assert load_speaker_encoder(folder).space == "studio-1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("wavlm.encoder.layer_norm.bias"), "lacks wavlm.encoder.layer_norm.bias"),
        (lambda s: s.pop("top_layers.affine2.weight"), "lacks top_layers.affine2.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), "extra"),
        (
            lambda s: s.update({"wavlm.encoder.layer_norm.bias": torch.zeros(5)}),
            r"layer_norm.bias has shape \[5\]; it should be \[24\]",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(wavlm, tmp_path: Path, change, message: str):
    state = checkpoint(wavlm)
    change(state)
    with pytest.raises(CheckpointError, match=message):
        load_speaker_encoder(write(tmp_path / "encoder", state))


@pytest.mark.parametrize(
    "config", [{"hidden_size": 10**9}, {"hidden_size": "24"}, {"num_hidden_layers": -1}]
)
def test_dims_that_no_model_has_are_refused(wavlm, tmp_path: Path, config: dict):
    with pytest.raises(ModelError, match="size"):
        load_speaker_encoder(write(tmp_path / "encoder", checkpoint(wavlm), **config))


def test_missing_weights_are_said_to_be_missing(wavlm, tmp_path: Path):
    folder = write(tmp_path / "encoder", checkpoint(wavlm))
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="missing"):
        load_speaker_encoder(folder)
