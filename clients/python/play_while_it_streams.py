"""A line is heard while it is made, and its mouth moves: python play_while_it_streams.py "Halt!" [--player "aplay ..."]

The player is any program that takes raw samples from its standard input (`{rate}` in its command line is theirs). It
takes them as fast as its own buffer has room, and that keeps the pace: what is not read is not made.
"""

import argparse
import asyncio
import shlex
import sys

from kani_npc.client import Client, ServiceError, Speech

PLAYER = "aplay -q -t raw -f S16_LE -c 1 -r {rate} -"
# So much sound is in hand before the first of it is heard: a network is not as even as a loudspeaker.
PREBUFFER_S = 0.12


async def play(speech: Speech, player: str) -> int:
    """Returns the number of samples that were given to the player."""
    waiting, samples, process = b"", 0, None
    async for audio in speech:
        waiting += audio.data
        samples += len(audio.data) // 2
        assert speech.header  # comes before the first sound
        rate = speech.header.sample_rate_hz
        # A server that is slower than speech says how much more it needs.
        prebuffer_s = max(PREBUFFER_S, speech.header.recommended_prebuffer_ms / 1000)
        if process is None and len(waiting) < 2 * rate * prebuffer_s:
            continue
        if process is None:
            print(f"heard from {prebuffer_s:.2f} s of sound on", file=sys.stderr)
            process = await start(player, rate)
        await feed(process, waiting)
        waiting = b""
        if speech.timings:
            mouth = speech.timings[-1]
            print(
                f"{samples / rate:5.2f} s  {'o' * round(20 * mouth.openness[-1])}", file=sys.stderr
            )
    if process is None:  # shorter than the prebuffer
        assert speech.header
        process = await start(player, speech.header.sample_rate_hz)
    await feed(process, waiting)
    assert process.stdin
    process.stdin.close()
    await process.wait()
    return samples


async def start(player: str, rate: int) -> asyncio.subprocess.Process:
    command = shlex.split(player.replace("{rate}", str(rate)))
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)


async def feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin
    process.stdin.write(data)
    await process.stdin.drain()


async def main() -> None:
    arguments = argparse.ArgumentParser(description="A line that is heard while it is made.")
    arguments.add_argument("text")
    arguments.add_argument("--server", default="127.0.0.1:50051")
    arguments.add_argument("--npc", default="")
    arguments.add_argument("--player", default=PLAYER)
    asked = arguments.parse_args()
    async with Client(asked.server, timeout_s=120, tries=4) as client:
        speech = client.synthesize(asked.text, npc=asked.npc, visemes=True)
        print(f"{await play(speech, asked.player)} samples")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ServiceError as error:
        sys.exit(f"{error.reason or error.status}: {error}")
