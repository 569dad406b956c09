"""What a decoder is trained for: spectra like the recording's, and discriminators that take it for one.

Formulas and weights are those of NeMo's audio codec losses (L1 of log(x + 1) at seven resolutions, squared adversarial
losses, absolute feature matching). Knows no codec.

Shapes: B rows, N samples, G mel bands, Q frequency bins.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from finetune.codec.discriminators import Judged
from kani_npc.codec.source_filter import mel_filters

RESOLUTIONS = {32: 5, 64: 10, 128: 20, 256: 40, 512: 80, 1024: 160, 2048: 320}  # window: mel bands
_GUARD = 1.0  # of the logarithms
_ROOT_GUARD = 1e-5


class MelStftLoss(nn.Module):
    """Mean over the resolutions of the log mel distance and of the log magnitude distance."""

    def __init__(self, sample_rate_hz: int) -> None:
        super().__init__()
        for window, bands in RESOLUTIONS.items():
            self.register_buffer(
                f"window{window}", torch.hann_window(window, periodic=False), False
            )
            mel_GQ = mel_filters(sample_rate_hz, window, bands, equal_area=False).T
            self.register_buffer(f"mel{window}", mel_GQ, False)

    def forward(self, made_BN: Tensor, true_BN: Tensor) -> tuple[Tensor, Tensor]:
        mel, stft = made_BN.new_zeros(()), made_BN.new_zeros(())
        for window in RESOLUTIONS:
            made, true = self._magnitudes(made_BN, window), self._magnitudes(true_BN, window)
            mel_GQ = self.get_buffer(f"mel{window}")
            mel = mel + _log_distance(mel_GQ @ made, mel_GQ @ true)
            stft = stft + _log_distance(made, true)
        return mel / len(RESOLUTIONS), stft / len(RESOLUTIONS)

    def _magnitudes(self, samples_BN: Tensor, window: int) -> Tensor:
        spectrum = torch.stft(
            samples_BN,
            window,
            window // 4,
            window=self.get_buffer(f"window{window}"),
            return_complex=True,
        )
        # A plain magnitude has no gradient at nothing.
        return torch.sqrt(torch.view_as_real(spectrum).square().sum(-1) + _ROOT_GUARD)


def _log_distance(made: Tensor, true: Tensor) -> Tensor:
    return (torch.log(made + _GUARD) - torch.log(true + _GUARD)).abs().mean()


def discriminator_loss(real: Sequence[Judged], made: Sequence[Judged]) -> Tensor:
    """0 where every recording is taken for one and nothing that was made is."""
    losses = [
        ((1 - scores).square().mean() + fooled.square().mean()) / 2
        for (scores, _), (fooled, _) in zip(real, made, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial_loss(made: Sequence[Judged]) -> Tensor:
    """0 where all that was made is taken for a recording."""
    return torch.stack([(1 - scores).square().mean() for scores, _ in made]).mean()


def feature_loss(real: Sequence[Judged], made: Sequence[Judged]) -> Tensor:
    """How differently the discriminators' layers see the two, scores included."""
    losses = [
        torch.stack([(a - b).abs().mean() for a, b in zip(seen, remade, strict=True)]).mean()
        for (_, seen), (_, remade) in zip(real, made, strict=True)
    ]
    return torch.stack(losses).mean()
