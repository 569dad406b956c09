"""Messages as C++17 structs, without exceptions, RTTI or streams.

Knows `schema` and the names of `wire.h`. What is not set is an empty `std::optional`; the members of a oneof are one
`std::variant`, in the order of the proto, with `std::monostate` for none.
"""

from collections.abc import Iterator

from tools.protoc_gen_kani.schema import Enum, Field, File, Message, Service

_TYPES = {
    "double": "double",
    "float": "float",
    "int32": "std::int32_t",
    "int64": "std::int64_t",
    "bool": "bool",
    "string": "std::string",
    "bytes": "std::string",
    "map": "std::map<std::string, std::string>",
}
_CALLS = {
    "double": "Double",
    "float": "Float",
    "int32": "Int32",
    "int64": "Int64",
    "bool": "Bool",
    "string": "String",
    "bytes": "Bytes",
}
_ZERO = {"double": "0", "float": "0", "int32": "0", "int64": "0", "bool": "false"}


def stem(name: str) -> str:
    """Of the two files that a proto becomes."""
    return name.rsplit("/", 1)[-1].removesuffix(".proto")


def emit_header(file: File) -> str:
    lines = [
        f"// Generated from {file.name}. Do not edit: `make proto` writes it.",
        "#pragma once",
        "",
        *(f'#include "kani/v1/{stem(name)}.h"' for name in sorted(file.imports)),
        '#include "kani/wire.h"',
        "",
        "namespace kani {",
    ]
    for part in (
        *map(_enum, file.enums),
        *map(_struct, file.messages),
        *map(_service, file.services),
    ):
        lines += ["", *part]
    return "\n".join([*lines, "", "}  // namespace kani", ""])


def emit_source(file: File) -> str:
    lines = [
        f"// Generated from {file.name}. Do not edit: `make proto` writes it.",
        f'#include "kani/v1/{stem(file.name)}.h"',
        "",
        "namespace kani {",
    ]
    for message in file.messages:
        lines += ["", *_writer(message), "", *_reader(message)]
    return "\n".join([*lines, "", "}  // namespace kani", ""])


def _doc(comment: str) -> Iterator[str]:
    yield from (f"// {line}".rstrip() for line in comment.splitlines())


def _pascal(name: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in name.split("_"))


def _enum(enum: Enum) -> Iterator[str]:
    yield from _doc(enum.comment)
    yield f"enum class {enum.name} : std::int32_t {{"
    for name, number, comment in enum.values:
        yield from (f"  {line}" for line in _doc(comment))
        yield f"  k{_pascal(name)} = {number},"
    yield "};"


def _type(field: Field) -> str:
    return field.type_name or _TYPES[field.kind]


def _declaration(field: Field) -> Iterator[str]:
    yield from _doc(field.comment)
    if field.is_repeated:
        yield f"std::vector<{_type(field)}> {field.name};"
    elif field.is_optional or field.kind == "message":
        yield f"std::optional<{_type(field)}> {field.name};"
    elif field.kind == "enum":
        yield f"{_type(field)} {field.name} = {_type(field)}(0);"
    else:
        zero = f" = {_ZERO[field.kind]}" if field.kind in _ZERO else ""
        yield f"{_type(field)} {field.name}{zero};"


def _struct(message: Message) -> Iterator[str]:
    yield from _doc(message.comment)
    yield f"struct KANI_API {message.name} {{"
    for field in message.fields:
        if not field.oneof:
            yield from (f"  {line}" for line in _declaration(field))
    for name, fields in message.oneofs.items():
        yield f"  enum {_pascal(name)}Case {{"
        yield f"    k{_pascal(name)}None,"
        for field in fields:
            yield from (f"    {line}" for line in _doc(field.comment))
            yield f"    k{_pascal(field.name)},"
        yield "  };"
        yield f"  std::variant<std::monostate, {', '.join(map(_type, fields))}> {name};"
    yield "" if message.fields else "  // No fields yet."
    yield "  void WriteTo(WireWriter& output) const;"
    yield "  // False where `input` is not such a message; what was read until then is kept."
    yield "  bool MergeFrom(WireReader& input);"
    yield "};"


