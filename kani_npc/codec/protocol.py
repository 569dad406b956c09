"""What the engine asks of a codec. `nanocodec` and `source_filter` are the two there are.

Shapes: S slots, B rows, K codebooks, F frames, N samples.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor


class DecoderState(Protocol):
    """Everything a stream's decoder remembers between frames; tensors with the slot axis first."""

    @property
    def num_slots(self) -> int: ...

    @property
    def num_bytes(self) -> int:
        """Of all slots together."""
        ...

    def reset(self, slots: Sequence[int]) -> None:
        """Make these slots as new. Other slots do not notice."""
        ...


class StreamingDecoder(Protocol):
    """Exact streaming: any cutting of the frames gives the samples of one whole decode, to 1e-5."""

    def init_state(self, num_slots: int) -> DecoderState: ...

    def __call__(
        self, codes_BKF: Tensor, state: Any, slots: Sequence[int] | Tensor | None = None
    ) -> Tensor:
        """The next F frames of B streams: [B, F * samples_per_frame] float32.

        `state` is what this decoder's `init_state` made. `slots` says which row of the state each batch row belongs
        to; None means rows 0 to S-1 in order. A tensor is taken on trust, so that a captured graph can refill it:
        nothing then waits for the device, and rows that nobody hears may all name one spare slot.
        """
        ...


class Codec(Protocol):
    """Strictly causal: F frames are `samples_per_frame * F` samples, with no flush at the end."""

    @property
    def kind(self) -> str: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def samples_per_frame(self) -> int: ...

    @property
    def num_codebooks(self) -> int: ...

    @property
    def codebook_size(self) -> int: ...

    def decode(self, codes_KF: Tensor) -> Tensor:
        """Whole utterance: codes [K, F] int -> samples [F * samples_per_frame] float32."""
        ...

    def encode(self, samples_N: Tensor) -> Tensor:
        """Samples [N] float32 at `sample_rate_hz` -> codes [K, ceil(N / samples_per_frame)] int64.

        Raises `CodecError` where the encoder's weights are not at hand.
        """
        ...

    def streaming_decoder(self) -> StreamingDecoder: ...
