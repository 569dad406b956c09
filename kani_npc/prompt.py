"""What the model reads: prompts, positions, and the rows it is trained on.

Integers and numpy; knows no tensors of the model, no tokenizer (only its `encode`), no voices.
Every rule is the published one (KaniTTS2 package 0.0.5, and its training code at e0cd069).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kani_npc.tokens import END_OF_TEXT, Frame, TokenLayout

Encode = Callable[[str], Sequence[int]]
"""A tokenizer's encode: text -> ids, start_of_text (BOS) first, nothing after."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The ids before the first code, start_of_speech last; one more input than ids with a speaker.

    The speaker is no token: its vector stands between the first and the second id.
    """

    ids: tuple[int, ...]
    with_speaker: bool = False

    @property
    def num_inputs(self) -> int:
        """How many inputs the model reads, the speaker's slot counted."""
        return len(self.ids) + self.with_speaker

    @property
    def prefill_length(self) -> int:
        """How many of them are read ahead; the last one, start_of_speech, belongs to the first frame."""
        return self.num_inputs - 1

    @property
    def first_audio_position(self) -> int:
        """The position of the first frame's codes; start_of_speech stands one before. Prompts hold no audio."""
        return self.num_inputs

    def position(self, frame: int, k: int, audio_step: float) -> float:
        """Of the token that is fed to choose code k of a frame: start_of_speech, or the code before."""
        if k > 0:
            return self.first_audio_position + audio_step * frame
        return (
            self.first_audio_position + audio_step * (frame - 1)
            if frame
            else self.first_audio_position - 1
        )


def build_prompt(
    layout: TokenLayout,
    encode: Encode,
    text: str,
    tag: str | None = None,
    *,
    with_speaker: bool = False,
) -> Prompt:
    """`tag: text` between its markers, and the two tokens the published model would first have to say itself."""
    ids = encode(text if tag is None else f"{tag.strip()}: {text}")
    return Prompt(
        (
            layout.start_of_human,
            *ids,
            END_OF_TEXT,
            layout.end_of_human,
            layout.start_of_ai,
            layout.start_of_speech,
        ),
        with_speaker,
    )


def training_row(
    layout: TokenLayout,
    encode: Encode,
    text: str,
    frames: Iterable[Sequence[int]],
    tag: str | None = None,
) -> list[int]:
    """One training sequence: the prompt, the frames without immediate repetitions, the end markers.

    As published, the tag is lower-cased here (and only here), and a frame equal to the one before is dropped.
    """
    prompt = build_prompt(layout, encode, text, None if tag is None else tag.lower())
    kept: list[Frame] = []
    for frame in map(tuple, frames):
        if not kept or frame != kept[-1]:
            kept.append(frame)
    return [*prompt.ids, *layout.to_ids(kept), layout.end_of_speech, layout.end_of_ai]


def positions(
    ids: ArrayLike, layout: TokenLayout, audio_step: float, speaker: bool
) -> NDArray[np.float32]:
    """The position of every input, by the training rule: [..., T], or [..., T + 1] with a speaker, float32.

    Text advances by 1 a token; the tokens of a frame share one position, `audio_step` after the frame before. A pad
    counts as text. `ids` may have batch axes in front (rows padded on the right).
    """
    is_audio = np.asarray(ids) >= layout.audio_tokens_start
    audio_before = np.cumsum(is_audio, axis=-1) - is_audio
    text_before = np.arange(is_audio.shape[-1]) - audio_before
    frames_before = audio_before // layout.num_codebooks
    where = text_before.astype(np.float32) + np.float32(audio_step) * frames_before.astype(
        np.float32
    )
    if not speaker:
        return where
    return np.concatenate((where[..., :1], where[..., :1] + 1, where[..., 1:] + 1), axis=-1)