def _write(field: Field) -> Iterator[str]:
    name, tag, call = field.name, field.tag, _CALLS.get(field.kind, "")
    if field.kind == "map":
        yield f"output.Map({tag}, {name});"
    elif field.is_packed:
        value = "value" if field.kind != "enum" else "static_cast<std::int32_t>(value)"
        yield f"if (!{name}.empty()) {{"
        yield f"  const std::size_t mark = output.Begin({field.packed_tag});"
        yield f"  for (const auto value : {name}) output.{call or 'Int32'}({value});"
        yield "  output.End(mark);"
        yield "}"
    elif field.is_repeated:
        yield f"for (const auto& item : {name}) output.{call or 'Message'}({tag}, item);"
    elif field.kind == "message" or field.is_optional:
        yield f"if ({name}) output.{call or 'Message'}({tag}, *{name});"
    elif field.kind == "enum":
        yield f"if ({name} != {_type(field)}(0)) output.Int32({tag}, static_cast<std::int32_t>({name}));"
    elif field.kind in ("string", "bytes"):
        yield f"if (!{name}.empty()) output.{call}({tag}, {name});"
    elif field.kind in ("double", "float"):
        # A zero is the absence of a value, a minus zero is not.
        yield f"if (!IsZeroBits({name})) output.{call}({tag}, {name});"
    else:
        yield f"if ({name}{'' if field.kind == 'bool' else ' != 0'}) output.{call}({tag}, {name});"


def _writer(message: Message) -> Iterator[str]:
    output = " output" if message.fields else ""
    yield f"void {message.name}::WriteTo(WireWriter&{output}) const {{"
    written: set[str] = set()
    for field in sorted(message.fields, key=lambda f: f.number):
        if not field.oneof:
            yield from (f"  {line}" for line in _write(field))
        elif field.oneof not in written:
            written.add(field.oneof)
            yield f"  switch ({field.oneof}.index()) {{"
            for member in message.oneofs[field.oneof]:
                index = f"k{_pascal(member.name)}"
                call = _CALLS.get(member.kind, "Message")
                yield f"    case {index}: output.{call}({member.tag}, *std::get_if<{index}>(&{member.oneof})); break;"
            yield "    default: break;"
            yield "  }"
    yield "}"


def _read(field: Field) -> Iterator[str]:
    name, of, call = field.name, "" if field.kind == "map" else _type(field), _CALLS.get(field.kind)
    value = f"input.{call}()" if call else f"{of}(input.Int32())"
    if field.kind == "map":
        yield f"case {field.tag}: input.MapEntry(&{name}); break;"
    elif field.oneof:
        index = f"k{_pascal(name)}"
        if field.kind == "message":
            yield f"case {field.tag}:"
            yield f"  if ({field.oneof}.index() != {index}) {field.oneof}.emplace<{index}>();"
            yield f"  input.Message(std::get_if<{index}>(&{field.oneof}));"
            yield "  break;"
        else:
            yield f"case {field.tag}: {field.oneof}.emplace<{index}>({value}); break;"
    elif field.kind == "message" and field.is_repeated:
        yield f"case {field.tag}: {name}.emplace_back(); input.Message(&{name}.back()); break;"
    elif field.kind == "message":
        yield f"case {field.tag}:"
        yield f"  if (!{name}) {name}.emplace();"
        yield f"  input.Message(&*{name});"
        yield "  break;"
    elif field.is_packed:
        yield f"case {field.tag}: {name}.push_back({value}); break;"
        yield f"case {field.packed_tag}: {{"
        yield "  const WireReader::Limit outer = input.Enter();"
        yield f"  while (!input.AtEnd()) {name}.push_back({value});"
        yield "  input.Leave(outer);"
        yield "  break;"
        yield "}"
    elif field.is_repeated:
        yield f"case {field.tag}: {name}.push_back({value}); break;"
    else:
        yield f"case {field.tag}: {name} = {value}; break;"


def _reader(message: Message) -> Iterator[str]:
    yield f"bool {message.name}::MergeFrom(WireReader& input) {{"
    yield "  while (const std::uint32_t wire_tag = input.Tag()) {"
    yield "    switch (wire_tag) {"
    for field in message.fields:
        yield from (f"      {line}" for line in _read(field))
    yield "      default: input.Skip(wire_tag); break;"
    yield "    }"
    yield "  }"
    yield "  return input.ok();"
    yield "}"


def _service(service: Service) -> Iterator[str]:
    yield from _doc(service.comment)
    yield f"struct {service.name} {{"
    for method in service.methods:
        yield from (f"  {line}" for line in _doc(method.comment))
        kind = "StreamingMethod" if method.streams else "UnaryMethod"
        yield f"  static constexpr {kind}<{method.request}, {method.response}> {method.name}{{"
        yield f'      "{method.path}"}};'
    yield "};"
