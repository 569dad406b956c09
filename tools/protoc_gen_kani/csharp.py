"""Messages as C# 7: plain classes that IL2CPP compiles ahead of time, for any engine since Unity 2021.

Knows `schema` and the names of `Wire.cs`. Fields are fields; members of a oneof are properties, of which setting one
clears the others. A message or an `optional` value that is not set is null. `bytes` point into what was read.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from tools.protoc_gen_kani.schema import Enum, Field, File, Message, Service

_TYPES = {
    "double": "double",
    "float": "float",
    "int32": "int",
    "int64": "long",
    "bool": "bool",
    "string": "string",
    "bytes": "ArraySegment<byte>",
}
_CALLS = {
    "double": "Double",
    "float": "Float",
    "int32": "Int32",
    "int64": "Int64",
    "bool": "Bool",
    "enum": "Int32",
    "string": "String",
    "bytes": "Bytes",
    "message": "Message",
}


def file_name(file: File) -> str:
    return f"{_pascal(file.name.rsplit('/', 1)[-1].removesuffix('.proto'))}.g.cs"


def emit(file: File) -> str:
    lines = [
        f"// Generated from {file.name}. Do not edit: `make proto` writes it.",
        "using System;",
        "using System.Collections.Generic;",
        "",
        "namespace KaniNpc.V1",
        "{",
    ]
    parts = [_enum(e) for e in file.enums] + [_message(m) for m in file.messages]
    parts += [_service(s) for s in file.services]
    for i, part in enumerate(parts):
        lines += [""] * (i > 0)
        lines += [f"    {line}" if line else "" for line in part]
    return "\n".join([*lines, "}", ""])


def _pascal(name: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in name.split("_"))


def _field_name(field: Field) -> str:
    return _pascal(field.name)


def _doc(comment: str) -> Iterator[str]:
    if comment:
        lines = escape(comment).splitlines()
        if len(lines) == 1:
            yield f"/// <summary>{lines[0]}</summary>"
            return
        yield "/// <summary>"
        yield from (f"/// {line}".rstrip() for line in lines)
        yield "/// </summary>"


def _enum(enum: Enum) -> Iterator[str]:
    yield from _doc(enum.comment)
    yield f"public enum {enum.name}"
    yield "{"
    for name, number, comment in enum.values:
        for line in _doc(comment):
            yield f"    {line}"
        yield f"    {_pascal(name)} = {number},"
    yield "}"


def _type(field: Field) -> str:
    """Of one value."""
    return field.type_name or _TYPES[field.kind]


def _declaration(field: Field) -> Iterator[str]:
    yield from _doc(field.comment)
    name, of = _field_name(field), "Dictionary<string, string>"
    if field.is_repeated:
        of = f"List<{_type(field)}>"
    if field.is_repeated or field.kind == "map":
        yield f"public readonly {of} {name} = new {of}();"
    elif field.is_optional:
        # Text that is not set is null, as it is in a oneof.
        yield f"public {_type(field)}{'' if field.kind == 'string' else '?'} {name};"
    else:
        empty = ' = ""' if field.kind == "string" else ""
        yield f"public {_type(field)} {name}{empty};"


def _oneof(message: Message, name: str, fields: tuple[Field, ...]) -> Iterator[str]:
    case, stored = f"{_pascal(name)}Case", f"_{name}"
    yield f"public enum {case}Kind"
    yield "{"
    yield "    None = 0,"
    yield from (f"    {_field_name(f)} = {f.number}," for f in fields)
    yield "}"
    yield ""
    yield f"private object {stored};"
    yield f"public {case}Kind {case} {{ get; private set; }}"
    for field in fields:
        yield ""
        yield from _doc(field.comment)
        kind = f"{case}Kind.{_field_name(field)}"
        yield f"public {_type(field)} {_field_name(field)}"
        yield "{"
        yield f"    get {{ return {case} == {kind} ? ({_type(field)}){stored} : null; }}"
        yield "    set"
        yield "    {"
        yield f"        if (value == null && {case} != {kind}) return;"
        yield f"        {stored} = value;"
        yield f"        {case} = value == null ? {case}Kind.None : {kind};"
        yield "    }"
        yield "}"


def _is_set(field: Field) -> str:
    """The condition under which a single value is written. A zero is the absence of a value, a minus zero is not."""
    name = _field_name(field)
    if field.is_optional or field.oneof or field.kind == "message":
        return f"{name} != null"
    return {
        "bool": name,
        "string": f"!string.IsNullOrEmpty({name})",
        "bytes": f"{name}.Count != 0",
        "double": f"BitConverter.DoubleToInt64Bits({name}) != 0",
        "float": f"BitConverter.DoubleToInt64Bits({name}) != 0",
    }.get(field.kind, f"{name} != 0")


def _value(field: Field, name: str) -> str:
    if field.kind == "enum":
        return f"(int){name}"
    return f"{name}.Value" if field.is_optional and field.kind != "string" else name


def _write(field: Field) -> Iterator[str]:
    name, call = _field_name(field), _CALLS.get(field.kind, "")
    if field.kind == "map":
        yield f"output.Map({field.tag}, {name});"
    elif field.is_packed:
        values = f"{name}[i]" if field.kind != "enum" else f"(int){name}[i]"
        yield f"if ({name}.Count != 0)"
        yield "{"
        yield f"    var mark = output.Begin({field.packed_tag});"
        yield f"    for (var i = 0; i < {name}.Count; i++) output.{call}({values});"
        yield "    output.End(mark);"
        yield "}"
    elif field.is_repeated:
        yield f"for (var i = 0; i < {name}.Count; i++) output.{call}({field.tag}, {name}[i]);"
    else:
        yield f"if ({_is_set(field)}) output.{call}({field.tag}, {_value(field, name)});"


def _read(field: Field) -> Iterator[str]:
    name, of = _field_name(field), _type(field) if field.kind != "map" else ""
    cast = f"({of})" if field.kind == "enum" else ""
    read = f"{cast}input.{_CALLS.get(field.kind, '')}()"
    if field.kind == "map":
        yield f"case {field.tag}: input.MapEntry({name}); break;"
    elif field.kind == "message" and field.is_repeated:
        yield f"case {field.tag}: {{ var item = new {of}(); input.Message(item); {name}.Add(item); break; }}"
    elif field.kind == "message":
        # A second part of the same message goes over the first.
        yield f"case {field.tag}: {{ var part = {name} ?? new {of}(); input.Message(part); {name} = part; break; }}"
    elif field.is_packed:
        yield f"case {field.tag}: {name}.Add({read}); break;"
        yield f"case {field.packed_tag}:"
        yield "{"
        yield "    var outer = input.Enter();"
        yield f"    while (!input.AtEnd) {name}.Add({read});"
        yield "    input.Leave(outer);"
        yield "    break;"
        yield "}"
    elif field.is_repeated:
        yield f"case {field.tag}: {name}.Add({read}); break;"
    else:
        yield f"case {field.tag}: {name} = {read}; break;"


def _message(message: Message) -> Iterator[str]:
    yield from _doc(message.comment)
    yield f"public sealed class {message.name} : IWireMessage"
    yield "{"
    body: list[str] = []
    for field in message.fields:
        if not field.oneof:
            body += _declaration(field)
    for name, fields in message.oneofs.items():
        body += [""] * bool(body)
        body += _oneof(message, name, fields)
    body += [""] * bool(body)
    body += [
        f"public static {message.name} Parse(ArraySegment<byte> data)",
        "{",
        f"    var message = new {message.name}();",
        "    var input = new WireReader(data);",
        "    message.MergeFrom(ref input);",
        "    return message;",
        "}",
        "",
        "public void WriteTo(WireWriter output)",
        "{",
    ]
    for field in sorted(message.fields, key=lambda f: f.number):
        body += [f"    {line}" for line in _write(field)]
    body += ["}", "", "public void MergeFrom(ref WireReader input)", "{"]
    body += [
        "    uint tag;",
        "    while ((tag = input.Tag()) != 0)",
        "    {",
        "        switch (tag)",
        "        {",
    ]
    for field in message.fields:
        body += [f"            {line}" for line in _read(field)]
    body += ["            default: input.Skip(tag); break;", "        }", "    }", "}"]
    yield from (f"    {line}" if line else "" for line in body)
    yield "}"


def _service(service: Service) -> Iterator[str]:
    yield from _doc(service.comment)
    yield f"public static class {service.name}"
    yield "{"
    for i, method in enumerate(service.methods):
        if i:
            yield ""
        for line in _doc(method.comment):
            yield f"    {line}"
        kind = f"{'Streaming' if method.streams else 'Unary'}Method<{method.request}, {method.response}>"
        yield f"    public static readonly {kind} {method.name} ="
        yield f'        new {kind}("{method.path}", {method.response}.Parse);'
    yield "}"
