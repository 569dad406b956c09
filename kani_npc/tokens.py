"""The vocabulary: which id is text, which is a marker, which is code c of codebook k.

Integers only: no tensors, no tokenizer. Sizes are derived from the checkpoint's `vocab_size` and
`audio_tokens_start`, never written. Layout as published (KaniTTS2 model card and package 0.0.5):

    0 .. base-1            text; 1 = start_of_text (BOS), 2 = end_of_text
    base+1 .. base+7       start_of_speech, end_of_speech, start_of_human, end_of_human, start_of_ai, end_of_ai, pad
    base+10 + k*C + c      code c of codebook k, C codes each
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kani_npc.errors import CheckpointError

START_OF_TEXT = 1
END_OF_TEXT = 2
NUM_MARKERS = 10  # ids between the text and the first audio token, three of them unused

Frame = tuple[int, ...]
"""One code per codebook: 80 ms of sound."""


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """Where things are in one checkpoint's vocabulary.

    Raises `CheckpointError` if the audio part is not `num_codebooks` equal codebooks.
    """

    vocab_size: int
    audio_tokens_start: int
    num_codebooks: int = 4

    def __post_init__(self) -> None:
        audio = self.vocab_size - self.audio_tokens_start
        if (
            self.audio_tokens_start < NUM_MARKERS + END_OF_TEXT + 1
            or audio <= 0
            or audio % self.num_codebooks
        ):
            raise CheckpointError(
                f"vocab_size {self.vocab_size} and audio_tokens_start {self.audio_tokens_start} do not leave "
                f"{self.num_codebooks} equal codebooks; check config.json"
            )

    @property
    def base(self) -> int:
        return self.audio_tokens_start - NUM_MARKERS

    @property
    def codebook_size(self) -> int:
        return (self.vocab_size - self.audio_tokens_start) // self.num_codebooks

    @property
    def start_of_speech(self) -> int:
        return self.base + 1

    @property
    def end_of_speech(self) -> int:
        return self.base + 2

    @property
    def start_of_human(self) -> int:
        return self.base + 3

    @property
    def end_of_human(self) -> int:
        return self.base + 4

    @property
    def start_of_ai(self) -> int:
        return self.base + 5

    @property
    def end_of_ai(self) -> int:
        return self.base + 6

    @property
    def pad(self) -> int:
        return self.base + 7

    def codebook_start(self, k: int) -> int:
        """Id of code 0 of codebook k."""
        return self.audio_tokens_start + k * self.codebook_size

    def is_audio(self, token: int) -> bool:
        return token >= self.audio_tokens_start

    def to_ids(self, frames: Iterable[Sequence[int]]) -> list[int]:
        """Frames of codes as the flat ids the model reads, codebooks in order."""
        return [self.codebook_start(k) + code for frame in frames for k, code in enumerate(frame)]

    def to_frames(self, ids: Sequence[int]) -> list[Frame]:
        """The frames between start_of_speech and end_of_speech in a model's output.

        Raises `ValueError` where the published package does (no markers, wrong order, an incomplete frame), and also
        for a code of another codebook, which that package lets through to its codec.
        """
        if self.start_of_speech not in ids or self.end_of_speech not in ids:
            raise ValueError("no start_of_speech or no end_of_speech among the ids")
        first, last = ids.index(self.start_of_speech) + 1, ids.index(self.end_of_speech)
        if last < first:
            raise ValueError("end_of_speech comes before start_of_speech")
        audio = ids[first:last]
        if len(audio) % self.num_codebooks:
            raise ValueError(f"{len(audio)} audio ids are not whole frames of {self.num_codebooks}")
        codes = [
            token - self.codebook_start(i % self.num_codebooks) for i, token in enumerate(audio)
        ]
        if any(not 0 <= code < self.codebook_size for code in codes):
            raise ValueError("an audio id stands in another codebook's place")
        k = self.num_codebooks
        return [tuple(codes[i : i + k]) for i in range(0, len(codes), k)]
