"""The codecs under test: a very small random one, the golden small one, and one of published size."""

import json
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor

from kani_npc.codec.load import load_codec
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.nemo import from_nemo_state, quantizer_state
from kani_npc.codec.network import NanoCodecConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "codec"

# Two stages, six samples a frame: every kind of layer, and contexts longer and shorter than a frame.
MINIATURE = NanoCodecConfig(
    encoder_channels=2,
    down_sample_rates=(2, 3),
    encoder_kernels=(3, 5),
    encoder_dilations=(1, 2),
    decoder_channels=28,
    up_sample_rates=(3, 2),
    decoder_kernels=(3, 5),
    decoder_dilations=(1, 3),
    num_groups=2,
    levels_per_group=(5, 4),
)


def randomised(codec: NanoCodec, seed: int = 0) -> NanoCodec:
    """Weights of a size at which sound neither dies nor clips, and alphas that differ."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in codec.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("alpha"):
                parameter.copy_(torch.exp(0.3 * noise))
            elif name.endswith("bias"):
                parameter.copy_(0.05 * noise)
            else:
                gain = 1.6 if "up_sample" in name else 0.4 if "skip_conv" in name else 1.0
                parameter.copy_(gain * noise / noise.flatten(1).norm(dim=1)[:, None, None])
        codec.decoder.post_conv.weight *= 0.2
    return codec


def published_state(seed: int) -> dict[str, Tensor]:
    """The synthetic weights that the golden vectors of full size were made with, by their README's recipe."""
    keys = json.loads((GOLDEN / "full_state_dict_keys.json").read_text())
    return {
        key: torch.from_numpy(_published_tensor(key, entry["shape"], seed).astype(np.float32))
        for key, entry in keys.items()
        if not key.startswith("vector_quantizer.")
    }


def _published_tensor(key: str, shape: list[int], seed: int) -> np.ndarray:
    random = np.random.RandomState(crc32(key.encode()) ^ seed)
    noise = random.standard_normal(shape).astype(np.float32)
    if key.endswith(".alpha"):
        return np.exp(0.3 * noise)
    if key.endswith(".bias"):
        return 0.05 * noise
    if key.endswith("original1"):
        return noise
    if "up_sample_conv_layers" in key:
        gain = 1.6
    elif ".skip_conv." in key:
        gain = 0.4
    elif key.startswith("audio_decoder.post_conv"):
        gain = 0.12
    elif key.startswith("audio_encoder.post_conv"):
        gain = 8.0
    elif key.startswith("audio_encoder.pre_conv"):
        gain = 4.0
    else:
        gain = 1.0
    return gain * (1 + 0.1 * np.clip(noise, -3, 3))


@pytest.fixture(scope="session")
def miniature_codec() -> NanoCodec:
    return randomised(NanoCodec(MINIATURE)).serve()


@pytest.fixture(scope="session")
def small_codec() -> NanoCodec:
    codec = load_codec(GOLDEN / "small.nemo")
    assert isinstance(codec, NanoCodec)
    return codec


@pytest.fixture(scope="session")
def full_codec() -> NanoCodec:
    config = NanoCodecConfig()
    state = published_state(seed=2026) | quantizer_state(config)
    return NanoCodec.from_state(config, from_nemo_state(state, config, "full"), "full").serve()


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    def read(name: str) -> dict[str, np.ndarray]:
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return dict(arrays)

    return read
