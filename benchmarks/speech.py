"""First audio and real-time factor of a model through real gRPC: a server process on loopback, 1, 2 and 4 streams.

All streams of a group are asked for at the same moment: once as listeners in real time, whose first audio counts (the
client's clock, from the call to the first piece of sound), and once UNPACED, for what the machine needs for it (unpaced
lines are checked whole before any of them leaves). The real-time factor is the engine's own `compute_ms` over the
sound's length. Then a line and a text of 10,000 characters that begins with it, in turns, each to its first sound.
"""

import asyncio
import itertools
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import cpu_seconds, load_average, settle
from kani_npc.client import Client
from kani_npc.v1 import speech_service_pb2 as pb
from tools.local_server import local_server

STREAMS = (1, 2, 4)
LONG_CHARACTERS = 10_000
LINES = (
    "Halt! Who goes there?",
    "Welcome back, my friend. The bridge is closed until the morning.",
    "I will give you seven silver coins for the old sword.",
    "The miller saw three wolves near the river last night.",
    "Bring me the silver key, and I will open the gate of the tower.",
    "Thank you, stranger. You have saved my brother.",
    "Do not drink the water of the old well, it is not safe.",
)

SENTENCES = tuple(line for line in LINES if sum(map(line.count, ".!?")) == 1)


def run(*, model: str, quick: bool, rounds: int, settle_s: float, build: Path) -> dict[str, Any]:
    """One row per number of streams, medians over all lines of `rounds` rounds, each begun at rest."""
    log = build / "bench-server.log"
    with local_server("--model", model, "--slots", "8", "--cache", "off", log=log) as server:
        rows, long_text = asyncio.run(_measure(server.address, server.pid, quick, rounds, settle_s))
        return {
            "what": f"{model} through gRPC on loopback",
            "model": model,
            "server_start_s": round(server.start_s, 2),
            "rounds": rounds,
            "lines_a_round": 1 if quick else 3,
            "rows": rows,
            "long_text": long_text,
        }


async def _measure(
    address: str, pid: int, quick: bool, rounds: int, settle_s: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    async with Client(address, timeout_s=300) as client:
        voices = [voice.id for voice in (await client.server_info()).voices]
        # Every line another one: nothing may be answered from a memory of it.
        lines = itertools.cycle((text, voice) for voice in voices for text in LINES)
        # The first call also opens the connection.
        await _say(client, *next(lines), pace=pb.PACE_UNPACED)
        groups: dict[int, list[dict[str, Any]]] = {num_streams: [] for num_streams in STREAMS}
        for _ in range(rounds):
            load = settle(settle_s)
            for num_streams, of_size in groups.items():
                for _ in range(1 if quick else 3):
                    group = await _group(client, pid, lines, num_streams)
                    of_size.append(group | {"load": load})
        rows = [_row(num_streams, of_size) for num_streams, of_size in groups.items()]
        return rows, await _long_text(client, lines, rounds if quick else 3 * rounds, settle_s)


async def _long_text(client: Client, lines: Any, num_pairs: int, settle_s: float) -> dict[str, Any]:
    """First audio of a line of one sentence, and of a long text whose first sentence it is."""
    sentences = ((text, voice) for text, voice in lines if text in SENTENCES)
    pairs: list[tuple[float, float]] = []
    settle(settle_s)
    for _ in range(num_pairs):
        text, voice = next(sentences)
        long_text = " ".join([text, *SENTENCES * (LONG_CHARACTERS // 200)])[:LONG_CHARACTERS]
        line_ms = await _first_audio_ms(client, text, voice)
        pairs.append((line_ms, await _first_audio_ms(client, long_text, voice)))
    return {
        "characters": LONG_CHARACTERS,
        "pairs": len(pairs),
        "first_audio_ms_of_a_line": round(statistics.median(line for line, _ in pairs), 1),
        "first_audio_ms": round(statistics.median(long for _, long in pairs), 1),
        "times_the_lines": round(statistics.median(long / line for line, long in pairs), 3),
    }


async def _first_audio_ms(client: Client, text: str, voice: str) -> float:
    began_s = time.perf_counter()
    speech = client.synthesize(text, voice=voice, pace=pb.PACE_REALTIME)
    async for _ in speech:
        break
    first_s = time.perf_counter()
    speech.interrupt()
    while (await client.server_info()).capacity.active:  # the next one finds it at rest
        await asyncio.sleep(0.002)
    return (first_s - began_s) * 1e3


async def _group(client: Client, pid: int, lines: Any, num_streams: int) -> dict[str, Any]:
    heard = await asyncio.gather(
        *(_say(client, *next(lines), pace=pb.PACE_REALTIME) for _ in range(num_streams))
    )
    cpu_s, began_s = cpu_seconds(pid), time.perf_counter()
    said = await asyncio.gather(
        *(_say(client, *next(lines), pace=pb.PACE_UNPACED) for _ in range(num_streams))
    )
    wall_s, ended_cpu_s = time.perf_counter() - began_s, cpu_seconds(pid)
    return {
        "heard": heard,
        "said": said,
        "wall_s": wall_s,
        "server_cpu_s": None if cpu_s is None or ended_cpu_s is None else ended_cpu_s - cpu_s,
    }


async def _say(client: Client, text: str, voice: str, *, pace: int) -> dict[str, float]:
    began_s = time.perf_counter()
    speech = client.synthesize(text, voice=voice, pace=pace)
    first_audio_ms = 0.0
    async for _ in speech:
        first_audio_ms = first_audio_ms or (time.perf_counter() - began_s) * 1e3
    assert speech.header and speech.end
    duration_s = speech.end.total_samples / speech.header.sample_rate_hz
    return {
        "first_audio_ms": first_audio_ms,
        "duration_s": duration_s,
        "real_time_factor": speech.end.compute_ms / 1e3 / duration_s,
    }


def _row(num_streams: int, groups: list[dict[str, Any]]) -> dict[str, Any]:
    said = [line for group in groups for line in group["said"]]
    first_audio_ms = [line["first_audio_ms"] for group in groups for line in group["heard"]]
    audio_s = [sum(line["duration_s"] for line in group["said"]) for group in groups]
    cpu = [group["server_cpu_s"] for group in groups]

    def median(values: Any, digits: int) -> float:
        return round(statistics.median(values), digits)

    return {
        "streams": num_streams,
        "lines": len(said),
        "first_audio_ms": median(first_audio_ms, 1),
        "first_audio_ms_worst": round(max(first_audio_ms), 1),
        "real_time_factor": median((line["real_time_factor"] for line in said), 4),
        # What the machine needs for a second of sound, whoever's it is: the group's wall time over all its sound.
        "wall_s_per_audio_s": median(
            (group["wall_s"] / sound for group, sound in zip(groups, audio_s, strict=True)), 4
        ),
        "server_cpu_s_per_audio_s": None if None in cpu else round(sum(cpu) / sum(audio_s), 4),
        "server_cpu_s": None if None in cpu else round(sum(cpu), 2),
        "audio_s": round(sum(audio_s), 2),
        "load_at_start": [group["load"] for group in groups],
        "load_at_end": load_average(),
    }
