"""The source-filter codec: a voice as pitch, voicing and two spectral envelopes, small enough for a CPU.

Codes become latents, latents become, for every hop of 252 samples, a pitch and the band gains of two minimum-phase
filters; a pulse train and noise go through them. The decoder is strictly causal: F frames are 1764 * F samples,
nothing is held back, and what look-ahead there is was trained into the encoder. Knows nothing about language
models, voices or where its weights come from.

The value that a hop predicts holds at the hop's END; inside the hop pitch, voicing and filters glide there from the
previous hop's. So the first hop fades in from silence, and an all-zero state is a fresh one.

Shapes: S slots, B rows, K codebooks, F frames, T hops (7 a frame), N samples, Z latent dims, C channels,
G bands, Q frequency bins.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from kani_npc.codec.fsq import GroupFSQ
from kani_npc.errors import CheckpointError, CodecError

SAMPLES_PER_HOP = 252
HOPS_PER_FRAME = 7
ENCODER_FILE = "codec_encoder.safetensors"

_FFT = 1024  # a hop's excitation and the ringing of its filter: 252 + 772 samples
_BINS = _FFT // 2 + 1
_RING_HOPS = 4  # hops after its own that a hop's block of _FFT samples reaches into
_PITCH_REFERENCE_HZ = 100.0
_PITCH_OCTAVES = (-1.0, 2.2)  # of the reference: 50 to 460 Hz
_HIGHEST_HARMONIC_HZ = 10_500.0
_CYCLE = 1 << 40  # of the pulses' phase: steps of 2e-8 Hz, and 2**23 cycles before an int64 is full
_LOG_GAIN = (-12.0, 6.0)
_WINDOWS = (1008, 2048)  # encoder: a mel spectrum, and one that resolves harmonics
# What a config may ask for, by the last word of a field's name: a damaged one must not fill the memory.
_MOST = {"blocks": 64, "bands": 512, "mels": 256, "groups": 64, "levels": 64, "hz": 192_000}
_LOW_BINS = 96  # of the second window: up to 1 kHz


@dataclass(frozen=True, slots=True)
class SourceFilterConfig:
    """Everything that shapes the weights. Stored as `config.json`; unknown or missing keys are refused."""

    sample_rate_hz: int = 22_050
    levels: tuple[int, ...] = (8, 5, 5, 5)  # of one group
    num_groups: int = 4
    frame_channels: int = 256  # at 12.5 Hz
    frame_blocks: int = 2
    hop_channels: int = 192  # at 87.5 Hz
    hop_blocks: int = 4
    pitch_channels: int = 128
    pitch_blocks: int = 2
    harmonic_bands: int = 64
    noise_bands: int = 32
    encoder_channels: int = 192
    encoder_frame_channels: int = 256
    encoder_blocks: int = 2
    encoder_mels: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            most = _MOST.get(field.name.rpartition("_")[2], 4096)
            if not 0 < len(numbers) <= 16 or any(
                type(number) is not int or not 0 < number <= most for number in numbers
            ):
                raise CodecError(
                    f"codec config: {field.name} is {value!r:.60}; expected whole numbers from 1 to {most}"
                )

    @property
    def samples_per_frame(self) -> int:
        return SAMPLES_PER_HOP * HOPS_PER_FRAME

    @property
    def codebook_size(self) -> int:
        return math.prod(self.levels)

    @property
    def latent_dims(self) -> int:
        return len(self.levels) * self.num_groups


# --- building blocks ---------------------------------------------------------------------------------------------


class Tails:
    """What every causal convolution remembers, by name: its last inputs, [B, kernel - 1, C].

    Handed through the layers of one call. Layers take their tail and leave the next one.
    """

    def __init__(self, tensors: dict[str, Tensor] | None = None) -> None:
        self.tensors = {} if tensors is None else tensors

    def extend(self, name: str, x_BTC: Tensor, length: int) -> Tensor:
        """Puts the remembered inputs (silence at first) before these and remembers the newest `length`."""
        past_BTC = self.tensors.get(name)
        if past_BTC is None:
            past_BTC = x_BTC.new_zeros(x_BTC.shape[0], length, x_BTC.shape[2])
        extended_BTC = torch.cat([past_BTC, x_BTC], dim=1)
        self.tensors[name] = extended_BTC[:, -length:]
        return extended_BTC


class CausalConv(nn.Module):
    """Sees no later input. A plain one mixes channels; a depthwise one keeps them apart."""

    def __init__(
        self,
        name: str,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        # Holds the weights. Its own forward has no fast path for a few steps, nor for float64.
        groups = in_channels if depthwise else 1
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, groups=groups)

    @property
    def tail_shape(self) -> tuple[int, int]:
        return self.conv.kernel_size[0] - 1, self.conv.in_channels

    def forward(self, x_BTC: Tensor, tails: Tails) -> Tensor:
        extended_BTC = tails.extend(self.name, x_BTC, self.tail_shape[0])
        weight, bias = self.conv.weight, self.conv.bias
        assert bias is not None
        kernel, steps = weight.shape[2], x_BTC.shape[1]
        if self.conv.groups == 1:
            seen_BTC = extended_BTC.unfold(1, kernel, 1).flatten(2)
            return functional.linear(seen_BTC, weight.flatten(1), bias)
        y_BTC = bias
        for tap in range(kernel):
            y_BTC = torch.addcmul(y_BTC, extended_BTC[:, tap : tap + steps], weight[:, 0, tap])
        return y_BTC


class CenteredConv(nn.Module):
    """The encoder's convolution: sees as far ahead as back."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x_BTC: Tensor) -> Tensor:
        return self.conv(x_BTC.transpose(1, 2)).transpose(1, 2)


