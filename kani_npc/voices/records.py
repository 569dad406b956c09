"""What is kept about voices, NPCs, accents and lexicons. Checked when made; knows no store, no model, no wire.

A `speech.Voice` is what a line is spoken with; a `VoiceRecord` is what the registry knows about it: where it came
from, who allows it, what it is labelled with.

A record's `revision` moves when one of its `REVISED` fields does: what is heard or allowed, and of a voice what it was
made of. Its `etag` moves with every change. Both, and the times, are the store's to set: what a caller puts there is
not looked at.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from kani_npc.errors import InvalidRecord, InvalidUtterance
from kani_npc.speech import AccentPreset, Part, Sampling, SpeakerEmbedding, Voice
from kani_npc.voices.consent import Consent, ConsentKind
from kani_npc.voices.names import VoiceRef, check_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEX = set("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What every kind of record has. Raises `InvalidRecord` where a field cannot be kept, naming it."""

    KIND: ClassVar[str]
    REVISED: ClassVar[tuple[str, ...]]  # the fields that move the revision
    KEEPS_REVISIONS: ClassVar[bool] = False  # whether old ones stay readable

    id: str
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    # The store's.
    revision: int = 0
    etag: str = ""
    create_time: datetime = _EPOCH
    update_time: datetime = _EPOCH

    def __post_init__(self) -> None:
        check_id(self.id)
        _check_length(self.display_name, 200, "display_name")
        _check_map(self.labels, "labels", entries=64, key=63, value=255)
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    def revised_by(self, other: "Record") -> bool:
        """Whether `other` in its place would be another revision."""
        return any(getattr(self, name) != getattr(other, name) for name in self.REVISED)


