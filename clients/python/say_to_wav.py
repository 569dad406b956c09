"""A line as a WAV file: python say_to_wav.py "Halt! Who goes there?" halt.wav [--server HOST:PORT] [--npc ID]"""

import argparse
import asyncio
import sys

from kani_npc.client import Client, ServiceError


async def main() -> None:
    arguments = argparse.ArgumentParser(description="A line as a WAV file.")
    arguments.add_argument("text")
    arguments.add_argument("file")
    arguments.add_argument("--server", default="127.0.0.1:50051")
    arguments.add_argument(
        "--npc", default="", help="an NPC's id; the server's default voice without"
    )
    asked = arguments.parse_args()
    # Four tries: a server that is busy, or restarts, is no reason for a tool to stop.
    async with Client(asked.server, timeout_s=60, tries=4) as client:
        end = await client.say_to_wav(asked.text, asked.file, npc=asked.npc)
    print(f"{asked.file}: {end.total_samples} samples")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ServiceError as error:
        sys.exit(f"{error.reason or error.status}: {error}")
