import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kani_npc.v1 import sampling_pb2 as _sampling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Accent(_message.Message):
    __slots__ = ("id", "display_name", "labels", "etag", "revision", "create_time", "update_time", "tag", "sampling", "builtin")
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
    TAG_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    BUILTIN_FIELD_NUMBER: _ClassVar[int]
    id: str
    display_name: str
    labels: _containers.ScalarMap[str, str]
    etag: str
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    tag: str
    sampling: _sampling_pb2.Sampling
    builtin: bool
    def __init__(self, id: _Optional[str] = ..., display_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., etag: _Optional[str] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tag: _Optional[str] = ..., sampling: _Optional[_Union[_sampling_pb2.Sampling, _Mapping]] = ..., builtin: bool = ...) -> None: ...

class CreateAccentRequest(_message.Message):
    __slots__ = ("accent", "request_id")
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    accent: Accent
    request_id: str
    def __init__(self, accent: _Optional[_Union[Accent, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateAccentResponse(_message.Message):
    __slots__ = ("accent",)
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    accent: Accent
    def __init__(self, accent: _Optional[_Union[Accent, _Mapping]] = ...) -> None: ...

class GetAccentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetAccentResponse(_message.Message):
    __slots__ = ("accent",)
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    accent: Accent
    def __init__(self, accent: _Optional[_Union[Accent, _Mapping]] = ...) -> None: ...

class ListAccentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAccentsResponse(_message.Message):
    __slots__ = ("accents", "next_page_token")
    ACCENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    accents: _containers.RepeatedCompositeFieldContainer[Accent]
    next_page_token: str
    def __init__(self, accents: _Optional[_Iterable[_Union[Accent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateAccentRequest(_message.Message):
    __slots__ = ("accent", "update_mask")
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    accent: Accent
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, accent: _Optional[_Union[Accent, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateAccentResponse(_message.Message):
    __slots__ = ("accent",)
    ACCENT_FIELD_NUMBER: _ClassVar[int]
    accent: Accent
    def __init__(self, accent: _Optional[_Union[Accent, _Mapping]] = ...) -> None: ...

class DeleteAccentRequest(_message.Message):
    __slots__ = ("id", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteAccentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
