"""More speakers than `tiny` has voices: what its speaker encoder learns to tell apart, and its language model to
speak as.

The teachers' flite voices with many more vocal-tract scalings, and espeak-ng's variants, each over several accents, and
in Spanish, so that neither is a speaker. Some scalings and some variants are held out entirely: nothing is trained on
them. Knows teachers and lines; no encoder. A shard's content is a function of its name; one whose index exists is
complete.

Files of a shard, in the crowd's folder, with <name> = <speaker>-<number>:
    <name>.pcm.npy   int16 [samples] at 22 050 Hz, all utterances one after the other
    <name>.f0.npy    float32 [samples / 252], pitch as in `data`; of the scalings only, which the codec is trained on
    <name>.jsonl     one utterance a line, as in `data`; written last
"""

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from finetune.tiny import lines_es
from finetune.tiny.data import f0_track
from finetune.tiny.lines import mixed
from finetune.tiny.teachers import TEACHERS, Teacher, TeacherError, speak

LINES_PER_SHARD = 20
FLITE_SHARDS = 6
ESPEAK_SHARDS = 4
SPANISH_SHARD = 90  # and on: espeak-ng's speakers in Spanish, one shard of each

# The corpus has slt at 0.92, 1 and 1.10, rms at 0.88, 1 and 1.12, awb and kal16 at 1. Of each voice two are held out:
# one between trained ones, at two hundredths or more from each, and one beyond them all.
_SCALINGS: dict[str, tuple[float, ...]] = {
    "slt": (0.86, 0.88, 0.90, 0.94, 0.96, 0.98, 1.02, 1.08, 1.12, 1.14),
    "rms": (0.86, 0.90, 0.92, 0.97, 1.02, 1.04, 1.06, 1.08, 1.10, 1.14),
    "awb": (0.88, 0.90, 0.93, 0.95, 0.97, 1.03, 1.08, 1.10, 1.12, 1.14),
    "kal16": (0.86, 0.88, 0.90, 0.92, 0.96, 0.98, 1.02, 1.04, 1.06, 1.08, 1.10),
}
_HELD_OUT_SCALINGS: dict[str, tuple[float, ...]] = {
    "slt": (1.05, 1.17),
    "rms": (0.95, 0.83),
    "awb": (1.06, 0.85),
    "kal16": (0.94, 1.13),
}
_TAGS = {"slt": "en_us", "rms": "en_us", "awb": "en_scot", "kal16": "en_us"}

# Of espeak-ng 1.51, in its own spelling. Left out: whispers (no pitch to tell speakers by), `fast` (a pace), names with
# spaces or of speakers that are not there. Those that became teachers keep their places here, by which others are held
# out, and are not of the crowd.
_VARIANTS = (
    "Alex Alicia Andrea Andy Annie AnxiousAndy Demonic Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario "
    "Michael Mike Nguyen RicishayMax RicishayMax2 RicishayMax3 Storm Tweaky UniRobot adam anika anikaRobot announcer "
    "antonio aunty belinda benjamin boris caleb croak david ed edward edward2 f1 f3 f4 f5 grandma grandpa gustave "
    "iven iven2 iven3 iven4 john kaukovalta klatt klatt2 klatt3 klatt4 klatt5 klatt6 linda m1 m2 m3 m4 m5 m6 m7 m8 "
    "marcelo max michel miguel norbert pablo paul pedro quincy rob robert robosoft robosoft2 robosoft3 robosoft4 "
    "robosoft5 robosoft6 robosoft7 robosoft8 sandro shelby steph steph2 steph3 travis victor zac"
).split()
_HELD_OUT_ONE_IN = 7
# Not plain en-gb: espeak-ng ignores the variant there, and all speakers are one.
ACCENTS = ("en-us", "en-gb-x-gbclan", "en-gb-scotland", "en-gb-x-rp")


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker of the crowd. `teachers` are the same one in several accents, which take turns."""

    name: str
    teachers: tuple[Teacher, ...]
    is_held_out: bool
    in_spanish: Teacher | None = None

    @property
    def is_scaling(self) -> bool:
        """Whether it is a teacher of the corpus with another vocal tract."""
        return self.teachers[0].engine == "flite"


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance of a shard."""

    tag: str
    text: str
    offset: int  # samples
    samples: int


def scaling(voice: str, stretch: float) -> str:
    """The name of a flite voice with this scaling."""
    return f"{voice}x{round(100 * stretch):03d}"


