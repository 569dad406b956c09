"""Judges `tiny` on lines that nothing was trained on, beside its teachers.

Three columns: the teacher's own recording, the codec's copy of it, and the model speaking the text. What an independent
recogniser hears of lines of games and of plain sentences; whose voice the speaker encoder hears; how long and how fast
it speaks. `likeness` and `accents` judge enrolled voices and swapped tags.

A voice that was judged is not judged again for the same weights, so a killed run goes on where it stopped.

Files in the recipe's folder:
    evaluation/<weights>/<voice>-<tag>.json   what was measured of a voice, line by line
    evaluation/teachers/<voice>-<tag>.json    the recogniser's errors on the teacher, which no weights change
    evaluation.json                           all figures; the model card is written from it
"""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.tiny import accents, card, likeness
from finetune.tiny.lines import spoken_words
from finetune.tiny.package import MODEL_FOLDER
from finetune.tiny.recogniser import Recogniser, recogniser, word_errors
from finetune.tiny.speaking import Speaking
from finetune.tiny.teachers import TEACHERS, Teacher

FRAMES_PER_S = 12.5
RUNAWAY = 2.0  # times as long as the teacher's line
WORDS = 300  # of each kind, at least
KINDS = {"game": 9000, "plain": 9001}  # and the shard that holds them
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one voice. Errors and words are counts."""

    kind: str
    words: int
    teacher_errors: int
    copy_errors: int
    tiny_errors: int
    frames_teacher: int
    frames: int
    ran_away: bool
    heard_as: str  # the shipped voice whose embedding is nearest
    copy_heard_as: str
    lm_s: float  # CPU seconds of one thread
    codec_s: float


def run(folder: Path, *, model: Path = MODEL_FOLDER, processes: int = 2) -> dict[str, Any]:
    """Judges every teacher's voice and writes the figures and the card."""
    digest = hashlib.sha256()
    for weights in (model / "model.safetensors", model / "codec" / "model.safetensors"):
        digest.update(weights.read_bytes())
    kept = folder / "evaluation" / digest.hexdigest()[:12]
    kept.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation" / "teachers").mkdir(exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        others = [
            pool.submit(likeness.judge, folder, model),
            pool.submit(accents.judge, folder, model),
        ]
        voices = [pool.submit(_judge, teacher, folder, model, kept) for teacher in TEACHERS]
        judged = [voice.result() for voice in voices]
        enrolled, swapped = (other.result() for other in others)
    report = {
        "voices": [
            _figures(teacher, lines) for teacher, lines in zip(TEACHERS, judged, strict=True)
        ],
        "runaways": sum(line.ran_away for lines in judged for line in lines),
        "lines": sum(map(len, judged)),
        "enrolled": enrolled,
        "accents": swapped,
    }
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    card.write(folder, model)
    print(card.tables(report))
    return report


