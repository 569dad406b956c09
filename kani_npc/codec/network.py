"""NVIDIA NanoCodec as a network: what decides its shapes, its encoder and its causal decoder, as plain modules.

One definition for training and serving: `streaming` runs the same decoder's weights faster. Knows no files, no
streams, no codes. Geometry and formulas: the published configuration (22.05 kHz, 12.5 frames a second, 1764 samples
a frame) and NeMo 2.4's source; the golden vectors judge.

Shapes: B batch, F frames, N samples, D latent rows, C channels, T time steps of one layer.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kani_npc.errors import CodecError

LEAKY_SLOPE = 0.01  # torch's default, as published; HiFi-GAN's own is 0.1


@dataclass(frozen=True, slots=True)
class NanoCodecConfig:
    """What decides the shapes. Defaults are the published 0.6 kbps model. Raises `CodecError` if it makes no codec."""

    sample_rate_hz: int = 22050
    encoder_channels: int = 24
    down_sample_rates: tuple[int, ...] = (2, 3, 6, 7, 7)
    encoder_in_kernel: int = 7
    encoder_out_kernel: int = 7
    encoder_kernels: tuple[int, ...] = (3, 7, 11)
    encoder_dilations: tuple[int, ...] = (1, 3, 5)
    decoder_channels: int = 864
    up_sample_rates: tuple[int, ...] = (7, 7, 6, 3, 2)
    decoder_in_kernel: int = 7
    decoder_out_kernel: int = 3
    decoder_kernels: tuple[int, ...] = (3, 7, 11)
    decoder_dilations: tuple[int, ...] = (1, 3, 5)
    num_groups: int = 4
    levels_per_group: tuple[int, ...] = (9, 8, 8, 7)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not 0 < len(numbers) <= 16 or any(
                type(n) is not int or not 0 < n <= 1 << 20 for n in numbers
            ):
                raise CodecError(
                    f"codec config: {field.name} is {value!r}; expected positive whole numbers"
                )
            if "kernel" in field.name and any(n % 2 == 0 for n in numbers):
                raise CodecError(
                    f"codec config: {field.name} is {value!r}; expected odd kernel sizes"
                )
        if math.prod(self.down_sample_rates) != math.prod(self.up_sample_rates):
            raise CodecError(
                f"codec config: down_sample_rates {self.down_sample_rates} and up_sample_rates "
                f"{self.up_sample_rates} differ in samples per frame"
            )
        if self.decoder_channels % 2 ** len(self.up_sample_rates):
            raise CodecError(
                f"codec config: decoder_channels {self.decoder_channels} cannot be halved "
                f"{len(self.up_sample_rates)} times"
            )

    @property
    def samples_per_frame(self) -> int:
        return math.prod(self.up_sample_rates)

    @property
    def latent_size(self) -> int:
        return self.num_groups * len(self.levels_per_group)

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Self:
        """Our own config.json. Unknown and missing keys are refused by name."""
        values = {key: value for key, value in config.items() if key != "kind"}
        names = {field.name for field in fields(cls)}
        for problem, keys in (
            ("unknown", values.keys() - names),
            ("missing", names - values.keys()),
        ):
            if keys:
                raise CodecError(f"codec config: {problem} key {min(keys)!r}")
        return cls(**{key: _tuple(value) for key, value in values.items()})

    @classmethod
    def from_nemo(cls, config: Mapping[str, Any]) -> Self:
        """The model_config.yaml of a `.nemo` file; what is for training only is not read."""
        encoder = _section(config, "audio_encoder", "HiFiGANEncoder", ENCODER_KEYS, ENCODER_FIXED)
        decoder = _section(
            config, "audio_decoder", "CausalHiFiGANDecoder", DECODER_KEYS, DECODER_FIXED
        )
        quantizer = _section(
            config, "vector_quantizer", "GroupFiniteScalarQuantizer", QUANTIZER_KEYS, {}
        )
        latents = (encoder.pop("latents", None), decoder.pop("latents", None))
        made = cls(sample_rate_hz=config.get("sample_rate", 0), **encoder, **decoder, **quantizer)
        if latents != (made.latent_size, made.latent_size):
            raise CodecError(
                f"codec config: encoded_dim and input_dim are {latents}, but the quantiser has {made.latent_size} rows"
            )
        if config.get("samples_per_frame") != made.samples_per_frame:
            raise CodecError(
                f"codec config: samples_per_frame is {config.get('samples_per_frame')!r}, "
                f"but the rates give {made.samples_per_frame}"
            )
        return made


# NeMo's name of an argument -> ours. An argument that is in neither table is refused: it may change the sound.
ENCODER_KEYS = {
    "down_sample_rates": "down_sample_rates",
    "encoded_dim": "latents",
    "base_channels": "encoder_channels",
    "in_kernel_size": "encoder_in_kernel",
    "out_kernel_size": "encoder_out_kernel",
    "resblock_kernel_sizes": "encoder_kernels",
    "resblock_dilation_sizes": "encoder_dilations",
}
DECODER_KEYS = {
    "up_sample_rates": "up_sample_rates",
    "input_dim": "latents",
    "base_channels": "decoder_channels",
    "in_kernel_size": "decoder_in_kernel",
    "out_kernel_size": "decoder_out_kernel",
    "resblock_kernel_sizes": "decoder_kernels",
    "resblock_dilation_sizes": "decoder_dilations",
}
QUANTIZER_KEYS = {"num_groups": "num_groups", "num_levels_per_group": "levels_per_group"}
REQUIRED_KEYS = {
    *("down_sample_rates", "encoded_dim", "up_sample_rates", "input_dim", "base_channels"),
    *("num_groups", "num_levels_per_group"),
}
# The one value of each choice that is built here, and the value NeMo takes where the file says nothing.
ENCODER_FIXED = {"activation": ("lrelu", "lrelu"), "pad_mode": ("replicate", "reflect")}
DECODER_FIXED = {
    "activation": ("half_snake", "lrelu"),
    "output_activation": ("clamp", "tanh"),
    "pad_mode": ("zeros", "zeros"),
    "n_groups_equal_to_out_channels": (True, True),
}


def _section(
    config: Mapping[str, Any],
    name: str,
    target: str,
    keys: Mapping[str, str],
    fixed: Mapping[str, tuple[object, object]],
) -> dict[str, Any]:
    """One part of NeMo's configuration, in our names."""
    section = config.get(name)
    if not isinstance(section, dict):
        raise CodecError(f"codec config: no section {name!r}")
    section = dict(section)
    found = str(section.pop("_target_", ""))
    if found.rpartition(".")[2] != target:
        raise CodecError(f"codec config: {name} is {found!r}; only {target} is supported")
    for key, (supported, default) in fixed.items():
        value = section.pop(key, default)
        if value != supported:
            raise CodecError(
                f"codec config: {name}.{key} is {value!r}; only {supported!r} is supported"
            )
    for key in section:
        if key not in keys:
            raise CodecError(f"codec config: {name}.{key} is not supported")
    for key in keys:
        if key in REQUIRED_KEYS and key not in section:
            raise CodecError(f"codec config: {name}.{key} is missing")
    return {keys[key]: _tuple(value) for key, value in section.items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# --- the network


class HalfSnake(nn.Module):
    """x + sin(alpha x)^2 / alpha on the first half of the channels, leaky ReLU on the rest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels // 2, 1))

    def forward(self, x_BCT: Tensor) -> Tensor:
        snake, leaky = x_BCT.tensor_split((self.alpha.shape[1],), dim=1)
        snake = snake + torch.sin(self.alpha * snake).square() / (self.alpha + 1e-9)
        return torch.cat([snake, F.leaky_relu(leaky, LEAKY_SLOPE)], dim=1)


class CausalConv(nn.Conv1d):
    """A convolution that sees the past only; before the first sample there are zeros."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        self.context = (kernel - 1) * dilation

    def forward(self, x_BCT: Tensor) -> Tensor:
        return super().forward(F.pad(x_BCT, (self.context, 0)))


class CausalUp(nn.ConvTranspose1d):
    """`rate` outputs per input, each from this input and the one before; two input channels per output channel."""

    def __init__(self, channels: int, rate: int) -> None:
        super().__init__(channels, channels // 2, 2 * rate, stride=rate, groups=channels // 2)
        self.rate = rate

    def forward(self, x_BCT: Tensor) -> Tensor:
        return super().forward(x_BCT)[..., : -self.rate]


class SymmetricConv(nn.Conv1d):
    """A convolution that sees both sides; the edges are repeated outwards."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        super().__init__(
            inputs,
            outputs,
            kernel,
            dilation=dilation,
            padding=(kernel - 1) * dilation // 2,
            padding_mode="replicate",
        )


class Down(nn.Conv1d):
    """One output per `rate` inputs, twice the channels."""

    def __init__(self, channels: int, rate: int) -> None:
        super().__init__(
            channels,
            2 * channels,
            2 * rate,
            stride=rate,
            padding=(rate + 1) // 2,
            padding_mode="replicate",
        )


class Residual(nn.Module):
    """x + skip_conv(act(input_conv(act(x)))) of the decoder; only the input convolution is dilated."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.input_activation = HalfSnake(channels)
        self.input_conv = CausalConv(channels, channels, kernel, dilation)
        self.skip_activation = HalfSnake(channels)
        self.skip_conv = CausalConv(channels, channels, kernel)

    def forward(self, x_BCT: Tensor) -> Tensor:
        return x_BCT + self.skip_conv(
            self.skip_activation(self.input_conv(self.input_activation(x_BCT)))
        )


class ResidualChain(nn.Module):
    """One kernel size at growing dilations, one after the other."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList(
            Residual(channels, kernel, dilation) for dilation in dilations
        )

    def forward(self, x_BCT: Tensor) -> Tensor:
        for block in self.res_blocks:
            x_BCT = block(x_BCT)
        return x_BCT


class ResidualMean(nn.Module):
    """The mean of one chain per kernel size."""

    def __init__(self, channels: int, kernels: Sequence[int], dilations: Sequence[int]) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList(
            ResidualChain(channels, kernel, dilations) for kernel in kernels
        )

    @property
    def chains(self) -> list[list[Residual]]:
        chains = [cast(ResidualChain, chain).res_blocks for chain in self.res_blocks]
        return [[cast(Residual, block) for block in chain] for chain in chains]

    def forward(self, x_BCT: Tensor) -> Tensor:
        return torch.stack([chain(x_BCT) for chain in self.res_blocks]).mean(0)


class Decoder(nn.Module):
    """Latents [B, D, F] -> samples [B, F * samples_per_frame] in -1..1, strictly causal: the plain definition."""

    def __init__(self, config: NanoCodecConfig) -> None:
        super().__init__()
        channels = config.decoder_channels
        self.pre_conv = CausalConv(config.latent_size, channels, config.decoder_in_kernel)
        self.activations = nn.ModuleList()
        self.up_sample_conv_layers = nn.ModuleList()
        self.res_layers = nn.ModuleList()
        for rate in config.up_sample_rates:
            self.activations.append(HalfSnake(channels))
            self.up_sample_conv_layers.append(CausalUp(channels, rate))
            channels //= 2
            self.res_layers.append(
                ResidualMean(channels, config.decoder_kernels, config.decoder_dilations)
            )
        self.post_activation = HalfSnake(channels)
        self.post_conv = CausalConv(channels, 1, config.decoder_out_kernel)

    @property
    def stages(self) -> Iterator[tuple[HalfSnake, CausalUp, ResidualMean]]:
        stages = zip(self.activations, self.up_sample_conv_layers, self.res_layers, strict=True)
        return cast(Iterator[tuple[HalfSnake, CausalUp, ResidualMean]], stages)

    def forward(self, latents_BDF: Tensor) -> Tensor:
        x = self.pre_conv(latents_BDF)
        for activation, up, residual in self.stages:
            x = residual(up(activation(x)))
        return self.post_conv(self.post_activation(x)).clamp(-1.0, 1.0)[:, 0]


class EncoderResidual(nn.Module):
    """The encoder's residual block: leaky ReLU, and every convolution's output silent past the item's end."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.input_conv = SymmetricConv(channels, channels, kernel, dilation)
        self.skip_conv = SymmetricConv(channels, channels, kernel)

    def forward(self, x_BCT: Tensor, mask_B1T: Tensor) -> Tensor:
        y = self.input_conv(F.leaky_relu(x_BCT, LEAKY_SLOPE)) * mask_B1T
        return x_BCT + self.skip_conv(F.leaky_relu(y, LEAKY_SLOPE)) * mask_B1T


class EncoderChain(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList(
            EncoderResidual(channels, kernel, dilation) for dilation in dilations
        )

    def forward(self, x_BCT: Tensor, mask_B1T: Tensor) -> Tensor:
        for block in self.res_blocks:
            x_BCT = block(x_BCT, mask_B1T)
        return x_BCT


class EncoderMean(nn.Module):
    def __init__(self, channels: int, kernels: Sequence[int], dilations: Sequence[int]) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList(
            EncoderChain(channels, kernel, dilations) for kernel in kernels
        )

    def forward(self, x_BCT: Tensor, mask_B1T: Tensor) -> Tensor:
        return torch.stack([chain(x_BCT, mask_B1T) for chain in self.res_blocks]).mean(0)


class Encoder(nn.Module):
    """Samples [B, N], N whole frames -> latents [B, D, F]. Sees more than a second ahead: not for streams."""

    def __init__(self, config: NanoCodecConfig) -> None:
        super().__init__()
        self.rates = config.down_sample_rates
        channels = config.encoder_channels
        self.pre_conv = SymmetricConv(1, channels, config.encoder_in_kernel)
        self.res_layers = nn.ModuleList()
        self.down_sample_conv_layers = nn.ModuleList()
        for rate in self.rates:
            self.res_layers.append(
                EncoderMean(channels, config.encoder_kernels, config.encoder_dilations)
            )
            self.down_sample_conv_layers.append(Down(channels, rate))
            channels *= 2
        self.post_conv = SymmetricConv(channels, config.latent_size, config.encoder_out_kernel)

    def forward(self, samples_BN: Tensor, frames_B: Tensor | None = None) -> Tensor:
        """`frames_B`: frames of each item; what lies behind them is silenced after every layer, as NeMo does."""
        batch, num_samples = samples_BN.shape
        if frames_B is None:
            frames_B = torch.full(
                (batch,), num_samples // math.prod(self.rates), device=samples_BN.device
            )
        steps = math.prod(self.rates)  # steps of the current layer in one frame

        def mask(x: Tensor) -> Tensor:
            time = torch.arange(x.shape[-1], device=x.device)
            return (time < (frames_B * steps)[:, None]).to(x.dtype)[:, None]

        x = self.pre_conv(samples_BN[:, None])
        x = x * mask(x)
        for rate, residual, down in zip(
            self.rates, self.res_layers, self.down_sample_conv_layers, strict=True
        ):
            x = down(F.leaky_relu(residual(x, mask(x)), LEAKY_SLOPE))
            steps //= rate
            x = x * mask(x)
        x = self.post_conv(F.leaky_relu(x, LEAKY_SLOPE))
        return x * mask(x)