def crowd() -> list[Speaker]:
    """All of them, scalings first."""

    def scaled(voice: str, stretch: float, held_out: bool) -> Speaker:
        name = scaling(voice, stretch)
        teacher = Teacher(name, name, _TAGS[voice], "flite", voice, 0.0, stretch=stretch)
        return Speaker(name, (teacher,), held_out)

    speakers = [scaled(v, k, held_out=False) for v, all_k in _SCALINGS.items() for k in all_k]
    speakers += [
        scaled(v, k, held_out=True) for v, all_k in _HELD_OUT_SCALINGS.items() for k in all_k
    ]
    taught = {teacher.engine_voice.partition("+")[2] for teacher in TEACHERS}
    for i, variant in enumerate(_VARIANTS):
        if variant in taught:
            continue
        name = f"e-{variant}"
        accents = tuple(
            Teacher(name, name, accent, "espeak", f"{accent}+{variant}", 0.0) for accent in ACCENTS
        )
        in_spanish = Teacher(name, name, "es", "espeak", f"es+{variant}", 0.0)
        speakers.append(Speaker(name, accents, i % _HELD_OUT_ONE_IN == 3, in_spanish))
    return speakers


def read(folder: Path, speaker: Speaker) -> list[tuple[Said, NDArray[np.int16]]]:
    """What a speaker has said so far, at 22 050 Hz."""
    return [spoken for _, shard in read_shards(folder, speaker) for spoken in shard]


def read_shards(
    folder: Path, speaker: Speaker
) -> Iterator[tuple[str, list[tuple[Said, NDArray[np.int16]]]]]:
    """The same with the shards' names, one by one."""
    for index in sorted(folder.glob(f"{speaker.name}-[0-9][0-9].jsonl")):
        pcm = np.load(index.with_suffix(".pcm.npy"))
        rows = [Said(**json.loads(row)) for row in index.read_text().splitlines()]
        yield (
            index.stem,
            [(said, pcm[said.offset : said.offset + said.samples]) for said in rows],
        )


def run(folder: Path, *, processes: int = 2, shards: int | None = None) -> None:
    """Makes the missing shards; `shards` are of each scaling, FLITE_SHARDS by default."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        (number, speaker)
        for speaker in crowd()
        for number in range((shards or FLITE_SHARDS) if speaker.is_scaling else ESPEAK_SHARDS)
    ]
    # Everybody's first lines come first, so that a crowd that is not finished has all of them already.
    jobs.sort(key=lambda job: job[0])
    jobs += [(SPANISH_SHARD, speaker) for speaker in crowd() if speaker.in_spanish is not None]
    missing = [job for job in jobs if not (folder / f"{_name(*job)}.jsonl").exists()]
    with ProcessPoolExecutor(processes) as pool:
        running = [pool.submit(_make_shard, folder, *job) for job in missing]
        for done in tqdm(as_completed(running), total=len(running), unit="shard", mininterval=5):
            done.result()


def _name(number: int, speaker: Speaker) -> str:
    return f"{speaker.name}-{number:02d}"


def _make_shard(folder: Path, number: int, speaker: Speaker) -> None:
    name = _name(number, speaker)
    teachers = speaker.teachers
    source = mixed
    if number >= SPANISH_SHARD:
        assert speaker.in_spanish is not None
        teachers, source = (speaker.in_spanish,), lines_es.mixed
    texts: Sequence[str] = list(
        islice(source(zlib.crc32(name.encode()), held_out=speaker.is_held_out), LINES_PER_SHARD)
    )
    spoken: list[NDArray[np.float32]] = []
    said: list[Said] = []
    offset = 0
    for i, text in enumerate(texts):
        teacher = teachers[i % len(teachers)]
        try:
            samples = speak(teacher, text)
        except TeacherError as error:
            if "silent" not in str(error):
                raise
            continue
        said.append(Said(teacher.tag, text, offset, len(samples)))
        spoken.append(samples)
        offset += len(samples)
    np.save(folder / f"{name}.pcm.npy", np.round(np.concatenate(spoken) * 32_767).astype(np.int16))
    if speaker.is_scaling:
        np.save(
            folder / f"{name}.f0.npy", np.concatenate([f0_track(samples) for samples in spoken])
        )
    unfinished = folder / f"{name}.part"
    unfinished.write_text("".join(json.dumps(asdict(row)) + "\n" for row in said))
    os.replace(unfinished, folder / f"{name}.jsonl")
