"""Files: NeMo's and our own, and every way in which they can be wrong."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from kani_npc.codec.load import load_codec
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.nemo import from_nemo_state, split_weight_norm, to_nemo_state
from kani_npc.codec.network import NanoCodecConfig
from kani_npc.errors import CheckpointError, CodecError

GOLDEN = Path(__file__).parents[1] / "golden" / "codec"


def nemo_config(config: NanoCodecConfig) -> dict[str, Any]:
    return {
        "sample_rate": config.sample_rate_hz,
        "samples_per_frame": config.samples_per_frame,
        "audio_encoder": {
            "_target_": "nemo.collections.tts.modules.audio_codec_modules.HiFiGANEncoder",
            "down_sample_rates": list(config.down_sample_rates),
            "encoded_dim": config.latent_size,
            "base_channels": config.encoder_channels,
            "resblock_kernel_sizes": list(config.encoder_kernels),
            "resblock_dilation_sizes": list(config.encoder_dilations),
            "activation": "lrelu",
            "pad_mode": "replicate",
        },
        "audio_decoder": {
            "_target_": "nemo.collections.tts.modules.audio_codec_modules.CausalHiFiGANDecoder",
            "up_sample_rates": list(config.up_sample_rates),
            "input_dim": config.latent_size,
            "base_channels": config.decoder_channels,
            "resblock_kernel_sizes": list(config.decoder_kernels),
            "resblock_dilation_sizes": list(config.decoder_dilations),
            "activation": "half_snake",
            "output_activation": "clamp",
            "pad_mode": "zeros",
            "n_groups_equal_to_out_channels": True,
        },
        "vector_quantizer": {
            "_target_": "nemo.collections.tts.modules.audio_codec_modules.GroupFiniteScalarQuantizer",
            "num_groups": config.num_groups,
            "num_levels_per_group": list(config.levels_per_group),
        },
    }


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def write_nemo(miniature_codec, tmp_path) -> Callable[..., Path]:
    """Writes a good `.nemo` file, changed as asked."""

    def write(
        *,
        config: Callable[[dict[str, Any]], object] = lambda config: None,
        state: Callable[[dict[str, torch.Tensor]], object] = lambda state: None,
        members: Callable[[tarfile.TarFile], object] | None = None,
        mode: str = "w",
    ) -> Path:
        settings = nemo_config(miniature_codec.config)
        config(settings)
        tensors = to_nemo_state(miniature_codec.state_dict(), miniature_codec.config)
        tensors = {key: value.clone() for key, value in tensors.items()}  # the codec is shared
        tensors["discriminator.conv.weight"] = torch.ones(3)
        state(tensors)
        weights = io.BytesIO()
        torch.save(tensors, weights)
        file = tmp_path / "codec.nemo"
        with tarfile.open(file, mode) as tar:
            if members is not None:
                members(tar)
            else:
                add(tar, "./model_config.yaml", yaml.safe_dump(settings).encode())
                add(tar, "./model_weights.ckpt", weights.getvalue())
        return file

    return write


def assert_same(codec: Any, other: NanoCodec) -> None:
    codes = torch.randint(0, 20, (2, 4), generator=torch.Generator().manual_seed(0))
    # Splitting and folding weight norm rounds: 1e-6 of weights of order 1.
    assert torch.allclose(codec.decode(codes), other.decode(codes), atol=1e-5)


def test_the_published_configuration_is_the_default():
    config = yaml.safe_load((GOLDEN / "full_model_config.yaml").read_text())
    assert NanoCodecConfig.from_nemo(config) == NanoCodecConfig()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_plain_and_gzipped_files_are_read(write_nemo, miniature_codec, mode):
    assert_same(load_codec(write_nemo(mode=mode)), miniature_codec)


def test_weights_in_half_precision_are_read(write_nemo, miniature_codec):
    def halve(state):
        state.update(
            {key: value.half() for key, value in state.items() if value.is_floating_point()}
        )

    codec = load_codec(write_nemo(state=halve))
    assert codec.decode(torch.zeros(2, 1, dtype=torch.long)).dtype == torch.float32


def test_the_names_are_nemos(small_codec):
    """What we would write is what NeMo wrote, but for what only its training needs."""
    with tarfile.open(GOLDEN / "small.nemo") as tar:
        stream = tar.extractfile("./model_weights.ckpt")
        theirs = torch.load(io.BytesIO(stream.read()), weights_only=True)
    parts = ("audio_encoder.", "audio_decoder.", "vector_quantizer.")
    theirs = {key: value for key, value in theirs.items() if key.startswith(parts)}
    ours = to_nemo_state(small_codec.state_dict(), small_codec.config)
    assert {key: (value.shape, value.dtype) for key, value in ours.items()} == {
        key: (value.shape, value.dtype) for key, value in theirs.items()
    }
    again = from_nemo_state(ours, small_codec.config, "ours")
    for key, value in small_codec.state_dict().items():
        assert torch.allclose(again[key], value, atol=1e-6)


def test_torchs_weight_norm_uses_the_names_that_are_split_and_folded(miniature_codec, tmp_path):
    miniature_codec.save(tmp_path)
    codec = NanoCodec.from_folder(tmp_path)
    codec.encoder.requires_grad_(False)
    for module in codec.decoder.modules():
        if isinstance(module, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
            torch.nn.utils.parametrizations.weight_norm(module)
    decoder = split_weight_norm(
        {f"decoder.{k}": v for k, v in miniature_codec.decoder.state_dict().items()}
    )
    assert {f"decoder.{key}" for key in codec.decoder.state_dict()} == decoder.keys()
    codec.save(tmp_path / "trained")
    assert_same(load_codec(tmp_path / "trained"), miniature_codec)


# --- files that are none


def test_what_is_not_there_is_no_codec(tmp_path):
    for path in (tmp_path / "none.nemo", tmp_path / "none", tmp_path):
        with pytest.raises(CodecError):
            load_codec(path)
    (tmp_path / "codec.bin").write_bytes(b"x")
    with pytest.raises(CodecError, match=r"expected a \.nemo file or a folder"):
        load_codec(tmp_path / "codec.bin")


@pytest.mark.parametrize(
    "data", [b"", b"\x1f\x8b", b"no tar" * 500, b"\0" * 10240, b"\x1f\x8bxxxx" * 99]
)
def test_a_file_that_is_no_tar_is_refused(tmp_path, data):
    (tmp_path / "codec.nemo").write_bytes(data)
    with pytest.raises(CodecError):
        load_codec(tmp_path / "codec.nemo")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.9])
def test_a_file_cut_short_is_refused(write_nemo, mode, part):
    file = write_nemo(mode=mode)
    data = file.read_bytes()
    file.write_bytes(data[: int(part * len(data))])
    with pytest.raises(CodecError):
        load_codec(file)


def test_damaged_weights_are_refused(write_nemo):
    file = write_nemo(
        members=lambda tar: (
            add(tar, "model_config.yaml", yaml.safe_dump(nemo_config(NanoCodecConfig())).encode()),
            add(tar, "model_weights.ckpt", b"PK\x03\x04" + b"damaged" * 1000),
        )
    )
    with pytest.raises(CodecError, match=r"model_weights\.ckpt is damaged"):
        load_codec(file)


class Intruder:
    def __reduce__(self):
        return (Path.touch, (Path("intruder_was_here"),))


def test_a_pickle_that_would_run_code_is_not_run(write_nemo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write_nemo(state=lambda state: state.update(intruder=Intruder()))
    with pytest.raises(CodecError, match="more than tensors"):
        load_codec(file)
    assert not (tmp_path / "intruder_was_here").exists()


def test_weights_that_are_no_flat_table_are_refused(write_nemo):
    file = write_nemo(state=lambda state: state.update(state_dict={"deeper": torch.ones(1)}))
    with pytest.raises(CodecError, match="not a flat table of tensors"):
        load_codec(file)


def test_a_missing_member_is_named(write_nemo):
    with pytest.raises(CodecError, match=r"holds no model_config\.yaml"):
        load_codec(write_nemo(members=lambda tar: add(tar, "model_weights.ckpt", b"")))
    with pytest.raises(CodecError, match=r"holds no model_weights\.ckpt"):
        load_codec(write_nemo(members=lambda tar: add(tar, "model_config.yaml", b"a: 1")))


def test_names_that_lead_out_of_the_file_lead_nowhere(write_nemo, tmp_path):
    def members(tar: tarfile.TarFile) -> None:
        link = tarfile.TarInfo("model_config.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
        add(tar, "../../escaped", b"x")

    with pytest.raises(CodecError, match="not a plain file"):
        load_codec(write_nemo(members=members))
    with pytest.raises(CodecError, match="holds no model_config"):
        load_codec(write_nemo(members=lambda tar: add(tar, "../model_config.yaml", b"a: 1")))
    assert not list(tmp_path.parent.rglob("escaped"))


def test_an_oversized_configuration_is_not_parsed(write_nemo):
    with pytest.raises(CodecError, match="at most"):
        load_codec(write_nemo(config=lambda config: config.update(padding="x" * (1 << 19))))


@pytest.mark.parametrize(
    "text",
    [b"[1, 2", b"- 1", b"!!python/object/apply:os.getcwd []", b"[" * 5_000, b"\xff\xfe\x00"],
)
def test_a_configuration_that_is_no_mapping_is_refused(write_nemo, text):
    def members(tar: tarfile.TarFile) -> None:
        add(tar, "model_config.yaml", text)
        add(tar, "model_weights.ckpt", b"")

    with pytest.raises(CodecError, match=r"model_config\.yaml is not"):
        load_codec(write_nemo(members=members))


# --- configurations and weights that do not fit


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("audio_encoder", "activation", "elu"),
        ("audio_encoder", "pad_mode", "reflect"),
        ("audio_decoder", "activation", "snake"),
        ("audio_decoder", "output_activation", "tanh"),
        ("audio_decoder", "pad_mode", "reflect"),
        ("audio_decoder", "n_groups_equal_to_out_channels", False),
        ("audio_decoder", "new_option", 1),
        ("audio_decoder", "_target_", "nemo.HiFiGANDecoder"),
        ("vector_quantizer", "_target_", "nemo.ResidualVectorQuantizer"),
        ("vector_quantizer", "num_groups", "four"),
        ("audio_encoder", "down_sample_rates", [2, 2]),
        ("audio_encoder", "down_sample_rates", []),
        ("audio_decoder", "resblock_kernel_sizes", [4]),
        ("audio_decoder", "base_channels", 30),
        ("audio_decoder", "base_channels", -28),
        ("audio_decoder", "base_channels", True),
        ("audio_decoder", "input_dim", 5),
    ],
)
def test_what_is_not_built_here_is_refused_by_name(write_nemo, section, key, value):
    name = {
        "_target_": section,
        "num_groups": "num_groups",
        "resblock_kernel_sizes": "decoder_kernels",
    }.get(key, key)
    name = "decoder_channels" if key == "base_channels" else name
    with pytest.raises(CodecError, match=name):
        load_codec(write_nemo(config=lambda config: config[section].update({key: value})))


@pytest.mark.parametrize(
    "key",
    ["audio_encoder", "audio_decoder", "vector_quantizer", "sample_rate", "samples_per_frame"],
)
def test_a_missing_part_of_the_configuration_is_named(write_nemo, key):
    with pytest.raises(CodecError, match=key):
        load_codec(write_nemo(config=lambda config: config.pop(key)))


def test_a_missing_setting_is_named(write_nemo):
    with pytest.raises(CodecError, match=r"audio_decoder\.base_channels is missing"):
        load_codec(write_nemo(config=lambda config: config["audio_decoder"].pop("base_channels")))


KEY = "audio_decoder.pre_conv.conv.parametrizations.weight.original1"


def test_a_missing_key_is_named(write_nemo):
    with pytest.raises(CheckpointError, match=f"misses key '{KEY}'"):
        load_codec(write_nemo(state=lambda state: state.pop(KEY)))


def test_an_unexpected_key_is_named(write_nemo):
    with pytest.raises(
        CheckpointError, match=r"unexpected key 'audio_decoder\.post_post_conv\.bias'"
    ):
        load_codec(
            write_nemo(
                state=lambda state: state.update(
                    {"audio_decoder.post_post_conv.bias": torch.ones(1)}
                )
            )
        )


def test_a_wrong_shape_is_named_with_the_right_one(write_nemo):
    with pytest.raises(
        CheckpointError, match=rf"{KEY} has shape \[28, 4\]; the config makes it \[28, 4, 7\]"
    ):
        load_codec(write_nemo(state=lambda state: state.update({KEY: state[KEY][..., 0]})))


def test_a_config_of_another_size_is_caught(write_nemo):
    with pytest.raises(CheckpointError, match="has shape"):
        load_codec(
            write_nemo(config=lambda config: config["audio_decoder"].update(base_channels=56))
        )


def test_another_number_of_codebooks_than_the_weights_have_is_caught(write_nemo):
    def three_groups(config):
        config["vector_quantizer"]["num_groups"] = 3
        config["audio_encoder"]["encoded_dim"] = config["audio_decoder"]["input_dim"] = 6

    with pytest.raises(
        CheckpointError, match=r"misses key 'vector_quantizer\.fsqs\.2\.dim_base_index'"
    ):
        load_codec(write_nemo(config=three_groups))


def test_levels_that_the_weights_were_not_trained_with_are_caught(write_nemo):
    with pytest.raises(
        CheckpointError, match=r"fsqs\.0\.num_levels is \[5, 4\]; the config makes it \[5, 3\]"
    ):
        load_codec(
            write_nemo(
                config=lambda config: config["vector_quantizer"].update(num_levels_per_group=[5, 3])
            )
        )


def test_weights_that_are_not_finite_are_refused(write_nemo):
    with pytest.raises(CheckpointError, match=f"{KEY} holds values that are not finite"):
        load_codec(write_nemo(state=lambda state: state[KEY].fill_(float("nan"))))


# --- our own folder


@pytest.fixture
def folder(miniature_codec, tmp_path) -> Path:
    miniature_codec.save(tmp_path / "codec")
    return tmp_path / "codec"


def test_an_unknown_kind_is_refused(folder):
    (folder / "config.json").write_text('{"kind": "opus"}')
    with pytest.raises(CodecError, match="kind 'opus'"):
        load_codec(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": ["nanocodec"]}', " " * (1 << 21)])
def test_a_config_that_is_none_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CodecError, match=r"config\.json"):
        load_codec(folder)


def test_keys_of_a_folders_config_are_strict(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"speed": 2}))
    with pytest.raises(CodecError, match="unknown key 'speed'"):
        load_codec(folder)
    (folder / "config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k != "num_groups"})
    )
    with pytest.raises(CodecError, match="missing key 'num_groups'"):
        load_codec(folder)


def test_weights_of_a_folder_are_strict(folder):
    state = {key: value.clone() for key, value in load_file(folder / "model.safetensors").items()}
    for change, says in (
        ({"decoder.more": torch.ones(1)}, "unexpected key 'decoder.more'"),
        (
            {"decoder.post_conv.bias": torch.ones(2)},
            r"decoder\.post_conv\.bias has shape \[2\]; the config makes it \[1\]",
        ),
    ):
        save_file(state | change, folder / "model.safetensors")
        with pytest.raises(CheckpointError, match=says):
            load_codec(folder)
    del state["encoder.pre_conv.bias"]
    save_file(state, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"misses key 'encoder\.pre_conv\.bias'"):
        load_codec(folder)


def test_a_codec_is_saved_over_the_folder_it_came_from(folder, miniature_codec):
    codec = NanoCodec.from_folder(folder)
    codec.save(folder)
    assert_same(codec, miniature_codec)
    assert_same(load_codec(folder), miniature_codec)


def test_weights_cut_short_are_refused(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CodecError, match="could not be read"):
        load_codec(folder)
    file.unlink()
    with pytest.raises(CodecError, match="could not be read"):
        load_codec(folder)


def test_a_gzip_of_zeros_is_refused_without_being_held(tmp_path):
    """A member that claims more than any codec has is refused by its header."""
    file = tmp_path / "codec.nemo"
    with gzip.open(file, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        add(tar, "model_config.yaml", b"a: 1")
        huge = tarfile.TarInfo("model_weights.ckpt")
        huge.size = 1 << 40
        tar.addfile(huge)
    with pytest.raises(CodecError):
        load_codec(file)
