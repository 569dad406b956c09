"""An independent client, `@connectrpc/connect-web` in node, against the web port."""

import asyncio

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_health.v1 import health_pb2

from kani_npc.v1 import speech_service_pb2, voice_service_pb2
from tests.support.clips import speechlike, wav
from tests.support.sine import SAMPLES_PER_FRAME, SineSynthesizer
from tests.web.conftest import run_node


def descriptor_set(*roots) -> bytes:
    """These files and what they import, in an order in which each knows the ones before."""
    found: dict[str, FileDescriptorProto] = {}

    def add(file) -> None:
        if file.name not in found:
            for imported in file.dependencies:
                add(imported)
            proto = FileDescriptorProto()
            file.CopyToProto(proto)
            found[file.name] = proto

    for root in roots:
        add(descriptor_pool.Default().FindFileByName(root.DESCRIPTOR.name))
    return FileDescriptorSet(file=found.values()).SerializeToString()


async def test_the_connect_client_gets_what_a_grpc_client_gets(start, node_modules, tmp_path):
    web = await start(SineSynthesizer(speed=40.0, num_slots=4))
    (tmp_path / "all.binpb").write_bytes(
        descriptor_set(speech_service_pb2, voice_service_pb2, health_pb2)
    )
    (tmp_path / "ada.wav").write_bytes(wav(speechlike(2.0)))
    seen = await run_node(
        "connect_client.mjs", web.url, str(tmp_path / "all.binpb"), str(tmp_path / "ada.wav")
    )
    samples = 5 * SAMPLES_PER_FRAME
    whole = {"header": 1, "audio": 5, "end": 1, "samples": samples, "total": samples}
    assert seen["info"] == "sine" and seen["health"] == 1
    assert seen["line"] == whole and seen["together"] == [whole] * 16
    assert seen["bad"]["code"] == "InvalidArgument"
    assert seen["bad"]["details"] == ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]
    assert seen["unknown"]["code"] == "NotFound" and "ListVoices" in seen["unknown"]["message"]
    assert seen["late"] == "DeadlineExceeded"
    assert seen["left"] == "Canceled"
    assert seen["enrolled"]["id"] == "ada" and seen["enrolled"]["fileFormat"] == "WAV"
    assert seen["enrolled"]["speechS"] > 1.0
    assert seen["spoken"] == whole
    assert seen["here"] == ["ada", "guard", "smith"] and seen["elsewhere"] == ["guard", "smith"]
    async with asyncio.timeout(5):
        while web.sine.active:  # the lines that were left and late
            await asyncio.sleep(0.01)
