"""The small speaker encoder that ships with `tiny`: log-mel frames, four convolutions, mean and deviation over time.

0.15 M weights, milliseconds on one core. Knows nothing about files of sound, checks of recordings or training.

Shapes: N samples, B rows, M mel bands, T frames of 10 ms, D embedding.
"""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from kani_npc.errors import CheckpointError, ModelError
from kani_npc.speaker.protocol import CONFIG, LOG_MEL_KIND, WEIGHTS
from kani_npc.speech import FloatArray

_WINDOW = 512  # 32 ms: the harmonics of a voice at 100 Hz are told apart
_HOP = 160  # 10 ms
LOWEST_HZ, HIGHEST_HZ = 50.0, 7_600.0
# Frames this far below the loud ones say nothing of the speaker, and how many a recording has is chance.
_HEARD_DB = 40.0
_FLOOR_DB = (
    60.0  # of a band below the loudest band: noise of quantising, dither, silence that was inserted
)
_SPREAD = 3.0  # brings log magnitudes to about unit deviation
_MAX_PLAUSIBLE = 1 << 14  # width; a corrupt config must not allocate


@dataclass(frozen=True, slots=True)
class LogMelConfig:
    """Everything that shapes the weights, and the name of their space. Stored as `config.json`."""

    space: str
    # Stretches of one recording whose embeddings' cosine is below this are clearly two speakers; -1: never.
    change_threshold: float = -1.0
    dim: int = 128
    mels: int = 64
    channels: int = 96
    pooled_channels: int = 192
    sample_rate_hz: int = 16_000

    def __post_init__(self) -> None:
        if not isinstance(self.space, str) or not self.space:
            raise ModelError("a speaker encoder must name its space")
        if type(self.change_threshold) is not float or not -1 <= self.change_threshold <= 1:
            raise ModelError(f"change_threshold {self.change_threshold!r} is no cosine")
        for name in ("dim", "mels", "channels", "pooled_channels", "sample_rate_hz"):
            value = getattr(self, name)
            limit = 192_000 if name == "sample_rate_hz" else _MAX_PLAUSIBLE
            if type(value) is not int or not 1 <= value <= limit:
                raise ModelError(f"{name} {value!r} of a speaker encoder is not a usable size")
        if self.sample_rate_hz < 2 * HIGHEST_HZ:
            raise ModelError(
                f"a speaker encoder hears up to {HIGHEST_HZ:.0f} Hz: sample_rate_hz is too low"
            )


