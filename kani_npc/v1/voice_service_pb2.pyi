import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoiceSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOICE_SOURCE_UNSPECIFIED: _ClassVar[VoiceSource]
    VOICE_SOURCE_ENROLLED: _ClassVar[VoiceSource]
    VOICE_SOURCE_BLENDED: _ClassVar[VoiceSource]
    VOICE_SOURCE_IMPORTED: _ClassVar[VoiceSource]
    VOICE_SOURCE_FINE_TUNED: _ClassVar[VoiceSource]
    VOICE_SOURCE_BUILTIN: _ClassVar[VoiceSource]

class ConsentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSENT_KIND_UNSPECIFIED: _ClassVar[ConsentKind]
    CONSENT_KIND_GRANTED: _ClassVar[ConsentKind]
    CONSENT_KIND_OWN_VOICE: _ClassVar[ConsentKind]
    CONSENT_KIND_SYNTHETIC: _ClassVar[ConsentKind]
VOICE_SOURCE_UNSPECIFIED: VoiceSource
VOICE_SOURCE_ENROLLED: VoiceSource
VOICE_SOURCE_BLENDED: VoiceSource
VOICE_SOURCE_IMPORTED: VoiceSource
VOICE_SOURCE_FINE_TUNED: VoiceSource
VOICE_SOURCE_BUILTIN: VoiceSource
CONSENT_KIND_UNSPECIFIED: ConsentKind
CONSENT_KIND_GRANTED: ConsentKind
CONSENT_KIND_OWN_VOICE: ConsentKind
CONSENT_KIND_SYNTHETIC: ConsentKind

