"""The lines of a level are made before anybody hears them: python prewarm_lines.py lines.txt [--npc guard]

One line of text each. What is there already is not made again, so run it whenever a line or a voice has changed.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from kani_npc.client import Client, ServiceError, line
from kani_npc.v1 import speech_service_pb2 as pb


async def main() -> int:
    arguments = argparse.ArgumentParser(description="Lines that are made ahead of play.")
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--server", default="127.0.0.1:50051")
    arguments.add_argument("--npc", default="")
    asked = arguments.parse_args()
    texts = [text.strip() for text in asked.file.read_text("utf-8").splitlines() if text.strip()]
    # As the game asks for them: a line that is asked for in another way is another line.
    lines = [line(text, npc=asked.npc) for text in texts]
    failed = 0
    async with Client(asked.server) as client:
        async for answer in client.prewarm(lines):
            outcome = (
                pb.PrewarmOutcome.Name(answer.outcome).removeprefix("PREWARM_OUTCOME_").lower()
            )
            print(f"{outcome:>8}  {texts[answer.line]}", answer.message)
            failed += answer.outcome == pb.PREWARM_OUTCOME_FAILED
    return failed


if __name__ == "__main__":
    try:
        sys.exit(min(asyncio.run(main()), 1))
    except ServiceError as error:
        sys.exit(f"{error.reason or error.status}: {error}")
