"""How far apart two sounds are."""

import torch
from torch import Tensor


def distance(one: Tensor, other: Tensor) -> float:
    """Norm of the difference of their magnitudes, [N] samples each. Not of samples: the source-filter decoder adds up
    phases, which drift for ever with the least change of pitch.
    """
    window = torch.hann_window(1024)
    spectra = [torch.stft(x, 1024, window=window, return_complex=True).abs() for x in (one, other)]
    return (spectra[0] - spectra[1]).norm().item()
