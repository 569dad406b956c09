"""Judges enrolled voices: held-out speakers of the crowd are enrolled from three clips and speak other lines.

Nothing was trained on these speakers: vocal-tract scalings of the flite voices, and espeak-ng variants, which are whole
teachers that no stage has heard. All figures are cosines of the shipped speaker encoder.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from finetune.tiny import crowd
from finetune.tiny.crowd import Said
from finetune.tiny.encode import ACCENT_TAGS
from finetune.tiny.speaking import Speaking
from finetune.tiny.teachers import SAMPLE_RATE_HZ
from kani_npc.errors import BadAudio
from kani_npc.speaker import enrollment
from kani_npc.speaker.protocol import SpeakerEncoder

CLIPS = 3
LINES_A_CLIP = 3  # single ones may have less speech than a clip must have
SPOKEN_LINES = 8
ESPEAK_SPEAKERS = 4

Spoken = tuple[Said, NDArray[np.int16]]


def judge(folder: Path, model: Path) -> dict[str, Any]:
    """A row a speaker, and the floor: how alike different speakers' references are.

    Raises `ValueError` for a crowd with too few lines of a speaker.
    """
    torch.set_num_threads(1)
    speaking = Speaking(model)
    speakers = [s for s in crowd.crowd() if s.is_held_out]
    speakers = [s for s in speakers if s.is_scaling] + [s for s in speakers if not s.is_scaling][
        :: len(speakers) // ESPEAK_SPEAKERS
    ][:ESPEAK_SPEAKERS]
    rows: list[dict[str, Any]] = []
    references: list[NDArray[np.float32]] = []
    for speaker in speakers:
        accent = speaker.teachers[0].tag
        said = [(s, pcm) for s, pcm in crowd.read(folder / "crowd", speaker) if s.tag == accent]
        if len(said) <= CLIPS * LINES_A_CLIP:
            raise ValueError(
                f"{speaker.name} has {len(said)} lines in {folder / 'crowd'} and needs more than "
                f"{CLIPS * LINES_A_CLIP} to be enrolled; let `crowd` run to its end"
            )
        reference, rest = _enrolled(said, speaking.encoder)
        references.append(reference)
        # Lines that were not in the clips; long enough that the encoder has something to hear.
        fresh = [(s, pcm) for s, pcm in rest if len(s.text.split()) >= 4]
        fresh = fresh[:SPOKEN_LINES]
        teacher = [(pcm / 32_768).astype(np.float32) for _, pcm in fresh]
        tag = ACCENT_TAGS.get(accent, accent)
        output = speaking.who([speaking.speak(s.text, reference, tag) for s, _ in fresh])
        copies = speaking.who([speaking.copy(folder, x) for x in teacher])
        to_shipped = {v: float(output @ vector) for v, vector in speaking.voices.items()}
        nearest = max(to_shipped, key=to_shipped.__getitem__)
        rows.append(
            {
                "speaker": speaker.name,
                "is_scaling": speaker.is_scaling,
                "tiny": float(output @ reference),
                "copy": float(copies @ reference),
                "teacher": float(speaking.who(teacher) @ reference),
                "nearest_shipped": nearest,
                "tiny_to_nearest_shipped": to_shipped[nearest],
                "reference_to_nearest_shipped": max(
                    float(reference @ vector) for vector in speaking.voices.values()
                ),
                "tiny_to_shipped": to_shipped,
            }
        )
    everybody_VD = np.stack([*references, *speaking.voices.values()])
    between = (everybody_VD @ everybody_VD.T)[np.triu_indices(len(everybody_VD), 1)]
    return {
        "speakers": rows,
        "floor": {"mean": float(between.mean()), "95_percent": float(np.quantile(between, 0.95))},
    }


def _enrolled(
    said: Sequence[Spoken], encoder: SpeakerEncoder
) -> tuple[NDArray[np.float32], Sequence[Spoken]]:
    """The embedding of the first lines that make good clips, and the other lines.

    A clip may be refused, one in a hundred because two speakers are heard in it; whoever enrols a voice records it
    again, and here the next lines are taken. Raises `BadAudio` where no others are left.
    """
    lines = CLIPS * LINES_A_CLIP
    groups = [said[i : i + LINES_A_CLIP] for i in range(0, lines, LINES_A_CLIP)]
    clips = [_wav(np.concatenate([pcm for _, pcm in group])) for group in groups]
    try:
        return enrollment.enroll(clips, encoder).embedding.vector, said[lines:]
    except BadAudio:
        later = said[LINES_A_CLIP:]
        if len(later) <= lines:
            raise
        vector, rest = _enrolled(later, encoder)
        return vector, [*said[:LINES_A_CLIP], *rest]


def _wav(pcm: NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, pcm, SAMPLE_RATE_HZ, format="WAV")
    return file.getvalue()
