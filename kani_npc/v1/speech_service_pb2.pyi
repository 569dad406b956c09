from kani_npc.v1 import audio_pb2 as _audio_pb2
from kani_npc.v1 import sampling_pb2 as _sampling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_AMBIENT: _ClassVar[Priority]
    PRIORITY_BARK: _ClassVar[Priority]
    PRIORITY_DIALOGUE: _ClassVar[Priority]
    PRIORITY_CRITICAL: _ClassVar[Priority]

class Pace(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PACE_UNSPECIFIED: _ClassVar[Pace]
    PACE_REALTIME: _ClassVar[Pace]
    PACE_UNPACED: _ClassVar[Pace]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_END_OF_SPEECH: _ClassVar[FinishReason]
    FINISH_REASON_MAX_FRAMES: _ClassVar[FinishReason]
    FINISH_REASON_INTERRUPTED: _ClassVar[FinishReason]
    FINISH_REASON_SUPERSEDED: _ClassVar[FinishReason]
    FINISH_REASON_WATCHDOG: _ClassVar[FinishReason]

class PrewarmOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREWARM_OUTCOME_UNSPECIFIED: _ClassVar[PrewarmOutcome]
    PREWARM_OUTCOME_MADE: _ClassVar[PrewarmOutcome]
    PREWARM_OUTCOME_CACHED: _ClassVar[PrewarmOutcome]
    PREWARM_OUTCOME_FAILED: _ClassVar[PrewarmOutcome]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_AMBIENT: Priority
PRIORITY_BARK: Priority
PRIORITY_DIALOGUE: Priority
PRIORITY_CRITICAL: Priority
PACE_UNSPECIFIED: Pace
PACE_REALTIME: Pace
PACE_UNPACED: Pace
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_END_OF_SPEECH: FinishReason
FINISH_REASON_MAX_FRAMES: FinishReason
FINISH_REASON_INTERRUPTED: FinishReason
FINISH_REASON_SUPERSEDED: FinishReason
FINISH_REASON_WATCHDOG: FinishReason
PREWARM_OUTCOME_UNSPECIFIED: PrewarmOutcome
PREWARM_OUTCOME_MADE: PrewarmOutcome
PREWARM_OUTCOME_CACHED: PrewarmOutcome
PREWARM_OUTCOME_FAILED: PrewarmOutcome

class SynthesizeRequest(_message.Message):
    __slots__ = ("npc", "text", "voice", "accent", "audio", "sampling", "seed", "vary", "priority", "pace", "start_within_ms", "turn", "open_text", "hold_until_checked", "visemes")
    NPC_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    VARY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PACE_FIELD_NUMBER: _ClassVar[int]
    START_WITHIN_MS_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    OPEN_TEXT_FIELD_NUMBER: _ClassVar[int]
    HOLD_UNTIL_CHECKED_FIELD_NUMBER: _ClassVar[int]
    VISEMES_FIELD_NUMBER: _ClassVar[int]
    npc: str
    text: str
    voice: str
    accent: str
    audio: _audio_pb2.AudioFormat
    sampling: _sampling_pb2.Sampling
    seed: int
    vary: bool
    priority: Priority
    pace: Pace
    start_within_ms: int
    turn: int
    open_text: bool
    hold_until_checked: bool
    visemes: bool
    def __init__(self, npc: _Optional[str] = ..., text: _Optional[str] = ..., voice: _Optional[str] = ..., accent: _Optional[str] = ..., audio: _Optional[_Union[_audio_pb2.AudioFormat, _Mapping]] = ..., sampling: _Optional[_Union[_sampling_pb2.Sampling, _Mapping]] = ..., seed: _Optional[int] = ..., vary: bool = ..., priority: _Optional[_Union[Priority, str]] = ..., pace: _Optional[_Union[Pace, str]] = ..., start_within_ms: _Optional[int] = ..., turn: _Optional[int] = ..., open_text: bool = ..., hold_until_checked: bool = ..., visemes: bool = ...) -> None: ...

class TextPiece(_message.Message):
    __slots__ = ("text", "flush", "close")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    text: str
    flush: bool
    close: bool
    def __init__(self, text: _Optional[str] = ..., flush: bool = ..., close: bool = ...) -> None: ...

class StreamingSynthesizeRequest(_message.Message):
    __slots__ = ("config", "piece")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    config: SynthesizeRequest
    piece: TextPiece
    def __init__(self, config: _Optional[_Union[SynthesizeRequest, _Mapping]] = ..., piece: _Optional[_Union[TextPiece, _Mapping]] = ...) -> None: ...

class StreamingSynthesizeResponse(_message.Message):
    __slots__ = ("header", "audio", "end", "timing")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    header: SpeechHeader
    audio: SpeechAudio
    end: SpeechEnd
    timing: SpeechTiming
    def __init__(self, header: _Optional[_Union[SpeechHeader, _Mapping]] = ..., audio: _Optional[_Union[SpeechAudio, _Mapping]] = ..., end: _Optional[_Union[SpeechEnd, _Mapping]] = ..., timing: _Optional[_Union[SpeechTiming, _Mapping]] = ...) -> None: ...

class AppendTextRequest(_message.Message):
    __slots__ = ("utterance_id", "piece", "sequence")
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    utterance_id: str
    piece: TextPiece
    sequence: int
    def __init__(self, utterance_id: _Optional[str] = ..., piece: _Optional[_Union[TextPiece, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class AppendTextResponse(_message.Message):
    __slots__ = ("next_sequence",)
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    next_sequence: int
    def __init__(self, next_sequence: _Optional[int] = ...) -> None: ...

class InterruptRequest(_message.Message):
    __slots__ = ("npc", "utterance_id")
    NPC_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    npc: str
    utterance_id: str
    def __init__(self, npc: _Optional[str] = ..., utterance_id: _Optional[str] = ...) -> None: ...

class InterruptResponse(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[InterruptedLine]
    def __init__(self, lines: _Optional[_Iterable[_Union[InterruptedLine, _Mapping]]] = ...) -> None: ...

class InterruptedLine(_message.Message):
    __slots__ = ("utterance_id", "samples_sent", "sample_rate_hz")
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_SENT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    utterance_id: str
    samples_sent: int
    sample_rate_hz: int
    def __init__(self, utterance_id: _Optional[str] = ..., samples_sent: _Optional[int] = ..., sample_rate_hz: _Optional[int] = ...) -> None: ...

class PrewarmRequest(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[SynthesizeRequest]
    def __init__(self, lines: _Optional[_Iterable[_Union[SynthesizeRequest, _Mapping]]] = ...) -> None: ...

class PrewarmResponse(_message.Message):
    __slots__ = ("line", "outcome", "total_samples", "reason", "message")
    LINE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    line: int
    outcome: PrewarmOutcome
    total_samples: int
    reason: str
    message: str
    def __init__(self, line: _Optional[int] = ..., outcome: _Optional[_Union[PrewarmOutcome, str]] = ..., total_samples: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class SynthesizeResponse(_message.Message):
    __slots__ = ("header", "audio", "end", "timing")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    header: SpeechHeader
    audio: SpeechAudio
    end: SpeechEnd
    timing: SpeechTiming
    def __init__(self, header: _Optional[_Union[SpeechHeader, _Mapping]] = ..., audio: _Optional[_Union[SpeechAudio, _Mapping]] = ..., end: _Optional[_Union[SpeechEnd, _Mapping]] = ..., timing: _Optional[_Union[SpeechTiming, _Mapping]] = ...) -> None: ...

class SpeechHeader(_message.Message):
    __slots__ = ("utterance_id", "encoding", "sample_rate_hz", "voice", "voice_revision", "accent", "model", "seed", "synthetic", "sampler_version", "recommended_prebuffer_ms", "npc")
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    VOICE_REVISION_FIELD_NUMBER: _ClassVar[int]
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SYNTHETIC_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_PREBUFFER_MS_FIELD_NUMBER: _ClassVar[int]
    NPC_FIELD_NUMBER: _ClassVar[int]
    utterance_id: str
    encoding: _audio_pb2.AudioEncoding
    sample_rate_hz: int
    voice: str
    voice_revision: int
    accent: str
    model: str
    seed: int
    synthetic: bool
    sampler_version: str
    recommended_prebuffer_ms: int
    npc: str
    def __init__(self, utterance_id: _Optional[str] = ..., encoding: _Optional[_Union[_audio_pb2.AudioEncoding, str]] = ..., sample_rate_hz: _Optional[int] = ..., voice: _Optional[str] = ..., voice_revision: _Optional[int] = ..., accent: _Optional[str] = ..., model: _Optional[str] = ..., seed: _Optional[int] = ..., synthetic: bool = ..., sampler_version: _Optional[str] = ..., recommended_prebuffer_ms: _Optional[int] = ..., npc: _Optional[str] = ...) -> None: ...

class SpeechAudio(_message.Message):
    __slots__ = ("data", "first_sample")
    DATA_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    first_sample: int
    def __init__(self, data: _Optional[bytes] = ..., first_sample: _Optional[int] = ...) -> None: ...

class SpeechTiming(_message.Message):
    __slots__ = ("first_sample", "hop_samples", "weights", "openness")
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    HOP_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    OPENNESS_FIELD_NUMBER: _ClassVar[int]
    first_sample: int
    hop_samples: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    openness: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, first_sample: _Optional[int] = ..., hop_samples: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ..., openness: _Optional[_Iterable[float]] = ...) -> None: ...

class SpeechEnd(_message.Message):
    __slots__ = ("finish_reason", "total_samples", "elapsed_ms", "compute_ms", "queued_ms", "first_audio_ms", "cache_hit", "attempts")
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_AUDIO_MS_FIELD_NUMBER: _ClassVar[int]
    CACHE_HIT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    finish_reason: FinishReason
    total_samples: int
    elapsed_ms: float
    compute_ms: float
    queued_ms: float
    first_audio_ms: float
    cache_hit: bool
    attempts: int
    def __init__(self, finish_reason: _Optional[_Union[FinishReason, str]] = ..., total_samples: _Optional[int] = ..., elapsed_ms: _Optional[float] = ..., compute_ms: _Optional[float] = ..., queued_ms: _Optional[float] = ..., first_audio_ms: _Optional[float] = ..., cache_hit: bool = ..., attempts: _Optional[int] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "model", "voices", "default_voice", "accents", "default_accent", "encodings", "sample_rates_hz", "capacity", "reproducible")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VOICES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VOICE_FIELD_NUMBER: _ClassVar[int]
    ACCENTS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ACCENT_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATES_HZ_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    REPRODUCIBLE_FIELD_NUMBER: _ClassVar[int]
    version: str
    model: ModelInfo
    voices: _containers.RepeatedCompositeFieldContainer[VoiceInfo]
    default_voice: str
    accents: _containers.RepeatedCompositeFieldContainer[AccentInfo]
    default_accent: str
    encodings: _containers.RepeatedScalarFieldContainer[_audio_pb2.AudioEncoding]
    sample_rates_hz: _containers.RepeatedScalarFieldContainer[int]
    capacity: Capacity
    reproducible: bool
    def __init__(self, version: _Optional[str] = ..., model: _Optional[_Union[ModelInfo, _Mapping]] = ..., voices: _Optional[_Iterable[_Union[VoiceInfo, _Mapping]]] = ..., default_voice: _Optional[str] = ..., accents: _Optional[_Iterable[_Union[AccentInfo, _Mapping]]] = ..., default_accent: _Optional[str] = ..., encodings: _Optional[_Iterable[_Union[_audio_pb2.AudioEncoding, str]]] = ..., sample_rates_hz: _Optional[_Iterable[int]] = ..., capacity: _Optional[_Union[Capacity, _Mapping]] = ..., reproducible: bool = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("name", "licence", "sample_rate_hz", "samples_per_frame", "speaker_space", "languages", "sampling", "sampler_version", "assumed_defaults")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_PER_FRAME_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_SPACE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_VERSION_FIELD_NUMBER: _ClassVar[int]
    ASSUMED_DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    licence: str
    sample_rate_hz: int
    samples_per_frame: int
    speaker_space: str
    languages: _containers.RepeatedScalarFieldContainer[str]
    sampling: _sampling_pb2.Sampling
    sampler_version: str
    assumed_defaults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., licence: _Optional[str] = ..., sample_rate_hz: _Optional[int] = ..., samples_per_frame: _Optional[int] = ..., speaker_space: _Optional[str] = ..., languages: _Optional[_Iterable[str]] = ..., sampling: _Optional[_Union[_sampling_pb2.Sampling, _Mapping]] = ..., sampler_version: _Optional[str] = ..., assumed_defaults: _Optional[_Iterable[str]] = ...) -> None: ...

class VoiceInfo(_message.Message):
    __slots__ = ("id", "display_name", "accent", "licence", "revision")
    ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    id: str
    display_name: str
    accent: str
    licence: str
    revision: int
    def __init__(self, id: _Optional[str] = ..., display_name: _Optional[str] = ..., accent: _Optional[str] = ..., licence: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class AccentInfo(_message.Message):
    __slots__ = ("id", "tag")
    ID_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    tag: str
    def __init__(self, id: _Optional[str] = ..., tag: _Optional[str] = ...) -> None: ...

class Capacity(_message.Message):
    __slots__ = ("num_slots", "active", "waiting")
    NUM_SLOTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    num_slots: int
    active: int
    waiting: int
    def __init__(self, num_slots: _Optional[int] = ..., active: _Optional[int] = ..., waiting: _Optional[int] = ...) -> None: ...
