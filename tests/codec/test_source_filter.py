"""The source-filter codec: exact streams, strict causality, files that say what is wrong with them."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.codec.source_filter import (
    ENCODER_FILE,
    SourceFilterCodec,
    SourceFilterConfig,
    Tails,
)
from kani_npc.errors import CheckpointError, CodecError

CONFIG = SourceFilterConfig(
    frame_channels=24,
    frame_blocks=1,
    hop_channels=16,
    hop_blocks=2,
    pitch_channels=16,
    pitch_blocks=1,
    encoder_channels=16,
    encoder_frame_channels=24,
    encoder_blocks=1,
)
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def trainable() -> SourceFilterCodec:
    torch.manual_seed(1)
    codec = SourceFilterCodec(CONFIG, with_encoder=True)
    # As spread as trained weights: pitch crosses its range, voicing comes and goes, filters move.
    with torch.no_grad():
        codec.decoder.pitch.outputs.weight.mul_(40)
        codec.decoder.envelope.outputs.weight.mul_(15)
    return codec


@pytest.fixture(scope="module")
def codec(trainable, tmp_path_factory) -> SourceFilterCodec:
    folder = tmp_path_factory.mktemp("codec")
    trainable.save(folder)
    return SourceFilterCodec.from_folder(folder)


def draw_codes(seed: int, *shape: int) -> torch.Tensor:
    return torch.randint(
        0, CONFIG.codebook_size, shape, generator=torch.Generator().manual_seed(seed)
    )


def test_random_model_is_worth_testing(codec):
    codes_KF = draw_codes(0, 4, 40)
    pitch = codec.decoder.pitch(codec.latents(codes_KF[None]).double(), Tails())
    assert 0.1 < (pitch.voicing_BT > 0).double().mean() < 0.9
    assert 0.05 < codec.decode(codes_KF).std() < 1


@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_any_cutting_gives_the_samples_of_one_whole_decode(codec, seed, cuts):
    codes_KF = draw_codes(seed, 4, sum(cuts))
    stream = codec.streaming_decoder()
    state = stream.init_state(num_slots=1)
    pieces = [stream(piece[None], state)[0] for piece in codes_KF.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(pieces), codec.decode(codes_KF), atol=TOLERANCE, rtol=0)


@given(
    seed=st.integers(0, 1000),
    steps=st.lists(
        st.tuples(st.permutations(range(4)), st.integers(1, 4), st.integers(1, 3)),
        min_size=1,
        max_size=8,
    ),
)
@settings(max_examples=15, deadline=None)
def test_rows_in_any_slots_and_company_sound_as_they_do_alone(codec, seed, steps):
    codes_SKF = draw_codes(seed, 4, 4, 3 * len(steps))
    stream = codec.streaming_decoder()
    state = stream.init_state(num_slots=4)
    heard = {slot: [] for slot in range(4)}
    frames_done = [0] * 4
    for order, rows, frames in steps:
        slots = order[:rows]
        batch = [
            codes_SKF[slot, :, frames_done[slot] : frames_done[slot] + frames] for slot in slots
        ]
        for slot, samples in zip(
            slots, stream(torch.stack(batch), state, slots=slots), strict=True
        ):
            heard[slot].append(samples)
            frames_done[slot] += frames
    for slot, pieces in heard.items():
        if pieces:
            alone = codec.decode(codes_SKF[slot, :, : frames_done[slot]])
            torch.testing.assert_close(torch.cat(pieces), alone, atol=TOLERANCE, rtol=0)


def test_ten_seconds_in_single_frames_has_not_drifted(codec):
    codes_KF = draw_codes(5, 4, 125)
    stream = codec.streaming_decoder()
    state = stream.init_state(num_slots=1)
    pieces = [stream(frame[None], state)[0] for frame in codes_KF.split(1, dim=1)]
    torch.testing.assert_close(torch.cat(pieces), codec.decode(codes_KF), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_f_frames_are_1764_samples_each(codec, frames):
    samples_N = codec.decode(draw_codes(0, 4, frames))
    assert samples_N.shape == (1764 * frames,) and samples_N.dtype == torch.float32


@pytest.mark.parametrize("changed", [1, 6, 11])
def test_a_frame_changes_nothing_before_its_own_samples(codec, changed):
    codes_KF = draw_codes(2, 4, 12)
    other_KF = codes_KF.clone()
    other_KF[:, changed] = draw_codes(3, 4)
    samples_N, other_N = codec.decode(codes_KF), codec.decode(other_KF)
    assert torch.equal(samples_N[: changed * 1764], other_N[: changed * 1764])
    assert not torch.allclose(samples_N[changed * 1764 :][:1764], other_N[changed * 1764 :][:1764])


def test_reset_makes_a_slot_as_new_and_leaves_the_others(codec):
    codes_SKF = draw_codes(4, 3, 4, 4)
    stream = codec.streaming_decoder()
    state, untouched = stream.init_state(num_slots=3), stream.init_state(num_slots=3)
    first = stream(codes_SKF, state)
    stream(codes_SKF, untouched)
    state.reset(slots=[2])
    second, expected = stream(codes_SKF, state), stream(codes_SKF, untouched)
    torch.testing.assert_close(second[2], first[2], atol=TOLERANCE, rtol=0)
    assert torch.equal(second[:2], expected[:2])


def test_slots_must_be_distinct_and_one_a_row(codec):
    stream = codec.streaming_decoder()
    state = stream.init_state(num_slots=3)
    for slots in ([0], [1, 1], None):
        with pytest.raises(CodecError, match="one distinct slot a row"):
            stream(draw_codes(0, 2, 4, 1), state, slots=slots)


def test_codes_of_another_codec_are_refused(codec):
    with pytest.raises(CodecError, match="outside the codebook"):
        codec.decode(torch.full((4, 2), 1000))


def test_encoding_without_the_encoder_says_where_it_lives(codec):
    with pytest.raises(CodecError, match="finetune/assets/tiny"):
        codec.encode(torch.zeros(1764))


def test_saved_codec_encodes_and_decodes_as_the_trained_one(trainable, tmp_path):
    trainable.save(tmp_path, encoder=tmp_path / ENCODER_FILE)
    loaded = SourceFilterCodec.from_folder(tmp_path, encoder=tmp_path / ENCODER_FILE)
    samples_N = torch.randn(5000, generator=torch.Generator().manual_seed(0)) * 0.1
    codes_KF = loaded.encode(samples_N)
    assert codes_KF.shape == (4, 3)  # 5000 samples need three frames
    padded_N = torch.nn.functional.pad(samples_N, (0, 3 * 1764 - 5000))
    assert torch.equal(codes_KF, trainable.encode_batch(padded_N[None])[0])
    assert torch.isfinite(loaded.decode(codes_KF)).all()


def test_quantised_latents_are_what_their_codes_decode_to(trainable):
    latents_BFZ = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    quantised_BFZ = trainable.quantiser.quantize(latents_BFZ.mT).mT
    torch.testing.assert_close(
        trainable.latents(trainable.quantiser.encode(latents_BFZ.mT)), quantised_BFZ
    )


def test_a_config_that_does_not_fit_names_the_keys(trainable, tmp_path):
    trainable.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["hop_blocks"]
    (tmp_path / "config.json").write_text(json.dumps({**config, "hops": 1}))
    with pytest.raises(CodecError, match=r"lacks \['hop_blocks'\] and has unknown \['hops'\]"):
        SourceFilterCodec.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("hop_blocks", 10**18), ("frame_channels", 0), ("levels", "8555"), ("num_groups", 4.0)],
)
def test_a_damaged_config_is_refused_before_anything_is_built(trainable, tmp_path, key, value):
    trainable.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(CodecError, match=f"{key} is .*; expected whole numbers from 1 to"):
        SourceFilterCodec.from_folder(tmp_path)


def test_weights_that_do_not_fit_name_key_and_shapes(trainable, tmp_path):
    trainable.save(tmp_path)
    wider = dataclasses.replace(CONFIG, pitch_channels=20)
    config = json.loads((tmp_path / "config.json").read_text())
    config["pitch_channels"] = wider.pitch_channels
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"pitch\.\S+ has shape \[16.*expected \[20"):
        SourceFilterCodec.from_folder(tmp_path)


def test_a_folder_without_weights_says_so(trainable, tmp_path):
    trainable.save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors could not be read"):
        SourceFilterCodec.from_folder(tmp_path)
