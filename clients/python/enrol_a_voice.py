"""A voice from recordings, and an NPC that speaks with it:

python enrol_a_voice.py mirela take-1.wav take-2.wav --holder "M. Aktorin" --statement "I agree." --scope "this game"
"""

import argparse
import asyncio
import sys
from pathlib import Path

from kani_npc.client import Client, ServiceError
from kani_npc.v1 import npc_service_pb2 as npcs
from kani_npc.v1 import voice_service_pb2 as voices


async def main() -> None:
    arguments = argparse.ArgumentParser(description="A voice from recordings, and an NPC with it.")
    arguments.add_argument("id", help="of the voice and of the NPC")
    arguments.add_argument(
        "recordings", nargs="+", type=Path, help="one speaker, 10 to 30 s in all"
    )
    arguments.add_argument("--holder", required=True, help="whose voice it is")
    arguments.add_argument("--statement", required=True, help="what they agreed to, in their words")
    arguments.add_argument("--scope", required=True, help="what it may be used for")
    arguments.add_argument("--server", default="127.0.0.1:50051")
    asked = arguments.parse_args()
    consent = voices.Consent(
        kind=voices.CONSENT_KIND_GRANTED,
        holder=asked.holder,
        statement=asked.statement,
        scope=asked.scope,
    )
    request = voices.EnrollVoiceRequest(
        voice=voices.Voice(id=asked.id, consent=consent),
        clips=[path.read_bytes() for path in asked.recordings],
    )
    async with Client(asked.server, timeout_s=120) as client:
        answer = await client.voices.EnrollVoice(request)
        for path, heard in zip(asked.recordings, answer.clips, strict=True):
            print(f"{path.name}: {heard.speech_s:.1f} s of speech")
        npc = npcs.Npc(id=asked.id, voice=asked.id)
        await client.npcs.CreateNpc(npcs.CreateNpcRequest(npc=npc))
        await client.say_to_wav("Well met, traveller.", f"{asked.id}.wav", npc=asked.id)
    print(f"{asked.id}.wav: revision {answer.voice.revision}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ServiceError as error:
        # What was wrong with a recording, say, and which field of the request it is about.
        sys.exit(
            f"{error.reason or error.status}: {error}"
            + (f" ({error.field})" if error.field else "")
        )
