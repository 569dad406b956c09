"""What the mouth does, from the sound: weights of the 15 common visemes, and how open the mouth is, every 20 ms.

Causal: a hop's shape depends on sound up to its end and on nothing after, so it can be sent with the sound itself, and
any cutting of the samples gives the same shapes. A recurrent network of some forty thousand weights over log-mel
spectra, in numpy: it runs where the sound is sent and costs about a thousandth of real time. It knows no voice, no text
and no wire; `finetune/lips.py` trains it.

Shapes: H hops, M mel bands, V visemes, U units.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from kani_npc.speech import FloatArray

Array = NDArray[Any]  # numpy's own arithmetic loses the width in its types

# The order of the wire, that of the set that game engines' lip shapes commonly follow (Oculus/Meta lip sync).
VISEMES = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou",
)  # fmt: skip
# How far the jaw drops for each.
OPENNESS = np.array(
    [0.0, 0.0, 0.1, 0.2, 0.25, 0.3, 0.25, 0.1, 0.25, 0.3, 1.0, 0.6, 0.35, 0.8, 0.4], np.float32
)
HOPS_PER_S = 50
NUM_MELS = 40
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 8000.0
_FLOOR = 1e-7  # power; far below speech at -20 dBFS


@dataclass(frozen=True, slots=True)
class LipShapes:
    """Hops in a row, the first of which is hop number `first_hop` of the sound."""

    first_hop: int
    weights_HV: FloatArray  # each row is 0 to 1 and 1 together, in the order of VISEMES

    @property
    def openness_H(self) -> FloatArray:
        """0 is a closed mouth, 1 an open one."""
        return self.weights_HV @ OPENNESS


class LipTracker:
    """One stream's. `sample_rate_hz` is any that 50 divides."""

    def __init__(self, sample_rate_hz: int) -> None:
        assert sample_rate_hz % HOPS_PER_S == 0
        self.hop_samples = sample_rate_hz // HOPS_PER_S
        self._spectra = Spectra(sample_rate_hz)
        self._network = _network()
        self._state_U = self._network.at_rest_U
        self._hops = 0

    def __call__(self, samples: FloatArray) -> LipShapes:
        """The hops that end within these samples, possibly none."""
        mels_HM = self._spectra(samples)
        weights_HV = np.empty((len(mels_HM), len(VISEMES)), np.float32)
        for h, mel_M in enumerate(mels_HM):
            self._state_U, weights_HV[h] = self._network(mel_M, self._state_U)
        shapes = LipShapes(self._hops, weights_HV)
        self._hops += len(mels_HM)
        return shapes


class Spectra:
    """Log-mel spectra of one stream, one a hop, of the 46 ms that end with it."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._hop = sample_rate_hz // HOPS_PER_S
        self._window: FloatArray = np.hanning(round(sample_rate_hz * 0.0464)).astype(np.float32)
        self._fft_size = 1 << (len(self._window) - 1).bit_length()
        self._filters = _mel_filters(sample_rate_hz, self._fft_size)
        # Before a line there is silence.
        self._held = np.zeros(len(self._window) - self._hop, np.float32)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """[H, M], of the hops that end within these samples."""
        held = np.concatenate((self._held, samples))
        hops = max(0, (len(held) - len(self._window)) // self._hop + 1)
        self._held = held[hops * self._hop :]
        if not hops:
            return np.zeros((0, NUM_MELS), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(held, len(self._window))[:: self._hop]
        spectrum = np.fft.rfft(frames[:hops] * self._window, self._fft_size)
        power = (spectrum.real**2 + spectrum.imag**2) / len(self._window)
        return np.log(power @ self._filters + _FLOOR).astype(np.float32)


def _mel_filters(sample_rate_hz: int, fft_size: int) -> NDArray[np.float64]:
    """Triangles, [fft_size / 2 + 1, M], each of weight 1: the band's mean power, whatever the rate and the window.

    Evenly spaced on the mel scale of HTK. Bands above half the sample rate stay empty.
    """
    edges_mel = np.linspace(
        2595 * np.log10(1 + _LOWEST_HZ / 700), 2595 * np.log10(1 + _HIGHEST_HZ / 700), NUM_MELS + 2
    )
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = np.fft.rfftfreq(fft_size, 1 / sample_rate_hz)[:, None]
    low, middle, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    triangles = np.minimum((bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle))
    triangles = np.maximum(triangles, 0.0)
    return triangles / np.maximum(triangles.sum(0), 1e-9)


class Network:
    """A gated recurrent unit between two linear layers; the arithmetic and the layout of torch's `GRU`."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.weights = weights
        self.num_units = weights["gru.weight_hh_l0"].shape[1]
        # Before a line there was silence for a while; a state of zeros would be in the middle of something.
        self.at_rest_U: Array = np.zeros(self.num_units, np.float32)
        for _ in range(HOPS_PER_S):
            self.at_rest_U, _ = self(np.full(NUM_MELS, np.log(_FLOOR), np.float32), self.at_rest_U)

    def __call__(self, mel_M: Array, state_U: Array) -> tuple[Array, Array]:
        """One hop: the next state, and the visemes' weights [V]."""
        w = self.weights
        normal_M = (mel_M - w["mean"]) * w["scale"]
        reset_x, update_x, new_x = np.split(
            w["gru.weight_ih_l0"] @ normal_M + w["gru.bias_ih_l0"], 3
        )
        reset_h, update_h, new_h = np.split(
            w["gru.weight_hh_l0"] @ state_U + w["gru.bias_hh_l0"], 3
        )
        update = _sigmoid(update_x + update_h)
        new = np.tanh(new_x + _sigmoid(reset_x + reset_h) * new_h)
        state_U = (1 - update) * new + update * state_U
        scores = w["head.weight"] @ state_U + w["head.bias"]
        weights_V = np.exp(scores - scores.max())
        return state_U, weights_V / weights_V.sum()


def _sigmoid(x: Array) -> Array:
    return 0.5 * (np.tanh(0.5 * x) + 1)


@cache
def _network() -> Network:
    return Network(load(resources.files("kani_npc").joinpath("lips.safetensors").read_bytes()))
