"""Judges `tiny` in a language that no recogniser here knows, Spanish, by its teacher.

On lines that nothing was trained on: whether the model reads its text (nats a code with the right text and with another
line's), how long it speaks beside the teacher, and how far its sound is from the teacher's of the same line, frames
aligned by dynamic time warping. A distance says something only between others: the codec's copy of the teacher, which
is the best that can be had, and the teacher saying another line.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.tiny.data import FIRST_HELD_OUT_SHARD, PLAIN_SHARD, shards
from finetune.tiny.encode import shard_codes
from finetune.tiny.lm import Examples, Spoken, held_out_nll
from finetune.tiny.package import tokenizer
from finetune.tiny.speakers import Speakers
from finetune.tiny.speaking import Speaking
from finetune.tiny.teachers import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, TEACHERS
from kani_npc.codec.source_filter import mel_filters
from kani_npc.lm.load import load_lm

LINES = 30  # of each kind
RUNAWAY = 2.0  # times as long as the teacher's line
_WINDOW, _HOP, _BANDS = 1024, 256, 80
_FLOOR_DB = -60.0  # below a line's loudest band; quieter is silence


def judge(folder: Path, model: Path) -> dict[str, Any]:
    """A row for each kind of line: `game` and `plain`."""
    torch.set_num_threads(1)
    teacher = next(teacher for teacher in TEACHERS if teacher.language == "es")
    speaking, lm = Speaking(model), load_lm(model).float()
    examples = Examples(
        lm.layout,
        tokenizer(),
        lm.config.audio_step,
        Speakers.heard(folder / "embeddings.npz"),
    )
    kinds: dict[str, Any] = {}
    for kind, number in (("game", FIRST_HELD_OUT_SHARD), ("plain", PLAIN_SHARD)):
        (shard,) = [s for s in shards(folder / "corpus") if s.name == f"{teacher.key}-{number}"]
        said = shard.utterances[:LINES]
        codes = shard_codes(folder, shard.name, [u.samples for u in shard.utterances])[:LINES]
        spoken = [
            Spoken(teacher.voice, teacher.tag, u.text, codes_KF.T)
            for u, codes_KF in zip(said, codes, strict=True)
        ]
        right, wrong = held_out_nll(lm, examples, spoken)
        recordings = [shard.samples(utterance) for utterance in said]
        ratios: list[float] = []
        distances: list[tuple[float, float, float]] = []
        for i, (utterance, recording) in enumerate(zip(said, recordings, strict=True)):
            frames = len(recording) // SAMPLES_PER_FRAME
            limit = math.ceil(RUNAWAY * frames) + 4
            made = speaking.codes(utterance.text, teacher.voice, teacher.tag, max_frames=limit)
            ratios.append(made.shape[1] / frames)
            sounds = (
                speaking.copy(folder, recording),
                speaking.codec.decode(made).numpy(),
                recordings[i - 1],
            )
            theirs = _mels_db(recording)
            copy, tiny, other = (aligned_distance(theirs, _mels_db(x)) for x in sounds)
            distances.append((copy, tiny, other))
        copy, tiny, other = np.mean(distances, axis=0)
        kinds[kind] = {
            "lines": len(said),
            "right_text": float(np.mean(right)),
            "wrong_text": wrong,
            "length_ratio": float(np.mean(ratios)),
            "length_spread": float(np.std(ratios)),
            "runaways": sum(ratio >= RUNAWAY for ratio in ratios),
            "copy_db": float(copy),
            "tiny_db": float(tiny),
            "other_line_db": float(other),
        }
    return {"voice": teacher.voice, "tag": teacher.tag, **kinds}


def aligned_distance(one_MT: NDArray[np.float32], other_MT: NDArray[np.float32]) -> float:
    """Mean distance of two sounds' frames (mean over the bands of |a - b|) along the best alignment.

    Steps go on in one sound, in the other, or in both (Sakoe and Chiba, 1978, symmetric, weights 1, 1 and 2).
    """
    cost_TU = np.abs(one_MT[:, :, None] - other_MT[:, None, :]).mean(0)
    rows, columns = cost_TU.shape
    best = np.full((rows + 1, columns + 1), np.inf)
    best[0, 0] = 0.0
    for row in range(rows):
        for column in range(columns):
            step = cost_TU[row, column]
            best[row + 1, column + 1] = min(
                best[row, column] + 2 * step,
                best[row, column + 1] + step,
                best[row + 1, column] + step,
            )
    return float(best[-1, -1] / (rows + columns))


def table(row: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"Spanish ({row['voice']}, `{row['tag']}`), which no recogniser here knows: nats a code with the right text "
        "and with another line's; length beside the teacher; distance of mel bands to the teacher's sound of the line, "
        "aligned, in dB, beside the codec's copy and the teacher saying another line:",
        "",
        "| lines | | right text | wrong text | length tiny / teacher | runaways | codec copy | tiny | another line |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in ("game", "plain"):
        of = row[kind]
        lines.append(
            f"| {kind} | {of['lines']} | {of['right_text']:.2f} | {of['wrong_text']:.2f} "
            f"| {of['length_ratio']:.2f} ± {of['length_spread']:.2f} | {of['runaways']} "
            f"| {of['copy_db']:.1f} dB | {of['tiny_db']:.1f} dB | {of['other_line_db']:.1f} dB |"
        )
    return "\n".join(lines)


def _mels_db(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """[bands, frames of 12 ms]."""
    stft = torch.stft(
        torch.from_numpy(np.ascontiguousarray(samples)),
        _WINDOW,
        _HOP,
        window=torch.hann_window(_WINDOW),
        return_complex=True,
    )
    mels = mel_filters(SAMPLE_RATE_HZ, _WINDOW, _BANDS).T @ stft.abs()
    decibels = 20 * (mels + 1e-9).log10()
    return decibels.clamp_min(float(decibels.max()) + _FLOOR_DB).numpy()
