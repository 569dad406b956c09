"""The nouns of the domain: what is to be said, by whom, how, and the sound that comes out.

Small and frozen. Knows no model, no wire and no files.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

from kani_npc.errors import InvalidUtterance

FloatArray = NDArray[np.float32]
Int16Array = NDArray[np.int16]

MAX_SEED = 2**63 - 1
USUAL_PIECE_CHARACTERS = 220  # about 15 s


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerEmbedding:
    """Who is speaking, as the model sees it: [D] float32, unit length, in the space of the encoder that made it."""

    vector: FloatArray
    space: str

    def __eq__(self, other: object) -> bool:
        """Bit for bit. (An array's own == gives an array.)"""
        if not isinstance(other, SpeakerEmbedding):
            return NotImplemented
        return self.space == other.space and np.array_equal(self.vector, other.vector)

    def __hash__(self) -> int:
        return hash((self.space, self.vector.tobytes()))


@dataclass(frozen=True, slots=True)
class Part:
    """A large part of a voice: its content's name, and how whoever needs it gets it."""

    sha256: str
    read: Callable[[], Awaitable[bytes]] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that can be named. `embedding` None is the model's own mode without a speaker slot."""

    id: str
    display_name: str
    embedding: SpeakerEmbedding | None = None
    tag: str | None = None  # the language tag it was made with; the default accent of its lines
    licence: str = ""
    revision: int = 1
    lora: Part | None = None  # what it changes in the language model
    codec_delta: Part | None = None  # and in the codec's decoder

    @property
    def is_adapted(self) -> bool:
        return self.lora is not None or self.codec_delta is not None


@dataclass(frozen=True, slots=True)
class AccentPreset:
    """An accent that can be named: the language tag put before the text, as the model was trained."""

    id: str
    tag: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next code is chosen. Order as published: repetition penalty, temperature, top-k, top-p, then the draw.

    Raises `InvalidUtterance` (fields in wire spelling) for values that mean nothing, NaN included.
    """

    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 0.95
    repetition_penalty: float = 1.1
    greedy: bool = False
    min_frames: int = 1
    max_frames: int = 500  # 40 s, the length the published model was trained up to

    def __post_init__(self) -> None:
        def check(ok: bool, name: str, rule: str) -> None:
            if not ok:
                raise InvalidUtterance(f"{name} must be {rule}", field=f"sampling.{name}")

        check(
            math.isfinite(self.temperature) and 0.0 < self.temperature <= 5.0,
            "temperature",
            "above 0 and at most 5",
        )
        check(1 <= self.top_k <= 1000, "top_k", "from 1 to 1000")
        check(
            math.isfinite(self.top_p) and 0.0 < self.top_p <= 1.0, "top_p", "above 0 and at most 1"
        )
        check(
            math.isfinite(self.repetition_penalty) and 0.5 <= self.repetition_penalty <= 5.0,
            "repetition_penalty",
            "from 0.5 to 5",
        )
        check(0 <= self.min_frames <= self.max_frames, "min_frames", "from 0 to max_frames")
        check(1 <= self.max_frames <= 10_000, "max_frames", "from 1 to 10000")

    def but(self, **changes: object) -> "Sampling":
        """A copy with some values changed, checked again."""
        return replace(self, **changes)  # pyright: ignore[reportArgumentType]  names are checked by replace itself


class Priority(IntEnum):
    IDLE = 0  # nobody waits for it: lines made ahead of play. Not on the wire
    AMBIENT = 1
    BARK = 2
    DIALOGUE = 3
    CRITICAL = 4


class Pace(Enum):
    REALTIME = "realtime"  # never far ahead of a listener
    UNPACED = "unpaced"  # files, tests, batch: as fast as it comes


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line to be said, resolved: nothing in it is a name that still has to be looked up."""

    id: str
    text: str
    voice: Voice
    accent: AccentPreset | None
    sampling: Sampling
    seed: int
    priority: Priority = Priority.DIALOGUE
    pace: Pace = Pace.REALTIME
    start_within_s: float | None = None  # better silent than late
    pause_s: float = 0.0  # silence between the pieces of a long text, over what the model leaves
    attempt: int = 0  # another draw of the same seed: the watchdog threw the takes before away
    hold_until_checked: bool = False  # no sound before the watchdog has heard all of it
    remember: bool = True  # worth keeping: whoever asks again gets the same seed

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise InvalidUtterance("seed must be a non-negative 64-bit integer", field="seed")

    @property
    def rank(self) -> int:
        """Higher is served first. What nobody listens to in real time comes after everything that somebody does."""
        below = 0 if self.pace is Pace.REALTIME else len(Priority)
        return self.priority - below

    @property
    def language(self) -> str:
        """The tag under which its text is said, empty where nobody says."""
        return (self.accent.tag if self.accent else self.voice.tag) or ""


@dataclass(frozen=True, slots=True)
class PcmChunk:
    """A piece of an utterance's sound, mono, at the codec's rate, rounded once (see `audio.to_int16`)."""

    samples: Int16Array
    first_sample: int  # position in the utterance

    @property
    def end_sample(self) -> int:
        return self.first_sample + len(self.samples)


class FinishReason(Enum):
    END_OF_SPEECH = "end_of_speech"  # the model ended the line
    MAX_FRAMES = "max_frames"  # the limit did
    INTERRUPTED = "interrupted"  # somebody asked for silence
    SUPERSEDED = "superseded"  # a newer turn of the same NPC took its place
    WATCHDOG = "watchdog"  # the voice repeated itself, fell silent or would not end


@dataclass(frozen=True, slots=True)
class Audio:
    chunk: PcmChunk
    prebuffer_s: float = 0.0  # of the first one: so much should be in hand before playback starts


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of an utterance that was spoken."""

    reason: FinishReason
    total_samples: int
    compute_ms: float  # the engine's time spent on this utterance: its share of each step it was in
    queued_ms: float = 0.0  # from submission to the start of its prefill
    first_audio_ms: float = 0.0  # from submission to its first audio leaving the engine
    attempts: int = 1  # takes that were made; those before the last were thrown away unheard
    cache_hit: bool = False  # not generated but remembered


SpeechEvent = Audio | Finished


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a loaded model says about itself."""

    name: str
    licence: str
    sample_rate_hz: int
    samples_per_frame: int
    speaker_space: str
    languages: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    notes: tuple[str, ...] = ()  # defaults that the loader had to assume
    sampler_version: str = ""  # names the draw that a seed feeds, frozen by golden vectors
    speaker_dim: int = 0  # width of the embeddings it takes; 0 where it does not say
    reproducible: bool = False  # a line's samples are the same bits whoever else speaks
    content_hash: str = ""  # of all that decides how it sounds; empty where nobody counted
    max_piece_characters: int = USUAL_PIECE_CHARACTERS  # said in one go (see `text.pieces`)
