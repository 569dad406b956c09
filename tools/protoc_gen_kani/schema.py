"""The descriptors of protoc as the two emitters want them: messages in order of need, each field resolved.

Knows protobuf, no target language. What no message of ours uses (groups, unsigned and fixed integers, maps of anything
but text, messages that contain themselves) is refused with a name rather than written untested.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

_KINDS = {
    FieldDescriptorProto.TYPE_DOUBLE: "double",
    FieldDescriptorProto.TYPE_FLOAT: "float",
    FieldDescriptorProto.TYPE_INT32: "int32",
    FieldDescriptorProto.TYPE_INT64: "int64",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_ENUM: "enum",
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_MESSAGE: "message",
}
_WIRE_TYPES = {"double": 1, "float": 5, "string": 2, "bytes": 2, "message": 2, "map": 2}

VARINT, LENGTH = 0, 2


class Unsupported(Exception):
    """A proto that uses what the emitters do not write."""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    number: int
    kind: str  # double float int32 int64 bool enum string bytes message, or map (string to string)
    type_name: str  # of an enum or a message: its short name
    is_repeated: bool
    is_optional: bool  # `optional` in front of a plain value
    oneof: str  # empty: of none
    comment: str

    @property
    def wire_type(self) -> int:
        return _WIRE_TYPES.get(self.kind, VARINT)

    @property
    def tag(self) -> int:
        return self.number << 3 | self.wire_type

    @property
    def is_packed(self) -> bool:
        """Many plain numbers are written as one piece; the other form is read too."""
        return self.is_repeated and self.wire_type != LENGTH

    @property
    def packed_tag(self) -> int:
        return self.number << 3 | LENGTH


@dataclass(frozen=True, slots=True)
class Message:
    name: str
    fields: tuple[Field, ...]
    comment: str

    @property
    def oneofs(self) -> dict[str, tuple[Field, ...]]:
        names = dict.fromkeys(f.oneof for f in self.fields if f.oneof)
        return {name: tuple(f for f in self.fields if f.oneof == name) for name in names}


@dataclass(frozen=True, slots=True)
class Enum:
    name: str
    values: tuple[tuple[str, int, str], ...]  # name without the enum's own, number, comment
    comment: str


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    path: str
    request: str
    response: str
    streams: bool
    comment: str


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    methods: tuple[Method, ...]
    comment: str


@dataclass(slots=True)
class File:
    """One proto file. `imports` are those that its messages and services really need."""

    name: str
    enums: list[Enum] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)  # the needed before those that need them
    services: list[Service] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)


def load(
    protos: Iterable[FileDescriptorProto], asked: Iterable[str], roots: Iterable[str]
) -> list[File]:
    """The files of `asked` whole; of the others what those need, and what `roots` names (`google.rpc.Status`).

    In order of need. Raises `Unsupported`, and `KeyError` for a root that is in no file.
    """
    return _Loader(protos).load(set(asked), roots)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A message or an enum, and where its comments are."""

    file: str
    kind: DescriptorProto | EnumDescriptorProto
    name: str  # `BadRequestFieldViolation` for a message within a message
    path: tuple[int, ...]


