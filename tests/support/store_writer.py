"""Writes voices until it is killed: `python -m tests.support.store_writer STORE WRITER`.

Says each acknowledged write on a line of its own: the voice and the revision that it was given. The sound of a revision
and its label `n` are made from the same number, so that half a write would be seen.
"""

import asyncio
import sys
import zlib
from dataclasses import replace
from itertools import count

from kani_npc.errors import AlreadyExists, StoreUnavailable, VoiceNotFound
from kani_npc.voices.open import open_store
from kani_npc.voices.records import VoiceRecord
from kani_npc.voices.store import Records
from tests.support.voices import embedding, voice


async def main(where: str, writer: str) -> None:
    while True:
        try:
            records = Records(await open_store(where))
            break
        except StoreUnavailable:
            await asyncio.sleep(0.05)
    for n in count():
        own = f"{writer}-{n % 3}"
        seed = zlib.crc32(writer.encode()) * 1_000_000 + n  # nobody else's, in no other run

        def change(v: VoiceRecord, seed: int = seed) -> VoiceRecord:
            return replace(v, embedding=embedding(seed), labels={"n": str(seed)})

        for id in (own, "shared"):
            try:
                first = change(voice(id))
                try:
                    made = await records.update(VoiceRecord, "default", id, change)
                except VoiceNotFound:
                    made = await records.create("default", first)
            except (StoreUnavailable, AlreadyExists):
                await asyncio.sleep(0.05)
                continue
            print(id, made.revision, seed, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