def _judge(teacher: Teacher, folder: Path, model: Path, kept: Path) -> list[Line]:
    # Imported here: it loads pyworld, which only making the corpus needs.
    from finetune.tiny.data import shards

    path = kept / f"{teacher.key}.json"
    if path.exists():
        return [Line(**row) for row in json.loads(path.read_text())]
    torch.set_num_threads(1)
    speaking = Speaking(model)
    names = list(speaking.voices)
    centroids_VD = np.stack([speaking.voices[name] for name in names])

    def who(samples: NDArray[np.float32]) -> str:
        return names[int((centroids_VD @ speaking.who([samples])).argmax())]

    of_teacher = _TeacherErrors(folder / "evaluation" / "teachers" / f"{teacher.key}.json")
    lines: list[Line] = []
    for kind, number in KINDS.items():
        listener = recogniser(plain=kind == "plain")
        (shard,) = [s for s in shards(folder / "corpus") if s.name == f"{teacher.key}-{number}"]
        words = 0
        for utterance in shard.utterances:
            if words >= WORDS:
                break
            said = spoken_words(utterance.text)
            words += len(said)
            recording = shard.samples(utterance)
            codes_KF = speaking.encode(folder, recording)
            frames = codes_KF.shape[1]
            limit = math.ceil(RUNAWAY * frames) + 4
            started = time.process_time()
            codes = speaking.codes(utterance.text, teacher.voice, teacher.tag, max_frames=limit)
            generated = time.process_time()
            samples = speaking.codec.decode(codes).numpy()
            decoded = time.process_time()
            copy = speaking.codec.decode(codes_KF).numpy()
            errors = [word_errors(said, listener.words(x)) for x in (copy, samples)]
            lines.append(
                Line(
                    kind,
                    len(said),
                    of_teacher.get(f"{kind} {utterance.text}", said, recording, listener),
                    *errors,
                    frames,
                    codes.shape[1],
                    codes.shape[1] >= limit,
                    who(samples) if len(samples) else "",
                    who(copy),
                    generated - started,
                    decoded - generated,
                )
            )
    of_teacher.write()
    path.write_text(json.dumps([asdict(line) for line in lines]) + "\n")
    return lines


class _TeacherErrors:
    """The recogniser's word errors on a teacher's lines, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}

    def get(
        self, key: str, said: Sequence[str], recording: NDArray[np.float32], listener: Recogniser
    ) -> int:
        if key not in self._numbers:
            self._numbers[key] = word_errors(said, listener.words(recording))
        return self._numbers[key]

    def write(self) -> None:
        self._path.write_text(json.dumps(self._numbers) + "\n")


def _figures(teacher: Teacher, lines: Sequence[Line]) -> dict[str, Any]:
    """Of one voice in one accent. Rates are shares (0..1); intervals hold 95 % of the resampled lines' rates."""
    ratios = np.array([line.frames / line.frames_teacher for line in lines])
    seconds = sum(line.frames for line in lines) / FRAMES_PER_S
    return {
        "voice": teacher.voice,
        "tag": teacher.tag,
        "engine": f"{teacher.engine} {teacher.engine_voice}",
        "length_ratio": float(ratios.mean()),
        "length_spread": float(ratios.std()),
        "heard_as_itself": float(np.mean([line.heard_as == teacher.voice for line in lines])),
        "copy_heard_as_itself": float(
            np.mean([line.copy_heard_as == teacher.voice for line in lines])
        ),
        "lm_rtf": sum(line.lm_s for line in lines) / seconds,
        "codec_rtf": sum(line.codec_s for line in lines) / seconds,
        **{kind: _errors([line for line in lines if line.kind == kind]) for kind in KINDS},
    }


def _errors(lines: Sequence[Line]) -> dict[str, Any]:
    words_L = np.array([line.words for line in lines])
    errors_CL = np.array(
        [[line.teacher_errors, line.copy_errors, line.tiny_errors] for line in lines]
    ).T
    drawn_RL = np.random.default_rng(0).integers(0, len(lines), (RESAMPLES, len(lines)))
    rates_CR = errors_CL[:, drawn_RL].sum(2) / words_L[drawn_RL].sum(1)
    rates_C = errors_CL.sum(1) / words_L.sum()

    def interval(rates_R: NDArray[np.float64]) -> list[float]:
        return np.quantile(rates_R, (0.025, 0.975)).tolist()

    return {
        "lines": len(lines),
        "words": int(words_L.sum()),
        "teacher": float(rates_C[0]),
        "copy": float(rates_C[1]),
        "tiny": float(rates_C[2]),
        "teacher_interval": interval(rates_CR[0]),
        "copy_interval": interval(rates_CR[1]),
        "tiny_interval": interval(rates_CR[2]),
        "tiny_above_teacher": float(rates_C[2] - rates_C[0]),
        "tiny_above_teacher_interval": interval(rates_CR[2] - rates_CR[0]),
    }
