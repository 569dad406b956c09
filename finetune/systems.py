"""What can be judged: models that speak, with what was fine-tuned of them, their codecs' copies, folders of sounds.

A system is named as WHAT[,key=value...]. WHAT is a model (`tiny`, a folder, a hub name) or a folder of sounds named
like the recordings. Keys of a model: `adapter` (a folder that peft wrote), `codec-delta` (a file of `adapt-codec`),
`codec` (of a model folder without one), `voice` (one of the model's own; by default what the speaker encoder hears in
the character's recordings), `says=copies` (the recordings through its codec, instead of speech). `name` is what a
report calls it. Knows no figures.
"""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from finetune.prepare import SOUND_FILES, read_manifest
from finetune.speaking import Speaking, codec_encoder_of
from finetune.takes import Rejected, read
from kani_npc import models
from kani_npc.errors import InvalidUtterance
from kani_npc.speech import FloatArray
from kani_npc.text.clean import clean

RATE_HZ, SAMPLES_A_FRAME = 22_050, 1_764  # of every codec there is
RECORDING = "recording"
LOOP = 2.0  # times as long as the recording: no longer is waited for
_LETTER_FRAMES = (
    1.6  # where nothing was recorded: twice what the slowest voice takes, as the service allows
)
_SPARE_FRAMES = 38
_KEYS = ("name", "adapter", "codec-delta", "codec", "voice", "says")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to say, and how the character said it, if that was recorded."""

    name: str  # of the recording, without its ending
    text: str
    speaker: str
    tag: str
    recording: FloatArray | None = None  # whole frames at RATE_HZ

    @property
    def is_english(self) -> bool:
        return not self.tag or self.tag.lower().startswith("en")

    @property
    def most_frames(self) -> int:
        """As long as a system may take."""
        if self.recording is None:
            return _SPARE_FRAMES + round(_LETTER_FRAMES * len(self.text))
        return math.ceil(LOOP * len(self.recording) / SAMPLES_A_FRAME) + 4


@dataclass(frozen=True, slots=True)
class Said:
    """A line's sound."""

    samples: FloatArray
    sample_rate_hz: int
    compute_s: float | None = (
        None  # processor seconds, or the clock's where a GPU computed; None: it lay there
    )
    ended: bool = True  # False: stopped at `most_frames`


class System(Protocol):
    """Something that says lines."""

    @property
    def name(self) -> str: ...

    def say(self, line: Line, seed: int) -> Said: ...


def read_lines(
    source: Path, *, speaker: str, tag: str, most: int | None = None
) -> tuple[list[Line], list[tuple[str, str]]]:
    """Lines with their recordings from a manifest, as `prepare` takes them, or a .txt with a text a line.

    Also returns what had to be left out, and why: (file, reason). Raises `ValueError` if nothing is left, for a
    manifest that cannot be read, and for two recordings of one name.
    """
    if source.suffix == ".txt":
        texts = [row.strip() for row in source.read_text(encoding="utf-8-sig").splitlines()]
        found = [(f"line{i:03}", t, None) for i, t in enumerate(texts, 1) if t]
        entries = [(name, text, speaker, tag, path, "") for name, text, path in found]
    else:
        entries = [
            (Path(e.path).stem, e.text, e.speaker, e.tag, Path(e.path), e.fault)
            for e in read_manifest(source, speaker=speaker, tag=tag)
        ]
    lines: list[Line] = []
    left_out: list[tuple[str, str]] = []
    names: set[str] = set()
    for name, text, of, tag_, path, fault in entries[:most]:
        if fault:
            left_out.append((str(path), f"bad_row {fault}"))
            continue
        if name in names:
            raise ValueError(f"{source} has two recordings that are called {name}")
        names.add(name)
        try:
            recording = None if path is None else read(path, RATE_HZ, SAMPLES_A_FRAME).samples
            lines.append(Line(name, clean(text), of, tag_, recording))
        except InvalidUtterance:
            left_out.append((str(path or name), "no_text"))
        except Rejected as why:
            left_out.append((str(path), str(why)))
    if not lines:
        raise ValueError(f"{source} has no line that can be judged: {left_out[:3]}")
    return lines, left_out


class Recorded:
    """The character, as recorded: what the recogniser makes of a person is the measure of all else."""

    name = RECORDING

    def say(self, line: Line, seed: int) -> Said:
        assert line.recording is not None
        return Said(line.recording, RATE_HZ)


