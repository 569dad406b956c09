"""The generated messages say what Python's protobuf says, and refuse what it refuses."""

import base64
import random
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from kani_npc.v1 import (
    accent_service_pb2,
    audio_pb2,
    lexicon_service_pb2,
    npc_service_pb2,
    sampling_pb2,
    speech_service_pb2,
    voice_service_pb2,
)
from tests.clients.builds import (
    ADDRESS,
    HERE,
    KEPT,
    ROOT,
    UNITY_CORE_SOURCES,
    cpp_program,
    cs_program,
    run,
    tool,
)
from tools.protoc_gen_kani.generate import main as generate

# Compilers share the machine with whatever else runs on it.
pytestmark = pytest.mark.timeout(600)

OURS = [
    accent_service_pb2,
    audio_pb2,
    lexicon_service_pb2,
    npc_service_pb2,
    sampling_pb2,
    speech_service_pb2,
    voice_service_pb2,
]
TYPES = [d for module in OURS for d in module.DESCRIPTOR.message_types_by_name.values()]
TYPES += [status_pb2.Status.DESCRIPTOR, error_details_pb2.ErrorInfo.DESCRIPTOR]
TYPES += [error_details_pb2.BadRequest.DESCRIPTOR, error_details_pb2.RetryInfo.DESCRIPTOR]

Again = Callable[[Sequence[tuple[str, bytes]]], list[bytes | None]]


@pytest.fixture(scope="module", params=["C#", "C++"])
def again(request: pytest.FixtureRequest) -> Again:
    """(type, bytes)s through one language's messages: the bytes they are when written again, None where refused."""
    if request.param == "C#":
        core = cs_program("Core", UNITY_CORE_SOURCES, library=True)
        program = cs_program("Messages", [HERE / "unity/Messages.cs"], references=[core])
        command = [tool("mono"), str(program)]
        encode, decode = (lambda d: base64.b64encode(d).decode()), base64.b64decode
    else:
        registry = KEPT / "registry/registry.h"
        registry.parent.mkdir(parents=True, exist_ok=True)
        headers = sorted(
            (ROOT / "clients/unreal/KaniNpc/Source/KaniNpcCore/Public/kani/v1").iterdir()
        )
        registry.write_text(
            "".join(f'#include "kani/v1/{h.name}"\n' for h in headers)
            + f"#define KANI_MESSAGES(X) {' '.join(f'X({d.name})' for d in TYPES)}\n"
        )
        program = cpp_program(
            "messages",
            [HERE / "cpp/messages.cpp"],
            more_flags=ADDRESS,
            includes=[registry.parent],
        )
        command = [str(program)]
        encode, decode = (lambda d: "=" + d.hex()), bytes.fromhex

    def send(messages: Sequence[tuple[str, bytes]]) -> list[bytes | None]:
        sent = "".join(f"{name} {encode(data)}\n" for name, data in messages)
        lines = run(command, input=sent).stdout.splitlines()
        assert len(lines) == len(messages)
        return [None if line == "BAD" else decode(line[1:]) for line in lines]

    return send


def drawn(kind: Descriptor, rng: random.Random, depth: int = 0) -> Message:
    """A message with about half of its fields set, the odd values more often than not."""
    message = GetMessageClass(kind)()
    for field in kind.fields:
        if rng.random() < 0.5 or depth > 3:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            getattr(message, field.name).update(
                {_text(rng): _text(rng) for _ in range(rng.randrange(3))}
            )
        elif field.is_repeated:
            for _ in range(rng.randrange(4)):
                if field.message_type:
                    getattr(message, field.name).add().CopyFrom(
                        drawn(field.message_type, rng, depth + 1)
                    )
                else:
                    getattr(message, field.name).append(_value(field, rng))
        elif field.message_type:
            getattr(message, field.name).CopyFrom(drawn(field.message_type, rng, depth + 1))
        else:
            setattr(message, field.name, _value(field, rng))
    return message


def _text(rng: random.Random) -> str:
    return rng.choice(["", "a", "guard", "止まれ", "ünï", "🐺 ok", "\0", "x" * 200])


def _value(field: FieldDescriptor, rng: random.Random):
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return _text(rng)
        case FieldDescriptor.TYPE_BYTES:
            return rng.randbytes(rng.choice([0, 1, 127, 128, 3528, 20_000]))
        case FieldDescriptor.TYPE_BOOL:
            return rng.random() < 0.5
        case FieldDescriptor.TYPE_ENUM:
            return rng.choice([0, 1, 2, 77, -1])
        case FieldDescriptor.TYPE_INT32:
            return rng.choice([0, 1, -1, 127, 128, 2**31 - 1, -(2**31)])
        case FieldDescriptor.TYPE_INT64:
            return rng.choice([0, 1, -1, 2**35, 2**63 - 1, -(2**63)])
        case FieldDescriptor.TYPE_FLOAT | FieldDescriptor.TYPE_DOUBLE:
            return rng.choice([0.0, -0.0, 1.0, -1.5, 1e-30, float("inf")])
    raise AssertionError(field.type)