class Consent(_message.Message):
    __slots__ = ("kind", "holder", "statement", "scope", "expire_time", "statement_sha256", "revoke_time")
    KIND_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_SHA256_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    kind: ConsentKind
    holder: str
    statement: str
    scope: str
    expire_time: _timestamp_pb2.Timestamp
    statement_sha256: str
    revoke_time: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[ConsentKind, str]] = ..., holder: _Optional[str] = ..., statement: _Optional[str] = ..., scope: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., statement_sha256: _Optional[str] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Embedding(_message.Message):
    __slots__ = ("space", "values")
    SPACE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    space: str
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, space: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class BlendShare(_message.Message):
    __slots__ = ("voice", "weight")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    voice: str
    weight: float
    def __init__(self, voice: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class Voice(_message.Message):
    __slots__ = ("id", "display_name", "labels", "etag", "revision", "create_time", "update_time", "source", "embedding", "tag", "licence", "consent", "parents", "num_clips", "content_hash", "lora", "codec_delta", "report")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    PARENTS_FIELD_NUMBER: _ClassVar[int]
    NUM_CLIPS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    LORA_FIELD_NUMBER: _ClassVar[int]
    CODEC_DELTA_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    id: str
    display_name: str
    labels: _containers.ScalarMap[str, str]
    etag: str
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    source: VoiceSource
    embedding: Embedding
    tag: str
    licence: str
    consent: Consent
    parents: _containers.RepeatedCompositeFieldContainer[BlendShare]
    num_clips: int
    content_hash: str
    lora: str
    codec_delta: str
    report: str
    def __init__(self, id: _Optional[str] = ..., display_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., etag: _Optional[str] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[_Union[VoiceSource, str]] = ..., embedding: _Optional[_Union[Embedding, _Mapping]] = ..., tag: _Optional[str] = ..., licence: _Optional[str] = ..., consent: _Optional[_Union[Consent, _Mapping]] = ..., parents: _Optional[_Iterable[_Union[BlendShare, _Mapping]]] = ..., num_clips: _Optional[int] = ..., content_hash: _Optional[str] = ..., lora: _Optional[str] = ..., codec_delta: _Optional[str] = ..., report: _Optional[str] = ...) -> None: ...

class CreateVoiceRequest(_message.Message):
    __slots__ = ("voice", "request_id")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    request_id: str
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateVoiceResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class GetVoiceRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetVoiceResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class ListVoicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListVoicesResponse(_message.Message):
    __slots__ = ("voices", "next_page_token")
    VOICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    voices: _containers.RepeatedCompositeFieldContainer[Voice]
    next_page_token: str
    def __init__(self, voices: _Optional[_Iterable[_Union[Voice, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateVoiceRequest(_message.Message):
    __slots__ = ("voice", "update_mask")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateVoiceResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class DeleteVoiceRequest(_message.Message):
    __slots__ = ("id", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteVoiceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListVoiceRevisionsRequest(_message.Message):
    __slots__ = ("id", "page_size", "page_token")
    ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    page_size: int
    page_token: str
    def __init__(self, id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListVoiceRevisionsResponse(_message.Message):
    __slots__ = ("voices", "next_page_token")
    VOICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    voices: _containers.RepeatedCompositeFieldContainer[Voice]
    next_page_token: str
    def __init__(self, voices: _Optional[_Iterable[_Union[Voice, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetVoiceRevisionRequest(_message.Message):
    __slots__ = ("id", "revision")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetVoiceRevisionResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class RollBackVoiceRequest(_message.Message):
    __slots__ = ("id", "revision", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    etag: str
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class RollBackVoiceResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class EnrollVoiceRequest(_message.Message):
    __slots__ = ("voice", "clips", "keep_clips", "request_id", "revise")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    CLIPS_FIELD_NUMBER: _ClassVar[int]
    KEEP_CLIPS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REVISE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    clips: _containers.RepeatedScalarFieldContainer[bytes]
    keep_clips: bool
    request_id: str
    revise: bool
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ..., clips: _Optional[_Iterable[bytes]] = ..., keep_clips: bool = ..., request_id: _Optional[str] = ..., revise: bool = ...) -> None: ...

class EnrollVoiceResponse(_message.Message):
    __slots__ = ("voice", "clips")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    CLIPS_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    clips: _containers.RepeatedCompositeFieldContainer[ClipReport]
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ..., clips: _Optional[_Iterable[_Union[ClipReport, _Mapping]]] = ...) -> None: ...

class ClipReport(_message.Message):
    __slots__ = ("duration_s", "speech_s", "sample_rate_hz", "channels", "file_format", "level_dbfs", "clipped_share", "likeness", "steadiness")
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    SPEECH_S_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FILE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_DBFS_FIELD_NUMBER: _ClassVar[int]
    CLIPPED_SHARE_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    STEADINESS_FIELD_NUMBER: _ClassVar[int]
    duration_s: float
    speech_s: float
    sample_rate_hz: int
    channels: int
    file_format: str
    level_dbfs: float
    clipped_share: float
    likeness: float
    steadiness: float
    def __init__(self, duration_s: _Optional[float] = ..., speech_s: _Optional[float] = ..., sample_rate_hz: _Optional[int] = ..., channels: _Optional[int] = ..., file_format: _Optional[str] = ..., level_dbfs: _Optional[float] = ..., clipped_share: _Optional[float] = ..., likeness: _Optional[float] = ..., steadiness: _Optional[float] = ...) -> None: ...

class BlendVoicesRequest(_message.Message):
    __slots__ = ("voice", "shares", "request_id")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    shares: _containers.RepeatedCompositeFieldContainer[BlendShare]
    request_id: str
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ..., shares: _Optional[_Iterable[_Union[BlendShare, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class BlendVoicesResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class ReembedVoiceRequest(_message.Message):
    __slots__ = ("id", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ReembedVoiceResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class ExportVoiceRequest(_message.Message):
    __slots__ = ("voice", "with_clips")
    VOICE_FIELD_NUMBER: _ClassVar[int]
    WITH_CLIPS_FIELD_NUMBER: _ClassVar[int]
    voice: str
    with_clips: bool
    def __init__(self, voice: _Optional[str] = ..., with_clips: bool = ...) -> None: ...

class ExportVoiceResponse(_message.Message):
    __slots__ = ("bundle", "file_name")
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    bundle: bytes
    file_name: str
    def __init__(self, bundle: _Optional[bytes] = ..., file_name: _Optional[str] = ...) -> None: ...

class ImportVoiceRequest(_message.Message):
    __slots__ = ("bundle", "id", "consent", "space", "request_id", "revise", "etag")
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REVISE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    bundle: bytes
    id: str
    consent: Consent
    space: str
    request_id: str
    revise: bool
    etag: str
    def __init__(self, bundle: _Optional[bytes] = ..., id: _Optional[str] = ..., consent: _Optional[_Union[Consent, _Mapping]] = ..., space: _Optional[str] = ..., request_id: _Optional[str] = ..., revise: bool = ..., etag: _Optional[str] = ...) -> None: ...

class ImportVoiceResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...

class RevokeConsentRequest(_message.Message):
    __slots__ = ("id", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RevokeConsentResponse(_message.Message):
    __slots__ = ("voice",)
    VOICE_FIELD_NUMBER: _ClassVar[int]
    voice: Voice
    def __init__(self, voice: _Optional[_Union[Voice, _Mapping]] = ...) -> None: ...
