"""The synthetic teachers of `tiny`: flite and espeak-ng voices, brought to one rate, one level, one onset.

Runs the two programs, one process a line. Knows nothing about corpora, files kept on disk, or training.
"""

import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 22_050
SAMPLES_PER_FRAME = 1_764

# A fixed lead-in puts every onset at the same phase of the frame grid: the teachers are deterministic, so the codes
# of a line are then nearly a function of its text, which is what a small language model can learn.
_LEAD_IN_SAMPLES = 882  # 40 ms
_TAIL_SAMPLES = 2_205  # 100 ms
_SILENCE = 0.01  # of the peak
_SPEECH_RMS = 0.1  # -20 dBFS
_PEAK = 0.95
_ESPEAK_WORDS_PER_MINUTE = 165


@dataclass(frozen=True, slots=True)
class Teacher:
    """One synthetic speaker in one accent. Two teachers may share a voice id and differ in their tag."""

    voice: str
    display_name: str
    tag: str  # language tag: en_us, en_scot, en_rp, en_lanc, es_es
    engine: str  # "flite" or "espeak"
    engine_voice: str
    share: float  # of the corpus, by time, beside the others'
    # flite only: speak slower by this factor, then resample back. The formants move, the pace stays.
    stretch: float = 1.0

    @property
    def key(self) -> str:
        return f"{self.voice}-{self.tag}"

    @property
    def language(self) -> str:
        """Two letters."""
        return self.tag.split("_")[0]


_CEDRIC = "Cedric (synthetic, from espeak-ng benjamin)"
# A voice's espeak variant is the same one in all accents, so that a model cannot mistake an accent for a voice. What a
# voice speaks first is its own accent.
TEACHERS: tuple[Teacher, ...] = (
    Teacher("mira", "Mira (synthetic, from flite slt)", "en_us", "flite", "slt", 0.16),
    Teacher("rowan", "Rowan (synthetic, from flite rms)", "en_us", "flite", "rms", 0.16),
    Teacher("angus", "Angus (synthetic, from flite awb)", "en_scot", "flite", "awb", 0.14),
    Teacher("tobin", "Tobin (synthetic, from flite kal16)", "en_us", "flite", "kal16", 0.10),
    Teacher("pixie", "Pixie (synthetic, from flite slt)", "en_us", "flite", "slt", 0.07, stretch=0.92),
    Teacher("greta", "Greta (synthetic, from flite slt)", "en_us", "flite", "slt", 0.07, stretch=1.10),
    Teacher("finn", "Finn (synthetic, from flite rms)", "en_us", "flite", "rms", 0.07, stretch=0.88),
    Teacher("bram", "Bram (synthetic, from flite rms)", "en_us", "flite", "rms", 0.13, stretch=1.12),
    Teacher("ada", "Ada (synthetic, from espeak-ng f2)", "en_us", "espeak", "en-us+f2", 0.03),
    Teacher("ada", "Ada (synthetic, from espeak-ng f2)", "en_rp", "espeak", "en-gb-x-rp+f2", 0.03),
    Teacher("ada", "Ada (synthetic, from espeak-ng f2)", "en_scot", "espeak", "en-gb-scotland+f2", 0.03),
    Teacher("ada", "Ada (synthetic, from espeak-ng f2)", "en_lanc", "espeak", "en-gb-x-gbclan+f2", 0.03),
    Teacher("ada", "Ada (synthetic, from espeak-ng f2)", "es_es", "espeak", "es+f2", 0.05),
    Teacher("cedric", _CEDRIC, "en_rp", "espeak", "en-gb-x-rp+benjamin", 0.03),
    Teacher("cedric", _CEDRIC, "en_us", "espeak", "en-us+benjamin", 0.03),
    Teacher("cedric", _CEDRIC, "en_scot", "espeak", "en-gb-scotland+benjamin", 0.03),
    Teacher("cedric", _CEDRIC, "en_lanc", "espeak", "en-gb-x-gbclan+benjamin", 0.03),
    Teacher("cedric", _CEDRIC, "es_es", "espeak", "es+benjamin", 0.03),
    Teacher("edith", "Edith (synthetic, from espeak-ng belinda)", "en_rp", "espeak", "en-gb-x-rp+belinda", 0.04),
    Teacher("rivet", "Rivet (synthetic, from espeak-ng UniRobot)", "en_us", "espeak", "en-us+UniRobot", 0.04),
)  # fmt: skip

VOICES = tuple(dict.fromkeys(teacher.voice for teacher in TEACHERS))
ENGLISH = tuple(teacher for teacher in TEACHERS if teacher.language == "en")
NON_RHOTIC = ("en_rp", "en_lanc")  # of espeak-ng's accents, as heard and as its phones say


class TeacherError(RuntimeError):
    """A teacher could not speak a line."""


def speak(teacher: Teacher, text: str) -> NDArray[np.float32]:
    """Returns the line at 22 050 Hz: 40 ms of lead-in, speech at -20 dBFS, 100 ms of tail, whole frames.

    Raises `TeacherError` if the program is missing, fails or stays silent.
    """
    # Imported here: the table of teachers is also read where the training extra is not installed.
    from scipy.signal import resample_poly

    samples, sample_rate_hz = _run(teacher, text)
    if teacher.stretch != 1.0:
        samples = resample_poly(samples, 100, round(100 * teacher.stretch))
    if sample_rate_hz != SAMPLE_RATE_HZ:
        common = math.gcd(sample_rate_hz, SAMPLE_RATE_HZ)
        samples = resample_poly(samples, SAMPLE_RATE_HZ // common, sample_rate_hz // common)

    loudness = np.abs(samples)
    sounding = np.flatnonzero(loudness > _SILENCE * loudness.max(initial=0.0))
    if len(sounding) == 0:
        raise TeacherError(f"{teacher.key} is silent")
    samples = np.pad(samples, (_LEAD_IN_SAMPLES, _TAIL_SAMPLES))
    samples = samples[sounding[0] : sounding[-1] + _LEAD_IN_SAMPLES + _TAIL_SAMPLES]

    rms = float(np.sqrt(np.mean(samples[np.abs(samples) > _SILENCE * loudness.max()] ** 2)))
    gain = min(_SPEECH_RMS / rms, _PEAK / float(loudness.max()))
    samples = np.pad(samples * gain, (0, -len(samples) % SAMPLES_PER_FRAME))
    return samples.astype(np.float32)


def _run(teacher: Teacher, text: str) -> tuple[NDArray[np.float64], int]:
    # flite writes only to named files; espeak-ng can, and its piped header carries no length.
    with tempfile.TemporaryDirectory(dir=_scratch_folder()) as folder:
        path = Path(folder) / "line.wav"
        if teacher.engine == "flite":
            stretch = f"duration_stretch={teacher.stretch}"
            command = ["flite", "-voice", teacher.engine_voice, "--setf", stretch]
            command += ["-t", text, "-o", str(path)]
        else:
            command = ["espeak-ng", "-v", teacher.engine_voice, "-s", str(_ESPEAK_WORDS_PER_MINUTE)]
            command += ["-z", "-w", str(path), text]
        try:
            subprocess.run(command, check=True, capture_output=True)
            samples, sample_rate_hz = soundfile.read(path)
        except (OSError, subprocess.CalledProcessError, soundfile.LibsndfileError) as error:
            raise TeacherError(f"{teacher.key} could not speak; is {command[0]} there?") from error
        return np.asarray(samples, dtype=np.float64), sample_rate_hz


def _scratch_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
