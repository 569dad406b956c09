"""The published discriminators: multi-period (HiFi-GAN's), and multi-band spectra (DAC's).

Geometry and names are those of NeMo's `audio_codec_22050` configuration, so that its weights fit. Knows no codec and
no loss.

Shapes: B rows, N samples, C channels, T steps of time, P period or frequency.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)
PERIOD_CHANNELS = (32, 128, 512, 1024, 1024)
SPECTRUM_CHANNELS = 32
RESOLUTIONS = ((512, 128), (1024, 256))  # window, hop
BANDS = ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
_MOST_PUBLISHED = 4  # kinds of discriminators in one file; ours are two of them
LEAKY_SLOPE = 0.1  # here HiFi-GAN's own; the codec's networks have 0.01

Judged = tuple[Tensor, list[Tensor]]
"""Scores (1 is real, 0 is made), and what every layer saw: the scores are the last of them."""


class Conv2dNorm(nn.Module):
    """A convolution with weight norm, its edges reflected."""

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv = weight_norm(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, padding_mode="reflect")
        )

    def forward(self, x_BCTP: Tensor) -> Tensor:
        return self.conv(x_BCTP)


class Stack(nn.Module):
    """Convolutions, and one that scores."""

    def __init__(self, layers: Sequence[Conv2dNorm], post: Conv2dNorm) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(layers)
        self.conv_post = post

    def forward(self, x_BCTP: Tensor) -> Judged:
        seen: list[Tensor] = []
        for conv in self.conv_layers:
            x_BCTP = leaky_relu(conv(x_BCTP), LEAKY_SLOPE)
            seen.append(x_BCTP)
        seen.append(self.conv_post(x_BCTP))
        return seen[-1], seen


class PeriodDiscriminator(Stack):
    """Sees every `period`-th sample beside the next ones."""

    def __init__(self, period: int, width: float) -> None:
        channels = [1, *(_scaled(c, width) for c in PERIOD_CHANNELS)]
        strides = (3, 3, 3, 3, 1)
        super().__init__(
            [
                Conv2dNorm(channels[i], channels[i + 1], (5, 1), (stride, 1))
                for i, stride in enumerate(strides)
            ],
            Conv2dNorm(channels[-1], 1, (3, 1)),
        )
        self.period = period

    def forward(self, samples_BN: Tensor) -> Judged:
        spare = -samples_BN.shape[1] % self.period
        padded_B1N = pad(samples_BN[:, None], (0, spare), "reflect")
        return super().forward(padded_B1N.unflatten(-1, (-1, self.period)))


class SpectrumDiscriminator(Stack):
    """Sees a band of the complex spectrum: real and imaginary part as two channels."""

    def __init__(self, width: float) -> None:
        channels = _scaled(SPECTRUM_CHANNELS, width)
        super().__init__(
            [
                Conv2dNorm(2, channels, (3, 9)),
                *(Conv2dNorm(channels, channels, (3, 9), (1, 2)) for _ in range(3)),
                Conv2dNorm(channels, channels, (3, 3)),
            ],
            Conv2dNorm(channels, 1, (3, 3)),
        )


class MultiPeriod(nn.Module):
    def __init__(self, width: float) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(PeriodDiscriminator(p, width) for p in PERIODS)

    def forward(self, samples_BN: Tensor) -> list[Judged]:
        return [judge(samples_BN) for judge in self.discriminators]


class MultiBand(nn.Module):
    """One resolution: a discriminator for every band."""

    window: Tensor

    def __init__(self, window: int, hop: int, width: float) -> None:
        super().__init__()
        self.hop = hop
        self.register_buffer("window", torch.hann_window(window, periodic=False), persistent=False)
        bins = window // 2 + 1
        self.bands = [(int(low * bins), int(high * bins)) for low, high in BANDS]
        self.discriminators = nn.ModuleList(SpectrumDiscriminator(width) for _ in BANDS)

    def forward(self, samples_BN: Tensor) -> list[Judged]:
        spectrum_BQT = torch.stft(
            samples_BN,
            len(self.window),
            self.hop,
            window=self.window,
            normalized=True,
            return_complex=True,
        )
        parts_B2TQ = torch.view_as_real(spectrum_BQT.mT).movedim(-1, 1)
        return [
            judge(parts_B2TQ[..., low:high])
            for judge, (low, high) in zip(self.discriminators, self.bands, strict=True)
        ]


class MultiResolution(nn.Module):
    def __init__(self, width: float) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(MultiBand(*r, width) for r in RESOLUTIONS)

    def forward(self, samples_BN: Tensor) -> list[Judged]:
        return [judged for one in self.discriminators for judged in one(samples_BN)]


class Discriminators(nn.Module):
    """All of them: 42 M weights at `width` 1, the published one; every layer's channels shrink with it."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList([MultiPeriod(width), MultiResolution(width)])

    def forward(self, samples_BN: Tensor) -> list[Judged]:
        return [judged for one in self.discriminators for judged in one(samples_BN)]

    def load_published(self, state: Mapping[str, Tensor]) -> bool:
        """Takes the weights that a `.nemo` file brought from its own training, in whatever order it has them.

        What does not fit stays as it is. Whether all of it did.
        """
        loaded = [self._load(ours, state) for ours in self.discriminators]
        return all(loaded)

    @staticmethod
    def _load(ours: nn.Module, state: Mapping[str, Tensor]) -> bool:
        shapes = {name: value.shape for name, value in ours.state_dict().items()}
        for index in range(_MOST_PUBLISHED):
            prefix = f"discriminator.discriminators.{index}."
            theirs = {
                key.removeprefix(prefix): value
                for key, value in state.items()
                if key.startswith(prefix) and not key.endswith(".window")
            }
            if {name: value.shape for name, value in theirs.items()} == shapes:
                ours.load_state_dict(theirs)
                return True
        return False


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))
