"""Judges what systems say on lines that they never saw, beside each other and beside the recordings themselves.

Words wrong by an independent recogniser; how long they speak; lines that loop, break off or fall silent; whose voice
the speaker encoder hears, and how alike other people are to it; what a second of sound costs. The second system is
compared with the first line by line, with a paired bootstrap interval of the difference. Trains nothing.

    <out>/evaluation.json       all figures, and how they were measured
    <out>/utterances.csv        a row for each line and system
    <out>/report.html           the same with sound, in one file
    <out>/sounds/<system>/      what was judged; such a folder can be judged again
"""

import csv
import io
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from finetune import evaluate_report
from finetune.bootstrap import drawn, interval
from finetune.recogniser import POCKETSPHINX, Recogniser, open_recogniser, spoken_words, word_errors
from finetune.speaking import Listening, speaker_encoder_of
from finetune.systems import (
    LOOP,
    RATE_HZ,
    Line,
    Recorded,
    Said,
    open_system,
    own_voices,
    read_lines,
)
from finetune.takes import Rejected, find_speech
from kani_npc import models
from kani_npc.speaker.enrollment import unit
from kani_npc.speaker.recording import FRAME_S, SILENCE_DBFS, levels_dbfs
from kani_npc.speech import FloatArray

BROKEN_OFF = 0.5  # of the recording's time, or less
LONG_PAUSE_S = 2.0  # longer than the recording's longest pause


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of one line by one system. None: it cannot be told, for want of a recording or a recogniser."""

    system: str
    line: str
    text: str
    heard: str | None
    words: int
    errors: int | None
    sound_s: float
    speech_s: float  # between the silences around it
    duration_ratio: float | None  # to the recording's
    loops: bool
    breaks_off: bool
    falls_silent: bool
    likeness: float | None  # cosine to the character
    is_itself: bool | None  # more like the character than like anybody else at hand
    compute_s: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A sum over lines divided by another, so that each can be taken of any draw of lines. (0, 0) does not count."""

    name: str
    heading: str
    is_share: bool  # of 1, to be shown in per cent
    better: str  # "less", "more", or what it should be
    of: Callable[[Judged], tuple[float, float]]


def _share(value: float | None, of: float = 1.0) -> tuple[float, float]:
    return (0.0, 0.0) if value is None else (float(value), of)


FIGURES = (
    Figure("word_error_rate", "words wrong", True, "less", lambda j: _share(j.errors, j.words)),
    Figure("likeness", "likeness to the character", False, "more", lambda j: _share(j.likeness)),
    Figure("is_itself", "heard as the character", True, "more", lambda j: _share(j.is_itself)),
    Figure("duration_ratio", "duration, of the recording's", False, "1", lambda j: _share(j.duration_ratio)),
    Figure("loops", "lines that loop", True, "less", lambda j: _share(j.loops)),
    Figure("breaks_off", "lines broken off", True, "less", lambda j: _share(j.breaks_off)),
    Figure("falls_silent", "lines that fall silent", True, "less", lambda j: _share(j.falls_silent)),
    Figure("real_time_factor", "compute s a second of sound", False, "less", lambda j: _share(j.compute_s, j.sound_s)),
)  # fmt: skip


