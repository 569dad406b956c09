"""From several clips to one embedding: each is read and checked, each must be of one speaker, and all of the same one.

Runs in `worker`'s process. Knows recordings and encoders; no wire, no store.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kani_npc.errors import BadAudio
from kani_npc.speaker.protocol import SpeakerEncoder
from kani_npc.speaker.recording import FRAME_S, MAX_CLIP_BYTES, Recording, read
from kani_npc.speech import FloatArray, SpeakerEmbedding

MAX_CLIPS = 32
MAX_BYTES = MAX_CLIP_BYTES  # of all clips

# A change of speaker is looked for between stretches of this much sound, on each side of every border between
# windows. Fewer, longer steps in a long clip: a large encoder takes a second for each window.
_WINDOW_S = 2.0
_STEP_S = 1.0
_MAX_WINDOWS = 16
_WINDOWS_A_SIDE = 2  # none of which overlaps the other side


@dataclass(frozen=True, slots=True)
class ClipReport:
    """What was found in one clip."""

    duration_s: float
    speech_s: float
    sample_rate_hz: int  # the file's
    channels: int
    file_format: str
    level_dbfs: float
    clipped_share: float
    likeness: float  # cosine to the embedding that all clips gave together
    steadiness: float  # least cosine of neighbouring stretches; 1 where it is too short to have two


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A speaker, and what each clip contributed."""

    embedding: SpeakerEmbedding
    clips: tuple[ClipReport, ...]


def enroll(clips: Sequence[bytes], encoder: SpeakerEncoder) -> Enrolled:
    """The speaker of these clips. Raises `BadAudio` that names the clip, `clips[0]` being the first."""
    if not clips:
        raise BadAudio("there is no clip", reason="too_little_speech", field="clips")
    if len(clips) > MAX_CLIPS or sum(map(len, clips)) > MAX_BYTES:
        raise BadAudio(
            f"{MAX_CLIPS} clips of {MAX_BYTES >> 20} MiB in all may be enrolled at once",
            reason="too_large",
            field="clips",
        )
    found: list[tuple[Recording, FloatArray, float]] = []
    for i, data in enumerate(clips):
        field = f"clips[{i}]"
        recording = read(data, encoder.sample_rate_hz, field=field)
        steady = steadiness(encoder, recording)
        if steady < encoder.change_threshold:
            raise BadAudio(
                "more than one speaker is heard in the clip", reason="several_speakers", field=field
            )
        found.append((recording, encoder.embed(recording.samples), steady))
    vectors = np.stack([vector for _, vector, _ in found])
    _check_same_speaker(vectors, encoder.change_threshold)
    together = unit(vectors.mean(axis=0))
    reports = tuple(
        ClipReport(
            duration_s=recording.duration_s,
            speech_s=recording.speech_s,
            sample_rate_hz=recording.file_rate_hz,
            channels=recording.channels,
            file_format=recording.file_format,
            level_dbfs=recording.level_dbfs,
            clipped_share=recording.clipped_share,
            likeness=float(vector @ together),
            steadiness=steady,
        )
        for recording, vector, steady in found
    )
    return Enrolled(SpeakerEmbedding(together, encoder.space), reports)


def steadiness(encoder: SpeakerEncoder, recording: Recording) -> float:
    """The least cosine between the stretches before and after any place in a recording; 1 if it is too short."""
    width = round(_WINDOW_S / FRAME_S)
    frames = len(recording.is_speech)
    step = max(round(_STEP_S / FRAME_S), -(-(frames - width) // (_MAX_WINDOWS - 1)))
    samples_a_frame = round(FRAME_S * recording.sample_rate_hz)
    vectors: list[FloatArray] = []
    starts: list[int] = []
    for first in range(0, frames - width + 1, step):
        if 2 * recording.is_speech[first : first + width].sum() < width:
            continue  # mostly a pause
        cut = recording.samples[first * samples_a_frame : (first + width) * samples_a_frame]
        vectors.append(encoder.embed(cut))
        starts.append(first)
    return least_likeness(np.array(vectors), starts, width)


def least_likeness(vectors: FloatArray, starts: Sequence[int], width: int) -> float:
    """The least cosine of what is heard before a place and after it; 1 if nothing is on one side.

    `vectors` [windows, D] are of windows of `width` that start at `starts`, in order, possibly overlapping.
    """
    least = 1.0
    for i, start in enumerate(starts):
        before = vectors[max(0, i + 1 - _WINDOWS_A_SIDE) : i + 1]
        after = [v for v, s in zip(vectors, starts, strict=True) if s >= start + width]
        if after:
            left = unit(np.mean(before, axis=0))
            right = unit(np.mean(after[:_WINDOWS_A_SIDE], axis=0))
            least = min(least, float(left @ right))
    return least


def unit(vector: FloatArray) -> FloatArray:
    """The same direction, length 1."""
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _check_same_speaker(vectors: FloatArray, threshold: float) -> None:
    if len(vectors) < 2:
        return
    others = [unit(np.delete(vectors, i, axis=0).mean(axis=0)) for i in range(len(vectors))]
    likeness = [float(vector @ other) for vector, other in zip(vectors, others, strict=True)]
    least = int(np.argmin(likeness))
    if likeness[least] < threshold:
        raise BadAudio(
            "the clip is of another speaker than the others",
            reason="several_speakers",
            field=f"clips[{least}]",
        )
