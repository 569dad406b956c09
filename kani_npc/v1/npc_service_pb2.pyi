import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kani_npc.v1 import sampling_pb2 as _sampling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SeedPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEED_POLICY_UNSPECIFIED: _ClassVar[SeedPolicy]
    SEED_POLICY_DERIVED: _ClassVar[SeedPolicy]
    SEED_POLICY_FIXED: _ClassVar[SeedPolicy]
    SEED_POLICY_VARY: _ClassVar[SeedPolicy]
SEED_POLICY_UNSPECIFIED: SeedPolicy
SEED_POLICY_DERIVED: SeedPolicy
SEED_POLICY_FIXED: SeedPolicy
SEED_POLICY_VARY: SeedPolicy

class Delivery(_message.Message):
    __slots__ = ("gain_db", "pause_ms", "edge_silence_ms")
    GAIN_DB_FIELD_NUMBER: _ClassVar[int]
    PAUSE_MS_FIELD_NUMBER: _ClassVar[int]
    EDGE_SILENCE_MS_FIELD_NUMBER: _ClassVar[int]
    gain_db: float
    pause_ms: int
    edge_silence_ms: int
    def __init__(self, gain_db: _Optional[float] = ..., pause_ms: _Optional[int] = ..., edge_silence_ms: _Optional[int] = ...) -> None: ...

class Npc(_message.Message):
    __slots__ = ("id", "display_name", "labels", "etag", "revision", "create_time", "update_time", "voice", "accent", "lexicon", "delivery", "sampling", "seed_policy", "seed")
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
    VOICE_FIELD_NUMBER: _ClassVar[int]
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    LEXICON_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    SEED_POLICY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    id: str
    display_name: str
    labels: _containers.ScalarMap[str, str]
    etag: str
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    voice: str
    accent: str
    lexicon: str
    delivery: Delivery
    sampling: _sampling_pb2.Sampling
    seed_policy: SeedPolicy
    seed: int
    def __init__(self, id: _Optional[str] = ..., display_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., etag: _Optional[str] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., voice: _Optional[str] = ..., accent: _Optional[str] = ..., lexicon: _Optional[str] = ..., delivery: _Optional[_Union[Delivery, _Mapping]] = ..., sampling: _Optional[_Union[_sampling_pb2.Sampling, _Mapping]] = ..., seed_policy: _Optional[_Union[SeedPolicy, str]] = ..., seed: _Optional[int] = ...) -> None: ...

class CreateNpcRequest(_message.Message):
    __slots__ = ("npc", "request_id")
    NPC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    npc: Npc
    request_id: str
    def __init__(self, npc: _Optional[_Union[Npc, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateNpcResponse(_message.Message):
    __slots__ = ("npc",)
    NPC_FIELD_NUMBER: _ClassVar[int]
    npc: Npc
    def __init__(self, npc: _Optional[_Union[Npc, _Mapping]] = ...) -> None: ...

class GetNpcRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetNpcResponse(_message.Message):
    __slots__ = ("npc",)
    NPC_FIELD_NUMBER: _ClassVar[int]
    npc: Npc
    def __init__(self, npc: _Optional[_Union[Npc, _Mapping]] = ...) -> None: ...

class ListNpcsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListNpcsResponse(_message.Message):
    __slots__ = ("npcs", "next_page_token")
    NPCS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    npcs: _containers.RepeatedCompositeFieldContainer[Npc]
    next_page_token: str
    def __init__(self, npcs: _Optional[_Iterable[_Union[Npc, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateNpcRequest(_message.Message):
    __slots__ = ("npc", "update_mask")
    NPC_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    npc: Npc
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, npc: _Optional[_Union[Npc, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateNpcResponse(_message.Message):
    __slots__ = ("npc",)
    NPC_FIELD_NUMBER: _ClassVar[int]
    npc: Npc
    def __init__(self, npc: _Optional[_Union[Npc, _Mapping]] = ...) -> None: ...

class DeleteNpcRequest(_message.Message):
    __slots__ = ("id", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteNpcResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