def run(
    systems: Sequence[str],
    out: Path,
    *,
    lines: Path,
    reference: Path | None = None,
    recogniser: str = POCKETSPHINX,
    speaker: str = "actor",
    tag: str = "",
    model: str = "tiny",
    speaker_encoder: str | None = None,
    most: int | None = None,
    device: str = "cpu",
    threads: int = 1,
) -> dict[str, Any]:
    """Judges all of them; returns what `evaluation.json` has.

    `reference` are recordings of the character (a manifest, as `lines`) that say who is meant; without it the lines'
    own are, each line without itself. `model` says which speaker encoder listens, and whose own voices are the other
    people that a likeness is measured against, besides further speakers of the lines. Raises `ValueError`, `KaniError`.
    """
    torch.set_num_threads(threads)
    said, left_out = read_lines(lines, speaker=speaker, tag=tag, most=most)
    known = said if reference is None else read_lines(reference, speaker=speaker, tag=tag)[0]
    listening = Listening.from_folder(speaker_encoder_of(model, speaker_encoder))
    who = Characters.hear(
        known, listening, _impostors(model, listening), alone=reference is not None
    )
    hear = open_recogniser(recogniser)
    # The one that comes with us has learned English only; another is taken at its name.
    knows_all = recogniser != POCKETSPHINX
    opened = [open_system(given, who.mean, device=device) for given in systems]
    if all(line.recording is not None for line in said):
        opened.insert(0, Recorded())
    names = [system.name for system in opened]
    if len(set(names)) < len(names):
        raise ValueError(f"systems of one name: {', '.join(names)}; say name=... behind each")

    judged: list[Judged] = []
    with tqdm(total=len(opened) * len(said), unit="line", desc="evaluate") as progress:
        for system in opened:
            folder = out / "sounds" / system.name
            folder.mkdir(parents=True, exist_ok=True)
            for seed, line in enumerate(said):
                sound = system.say(line, seed)
                soundfile.write(folder / f"{line.name}.flac", sound.samples, sound.sample_rate_hz)
                listener = hear if knows_all or line.is_english else None
                judged.append(judge(system.name, line, sound, listener, who, listening))
                progress.update()
    compared = names[-len(systems) :][:2]
    found = {
        "systems": {name: _of_system([j for j in judged if j.system == name]) for name in names},
        "difference": _difference(*([j for j in judged if j.system == n] for n in compared))
        if len(compared) == 2
        else None,
        "compared": compared,
        "impostors": who.floor(),
        "lines": len(said),
        "words": sum(len(spoken_words(line.text, english=line.is_english)) for line in said),
        "left_out": [{"path": path, "reason": reason} for path, reason in left_out],
        "conditions": {
            "systems": list(systems),
            "recogniser": recogniser,
            "reference": "recordings of other lines"
            if reference
            else "the other lines' recordings",
            "date": datetime.now(UTC).date().isoformat(),
            "torch": torch.__version__,
            "machine": platform.machine(),
            "threads": threads,
            "device": device,
        },
    }
    (out / "evaluation.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    _write_csv(out / "utterances.csv", judged)
    page = evaluate_report.html(found, judged, FIGURES, out / "sounds")
    (out / "report.html").write_text(page, encoding="utf-8")
    return found


@dataclass(frozen=True, slots=True)
class Characters:
    """Who is meant, and who is not: unit vectors of the speaker encoder."""

    lines: Mapping[
        str, tuple[str, FloatArray]
    ]  # name of a recording -> speaker, what is heard in it
    mean: Mapping[str, FloatArray]
    others: Mapping[str, FloatArray]
    alone: bool  # the recordings are of other lines than those that are judged

    @staticmethod
    def hear(
        recorded: Sequence[Line],
        listening: Listening,
        others: Mapping[str, FloatArray],
        *,
        alone: bool,
    ) -> "Characters":
        """What there is of each speaker."""
        heard = {
            line.name: (line.speaker, listening.hear(line.recording, RATE_HZ))
            for line in recorded
            if line.recording is not None
        }
        speakers = sorted({speaker for speaker, _ in heard.values()})
        mean = {
            s: unit(np.mean([v for of, v in heard.values() if of == s], axis=0)) for s in speakers
        }
        return Characters(heard, mean, others, alone)

    def of(self, line: Line) -> FloatArray | None:
        """The speaker of a line, as heard in recordings of other lines; None where there are none."""
        rest = [
            vector
            for name, (speaker, vector) in self.lines.items()
            if speaker == line.speaker and (self.alone or name != line.name)
        ]
        return unit(np.mean(rest, axis=0)) if rest else None

    def impostors(self, speaker: str) -> dict[str, FloatArray]:
        """Everybody else."""
        return {**self.others, **{s: vector for s, vector in self.mean.items() if s != speaker}}

    def floor(self) -> dict[str, Any]:
        """How alike other people are to the characters: a likeness below says that it is somebody else."""
        pairs = {
            f"{speaker} / {other}": float(own @ vector)
            for speaker, own in self.mean.items()
            for other, vector in self.impostors(speaker).items()
        }
        values = list(pairs.values())
        return {
            "pairs": len(values),
            "mean": float(np.mean(values)) if values else None,
            "95_percent": float(np.quantile(values, 0.95)) if values else None,
            "nearest": max(pairs, key=pairs.__getitem__) if pairs else None,
            "most": max(values) if values else None,
        }


def _impostors(model: str, listening: Listening) -> dict[str, FloatArray]:
    """The model's own voices, where they are of the space that is listened in."""
    folder = models.resolve_model(model)
    listed = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    space = listed.get("speaker_space", "") or models.PUBLISHED_SPEAKER_ENCODER
    return own_voices(folder) if space == listening.space else {}


def judge(
    system: str,
    line: Line,
    said: Said,
    hear: Recogniser | None,
    who: Characters,
    listening: Listening,
) -> Judged:
    """One line."""
    samples, rate_hz = said.samples, said.sample_rate_hz
    words = spoken_words(line.text, english=line.is_english)
    heard = None if hear is None else hear(samples, rate_hz)
    speech_s, pause_s = _speech(samples, rate_hz)
    ratio = due_pause_s = None
    if line.recording is not None:
        due_s, due_pause_s = _speech(line.recording, RATE_HZ)
        ratio = speech_s / due_s
    likeness = is_itself = None
    own = who.of(line)
    if own is not None and speech_s > 0:
        vector = listening.hear(samples, rate_hz)
        likeness = float(vector @ own)
        others = [float(vector @ other) for other in who.impostors(line.speaker).values()]
        is_itself = likeness > max(others) if others else None
    return Judged(
        system=system,
        line=line.name,
        text=line.text,
        heard=heard,
        words=len(words),
        errors=None
        if heard is None
        else word_errors(words, spoken_words(heard, english=line.is_english)),
        sound_s=len(samples) / rate_hz,
        speech_s=speech_s,
        duration_ratio=ratio,
        loops=not said.ended or (ratio is not None and ratio >= LOOP),
        breaks_off=ratio is not None and 0 < ratio <= BROKEN_OFF,
        falls_silent=speech_s == 0 or pause_s > LONG_PAUSE_S + (due_pause_s or 0.0),
        likeness=likeness,
        is_itself=is_itself,
        compute_s=said.compute_s,
    )


def _speech(samples: FloatArray, rate_hz: int) -> tuple[float, float]:
    """Seconds between the silences around it, and of the longest silence inside; 0 and 0 for no speech."""
    try:
        first, end, _ = find_speech(samples, rate_hz)
    except Rejected:
        return 0.0, 0.0
    longest = silent = 0
    for level in levels_dbfs(samples[first:end], rate_hz):
        silent = silent + 1 if level < SILENCE_DBFS else 0
        longest = max(longest, silent)
    return (end - first) / rate_hz, longest * FRAME_S


def _counts(judged: Sequence[Judged], figure: Figure) -> NDArray[np.float64]:
    return np.array([figure.of(j) for j in judged]).T  # [2, L]


def _rates(counts_2L: NDArray[np.float64]) -> NDArray[np.float64]:
    """The figure of every draw; draws of lines that do not count at all are left out."""
    drawn_RL = drawn(counts_2L.shape[1])
    above_R, below_R = counts_2L[0][drawn_RL].sum(1), counts_2L[1][drawn_RL].sum(1)
    return np.divide(above_R, below_R, out=np.full(len(above_R), np.nan), where=below_R > 0)


def _of_system(judged: Sequence[Judged]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for figure in FIGURES:
        counts_2L = _counts(judged, figure)
        if counts_2L[1].sum() > 0:
            rates_R = _rates(counts_2L)
            figures[figure.name] = {
                "value": float(counts_2L[0].sum() / counts_2L[1].sum()),
                "interval": interval(rates_R[~np.isnan(rates_R)]),
            }
    return figures


def _difference(first: Sequence[Judged], second: Sequence[Judged]) -> dict[str, Any]:
    """The second's figures minus the first's, on the same draws of lines."""
    figures: dict[str, Any] = {}
    for figure in FIGURES:
        a_2L, b_2L = _counts(first, figure), _counts(second, figure)
        if a_2L[1].sum() > 0 and b_2L[1].sum() > 0:
            rates_R = _rates(b_2L) - _rates(a_2L)
            value = b_2L[0].sum() / b_2L[1].sum() - a_2L[0].sum() / a_2L[1].sum()
            figures[figure.name] = {
                "value": float(value),
                "interval": interval(rates_R[~np.isnan(rates_R)]),
            }
    return figures


def _write_csv(path: Path, judged: Sequence[Judged]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, [f.name for f in fields(Judged)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(j) for j in judged)
    path.write_text(text.getvalue(), encoding="utf-8")