class Pointwise(nn.Module):
    """The channel-mixing half of a ConvNeXt block."""

    def __init__(self, channels: int, expansion: int = 3) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, channels * expansion)
        self.narrow = nn.Linear(channels * expansion, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x_BTC: Tensor) -> Tensor:
        return self.narrow(functional.gelu(self.widen(self.norm(x_BTC)))) * self.scale


class CausalBlock(nn.Module):
    def __init__(self, name: str, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = CausalConv(name, channels, channels, kernel, depthwise=True)
        self.pointwise = Pointwise(channels)

    def forward(self, x_BTC: Tensor, tails: Tails) -> Tensor:
        return x_BTC + self.pointwise(self.depthwise(x_BTC, tails))


class CenteredBlock(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = CenteredConv(channels, channels, kernel, groups=channels)
        self.pointwise = Pointwise(channels)

    def forward(self, x_BTC: Tensor) -> Tensor:
        return x_BTC + self.pointwise(self.depthwise(x_BTC))


# --- encoder -----------------------------------------------------------------------------------------------------


class Encoder(nn.Module):
    """Sound to unbounded latents. Not causal: needs the whole utterance, sees some 0.4 s ahead."""

    mel_QG: Tensor
    window_1: Tensor
    window_2: Tensor

    def __init__(self, config: SourceFilterConfig) -> None:
        super().__init__()
        channels, frame_channels = config.encoder_channels, config.encoder_frame_channels
        mel_QG = mel_filters(config.sample_rate_hz, _WINDOWS[0], config.encoder_mels)
        self.register_buffer("mel_QG", mel_QG, persistent=False)
        self.register_buffer("window_1", torch.hann_window(_WINDOWS[0]), persistent=False)
        self.register_buffer("window_2", torch.hann_window(_WINDOWS[1]), persistent=False)
        self.inputs = CenteredConv(config.encoder_mels + _LOW_BINS, channels, kernel=5)
        self.inputs_norm = nn.LayerNorm(channels)
        self.hop_blocks = nn.ModuleList(
            CenteredBlock(channels, 7) for _ in range(config.encoder_blocks)
        )
        self.down = nn.Conv1d(
            channels,
            frame_channels,
            3 * HOPS_PER_FRAME,
            stride=HOPS_PER_FRAME,
            padding=HOPS_PER_FRAME,
        )
        self.frame_blocks = nn.ModuleList(
            CenteredBlock(frame_channels, 3) for _ in range(config.encoder_blocks)
        )
        # Without this norm the latents run away, tanh saturates and no gradient comes back (seen after 300 steps).
        self.outputs_norm = nn.LayerNorm(frame_channels)
        self.outputs = nn.Linear(frame_channels, config.latent_dims)
        nn.init.normal_(self.outputs.weight, std=0.06)
        nn.init.zeros_(self.outputs.bias)

    def forward(self, samples_BN: Tensor) -> Tensor:
        """Whole frames of sound [B, 1764 * F] -> latents [B, F, Z]."""
        with torch.no_grad():
            x_BTC = self._features(samples_BN)
        x_BTC = self.inputs_norm(self.inputs(x_BTC))
        for block in self.hop_blocks:
            x_BTC = block(x_BTC)
        x_BFC = self.down(functional.gelu(x_BTC).transpose(1, 2)).transpose(1, 2)
        for block in self.frame_blocks:
            x_BFC = block(x_BFC)
        return self.outputs(self.outputs_norm(x_BFC))

    def _features(self, samples_BN: Tensor) -> Tensor:
        mel_BTG = _spectrum(samples_BN, self.window_1) @ self.mel_QG
        low_BTG = _spectrum(samples_BN, self.window_2)[..., :_LOW_BINS]
        logs = [mel_BTG.clamp_min(1e-4).log() / 3, low_BTG.clamp_min(1e-2).log() / 3]
        return torch.cat(logs, dim=-1)


def _spectrum(samples_BN: Tensor, window: Tensor) -> Tensor:
    """Magnitudes of windows centred on the hops' centres: [B, T, Q]."""
    before = (len(window) - SAMPLES_PER_HOP) // 2
    padded_BN = functional.pad(samples_BN, (before, len(window) - SAMPLES_PER_HOP - before))
    return torch.fft.rfft(padded_BN.unfold(-1, len(window), SAMPLES_PER_HOP) * window).abs()


# --- decoder -----------------------------------------------------------------------------------------------------


class Pitch(NamedTuple):
    octaves_BT: Tensor  # log2(f0 / 100 Hz)
    voicing_BT: Tensor  # logit: above 0 is voiced

    def f0_hz(self) -> Tensor:
        """[B, T]: Hz, 0 where unvoiced."""
        f0_BT = _PITCH_REFERENCE_HZ * torch.exp2(self.octaves_BT.clamp(*_PITCH_OCTAVES))
        return torch.where(self.voicing_BT > 0, f0_BT, torch.zeros_like(f0_BT))


class PitchNet(nn.Module):
    """Latents to pitch and voicing, apart from the rest because it runs in float64 when it serves.

    The phase of the pulses is the integral of the pitch. Rounding noise that depends on how the frames are cut
    would add up in it: in float32 two cuttings are 1e-2 apart at the upper harmonics after ten seconds.
    """

    def __init__(self, config: SourceFilterConfig) -> None:
        super().__init__()
        channels = config.pitch_channels
        self.inputs = CausalConv("pitch.inputs", config.latent_dims, channels, kernel=3)
        self.inputs_norm = nn.LayerNorm(channels)
        self.blocks = nn.ModuleList(
            CausalBlock(f"pitch.blocks.{i}", channels, kernel=3) for i in range(config.pitch_blocks)
        )
        self.outputs_norm = nn.LayerNorm(channels)
        self.outputs = nn.Linear(channels, HOPS_PER_FRAME * 2)
        nn.init.normal_(self.outputs.weight, std=0.02)
        nn.init.constant_(self.outputs.bias, 0.5)

    def forward(self, latents_BFZ: Tensor, tails: Tails) -> Pitch:
        x_BFC = self.inputs_norm(self.inputs(latents_BFZ, tails))
        for block in self.blocks:
            x_BFC = block(x_BFC, tails)
        outputs_BF = self.outputs(self.outputs_norm(x_BFC))
        octaves_BT, voicing_BT = (
            outputs_BF.unflatten(-1, (HOPS_PER_FRAME, 2)).flatten(1, 2).unbind(-1)
        )
        return Pitch(octaves_BT, voicing_BT)


class EnvelopeNet(nn.Module):
    """Latents to the log gains of the harmonic and the noise bands of every hop."""

    def __init__(self, config: SourceFilterConfig) -> None:
        super().__init__()
        frame_channels, channels = config.frame_channels, config.hop_channels
        self.bands = [config.harmonic_bands, config.noise_bands]
        self.inputs = CausalConv("inputs", config.latent_dims, frame_channels, kernel=3)
        self.inputs_norm = nn.LayerNorm(frame_channels)
        self.frame_blocks = nn.ModuleList(
            CausalBlock(f"frame_blocks.{i}", frame_channels, kernel=7)
            for i in range(config.frame_blocks)
        )
        self.up = nn.Linear(frame_channels, HOPS_PER_FRAME * channels)
        self.smooth = CausalConv("smooth", channels, channels, kernel=5)
        self.hop_blocks = nn.ModuleList(
            CausalBlock(f"hop_blocks.{i}", channels, kernel=7) for i in range(config.hop_blocks)
        )
        self.outputs_norm = nn.LayerNorm(channels)
        self.outputs = nn.Linear(channels, sum(self.bands))
        nn.init.normal_(self.outputs.weight, std=0.02)
        # Start quiet: from loud noise the spectral losses find no way down.
        with torch.no_grad():
            self.outputs.bias[: config.harmonic_bands] = -3.0
            self.outputs.bias[config.harmonic_bands :] = -5.0

    def forward(self, latents_BFZ: Tensor, tails: Tails) -> tuple[Tensor, Tensor]:
        """[B, F, Z] -> ([B, T, harmonic bands], [B, T, noise bands])."""
        x_BFC = self.inputs_norm(self.inputs(latents_BFZ, tails))
        for block in self.frame_blocks:
            x_BFC = block(x_BFC, tails)
        x_BTC = self.up(x_BFC).unflatten(-1, (HOPS_PER_FRAME, -1)).flatten(1, 2)
        x_BTC = self.smooth(x_BTC, tails)
        for block in self.hop_blocks:
            x_BTC = block(x_BTC, tails)
        harmonic_BTG, noise_BTG = self.outputs(self.outputs_norm(x_BTC)).split(self.bands, dim=-1)
        return harmonic_BTG, noise_BTG


@dataclass(slots=True)
class SynthesisState:
    """What the synthesis of B streams remembers. All zero is a fresh one."""

    sample_BN: Tensor  # [B, 1] int64: samples made so far; the noise is a function of it
    phase_BN: Tensor  # [B, 1] int64, in units of 1 / _CYCLE cycles
    f0_BT: Tensor  # [B, 1] float64: pitch of the last hop in Hz, 0 unvoiced
    filters_BT2Q: Tensor  # [B, 1, 2, Q] complex64: the filters of the last hop
    ringing_BTN: Tensor  # [B, 4, 252] float32: what earlier hops still sound in the next ones

    @staticmethod
    def zeros(rows: int, device: torch.device | None = None) -> "SynthesisState":
        def of(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(rows, *shape, dtype=dtype, device=device)

        return SynthesisState(
            sample_BN=of(1, dtype=torch.int64),
            phase_BN=of(1, dtype=torch.int64),
            f0_BT=of(1, dtype=torch.float64),
            filters_BT2Q=of(1, 2, _BINS, dtype=torch.complex64),
            ringing_BTN=of(_RING_HOPS, SAMPLES_PER_HOP),
        )


class Synthesis(nn.Module):
    """Pitch and band gains to sound: pulses and noise through gliding minimum-phase filters. Has no weights.

    A hop's excitation is split by a ramp: the rising part goes through the hop's own filters, the falling part
    through those of the hop before. Filters are minimum-phase, hence causal.
    """

    harmonic_GQ: Tensor
    noise_GQ: Tensor
    ramp_N: Tensor

    def __init__(self, config: SourceFilterConfig) -> None:
        super().__init__()
        self.sample_rate_hz = config.sample_rate_hz
        for name, bands in (
            ("harmonic_GQ", config.harmonic_bands),
            ("noise_GQ", config.noise_bands),
        ):
            self.register_buffer(
                name, _minimum_phase_basis(bands, config.sample_rate_hz), persistent=False
            )
        ramp_N = torch.arange(1, SAMPLES_PER_HOP + 1) / SAMPLES_PER_HOP
        self.register_buffer("ramp_N", ramp_N, persistent=False)

    def forward(
        self, harmonic_BTG: Tensor, noise_BTG: Tensor, f0_BT: Tensor, state: SynthesisState
    ) -> Tensor:
        """Log band gains [B, T, G] and pitch [B, T] float64 in Hz -> samples [B, 252 * T]. Moves `state` on."""
        with (
            torch.no_grad()
        ):  # the source follows the given pitch; only the filters are learned through it
            source_BT2N = torch.stack(
                [self._pulses(f0_BT, state), self._noise(f0_BT, state)], dim=2
            )
            rising_BT2Q = torch.fft.rfft(source_BT2N * self.ramp_N, _FFT)
            falling_BT2Q = torch.fft.rfft(source_BT2N * (1 - self.ramp_N), _FFT)
        new_BT2Q = torch.stack(
            [_filters(harmonic_BTG, self.harmonic_GQ), _filters(noise_BTG, self.noise_GQ)], dim=2
        )
        filters_BT2Q = torch.cat([state.filters_BT2Q, new_BT2Q], dim=1)
        sound_BTQ = (rising_BT2Q * new_BT2Q + falling_BT2Q * filters_BT2Q[:, :-1]).sum(dim=2)
        state.filters_BT2Q = filters_BT2Q[:, -1:]
        return self._overlap_add(torch.fft.irfft(sound_BTQ, _FFT), state)

    def _pulses(self, f0_BT: Tensor, state: SynthesisState) -> Tensor:
        """Band-limited pulses of equal power at any pitch: [B, T, 252]."""
        extended_BT = torch.cat([state.f0_BT, f0_BT], dim=1)
        before_BT, after_BT = extended_BT[:, :-1], extended_BT[:, 1:]
        state.f0_BT = extended_BT[:, -1:]
        # Voicing fades over a hop; meanwhile the pitch stays that of the voiced side.
        voiced_BTN = _glide((before_BT > 0).double(), (after_BT > 0).double(), self.ramp_N)
        hz_BTN = _glide(
            torch.where(before_BT > 0, before_BT, after_BT),
            torch.where(after_BT > 0, after_BT, before_BT),
            self.ramp_N,
        )
        # In integers, which add up to the same however they are cut; a long sum of doubles does not.
        step_BN = (hz_BTN.flatten(1) * (_CYCLE / self.sample_rate_hz)).round().long()
        phase_BN = (state.phase_BN + step_BN.cumsum(dim=1)) & (_CYCLE - 1)
        state.phase_BN = phase_BN[:, -1:]

        # The sum of all cosines below the limit in closed form, without its constant.
        centred_BN = ((phase_BN + _CYCLE // 2) & (_CYCLE - 1)) - _CYCLE // 2
        angle_BN = centred_BN * (math.pi / _CYCLE)
        hz_BN = hz_BTN.flatten(1).float().clamp_min(1.0)
        harmonics_BN = torch.floor(_HIGHEST_HARMONIC_HZ / hz_BN)
        at_pulse_BN = angle_BN.abs() < 1e-4
        ratio_BN = torch.sin((2 * harmonics_BN + 1) * angle_BN) / torch.where(
            at_pulse_BN, 1.0, torch.sin(angle_BN)
        )
        pulses_BN = torch.where(at_pulse_BN, 2 * harmonics_BN + 1, ratio_BN) - 1
        return (pulses_BN * hz_BN.sqrt() * 0.01).view_as(hz_BTN) * voiced_BTN.float()

    def _noise(self, f0_BT: Tensor, state: SynthesisState) -> Tensor:
        """Uniform noise, a hash of the sample's position in the utterance: [B, T, 252]."""
        rows, hops = f0_BT.shape
        position_BN = state.sample_BN + torch.arange(hops * SAMPLES_PER_HOP, device=f0_BT.device)
        state.sample_BN = state.sample_BN + hops * SAMPLES_PER_HOP
        return (_hash_uniform(position_BN) - 0.5).view(rows, hops, SAMPLES_PER_HOP)

    def _overlap_add(self, blocks_BTN: Tensor, state: SynthesisState) -> Tensor:
        rows, hops, _ = blocks_BTN.shape
        hops_per_block = _RING_HOPS + 1
        padded_BTN = functional.pad(blocks_BTN, (0, hops_per_block * SAMPLES_PER_HOP - _FFT))
        parts_BTHN = padded_BTN.unflatten(-1, (hops_per_block, SAMPLES_PER_HOP))
        sound_BTN = functional.pad(state.ringing_BTN, (0, 0, 0, hops))
        for delay in range(hops_per_block):
            part_BTN = parts_BTHN[:, :, delay]
            sound_BTN = sound_BTN + functional.pad(part_BTN, (0, 0, delay, _RING_HOPS - delay))
        state.ringing_BTN = sound_BTN[:, hops:]
        return sound_BTN[:, :hops].reshape(rows, hops * SAMPLES_PER_HOP)


def _glide(before_BT: Tensor, after_BT: Tensor, ramp_N: Tensor) -> Tensor:
    return before_BT[..., None] + (after_BT - before_BT)[..., None] * ramp_N


def _filters(log_gain_BTG: Tensor, basis_GQ: Tensor) -> Tensor:
    """Log band gains -> frequency responses [B, T, Q] complex. `basis_GQ` holds log magnitude, then phase."""
    log_magnitude_BTQ, phase_BTQ = (log_gain_BTG.float().clamp(*_LOG_GAIN) @ basis_GQ).chunk(
        2, dim=-1
    )
    return torch.polar(log_magnitude_BTQ.exp(), phase_BTQ)


def _minimum_phase_basis(bands: int, sample_rate_hz: int) -> Tensor:
    """[G, 2Q]: each band's share in the log magnitude and, through the folded cepstrum, in the phase."""
    limit_hz = sample_rate_hz / 2
    centres = _mel_to_hz(np.linspace(0, _hz_to_mel(np.array(limit_hz)), bands))
    bins = np.linspace(0, limit_hz, _BINS)
    magnitude_GQ = np.stack([np.interp(bins, centres, row) for row in np.eye(bands)])
    cepstrum = np.fft.irfft(magnitude_GQ)
    cepstrum[:, 1 : _FFT // 2] *= 2
    cepstrum[:, _FFT // 2 + 1 :] = 0
    folded_GQ = np.fft.rfft(cepstrum)
    return torch.tensor(
        np.concatenate([folded_GQ.real, folded_GQ.imag], axis=1), dtype=torch.float32
    )


def _hash_uniform(position: Tensor) -> Tensor:
    """int64 -> float32 in 0..1: two rounds of multiply and xor-shift (Wellons' lowbias32)."""
    mask = 0xFFFF_FFFF
    x = position & mask
    x = ((x ^ (x >> 16)) * 0x7FEB_352D) & mask
    x = ((x ^ (x >> 15)) * 0x846C_A68B) & mask
    return (x ^ (x >> 16)).float() / 2**32


def mel_filters(sample_rate_hz: int, window: int, bands: int, *, equal_area: bool = True) -> Tensor:
    """Triangular filters over magnitudes, Slaney's scale, of equal area or else of height 1: [Q, G]."""
    edges = _mel_to_hz(np.linspace(0, _hz_to_mel(np.array(sample_rate_hz / 2)), bands + 2))
    bins = np.linspace(0, sample_rate_hz / 2, window // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.minimum(rising, falling).clip(min=0)
    if equal_area:
        filters = filters * 2 / (edges[2:] - edges[:-2])
    return torch.tensor(filters, dtype=torch.float32)


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    return np.where(
        hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1000) / 1000) * 27 / np.log(6.4)
    )


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


class Decoder(nn.Module):
    """Quantised latents to sound. The same code trains, decodes whole utterances and streams."""

    def __init__(self, config: SourceFilterConfig) -> None:
        super().__init__()
        self.pitch = PitchNet(config)
        self.envelope = EnvelopeNet(config)
        self.synthesis = Synthesis(config)

    def forward(
        self, latents_BFZ: Tensor, tails: Tails, state: SynthesisState, f0_BT: Tensor | None = None
    ) -> tuple[Tensor, Pitch]:
        """Returns the samples [B, 1764 * F] and the predicted pitch. A given `f0_BT` replaces the predicted."""
        pitch = self.pitch(latents_BFZ.to(self.pitch.outputs.weight.dtype), tails)
        harmonic_BTG, noise_BTG = self.envelope(latents_BFZ, tails)
        f0_BT = (pitch.f0_hz() if f0_BT is None else f0_BT).double()
        return self.synthesis(harmonic_BTG, noise_BTG, f0_BT, state), pitch

    def causal_convs(self) -> list[CausalConv]:
        return [module for module in self.modules() if isinstance(module, CausalConv)]


# --- streams -----------------------------------------------------------------------------------------------------


class SourceFilterState:
    """What S streams remember between calls: tensors by name, slot axis first, all zero when fresh."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors

    @property
    def num_slots(self) -> int:
        return next(iter(self.tensors.values())).shape[0]

    @property
    def num_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def reset(self, slots: Sequence[int]) -> None:
        """Make these slots as new. Other slots do not notice."""
        for tensor in self.tensors.values():
            for slot in slots:  # by a number: an index would be copied to the device first
                tensor[slot] = 0


class SourceFilterStream:
    """The streaming decoder: the next frames of any streams, each with its own row of the state."""

    def __init__(self, codec: "SourceFilterCodec") -> None:
        self._codec = codec

    def init_state(self, num_slots: int) -> SourceFilterState:
        """The state of `num_slots` fresh streams."""
        device = self._codec.device
        synthesis = SynthesisState.zeros(num_slots)
        tensors = {field.name: getattr(synthesis, field.name) for field in fields(synthesis)}
        for conv in self._codec.decoder.causal_convs():
            dtype = conv.conv.weight.dtype
            tensors[conv.name] = torch.zeros(num_slots, *conv.tail_shape, dtype=dtype)
        return SourceFilterState({name: tensor.to(device) for name, tensor in tensors.items()})

    @torch.no_grad()
    def __call__(
        self,
        codes_BKF: Tensor,
        state: SourceFilterState,
        slots: Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """The next F frames of B streams: codes [B, K, F] -> samples [B, 1764 * F] float32.

        `slots` says which row of the state each batch row belongs to; None means rows 0 to S-1 in order. A tensor is
        taken as it is, so that a captured graph can refill it.
        Raises `CodecError` if the rows of codes and slots differ in number or a slot is named twice.
        """
        index = slots if isinstance(slots, Tensor) else self._index(codes_BKF, state, slots)
        kept = {name: tensor.index_select(0, index) for name, tensor in state.tensors.items()}
        synthesis = SynthesisState(
            **{field.name: kept.pop(field.name) for field in fields(SynthesisState)}
        )
        tails = Tails(kept)
        samples_BN, _ = self._codec.decoder(self._codec.latents(codes_BKF), tails, synthesis)
        for field in fields(SynthesisState):
            state.tensors[field.name].index_copy_(0, index, getattr(synthesis, field.name))
        for name, tail in tails.tensors.items():
            state.tensors[name].index_copy_(0, index, tail)
        return samples_BN

    def _index(
        self, codes_BKF: Tensor, state: SourceFilterState, slots: Sequence[int] | None
    ) -> Tensor:
        rows = list(range(state.num_slots)) if slots is None else list(slots)
        if len(rows) != codes_BKF.shape[0] or len(set(rows)) != len(rows):
            raise CodecError(
                f"{codes_BKF.shape[0]} rows of codes for slots {rows}: one distinct slot a row"
            )
        return torch.tensor(rows, device=codes_BKF.device)


# --- the codec ---------------------------------------------------------------------------------------------------


class SourceFilterCodec(nn.Module):
    """Codes of 12.5 frames a second to 22 050 Hz and back; satisfies `kani_npc.codec.protocol.Codec`.

    The encoder is needed to train only; without it `encode` raises and all else works.
    """

    kind = "source_filter"

    def __init__(self, config: SourceFilterConfig, *, with_encoder: bool = False) -> None:
        super().__init__()
        self.config = config
        self.quantiser = GroupFSQ(config.levels, config.num_groups)
        self.decoder = Decoder(config)
        self._encoder = Encoder(config) if with_encoder else None

    @property
    def sample_rate_hz(self) -> int:
        return self.config.sample_rate_hz

    @property
    def samples_per_frame(self) -> int:
        return self.config.samples_per_frame

    @property
    def num_codebooks(self) -> int:
        return self.config.num_groups

    @property
    def codebook_size(self) -> int:
        return self.config.codebook_size

    @property
    def device(self) -> torch.device:
        return self.decoder.envelope.up.weight.device

    @property
    def encoder_weights(self) -> Encoder:
        """The encoder network. Raises `CodecError` if it was not loaded."""
        if self._encoder is None:
            raise CodecError(
                "this codec was loaded without its encoder, which only training needs; "
                f"give from_folder the path of {ENCODER_FILE} (in a checkout: finetune/assets/tiny)"
            )
        return self._encoder

    def latents(self, codes_BKF: Tensor) -> Tensor:
        """Codes [B, K, F] -> what the decoder takes: [B, F, Z]."""
        return self.quantiser.decode(codes_BKF).mT

    def decode(self, codes_KF: Tensor) -> Tensor:
        """Whole utterance: codes [K, F] int -> samples [1764 * F] float32, on the codes' device.

        Raises `CodecError` for codes that are not of this codec.
        """
        self.quantiser.check(codes_KF[None])
        stream = self.streaming_decoder()
        return stream(codes_KF[None].to(self.device), stream.init_state(num_slots=1))[0].to(
            codes_KF.device
        )

    def encode(self, samples_N: Tensor) -> Tensor:
        """Samples [N] float32 at 22 050 Hz, -1..1 -> codes [K, ceil(N / 1764)] int64.

        Raises `CodecError` if the encoder was not loaded.
        """
        padded_N = functional.pad(samples_N, (0, -samples_N.shape[0] % self.samples_per_frame))
        return self.encode_batch(padded_N[None])[0]

    @torch.no_grad()
    def encode_batch(self, samples_BN: Tensor) -> Tensor:
        """Utterances of one length, whole frames: [B, 1764 * F] -> codes [B, K, F] int64. Raises as `encode`."""
        return self.quantiser.encode(self.encoder_weights(samples_BN).mT)

    def streaming_decoder(self) -> SourceFilterStream:
        return SourceFilterStream(self)

    def serve(self) -> "SourceFilterCodec":
        """Makes ready to decode: no gradients, and pitch in float64 (see `PitchNet`)."""
        self.decoder.pitch.double()
        return self.eval().requires_grad_(False)

    @classmethod
    def from_folder(
        cls, path: str | Path, encoder: str | Path | None = None
    ) -> "SourceFilterCodec":
        """The codec of a folder with `config.json` and `model.safetensors`, ready to decode.

        `encoder` is the file of the encoder's weights, for training. Raises `CodecError` for a config that does
        not fit this class, `CheckpointError` for weights that do not fit the config.
        """
        path = Path(path)
        codec = cls(_read_config(path / "config.json"), with_encoder=encoder is not None)
        _load_weights(codec.decoder, path / "model.safetensors")
        if encoder is not None:
            _load_weights(codec.encoder_weights, Path(encoder))
        return codec.serve()

    def save(self, folder: str | Path, encoder: str | Path | None = None) -> None:
        """Writes `config.json` and the decoder's `model.safetensors`; `encoder` names a file for the encoder's."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = json.dumps({"kind": self.kind, **asdict(self.config)}, indent=2)
        (folder / "config.json").write_text(config + "\n")
        _save_weights(self.decoder, folder / "model.safetensors")
        if encoder is not None:
            _save_weights(self.encoder_weights, Path(encoder))


def _read_config(path: Path) -> SourceFilterConfig:
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        kind = values.pop("kind", None)
    except (OSError, ValueError, AttributeError) as error:
        raise CodecError(f"{path} could not be read as a codec's config: {error}") from error
    if kind != SourceFilterCodec.kind:
        raise CodecError(f"{path} is of kind {kind!r}; expected {SourceFilterCodec.kind!r}")
    expected = {field.name for field in fields(SourceFilterConfig)}
    if values.keys() != expected:
        missing, unknown = sorted(expected - values.keys()), sorted(values.keys() - expected)
        raise CodecError(f"{path} lacks {missing} and has unknown {unknown}")
    levels = values.pop("levels")
    return SourceFilterConfig(
        **values, levels=tuple(levels) if isinstance(levels, list) else levels
    )


def _save_weights(module: nn.Module, path: Path) -> None:
    weights = {name: weight.float().contiguous() for name, weight in module.state_dict().items()}
    save_file(weights, path)


def _load_weights(module: nn.Module, path: Path) -> None:
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} could not be read: {error}") from error
    expected = module.state_dict()
    if found.keys() != expected.keys():
        missing, unknown = (
            sorted(expected.keys() - found.keys()),
            sorted(found.keys() - expected.keys()),
        )
        raise CheckpointError(f"{path} lacks {missing[:5]} and has unknown {unknown[:5]}")
    for name, weight in found.items():
        if weight.shape != expected[name].shape:
            raise CheckpointError(
                f"{path}: {name} has shape {list(weight.shape)}; expected {list(expected[name].shape)}"
            )
    module.load_state_dict({name: weight.float() for name, weight in found.items()})