class LogMelEncoder(nn.Module):
    """A `SpeakerEncoder`. Training calls it on `log_mels`; serving calls `embed`."""

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels
        self.convs = nn.Sequential(
            nn.Conv1d(config.mels, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.BatchNorm1d(width),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.BatchNorm1d(width),
            nn.Conv1d(width, width, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.BatchNorm1d(width),
            nn.Conv1d(width, config.pooled_channels, 1),
            nn.ReLU(),
        )
        self.out = nn.Linear(2 * config.pooled_channels, config.dim)
        bands = _mel_bands(config.mels, config.sample_rate_hz)
        self._bands: Tensor
        self._window: Tensor
        self.register_buffer("_bands", torch.from_numpy(bands), persistent=False)
        self.register_buffer("_window", torch.hann_window(_WINDOW), persistent=False)

    @property
    def space(self) -> str:
        return self.config.space

    @property
    def sample_rate_hz(self) -> int:
        return self.config.sample_rate_hz

    @property
    def change_threshold(self) -> float:
        return self.config.change_threshold

    def embed(self, samples_N: FloatArray) -> FloatArray:
        """Who speaks in these mono samples in -1..1: [D] float32, unit length."""
        with torch.inference_mode():
            log_mels_MT = self.log_mels(torch.from_numpy(np.ascontiguousarray(samples_N)))
            return self(log_mels_MT[None])[0].numpy().copy()

    def forward(self, log_mels_BMT: Tensor) -> Tensor:
        """Unit vectors [B, D]."""
        h = self.convs(log_mels_BMT)
        # Of the population, and with something under the root: one frame has a deviation, and a gradient.
        deviation = (h.var(2, correction=0) + 1e-5).sqrt()
        return functional.normalize(self.out(torch.cat([h.mean(2), deviation], 1)), dim=1)

    @torch.no_grad()
    def log_mels(self, samples_N: Tensor) -> Tensor:
        """What the convolutions see of a recording: its heard frames, whatever its level. [M, T], T at least 1."""
        samples_N = functional.pad(samples_N.float(), (0, max(0, _WINDOW - len(samples_N))))
        frames_TN = samples_N.unfold(0, _WINDOW, _HOP) * self._window
        mels_TM = torch.fft.rfft(frames_TN).abs() @ self._bands
        level_T = mels_TM.square().mean(1).sqrt()
        # A click must not decide what is loud: nineteen in twenty frames are not louder than this.
        loud = level_T.kthvalue(math.ceil(0.95 * len(level_T))).values
        heard_TM = mels_TM[level_T >= loud * 10 ** (-_HEARD_DB / 20)]
        floor = heard_TM.max().clamp_min(1e-10) * 10 ** (-_FLOOR_DB / 20)
        log_TM = heard_TM.clamp_min(floor).log()
        return ((log_TM - log_TM.mean()) / _SPREAD).T.contiguous()

    @classmethod
    def from_config(cls, raw: dict[str, Any], weights: Path) -> "LogMelEncoder":
        """For serving, from what its config.json holds. Raises `ModelError`; `CheckpointError` for weights."""
        values = {name: value for name, value in raw.items() if name != "kind"}
        unknown = sorted(values.keys() - {field.name for field in fields(LogMelConfig)})
        if unknown or "space" not in values:
            raise ModelError(
                f"the speaker encoder's config.json has unknown fields {unknown}"
                if unknown
                else "the speaker encoder's config.json names no space"
            )
        encoder = cls(LogMelConfig(**values))
        try:
            state = load_file(weights)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{weights} is missing or not safetensors: {error}") from None
        check_keys(encoder, state)
        encoder.load_state_dict(state)
        return encoder.eval().requires_grad_(False)

    def save(self, folder: Path) -> None:
        """Writes config.json and model.safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {"kind": LOG_MEL_KIND} | asdict(self.config)
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        weights = {name: weight.contiguous() for name, weight in self.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        (folder / WEIGHTS).chmod(0o644)  # safetensors makes its files private


def check_keys(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Every weight is there with its shape, and nothing else. Raises `CheckpointError` that says which is not."""
    expected = {name: weight.shape for name, weight in module.state_dict().items()}
    for what, names in (
        ("lacks", sorted(expected.keys() - state.keys())),
        ("has what this encoder does not:", sorted(state.keys() - expected.keys())),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise CheckpointError(
                f"the speaker encoder's checkpoint {what} {', '.join(names[:3])}{more}"
            )
    for name, shape in expected.items():
        if state[name].shape != shape:
            raise CheckpointError(
                f"{name} has shape {list(state[name].shape)}; it should be {list(shape)}"
            )


def mel(hertz: float) -> float:
    """O'Shaughnessy's scale."""
    return 2595 * math.log10(1 + hertz / 700)


def hz(mels: float) -> float:
    """Its inverse."""
    return 700 * (10 ** (mels / 2595) - 1)


def _mel_bands(mels: int, sample_rate_hz: int) -> FloatArray:
    """Triangles on the mel scale, each of unit area: [bins, M]."""
    corners = np.array([hz(m) for m in np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), mels + 2)])
    bins = np.arange(_WINDOW // 2 + 1)[:, None] * sample_rate_hz / _WINDOW
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    bands = np.maximum(0, np.minimum(rising, falling))
    # The lowest triangles are narrower than a bin: such a band takes the bin nearest to its middle.
    empty = np.flatnonzero(bands.sum(0) == 0)
    bands[np.abs(bins - middle[empty]).argmin(0), empty] = 1.0
    return (bands / bands.sum(0)).astype(np.float32)
