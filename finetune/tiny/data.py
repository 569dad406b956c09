"""Makes the corpus: lines spoken by the teachers, in shards of int16 PCM with an index and a pitch track.

Knows lines and teachers, not codecs or language models. A shard's content is a function of its name and the
corpus seed. A shard whose index exists is complete, so a killed run goes on where it stopped.

Files of a shard, in the corpus folder, with <name> = <voice>-<tag>-<number>:
    <name>.pcm.npy   int16 [samples], all utterances one after the other
    <name>.f0.npy    float32 [samples / 252], pitch in Hz at the END of each hop of 252 samples, 0 where unvoiced
    <name>.jsonl     one utterance a line: voice, tag, text, offset, samples; written last
Shard 9000 of a voice holds held-out lines of games, shard 9001 held-out plain sentences; nothing is trained on them.
"""

import json
import os
import warnings
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from finetune.tiny import lines as english
from finetune.tiny import lines_es as spanish
from finetune.tiny.teachers import SAMPLE_RATE_HZ, TEACHERS, Teacher, TeacherError, speak

SAMPLES_PER_HOP = 252
LINES_PER_SHARD = 250
HELD_OUT_LINES = 60  # of each of the two kinds, per teacher
MAX_SECONDS = 9.0  # longer ones would only stretch the batches of the language model

FIRST_HELD_OUT_SHARD = 9_000
PLAIN_SHARD = 9_001
_MEAN_LINE_SECONDS = 2.1
_F0_FLOOR_HZ, _F0_CEILING_HZ = 60.0, 420.0


@dataclass(frozen=True, slots=True)
class Utterance:
    """One spoken line and where it lies in its shard."""

    voice: str
    tag: str
    text: str
    offset: int  # samples
    samples: int