class VoiceSource(Enum):
    ENROLLED = "enrolled"
    BLENDED = "blended"
    IMPORTED = "imported"
    FINE_TUNED = "fine_tuned"
    BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class Parent:
    """One voice of a blend, at the revision it was blended at, with its share."""

    voice: str  # id@revision
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRecord(Record):
    KIND: ClassVar[str] = "voice"
    HEARD: ClassVar[tuple[str, ...]] = ("embedding", "tag", "lora", "codec_delta")
    ALLOWED: ClassVar[tuple[str, ...]] = ("consent", "revoked_through", "licence")
    ORIGIN: ClassVar[tuple[str, ...]] = (
        "source",
        "parents",
        "clips",
        "report",
    )  # goes where HEARD goes
    # A part that no revision had would be lost to the next roll-back.
    REVISED: ClassVar[tuple[str, ...]] = HEARD + ORIGIN + ALLOWED
    KEEPS_REVISIONS: ClassVar[bool] = True

    embedding: SpeakerEmbedding | None = None  # None: the model's own mode without a speaker
    tag: str | None = None  # the language tag of its lines where no accent is asked for
    licence: str = ""
    source: VoiceSource = VoiceSource.ENROLLED
    consent: Consent | None = (
        None  # None for what is built in, and for blends that rest on their parents'
    )
    revoked_through: int = 0  # revisions up to this one stay revoked, whatever is agreed later
    parents: tuple[Parent, ...] = ()
    # Large parts, by the sha256 of their bytes.
    lora: str | None = None
    codec_delta: str | None = None
    clips: tuple[str, ...] = ()  # reference recordings, kept where that was asked for
    report: str | None = None  # on the recordings that it was fine-tuned on

    def __post_init__(self) -> None:
        Record.__post_init__(self)
        if self.embedding is not None:
            object.__setattr__(self, "embedding", checked_embedding(self.embedding))
        if self.tag is not None:
            _check_tag(self.tag)
        _check_length(self.licence, 4000, "licence")  # a blend has those of sixteen voices
        for parent in self.parents:
            VoiceRef.parse(parent.voice, field="parents.voice")
        for name in ("lora", "codec_delta", "report"):
            if (digest := getattr(self, name)) is not None:
                check_sha256(digest, name)
        for digest in self.clips:
            check_sha256(digest, "clips")

    @property
    def voice(self) -> Voice:
        """What a line is spoken with, but for its adapters."""
        return Voice(
            id=self.id,
            display_name=self.display_name or self.id,
            embedding=self.embedding,
            tag=self.tag,
            licence=self.licence,
            revision=self.revision,
        )

    def adapted_voice(self, read: Callable[[str], Awaitable[bytes]]) -> Voice:
        """What a line is spoken with, its adapters among it; `read` gets a large part by its name."""

        def part(sha256: str | None) -> Part | None:
            return None if sha256 is None else Part(sha256, partial(read, sha256))

        return replace(self.voice, lora=part(self.lora), codec_delta=part(self.codec_delta))

    @property
    def ref(self) -> str:
        return f"{self.id}@{self.revision}"

    @property
    def parts(self) -> set[str]:
        """The large parts that it names."""
        names = (self.lora, self.codec_delta, self.report, *self.clips)
        return {name for name in names if name is not None}

    @classmethod
    def builtin(cls, voice: Voice) -> "VoiceRecord":
        """A voice that came with the model."""
        return cls(
            id=voice.id,
            display_name=voice.display_name,
            embedding=voice.embedding,
            tag=voice.tag,
            licence=voice.licence,
            revision=voice.revision,
            source=VoiceSource.BUILTIN,
        )

    def revoked(self, now: datetime) -> "VoiceRecord":
        """The same voice, not allowed any more, at the revision that this change will be given."""
        # A blend without a consent of its own can be revoked too: it then has one, given by nobody.
        consent = self.consent or Consent(kind=ConsentKind.SYNTHETIC)
        return replace(
            self, consent=replace(consent, revoked=now), revoked_through=self.revision + 1
        )

    def rolled_back_to(self, old: "VoiceRecord") -> "VoiceRecord":
        """The same voice, sounding as `old` did. What is allowed stays as it is now."""
        content = {name: getattr(old, name) for name in self.HEARD + self.ORIGIN}
        return replace(self, **content)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOverrides:
    """Sampling values that somebody has an opinion about; None leaves what is below. Same rules as `Sampling`."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    greedy: bool | None = None
    min_frames: int | None = None
    max_frames: int | None = None

    def __post_init__(self) -> None:
        try:
            # min_frames may stand above a default max_frames it will never meet: widest bounds for the check.
            Sampling().but(**{"max_frames": 10_000, **self._set()})
        except InvalidUtterance as wrong:
            raise InvalidRecord(str(wrong), field=wrong.field) from None

    def over(self, base: Sampling) -> Sampling:
        """`base`, changed where these have a value. Raises `InvalidUtterance` where both do not fit together."""
        return base.but(**self._set())

    def _set(self) -> dict[str, object]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How an NPC's sound is finished, whatever it says."""

    gain_db: float = 0.0  # -40 to 12
    # 0 to 5000: of silence between the pieces of a long text, on top of what the model leaves.
    pause_ms: int = 0
    edge_silence_ms: int | None = (
        None  # kept before and after a line, 0 to 5000; None leaves what the model makes
    )

    def __post_init__(self) -> None:
        if not (math.isfinite(self.gain_db) and -40.0 <= self.gain_db <= 12.0):
            raise InvalidRecord("gain_db must be from -40 to 12", field="delivery.gain_db")
        for name in ("pause_ms", "edge_silence_ms"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 5000:
                raise InvalidRecord(f"{name} must be from 0 to 5000", field=f"delivery.{name}")


class SeedPolicy(Enum):
    DERIVED = "derived"  # from text, voice and accent: a line always sounds the same
    FIXED = "fixed"  # the NPC's own seed
    VARY = "vary"  # another take each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Npc(Record):
    KIND: ClassVar[str] = "npc"
    REVISED: ClassVar[tuple[str, ...]] = (
        "voice",
        "accent",
        "lexicon",
        "delivery",
        "sampling",
        "seed_policy",
        "seed",
    )

    voice: str  # id, or id@revision to stay with what was approved
    accent: str | None = None  # None: the voice's own
    lexicon: str | None = None
    delivery: Delivery = Delivery()
    sampling: SamplingOverrides = SamplingOverrides()
    seed_policy: SeedPolicy = SeedPolicy.DERIVED
    seed: int | None = None  # of the policy FIXED

    def __post_init__(self) -> None:
        Record.__post_init__(self)
        VoiceRef.parse(self.voice)
        for name in ("accent", "lexicon"):
            if (id := getattr(self, name)) is not None:
                check_id(id, field=name)
        if (self.seed is not None) != (self.seed_policy is SeedPolicy.FIXED):
            raise InvalidRecord(
                "a seed goes with the seed policy FIXED, and only there", field="seed"
            )
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise InvalidRecord("seed must be a non-negative 64-bit integer", field="seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccentRecord(Record):
    KIND: ClassVar[str] = "accent"
    REVISED: ClassVar[tuple[str, ...]] = ("tag", "sampling")

    tag: str  # as the model was trained
    sampling: SamplingOverrides = SamplingOverrides()

    def __post_init__(self) -> None:
        Record.__post_init__(self)
        _check_tag(self.tag)

    @property
    def preset(self) -> AccentPreset:
        """What a line is spoken with."""
        return AccentPreset(id=self.id, tag=self.tag)

    @classmethod
    def builtin(cls, accent: AccentPreset) -> "AccentRecord":
        """An accent that came with the model."""
        return cls(id=accent.id, display_name=accent.tag, tag=accent.tag, revision=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon(Record):
    """How the words of a project are said."""

    KIND: ClassVar[str] = "lexicon"
    REVISED: ClassVar[tuple[str, ...]] = ("entries",)
    KEEPS_REVISIONS: ClassVar[bool] = True

    entries: Mapping[str, str] = field(default_factory=dict)  # word -> respelling

    def __post_init__(self) -> None:
        Record.__post_init__(self)
        _check_map(self.entries, "entries", entries=2000, key=64, value=255)
        if any(not word.strip() or not said.strip() for word, said in self.entries.items()):
            raise InvalidRecord("a word and its respelling must not be empty", field="entries")
        object.__setattr__(self, "entries", MappingProxyType(dict(self.entries)))

    def rolled_back_to(self, old: "Lexicon") -> "Lexicon":
        return replace(self, entries=old.entries)


def checked_embedding(embedding: SpeakerEmbedding) -> SpeakerEmbedding:
    """The same, as float32 that nobody can change. Raises `InvalidRecord` unless it is one finite vector of unit
    length (to 1e-3: the published encoder's float16 files are as good) in a named space."""
    vector = np.array(embedding.vector, dtype=np.float32)
    if vector.ndim != 1 or not 2 <= len(vector) <= 4096:
        raise InvalidRecord("an embedding is one vector of 2 to 4096 values", field="embedding")
    if not math.isclose(
        float(np.linalg.norm(vector)), 1.0, abs_tol=1e-3
    ):  # NaN is close to nothing
        raise InvalidRecord("an embedding must be finite and of unit length", field="embedding")
    if not 1 <= len(embedding.space) <= 200:
        raise InvalidRecord("an embedding must name the space it is in", field="embedding.space")
    vector.setflags(write=False)
    return SpeakerEmbedding(vector=vector, space=embedding.space)


def check_sha256(digest: str, field: str) -> str:
    """The digest, if it is one. Raises `InvalidRecord`."""
    if len(digest) != 64 or set(digest) - _HEX:
        raise InvalidRecord(f"{field} must be a sha256 in lower-case hexadecimal", field=field)
    return digest


def _check_tag(tag: str) -> None:
    if not tag.strip() or len(tag) > 63:
        raise InvalidRecord("a language tag has 1 to 63 characters", field="tag")


def _check_length(text: str, most: int, field: str) -> None:
    if len(text) > most:
        raise InvalidRecord(f"{field} must be at most {most} characters", field=field)


def _check_map(
    values: Mapping[str, str], field: str, *, entries: int, key: int, value: int
) -> None:
    if len(values) > entries:
        raise InvalidRecord(f"{field} must have at most {entries} entries", field=field)
    if any(len(k) > key or len(v) > value for k, v in values.items()):
        raise InvalidRecord(
            f"{field} must have keys of at most {key} and values of at most {value} characters",
            field=field,
        )
