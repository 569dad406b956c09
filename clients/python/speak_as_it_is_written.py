"""A language model's answer is heard while it is written: some_model | python speak_as_it_is_written.py answer.wav

Tokens are read from the standard input as they come. In a game, pass the iterator that your model's library gives to
`client.stream` instead; it may be cut anywhere.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator

from kani_npc.client import Client, ServiceError
from kani_npc.v1 import speech_service_pb2 as pb


async def tokens() -> AsyncIterator[str]:
    """What is written to the standard input, in pieces of whatever length."""
    loop = asyncio.get_running_loop()
    while piece := await loop.run_in_executor(None, os.read, sys.stdin.fileno(), 4096):
        yield piece.decode(errors="replace")


async def main() -> None:
    arguments = argparse.ArgumentParser(description="Text that is said while it is written.")
    arguments.add_argument("file", help="where the speech goes, as WAV")
    arguments.add_argument("--server", default="127.0.0.1:50051")
    arguments.add_argument("--npc", default="")
    asked = arguments.parse_args()
    async with Client(asked.server) as client:
        # In a game: `npc=..., turn=n`. A newer turn of an NPC silences the older one, which is how a player interrupts.
        speech = client.stream(tokens(), npc=asked.npc, pace=pb.PACE_UNPACED)
        end = await speech.to_wav(asked.file)
    print(f"{asked.file}: {end.total_samples} samples")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ServiceError as error:
        sys.exit(f"{error.reason or error.status}: {error}")
