"""Independent listeners: what they hear in a sound, and how many words of its text they get wrong.

A recogniser is a function of a sound and its rate. Pocketsphinx comes with an English one; others are named as a Python
function (`package.module:function`) or as a command that is given a WAV file (`whisper-cli -nt -f {}`). Knows no models
and no voices.
"""

import contextlib
import importlib
import math
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import soundfile

from kani_npc.errors import InvalidUtterance
from kani_npc.speech import FloatArray
from kani_npc.text.normalize import normalize

POCKETSPHINX = "pocketsphinx"
COMMAND_TIMEOUT_S = 300.0

Recogniser = Callable[[FloatArray, int], str]
"""Mono samples in -1..1 and their rate in Hz -> the words that are heard, "" for none."""

_RATE_HZ = 16_000


class Pocketsphinx:
    """Its acoustic model is American and learned from people: it hears formant voices and other accents worse.

    `dictionary` and `language_model` (ARPA or its binary form) are its own of English by default.
    """

    def __init__(self, dictionary: Path | None = None, language_model: Path | None = None) -> None:
        from pocketsphinx import Decoder, get_model_path

        models = Path(get_model_path()) / "en-us"
        self._decoder = Decoder(
            hmm=str(models / "en-us"),
            lm=str(language_model or models / "en-us.lm.bin"),
            dict=str(dictionary or models / "cmudict-en-us.dict"),
            loglevel="FATAL",
        )

    def __call__(self, samples: FloatArray, sample_rate_hz: int) -> str:
        from scipy.signal import resample_poly

        if len(samples) == 0:
            return ""
        common = math.gcd(_RATE_HZ, sample_rate_hz)
        heard = resample_poly(samples, _RATE_HZ // common, sample_rate_hz // common)
        heard = np.pad(heard, 2400)  # it needs some silence around the words
        pcm = (np.clip(heard, -1, 1) * 32_767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        # Variants of a word are numbered, noises are in angle brackets.
        return "" if hypothesis is None else re.sub(r"\(\d+\)|<\w+>", " ", hypothesis.hypstr)


def open_recogniser(name: str) -> Recogniser:
    """`pocketsphinx`, `package.module:function`, or a command with `{}` where the WAV file's name goes.

    A command's output is what it heard. Raises `ValueError` for a name that is none of them, or is not there.
    """
    if name == POCKETSPHINX:
        return Pocketsphinx()
    if "{}" in name:
        return _command(shlex.split(name))
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute) if attribute else None
    except (ImportError, AttributeError) as error:
        raise ValueError(f"recogniser {name!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ValueError(
            f"no recogniser {name!r}; known are {POCKETSPHINX}, package.module:function, or a command with {{}} "
            "where the file's name goes"
        )
    return cast(Recogniser, found)


def _command(words: Sequence[str]) -> Recogniser:
    def hear(samples: FloatArray, sample_rate_hz: int) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "line.wav"
            soundfile.write(path, samples, sample_rate_hz, subtype="PCM_16")
            command = [word.replace("{}", str(path)) for word in words]
            try:
                done = subprocess.run(
                    command, check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S
                )
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", None) or b""
                why = said.decode(errors="replace").strip().rpartition("\n")[2] or str(error)
                raise ValueError(f"the recogniser {words[0]} failed: {why}") from error
            return done.stdout.decode(errors="replace").strip()

    return hear


def spoken_words(text: str, *, english: bool = True) -> list[str]:
    """The words of a text in lower case, without punctuation; in English, numbers and signs as they are read."""
    if english:
        with contextlib.suppress(InvalidUtterance):  # letters of another script: as they stand
            text = normalize(text)
    return re.findall(r"\w+(?:'\w+)*", text.lower())


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Least number of substitutions, insertions and deletions."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