def python_says(name: str, data: bytes) -> bytes | None:
    """The message without what it does not know, entries of maps in order; None where protobuf refuses it."""
    kind = next(d for d in TYPES if d.name == name)
    message = GetMessageClass(kind)()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to three things done to a message that happen to bytes."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0:
                del out[at:]
            case 1 if out:
                out[at % len(out)] ^= 1 << rng.randrange(8)
            case 2 if out:
                out[at % len(out)] = rng.choice([0, 1, 0x7F, 0x80, 0xC0, 0xED, 0xF5, 0xFF])
            case 3:
                out[at:at] = rng.randbytes(rng.randrange(1, 6))
            case 4:
                out[at:at] = out[: rng.randrange(len(out) + 1)]
            case 5:
                # A field of any number and wire type, groups among them.
                out[at:at] = bytes([rng.randrange(256), rng.randrange(256)])
    return bytes(out)


def test_every_message_is_written_as_protobuf_writes_it(again: Again):
    rng = random.Random(1)
    messages = [drawn(d, rng) for d in TYPES for _ in range(25)]
    sent = [(m.DESCRIPTOR.name, m.SerializeToString(deterministic=True)) for m in messages]
    for message, (name, data), came in zip(messages, sent, again(sent), strict=True):
        assert came is not None, (name, message)
        # The entries of a map have no order, and nothing else has a choice.
        assert len(came) == len(data), (name, message)
        assert python_says(name, came) == data


def test_whatever_protobuf_refuses_is_refused_and_nothing_else(again: Again):
    rng = random.Random(2)
    sent = []
    for kind in TYPES:
        for _ in range(60):
            sent.append((kind.name, mutated(drawn(kind, rng).SerializeToString(), rng)))
    wrong = []
    for (name, data), came in zip(sent, again(sent), strict=True):
        expected = python_says(name, data)
        found = None if came is None else python_says(name, came)
        if expected != found:
            wrong.append((name, data.hex(), expected, found))
    refused = sum(python_says(*s) is None for s in sent)
    assert 0.2 < refused / len(sent) < 0.9  # both sides of the question were asked
    assert not wrong, f"{len(wrong)} of {len(sent)}, the first: {wrong[0]}"


def test_known_fields_of_another_wire_type_and_unknown_fields_of_every_kind_are_skipped(
    again: Again,
):
    header = speech_service_pb2.SpeechHeader(voice="guard").SerializeToString()
    unknown = {
        "a number where text belongs": b"\x22\x01a" + b"\x20\x05",
        "varint": b"\xf8\x07\x96\x01",
        "fixed64": b"\xf9\x07" + b"\1" * 8,
        "bytes": b"\xfa\x07\x02hi",
        "group in a group": b"\xfb\x07\x0b\x0c\x08\x01\xfc\x07",
        "fixed32": b"\xfd\x07" + b"\1" * 4,
    }
    for came in again([("SpeechHeader", extra + header) for extra in unknown.values()]):
        assert came == header


def test_text_that_is_not_utf_8_is_refused(again: Again):
    bad = [
        b"\x80",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5",
        b"\xe3\x81",
    ]
    good = ["é", "\ud7ff", "\ue000", "\U0010ffff"]
    fields = [b"\x22" + bytes([len(t)]) + t for t in (*bad, *(g.encode() for g in good))]
    came = again([("SpeechHeader", f) for f in fields])
    assert came == [*[None] * len(bad), *fields[len(bad) :]]


def test_the_written_code_is_what_the_proto_says():
    assert generate(["--check"]) == 0


def test_a_proto_that_the_emitters_do_not_write_is_refused_by_name(tmp_path):
    (tmp_path / "odd.proto").write_text(
        'syntax = "proto3"; package odd; message Odd { fixed32 strange = 1; }'
    )
    plugin = tmp_path / "protoc-gen-kani"
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tools.protoc_gen_kani\n')
    plugin.chmod(0o755)
    options = [f"-I{tmp_path}", f"--plugin={plugin}", f"--kani_out=cpp:{tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", *options, "odd.proto"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode != 0 and "Odd.strange" in done.stderr