class _Loader:
    def __init__(self, protos: Iterable[FileDescriptorProto]) -> None:
        self._protos = {proto.name: proto for proto in protos}
        self._comments = {
            proto.name: {tuple(p.path): p.leading_comments for p in proto.source_code_info.location}
            for proto in self._protos.values()
        }
        self._declared: dict[str, _Declared] = {}
        self._files: dict[str, File] = {}
        self._done: dict[str, bool] = {}  # full name -> False while it is being written
        for proto in self._protos.values():
            for i, message in enumerate(proto.message_type):
                self._declare(proto.name, f".{proto.package}.", "", message, (4, i))
            for i, enum in enumerate(proto.enum_type):
                self._declared[f".{proto.package}.{enum.name}"] = _Declared(
                    proto.name, enum, enum.name, (5, i)
                )

    def _declare(
        self, file: str, scope: str, outer: str, message: DescriptorProto, path: tuple[int, ...]
    ) -> None:
        name = outer + message.name
        self._declared[scope + message.name] = _Declared(file, message, name, path)
        for i, nested in enumerate(message.nested_type):
            self._declare(file, f"{scope}{message.name}.", name, nested, (*path, 3, i))
        if message.enum_type and not scope.startswith(".google."):
            raise Unsupported(f"{name}: enums stand beside messages, not in them")

    def load(self, asked: Iterable[str], roots: Iterable[str]) -> list[File]:
        for root in roots:
            self._need(f".{root}")
        for name in asked:
            proto = self._protos[name]
            for message in proto.message_type:
                self._need(f".{proto.package}.{message.name}")
            for enum in proto.enum_type:
                self._need(f".{proto.package}.{enum.name}")
            for i, service in enumerate(proto.service):
                methods = [
                    self._method(proto, service.name, method, (6, i, 2, j))
                    for j, method in enumerate(service.method)
                    if not method.client_streaming
                ]
                self._file(name).services.append(
                    Service(service.name, tuple(methods), self._comment(name, (6, i)))
                )
        names = [m.name for f in self._files.values() for m in (*f.messages, *f.enums)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise Unsupported(f"names that are not unique: {sorted(twice)}")
        return list(self._files.values())

    def _file(self, name: str) -> File:
        return self._files.setdefault(name, File(name))

    def _comment(self, file: str, path: tuple[int, ...]) -> str:
        lines = self._comments[file].get(path, "").strip().splitlines()
        return "\n".join(line.removeprefix(" ").rstrip() for line in lines)

    def _need(self, full_name: str) -> _Declared:
        """Writes a type, and before it what it needs."""
        found = self._declared[full_name]
        done = self._done.setdefault(full_name, False)
        if done:
            return found
        if isinstance(found.kind, EnumDescriptorProto):
            self._file(found.file).enums.append(self._enum(found))
        else:
            fields = [self._field(found, i) for i in range(len(found.kind.field))]
            comment = self._comment(found.file, found.path)
            self._file(found.file).messages.append(Message(found.name, tuple(fields), comment))
        self._done[full_name] = True
        return found

    def _enum(self, found: _Declared) -> Enum:
        assert isinstance(found.kind, EnumDescriptorProto)
        prefix = (
            "".join("_" + c if c.isupper() else c.upper() for c in found.name).lstrip("_") + "_"
        )
        values = tuple(
            (v.name.removeprefix(prefix), v.number, self._comment(found.file, (*found.path, 2, i)))
            for i, v in enumerate(found.kind.value)
        )
        return Enum(found.name, values, self._comment(found.file, found.path))

    def _field(self, owner: _Declared, i: int) -> Field:
        assert isinstance(owner.kind, DescriptorProto)
        raw = owner.kind.field[i]
        if raw.type not in _KINDS:
            raise Unsupported(f"{owner.name}.{raw.name}: a type that the emitters do not write")
        kind, type_name = _KINDS[raw.type], ""
        is_repeated = raw.label == FieldDescriptorProto.LABEL_REPEATED
        if kind == "message" and self._is_text_map(raw.type_name):
            kind, is_repeated = "map", False
        elif kind in ("message", "enum"):
            if self._done.get(raw.type_name) is False:
                raise Unsupported(f"{owner.name}.{raw.name}: a message that contains itself")
            needed = self._need(raw.type_name)
            type_name = needed.name
            imports = self._file(owner.file).imports
            if needed.file != owner.file and needed.file not in imports:
                imports.append(needed.file)
        in_oneof = raw.HasField("oneof_index") and not raw.proto3_optional
        if in_oneof and kind not in ("message", "string"):
            raise Unsupported(f"{owner.name}.{raw.name}: oneofs are of messages and text")
        return Field(
            name=raw.name,
            number=raw.number,
            kind=kind,
            type_name=type_name,
            is_repeated=is_repeated,
            is_optional=raw.proto3_optional and kind != "message",
            oneof=owner.kind.oneof_decl[raw.oneof_index].name if in_oneof else "",
            comment=self._comment(owner.file, (*owner.path, 2, i)),
        )

    def _is_text_map(self, type_name: str) -> bool:
        entry = self._declared[type_name].kind
        if not isinstance(entry, DescriptorProto) or not entry.options.map_entry:
            return False
        if any(f.type != FieldDescriptorProto.TYPE_STRING for f in entry.field):
            raise Unsupported(f"{entry.name}: only maps of text to text are written")
        return True

    def _method(
        self,
        proto: FileDescriptorProto,
        service: str,
        raw: MethodDescriptorProto,
        path: tuple[int, ...],
    ) -> Method:
        types = [self._need(name) for name in (raw.input_type, raw.output_type)]
        return Method(
            name=raw.name,
            path=f"/{proto.package}.{service}/{raw.name}",
            request=types[0].name,
            response=types[1].name,
            streams=raw.server_streaming,
            comment=self._comment(proto.name, path),
        )
