"""clients/web: its messages beside Python's protobuf, and its client, in node, against a real server."""

import json
import random
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from kani_npc.v1 import npc_service_pb2, speech_service_pb2, voice_service_pb2
from tests.support.sine import SAMPLES_PER_FRAME, SineSynthesizer
from tests.web.conftest import run_node
from tools import generate_web

MODULES = (npc_service_pb2, speech_service_pb2, voice_service_pb2)
TYPES = [
    GetMessageClass(descriptor)
    for module in MODULES
    for descriptor in module.DESCRIPTOR.message_types_by_name.values()
]
WHOLE = {
    FieldDescriptor.CPPTYPE_INT32: [0, 1, -1, 2**31 - 1, -(2**31), 300],
    FieldDescriptor.CPPTYPE_INT64: [0, 1, -1, 2**63 - 1, -(2**63), 2**53, 2**53 + 1, -(2**53) - 1],
    FieldDescriptor.CPPTYPE_UINT32: [0, 1, 2**32 - 1],
    FieldDescriptor.CPPTYPE_UINT64: [0, 2**53 + 1, 2**64 - 1],
    FieldDescriptor.CPPTYPE_ENUM: [0, 1, 2, 77, -5],
    FieldDescriptor.CPPTYPE_BOOL: [False, True],
    FieldDescriptor.CPPTYPE_DOUBLE: [0.0, -0.0, 1.5, -1e300, float("inf")],
    FieldDescriptor.CPPTYPE_FLOAT: [0.0, 0.25, -2.0, float("-inf")],
    FieldDescriptor.CPPTYPE_STRING: ["", "a", "zwölf 日本 🐉", "x" * 300],
}


def filled(message: Message, draw: random.Random, depth: int = 0) -> Message:
    """Some fields, of values at the edges."""

    def value(field: FieldDescriptor):
        if field.type == FieldDescriptor.TYPE_BYTES:
            return draw.randbytes(draw.choice([0, 1, 200]))
        return draw.choice(WHOLE[field.cpp_type])

    for field in message.DESCRIPTOR.fields:
        if draw.random() < 0.4:
            continue
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            for key in ("", "a", "__proto__", "zwölf"):
                getattr(message, field.name)[key] = draw.choice(["", "value"])
        elif field.message_type is not None:
            for _ in range(draw.randint(0, 2) if field.is_repeated else 1):
                child = getattr(message, field.name)
                child = child.add() if field.is_repeated else child
                child.SetInParent()
                if depth < 3:
                    filled(child, draw, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(value(field) for _ in range(draw.randint(0, 3)))
        else:
            setattr(message, field.name, value(field))
    return message


async def through_javascript(
    cases: list[tuple[type[Message], bytes]], folder: Path
) -> list[bytes | None]:
    """What is written again of what was read; None where it was refused."""
    file = folder / "cases.json"
    named = [{"type": kind.DESCRIPTOR.full_name, "hex": data.hex()} for kind, data in cases]
    file.write_text(json.dumps(named))
    answers = await run_node("wire_roundtrip.mjs", str(file))
    return [None if answer is None else bytes.fromhex(answer) for answer in answers]


async def test_messages_come_back_as_python_wrote_them(tmp_path):
    draw = random.Random(7)
    messages = [filled(draw.choice(TYPES)(), draw) for _ in range(1500)]
    cases = [(type(m), m.SerializeToString()) for m in messages]
    back = await through_javascript(cases, tmp_path)
    for message, data in zip(messages, back, strict=True):
        assert data is not None and type(message).FromString(data) == message
        assert type(message).FromString(data).SerializeToString(
            deterministic=True
        ) == message.SerializeToString(deterministic=True)


async def test_broken_messages_are_refused_where_python_refuses_them(tmp_path):
    draw = random.Random(11)
    cases = []
    for _ in range(3000):
        kind = draw.choice(TYPES)
        data = bytearray(filled(kind(), draw).SerializeToString() or b"\n\1x")[:400]
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        cases.append((kind, bytes(data[: draw.randint(1, len(data))])))
    back = await through_javascript(cases, tmp_path)
    judged_alike = 0
    for (kind, data), answer in zip(cases, back, strict=True):
        try:
            read = kind.FromString(data)
        except DecodeError:
            judged_alike += answer is None
            continue
        if answer is not None:
            judged_alike += 1
            read.DiscardUnknownFields()  # those are not carried on
            again = kind.FromString(answer)
            # As text: there are many NaN, and JavaScript has one.
            assert text_format.MessageToString(again) == text_format.MessageToString(read)
    assert judged_alike / len(cases) > 0.995


async def test_the_module_speaks_with_a_server(start, tmp_path):
    web = await start(SineSynthesizer(speed=20.0))
    seen = await run_node("module_client.mjs", web.url)
    samples = 5 * SAMPLES_PER_FRAME
    assert seen["line"] == {"header": 1, "audio": 5, "end": 1, "samples": samples}
    assert seen["bad"] == ["INVALID_ARGUMENT", "INVALID_UTTERANCE", "text"]
    assert seen["unknown"][0] == "NOT_FOUND"
    assert seen["twice"][0] == "ALREADY_EXISTS" and seen["twice"][1]
    assert seen["names"] == ["guard", "smith", "troll"] and seen["elsewhere"] == ["guard", "smith"]
    assert seen["late"] == "DEADLINE_EXCEEDED" and seen["left"] == "CANCELLED"
    assert seen["misspelt"] == "kani_npc.v1.SynthesizeRequest has no txt"
    assert seen["nobody"] == "UNAVAILABLE"


async def test_the_player_has_no_gap_on_a_simulated_audio_clock_with_120_ms_in_hand():
    seen = await run_node("player_clock.mjs")
    for take in seen["steady"]:
        assert take == {"played": seen["total"], "underruns": 0, "isSame": True}
    # What comes later than that is heard as gaps, and nothing of it is lost.
    assert all(take["played"] == seen["total"] for take in seen["late"])
    assert sum(take["underruns"] for take in seen["late"]) > 0


def test_the_tables_are_what_the_contract_says():
    assert generate_web.TARGET.read_text() == generate_web.generate()
