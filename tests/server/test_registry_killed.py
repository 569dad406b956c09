"""The server itself is killed, while it writes and between two writes: what it has acknowledged is there."""

import asyncio
import json
import os
import signal
from collections import defaultdict
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from kani_npc.client import Client, ServiceError
from kani_npc.speech import SpeakerEmbedding
from kani_npc.v1 import voice_service_pb2 as voice_pb
from tests.support.durability import check_nothing_is_lost
from tests.support.serving import SYNTHETIC, said
from tools.local_server import LocalServer, local_server

WRITERS = 4


class Studio:
    """Writers, each of a voice of its own and of one that all of them share, and what they were told was done."""

    def __init__(self, space: str, dim: int) -> None:
        self.space, self.dim = space, dim
        self.acknowledged: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self.num_unanswered = 0
        self._numbers = count(1)

    @property
    def num_acknowledged(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    def sound(self, n: int) -> SpeakerEmbedding:
        vector = np.random.default_rng(n).normal(size=self.dim).astype(np.float32)
        return SpeakerEmbedding(vector / np.linalg.norm(vector), self.space)

    def voice(self, id: str, n: int) -> voice_pb.Voice:
        sound = self.sound(n)
        embedding = voice_pb.Embedding(space=sound.space, values=sound.vector.tolist())
        return voice_pb.Voice(id=id, embedding=embedding, consent=SYNTHETIC, labels={"n": str(n)})

    async def write(self, address: str, writer: int) -> None:
        """Until the server is gone."""
        async with Client(address, timeout_s=30) as client:
            while True:
                for id in (f"own-{writer}", "shared"):
                    n = next(self._numbers)
                    try:
                        voice = await self._put(client, self.voice(id, n))
                    except ServiceError as error:
                        assert error.status == "UNAVAILABLE", error
                        self.num_unanswered += 1
                        return
                    assert voice.revision not in self.acknowledged[id], "one revision, twice"
                    self.acknowledged[id][voice.revision] = n

    async def _put(self, client: Client, voice: voice_pb.Voice) -> voice_pb.Voice:
        try:
            request = voice_pb.UpdateVoiceRequest(voice=voice)
            return (await client.voices.UpdateVoice(request)).voice
        except ServiceError as error:
            if error.reason != "VOICE_NOT_FOUND":
                raise
        try:
            request = voice_pb.CreateVoiceRequest(voice=voice)
            return (await client.voices.CreateVoice(request)).voice
        except ServiceError as error:
            if error.reason != "ALREADY_EXISTS":
                raise
        return await self._put(client, voice)  # somebody was quicker


async def kill_amid_writes(studio: Studio, server: LocalServer, num_writes: int) -> None:
    before = studio.num_acknowledged
    writers = [asyncio.create_task(studio.write(server.address, n)) for n in range(WRITERS)]
    while studio.num_acknowledged < before + num_writes:
        assert not any(writer.done() for writer in writers), "a writer ended by itself"
        await asyncio.sleep(0.005)
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.wait_for(asyncio.gather(*writers), 60)


@pytest.mark.timeout(600)
async def test_a_killed_server_has_lost_nothing_that_it_acknowledged(
    store_url: str, random_model_folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    arguments = ["--model", str(random_model_folder), "--store", store_url, "--threads", "1"]
    redis = request.getfixturevalue("redis_server") if store_url.startswith("redis") else None
    shipped = json.loads((random_model_folder / "voices.json").read_text())["voices"][0]
    studio = Studio(shipped["space"], len(shipped["embedding"]))
    for turn in range(3):
        with local_server(*arguments, log=tmp_path / "log") as server:
            if turn:  # what was written is spoken with by the next server
                async with Client(server.address, timeout_s=30) as client:
                    speech = await said(client, voice="shared")
                    assert speech.header.voice_revision >= max(studio.acknowledged["shared"])
            await kill_amid_writes(studio, server, 40)
            if redis and turn == 1:  # both of them, one after the other
                redis.kill()
                redis.start()
    with local_server(*arguments, log=tmp_path / "log") as server:
        async with Client(server.address, timeout_s=30) as client:
            made = studio.voice("after", 0)
            await client.voices.CreateVoice(voice_pb.CreateVoiceRequest(voice=made))
            await asyncio.sleep(0.2)
            os.kill(server.pid, signal.SIGKILL)  # between two writes
    studio.acknowledged["after"][1] = 0
    await check_nothing_is_lost(store_url, studio.acknowledged, studio.sound, studio.num_unanswered)
    print(f"{studio.num_acknowledged} acknowledged writes, none lost")