class Shard:
    """A finished shard. Sound and pitch are mapped, not read."""

    def __init__(self, index: Path) -> None:
        stem = index.with_suffix("")
        self.name = stem.name
        self.number = int(stem.name.rsplit("-", 1)[1])
        self.is_held_out = self.number >= FIRST_HELD_OUT_SHARD
        self.utterances = [Utterance(**json.loads(row)) for row in index.read_text().splitlines()]
        self._pcm = np.load(f"{stem}.pcm.npy", mmap_mode="r")
        self._f0 = np.load(f"{stem}.f0.npy", mmap_mode="r")

    def pcm(self, utterance: Utterance) -> NDArray[np.int16]:
        """Mono, whole frames."""
        return self._pcm[utterance.offset : utterance.offset + utterance.samples]

    def samples(self, utterance: Utterance) -> NDArray[np.float32]:
        """The same in -1..1."""
        return (self.pcm(utterance) / 32_768).astype(np.float32)

    def f0(self, utterance: Utterance) -> NDArray[np.float32]:
        """Hz at the end of every hop, 0 where unvoiced."""
        first = utterance.offset // SAMPLES_PER_HOP
        return self._f0[first : first + utterance.samples // SAMPLES_PER_HOP]


def shards(corpus: Path) -> list[Shard]:
    """All finished shards of a corpus folder, by name."""
    return [Shard(index) for index in sorted(corpus.glob("*.jsonl"))]


def run(corpus: Path, *, hours: float = 25.0, seed: int = 0, processes: int = 2) -> None:
    """Makes the missing shards of a corpus of about `hours` hours, held-out lines included."""
    corpus.mkdir(parents=True, exist_ok=True)
    missing = [job for job in _jobs(hours) if not (corpus / f"{_name(*job)}.jsonl").exists()]
    with ProcessPoolExecutor(processes) as pool:
        running = [pool.submit(make_shard, corpus, *job, seed) for job in missing]
        seconds = 0.0
        for done in (progress := tqdm(as_completed(running), total=len(running), unit="shard")):
            seconds += done.result()
            progress.set_postfix_str(f"{seconds / 3600:.2f} h")


def f0_track(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pitch of whole hops of mono samples: Hz at the end of each hop, 0 where unvoiced."""
    # Imported here: it has to be compiled, and only making a corpus needs it.
    with warnings.catch_warnings():
        # It imports pkg_resources, which warns of its own end.
        warnings.simplefilter("ignore", UserWarning)
        import pyworld

    hops = len(samples) // SAMPLES_PER_HOP
    padded = np.pad(samples.astype(np.float64), (0, SAMPLES_PER_HOP))
    f0, times = pyworld.dio(  # pyright: ignore[reportAttributeAccessIssue]  # compiled, no stubs
        padded,
        SAMPLE_RATE_HZ,
        f0_floor=_F0_FLOOR_HZ,
        f0_ceil=_F0_CEILING_HZ,
        frame_period=1000 * SAMPLES_PER_HOP / SAMPLE_RATE_HZ,
    )
    f0 = pyworld.stonemask(  # pyright: ignore[reportAttributeAccessIssue]  # compiled, no stubs
        padded, f0, times, SAMPLE_RATE_HZ
    )[1 : hops + 1]
    return np.pad(f0, (0, hops - len(f0))).astype(np.float32)


def _jobs(hours: float) -> list[tuple[Teacher, int]]:
    jobs: list[tuple[float, Teacher, int]] = []
    whole = sum(teacher.share for teacher in TEACHERS)
    for teacher in TEACHERS:
        seconds = hours * 3600 * teacher.share / whole
        count = max(1, round(seconds / _MEAN_LINE_SECONDS / LINES_PER_SHARD))
        jobs += [(number / count, teacher, number) for number in range(count)]
        jobs += [(0.0, teacher, number) for number in (FIRST_HELD_OUT_SHARD, PLAIN_SHARD)]
    # Teachers take turns, so that a corpus that is not finished has all of them already.
    return [(teacher, number) for _, teacher, number in sorted(jobs, key=lambda job: job[0])]


def _name(teacher: Teacher, number: int) -> str:
    return f"{teacher.key}-{number:04d}"


def _lines(teacher: Teacher, number: int, seed: int) -> Sequence[str]:
    shard_seed = zlib.crc32(f"{seed}/{_name(teacher, number)}".encode())
    said = spanish if teacher.language == "es" else english
    if number < FIRST_HELD_OUT_SHARD:
        return list(islice(said.mixed(shard_seed, held_out=False), LINES_PER_SHARD))
    source = (said.sentences if number == PLAIN_SHARD else said.lines)(shard_seed, held_out=True)
    return list(islice(source, HELD_OUT_LINES))


def make_shard(corpus: Path, teacher: Teacher, number: int, seed: int) -> float:
    """Writes one shard and returns its length in seconds."""
    utterances: list[Utterance] = []
    spoken: list[NDArray[np.float32]] = []
    offset = 0
    for text in _lines(teacher, number, seed):
        try:
            samples = speak(teacher, text)
        except TeacherError as error:
            if "silent" not in str(error):
                raise
            continue
        if len(samples) > MAX_SECONDS * SAMPLE_RATE_HZ:
            continue
        utterances.append(Utterance(teacher.voice, teacher.tag, text, offset, len(samples)))
        spoken.append(samples)
        offset += len(samples)

    stem = corpus / _name(teacher, number)
    pcm = np.round(np.concatenate(spoken) * 32_767).astype(np.int16)
    np.save(f"{stem}.pcm.npy", pcm)
    np.save(f"{stem}.f0.npy", np.concatenate([f0_track(samples) for samples in spoken]))
    unfinished = stem.with_suffix(".part")
    rows = [json.dumps(asdict(utterance)) + "\n" for utterance in utterances]
    unfinished.write_text("".join(rows))
    os.replace(unfinished, f"{stem}.jsonl")
    return offset / SAMPLE_RATE_HZ
