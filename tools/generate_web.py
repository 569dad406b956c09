"""Writes `clients/web/kani-npc/messages.js` from the generated Python descriptors; with `--check`, says whether what is
committed is what it would write.

Tables, not code: `clients/web/kani-npc/wire.js` reads and writes messages by them. With the messages of our package
come those of google.protobuf and google.rpc that its fields and its errors are made of.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    ServiceDescriptor,
)
from google.rpc import error_details_pb2, status_pb2

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "clients" / "web" / "kani-npc" / "messages.js"
ERRORS = [
    status_pb2.Status.DESCRIPTOR,
    *(
        getattr(error_details_pb2, name).DESCRIPTOR
        for name in ("ErrorInfo", "BadRequest", "RetryInfo")
    ),
]
SCALARS = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in (
        "double float int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 sfixed32 sfixed64 sint32 sint64"
    ).split()
}
HEAD = """\
// What the messages and services of kani_npc.v1 are made of. Written by `python -m tools.generate_web`; do not edit.
import { enumeration, map, message, repeated } from "./wire.js";
"""


def generate() -> str:
    """The module's text."""
    modules = sorted((ROOT / "kani_npc" / "v1").glob("*_pb2.py"))
    files = [import_module(f"kani_npc.v1.{path.stem}").DESCRIPTOR for path in modules]
    roots = [m for file in files for m in file.message_types_by_name.values()]
    messages: dict[str, Descriptor] = {}
    enums: dict[str, EnumDescriptor] = {}
    for root in [*roots, *ERRORS]:
        _collect(root, messages, enums)
    parts = [HEAD]
    parts += [_enum(enums[name]) for name in sorted(enums)]
    parts += [_message(messages[name]) for name in sorted(messages)]
    services = [s for file in files for s in file.services_by_name.values()]
    parts += [_service(service) for service in sorted(services, key=lambda s: s.full_name)]
    return "\n".join(parts)


def _collect(
    message: Descriptor, messages: dict[str, Descriptor], enums: dict[str, EnumDescriptor]
) -> None:
    if message.full_name in messages:
        return
    if not message.GetOptions().map_entry:
        messages[message.full_name] = message
    for field in message.fields:
        if field.message_type is not None:
            _collect(field.message_type, messages, enums)
        if field.enum_type is not None:
            enums[field.enum_type.full_name] = field.enum_type


def _name(descriptor: Descriptor | EnumDescriptor) -> str:
    """A nested message's name has that of the outer one before it."""
    outer = descriptor.containing_type
    return f"{_name(outer)}_{descriptor.name}" if outer is not None else descriptor.name


def _enum(enum: EnumDescriptor) -> str:
    values = "".join(f"  {value.name}: {value.number},\n" for value in enum.values)
    return f"export const {_name(enum)} = enumeration({{\n{values}}});\n"


def _message(descriptor: Descriptor) -> str:
    fields = "".join(f"  [{', '.join(_field(field))}],\n" for field in descriptor.fields)
    # A function: a message may hold one that stands below it.
    return f'export const {_name(descriptor)} = message("{descriptor.full_name}", () => [\n{fields}]);\n'


def _field(field: FieldDescriptor) -> Iterator[str]:
    yield str(field.number)
    yield f'"{field.camelcase_name}"'
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        yield f"map({_kind(entry.fields[0])}, {_kind(entry.fields[1])})"
    elif field.is_repeated:
        yield f"repeated({_kind(field)})"
    else:
        yield _kind(field)
        oneof = field.containing_oneof
        if oneof is not None:
            yield f'"{oneof.name}"'  # that of an `optional` field begins with _


def _kind(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return _name(field.message_type)
    if field.enum_type is not None:
        return _name(field.enum_type)
    return f'"{SCALARS[field.type]}"'


def _service(service: ServiceDescriptor) -> str:
    methods = "".join(
        f"  {method.name[0].lower()}{method.name[1:]}: {{\n"
        f'    path: "/{service.full_name}/{method.name}",\n'
        f"    request: {_name(method.input_type)},\n"
        f"    response: {_name(method.output_type)},\n"
        f"    streams: {'true' if method.server_streaming else 'false'},\n"
        "  },\n"
        for method in service.methods
        if not method.client_streaming  # not over gRPC-Web
    )
    return f"export const {service.name} = {{\n{methods}}};\n"


def main(arguments: list[str]) -> int:
    fresh = generate()
    committed = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if "--check" in arguments:
        if fresh != committed:
            print(f"{TARGET.name} is not what proto/ says; run `make proto`", file=sys.stderr)
        return int(fresh != committed)
    if fresh != committed:
        TARGET.write_text(fresh, encoding="utf-8")
        print(TARGET.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
