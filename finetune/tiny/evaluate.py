"""Judges `tiny` on lines that nothing was trained on, beside its teachers.

Three columns: the teacher's own recording, the codec's copy of it, and the model speaking the text. What an independent
recogniser hears of lines of games and of plain sentences; whose voice the speaker encoder hears; how long and how fast
it speaks. `likeness` and `accents` judge enrolled voices and swapped tags.

What was judged is not judged again for the same weights, so a killed run goes on where it stopped.

Files in the recipe's folder:
    evaluation/<digest>/<voice>-<tag>.json    what was measured of a voice, line by line, or of its copies alone: the
                                              digest is of the weights that it depends on
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

from finetune.bootstrap import drawn, interval
from finetune.recogniser import word_errors
from finetune.tiny import accents, card, languages, likeness
from finetune.tiny.lines import spoken_words
from finetune.tiny.package import MODEL_FOLDER
from finetune.tiny.recogniser import Recogniser, recogniser
from finetune.tiny.speaking import Speaking
from finetune.tiny.teachers import ENGLISH, SAMPLES_PER_FRAME, Teacher

FRAMES_PER_S = 12.5
RUNAWAY = 2.0  # times as long as the teacher's line
WORDS = 300  # of each kind, at least
KINDS = {"game": 9000, "plain": 9001}  # and the shard that holds them

_LISTENING = ("codec/model.safetensors", "speaker/model.safetensors", "voices.json")


@dataclass(frozen=True, slots=True)
class Original:
    """One line by the teacher, and its copy. Errors and words are counts."""

    kind: str
    text: str
    words: int
    frames: int
    teacher_errors: int
    copy_errors: int
    copy_heard_as: str  # the shipped voice whose embedding is nearest


@dataclass(frozen=True, slots=True)
class Line:
    """One line as `tiny` says it."""

    tiny_errors: int
    frames: int
    ran_away: bool
    heard_as: str
    lm_s: float  # CPU seconds of one thread
    codec_s: float


def run(folder: Path, *, model: Path = MODEL_FOLDER, processes: int = 2) -> dict[str, Any]:
    """Judges every English teacher's voice, Spanish, and what else there is, and writes the figures and the card."""
    with ProcessPoolExecutor(processes) as pool:
        others = [
            pool.submit(likeness.judge, folder, model),
            pool.submit(accents.judge, folder, model),
            pool.submit(languages.judge, folder, model),
        ]
        voices = [pool.submit(_judge, teacher, folder, model) for teacher in ENGLISH]
        judged = [voice.result() for voice in voices]
        enrolled, swapped, spanish = (other.result() for other in others)
    report = {
        "voices": [
            _figures(teacher, *lines) for teacher, lines in zip(ENGLISH, judged, strict=True)
        ],
        "runaways": sum(line.ran_away for _, lines in judged for line in lines),
        "lines": sum(len(lines) for _, lines in judged),
        "enrolled": enrolled,
        "accents": swapped,
        "spanish": spanish,
    }
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    card.write(folder, model)
    print(card.tables(report))
    return report


def _judge(teacher: Teacher, folder: Path, model: Path) -> tuple[list[Original], list[Line]]:
    originals = hear_originals(teacher, folder, model)
    path = _kept(folder, teacher, model, *_LISTENING, "model.safetensors")
    if path.exists():
        return originals, [Line(**row) for row in json.loads(path.read_text())]
    torch.set_num_threads(1)
    speaking = Speaking(model)
    lines: list[Line] = []
    for original in originals:
        limit = math.ceil(RUNAWAY * original.frames) + 4
        started = time.process_time()
        codes = speaking.codes(original.text, teacher.voice, teacher.tag, max_frames=limit)
        generated = time.process_time()
        samples = speaking.codec.decode(codes).numpy()
        decoded = time.process_time()
        heard = recogniser(plain=original.kind == "plain").words(samples)
        lines.append(
            Line(
                word_errors(spoken_words(original.text), heard),
                codes.shape[1],
                codes.shape[1] >= limit,
                speaking.nearest(samples) if len(samples) else "",
                generated - started,
                decoded - generated,
            )
        )
    _write(path, [asdict(line) for line in lines])
    return originals, lines


def hear_originals(teacher: Teacher, folder: Path, model: Path) -> list[Original]:
    """A teacher's lines with at least WORDS of each kind, and what is heard of them and of their copies."""
    # Imported here: it loads pyworld, which only making the corpus needs.
    from finetune.tiny.data import shards

    path = _kept(folder, teacher, model, *_LISTENING)
    if path.exists():
        return [Original(**row) for row in json.loads(path.read_text())]
    torch.set_num_threads(1)
    speaking = Speaking(model)
    of_teacher = _TeacherErrors(folder / "evaluation" / "teachers" / f"{teacher.key}.json")
    originals: list[Original] = []
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
            copy = speaking.copy(folder, recording)
            originals.append(
                Original(
                    kind,
                    utterance.text,
                    len(said),
                    len(recording) // SAMPLES_PER_FRAME,
                    of_teacher.get(f"{kind} {utterance.text}", said, recording, listener),
                    word_errors(said, listener.words(copy)),
                    speaking.nearest(copy),
                )
            )
    of_teacher.write()
    _write(path, [asdict(original) for original in originals])
    return originals


def _kept(folder: Path, teacher: Teacher, model: Path, *files: str) -> Path:
    """Where figures are kept that depend on these files of the model."""
    digest = hashlib.sha256(b"".join((model / file).read_bytes() for file in files)).hexdigest()
    return folder / "evaluation" / digest[:12] / f"{teacher.key}.json"


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value) + "\n")


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
        _write(self._path, self._numbers)


def _figures(
    teacher: Teacher, originals: Sequence[Original], lines: Sequence[Line]
) -> dict[str, Any]:
    """Of one voice in one accent. Rates are shares (0..1); intervals hold 95 % of the resampled lines' rates."""
    both = list(zip(originals, lines, strict=True))
    ratios = np.array([line.frames / original.frames for original, line in both])
    seconds = sum(line.frames for line in lines) / FRAMES_PER_S
    return {
        "voice": teacher.voice,
        "tag": teacher.tag,
        "engine": f"{teacher.engine} {teacher.engine_voice}",
        "length_ratio": float(ratios.mean()),
        "length_spread": float(ratios.std()),
        "heard_as_itself": float(np.mean([line.heard_as == teacher.voice for line in lines])),
        "copy_heard_as_itself": float(
            np.mean([original.copy_heard_as == teacher.voice for original in originals])
        ),
        "lm_rtf": sum(line.lm_s for line in lines) / seconds,
        "codec_rtf": sum(line.codec_s for line in lines) / seconds,
        **{kind: _errors([pair for pair in both if pair[0].kind == kind]) for kind in KINDS},
    }


def _errors(lines: Sequence[tuple[Original, Line]]) -> dict[str, Any]:
    words_L = np.array([original.words for original, _ in lines])
    errors_CL = np.array([[o.teacher_errors, o.copy_errors, x.tiny_errors] for o, x in lines]).T
    drawn_RL = drawn(len(lines))
    rates_CR = errors_CL[:, drawn_RL].sum(2) / words_L[drawn_RL].sum(1)
    rates_C = errors_CL.sum(1) / words_L.sum()

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
