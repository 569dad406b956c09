"""The published speaker encoder: WavLM, mean and deviation over time, two affine layers.

WavLM itself is `transformers`' class (the extra `wavlm`); what comes before and after it follows the reference
package kani-tts-2 0.0.5, including its deviations over n - 1 values. Knows nothing about files of sound.

Shapes: N samples, T frames of 20 ms, H WavLM's width, D embedding.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from kani_npc.errors import CheckpointError, ModelError
from kani_npc.speaker.log_mel import check_keys
from kani_npc.speech import FloatArray

# Of speaker-verification trials on VoxCeleb1, as its authors state it.
PUBLISHED_THRESHOLD = 0.472

SAMPLE_RATE_HZ = 16_000
_MAX_SAMPLES = 30 * SAMPLE_RATE_HZ  # the reference hears the first 30 s
_MIN_SAMPLES = 400  # one frame of WavLM's convolutions
_MAX_PLAUSIBLE = 1 << 16

_WEIGHT_NORM = "wavlm.encoder.pos_conv_embed.conv."
_SPELLINGS = {  # torch's older weight norm, and the one it has now
    _WEIGHT_NORM + "weight_g": _WEIGHT_NORM + "parametrizations.weight.original0",
    _WEIGHT_NORM + "weight_v": _WEIGHT_NORM + "parametrizations.weight.original1",
}


class TopLayers(nn.Module):
    """From WavLM's frames to the embedding."""

    def __init__(self, width: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.affine1 = nn.Conv1d(2 * width, hidden, 1)
        self.batchnorm1 = nn.BatchNorm1d(hidden, eps=1e-3, affine=False)
        self.affine2 = nn.Conv1d(hidden, dim, 1)
        self.batchnorm2 = nn.BatchNorm1d(dim, eps=1e-3, affine=False)

    def forward(self, frames_TH: Tensor) -> Tensor:
        """[D], unit length."""
        mean_H = frames_TH.mean(0)
        # Over n - 1: of one frame the reference makes 0 / 0, here its deviation is 0.
        over = max(1, len(frames_TH) - 1)
        deviation_H = ((frames_TH - mean_H).square().sum(0) / over).clamp_min(1e-10).sqrt()
        x = torch.cat([mean_H, deviation_H])[None, :, None]
        x = self.batchnorm1(functional.relu(self.affine1(x)))
        x = self.batchnorm2(functional.relu(self.affine2(x)))
        return functional.normalize(x[0, :, 0], dim=0)


class _Network(nn.Module):
    """WavLM and its head, named as in the published checkpoint."""

    def __init__(self, wavlm: nn.Module, top_layers: TopLayers) -> None:
        super().__init__()
        self.wavlm = wavlm
        self.top_layers = top_layers


class WavlmEncoder:
    """A `SpeakerEncoder`."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, network: _Network, space: str, change_threshold: float) -> None:
        self._network = network
        self.space = space
        self.change_threshold = change_threshold

    @torch.inference_mode()
    def embed(self, samples_N: FloatArray) -> FloatArray:
        """Who speaks in the first 30 s of these mono samples: [D] float32, unit length."""
        samples = torch.from_numpy(np.ascontiguousarray(samples_N[:_MAX_SAMPLES])).float()
        samples = functional.pad(normalised(samples), (0, max(0, _MIN_SAMPLES - len(samples))))
        frames_TH = self._network.wavlm(samples[None]).last_hidden_state[0]
        return self._network.top_layers(frames_TH).numpy().copy()

    @classmethod
    def from_config(cls, raw: dict[str, Any], weights: Path, space: str) -> "WavlmEncoder":
        """For serving, from what its config.json holds. Raises `ModelError`; `CheckpointError` for weights."""
        try:
            from transformers import WavLMConfig, WavLMModel
        except ImportError as error:
            raise ModelError(
                "this speaker encoder needs transformers; install kani-npc[wavlm]"
            ) from error
        try:
            state = load_file(weights)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{weights} is missing or not safetensors: {error}") from None
        state = {_SPELLINGS.get(name, name): weight for name, weight in state.items()}
        width = _size(raw, "hidden_size")
        _size(raw, "intermediate_size")
        _size(raw, "num_hidden_layers")
        hidden, dim = (_rows(state, f"top_layers.affine{i}.weight") for i in (1, 2))
        try:
            with torch.device("meta"):
                network = _Network(
                    WavLMModel(WavLMConfig.from_dict(raw)), TopLayers(width, hidden, dim)
                )
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ModelError(f"the speaker encoder's config.json is no WavLM's: {error}") from None
        for i in (1, 2):  # counts training's batches; serving does not look
            state.setdefault(
                f"top_layers.batchnorm{i}.num_batches_tracked", torch.zeros((), dtype=torch.long)
            )
        check_keys(network, state)
        floats = {
            name: weight.float() if weight.is_floating_point() else weight
            for name, weight in state.items()
        }
        network.load_state_dict(floats, assign=True)
        network.eval().requires_grad_(False)
        return cls(network, space, PUBLISHED_THRESHOLD)


def normalised(samples_N: Tensor) -> Tensor:
    """Mean 0, deviation 1 (over n - 1 samples), as WavLM was trained; silence stays silence."""
    if len(samples_N) < 2:
        return torch.zeros_like(samples_N)
    return (samples_N - samples_N.mean()) / (samples_N.std() + 1e-10)


def _size(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    if type(value) is not int or not 1 <= value <= _MAX_PLAUSIBLE:
        raise ModelError(f"{name} {value!r} of a speaker encoder is not a usable size")
    return value


def _rows(state: dict[str, Tensor], name: str) -> int:
    if name not in state:
        raise CheckpointError(f"the speaker encoder's checkpoint lacks {name}")
    return len(state[name])