@dataclass(frozen=True, slots=True)
class Made:
    """A folder of sounds named like the recordings, from wherever they come."""

    name: str
    files: Mapping[str, Path]

    def say(self, line: Line, seed: int) -> Said:
        if line.name not in self.files:
            raise ValueError(f"{self.name} has no sound for {line.name}")
        try:
            samples, rate_hz = soundfile.read(
                self.files[line.name], dtype="float32", always_2d=True
            )
        except (OSError, soundfile.LibsndfileError) as error:
            raise ValueError(f"{self.files[line.name]} is no sound, or breaks off") from error
        return Said(samples.mean(axis=1), rate_hz)


class Model:
    """A model that speaks, as `voice`, or as each line's speaker of `heard`."""

    def __init__(
        self,
        name: str,
        speaking: Speaking,
        heard: Mapping[str, FloatArray],
        voice: FloatArray | None = None,
    ) -> None:
        self.name = name
        self._speaking = speaking
        self._heard = heard
        self._voice = voice

    def say(self, line: Line, seed: int) -> Said:
        speaker = self._heard.get(line.speaker) if self._voice is None else self._voice
        if speaker is None:
            raise ValueError(
                f"{self.name}: there are no recordings of {line.speaker} to take the voice from; give --reference, or "
                "voice= one of the model's"
            )
        clock = time.process_time if self._speaking.lm.device.type == "cpu" else time.perf_counter
        began = clock()
        codes = self._speaking.codes(
            line.text,
            speaker,
            line.tag or None,
            max_frames=line.most_frames,
            seed=seed,
        )
        samples = self._speaking.codec.decode(codes).numpy()
        ended = codes.shape[1] < line.most_frames
        return Said(samples, self._speaking.codec.sample_rate_hz, clock() - began, ended)


class Copies:
    """Recordings through a codec: as well as its model can ever sound."""

    def __init__(self, name: str, speaking: Speaking) -> None:
        self.name = name
        self._speaking = speaking

    def say(self, line: Line, seed: int) -> Said:
        if line.recording is None:
            raise ValueError(f"{self.name}: there is no recording of {line.name} to copy")
        return Said(self._speaking.copy(line.recording), RATE_HZ)


def open_system(given: str, heard: Mapping[str, FloatArray], *, device: str = "cpu") -> System:
    """The system that is named so. `heard` is what the speaker encoder hears in each speaker's recordings.

    Raises `ValueError` for a name that means nothing, `KaniError` for parts that do not fit.
    """
    what, options = _parse(given)
    folder = Path(what)
    name = options.pop("name", folder.name or what)
    if folder.is_dir() and not (folder / "config.json").exists():
        sounds = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in SOUND_FILES}
        if not sounds or options:
            raise ValueError(
                f"{given}: {'a folder of sounds takes only a name' if sounds else 'neither a model nor sounds'}"
            )
        return Made(name, sounds)
    model = models.resolve_model(what)
    codec, adapter, delta = (
        Path(options[key]) if key in options else None
        for key in ("codec", "adapter", "codec-delta")
    )
    says = options.get("says", "lines")
    if says not in ("lines", "copies"):
        raise ValueError(f"{given}: says is lines or copies")
    speaking = Speaking(
        model,
        codec=models.resolve_codec(str(codec) if codec else None, model),
        codec_encoder=codec_encoder_of(what) if says == "copies" else None,
        adapter=adapter,
        codec_delta=delta,
        device=device,
    )
    if says == "copies":
        return Copies(name, speaking)
    if "voice" in options:
        own = own_voices(model)
        if options["voice"] not in own:
            raise ValueError(f"{given}: the model has {', '.join(own) or 'no voices'}")
        return Model(name, speaking, heard, own[options["voice"]])
    return Model(name, speaking, heard)


def own_voices(model: Path) -> dict[str, FloatArray]:
    """The voices that came with a model folder."""
    path = model / "voices.json"
    listed = json.loads(path.read_text(encoding="utf-8"))["voices"] if path.is_file() else []
    return {
        voice["id"]: np.array(voice["embedding"], np.float32)
        for voice in listed
        if voice.get("embedding")
    }


def _parse(given: str) -> tuple[str, dict[str, str]]:
    what, *rest = given.split(",")
    pairs = [part.partition("=") for part in rest]
    options = {key: value for key, _, value in pairs}
    if unknown := [key for key, _, value in pairs if key not in _KEYS or not value]:
        raise ValueError(f"{given}: {unknown[0]!r} is not known; known are {', '.join(_KEYS)}")
    return what, options
