"""`python -m benchmarks.soak`: a server under everything at once, four times over its capacity, for twenty minutes.

Lines that are heard whole, cut, hung up on, read slowly or never, and requests that mean nothing, at random. The server
runs in reproducible mode, so what anybody hears must be, bit for bit, the beginning of what that line sounded like when
nobody else spoke: no stream ever gets another's sound. At the end nobody is active or waiting, and memory, threads and
open files are where they were; their slopes are reported.
"""

import argparse
import asyncio
import datetime
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from benchmarks import machine
from benchmarks.speech import LINES
from benchmarks.worker import ROOT
from kani_npc.client import Client, ServiceError
from kani_npc.v1 import speech_service_pb2 as pb
from tools.local_server import local_server

SLOTS = 4
OVER_CAPACITY = 4
SAMPLE_EVERY_S = 5.0
# What a request that means nothing may be answered with, and any request under such a load.
REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND"}
BUSY = {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
BAD_REQUESTS: tuple[dict[str, Any], ...] = (
    {"text": ""},
    {"text": "Hello.", "voice": "nobody-of-that-name"},
    {"text": "Hello.", "npc": "nobody-of-that-name"},
    {"text": "Hello.", "sampling": {"temperature": -1.0}},
    {"text": "Hello.", "encoding": 99},
    {"text": "Hello.", "sample_rate_hz": 12345},
    {"text": "Hello.", "seed": 1, "vary": True},
)


@dataclass
class Soak:
    """What came of it so far."""

    outcomes: Counter[str] = field(default_factory=Counter)  # "behaviour: how it ended"
    compared_s: float = 0.0  # seconds of sound that were compared with the solo run
    faults: list[str] = field(default_factory=list)


async def measure(
    address: str, pid: int, *, seconds: float, slots: int = SLOTS, seed: int = 0
) -> dict[str, Any]:
    """Solo runs first, then the load; `faults` is empty where everything held."""
    async with Client(address, timeout_s=120) as client:
        info = await client.server_info()
        if not info.reproducible:
            raise SystemExit("start the server with --reproducible: without it sounds may differ")
        lines = [(text, voice.id) for voice in info.voices for text in LINES[:2]]
        solo = {line: await _solo(client, *line) for line in lines}
        soak, rows = Soak(), list[dict[str, Any]]()
        end_s = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(slots * OVER_CAPACITY):
                chance = random.Random(f"{seed}/{number}")
                group.create_task(_visitor(address, solo, chance, end_s, soak, info))
            group.create_task(_watch(client, pid, end_s, rows))
        capacity = await _at_rest(client)
        rows.append(_sample(pid, seconds) | capacity)
    if capacity["active"] or capacity["waiting"]:
        soak.faults.append(f"not at rest at the end: {capacity}")
    return {
        "seconds": seconds,
        "slots": slots,
        "visitors": slots * OVER_CAPACITY,
        "outcomes": dict(sorted(soak.outcomes.items())),
        "compared_audio_s": round(soak.compared_s, 1),
        "faults": soak.faults,
        # From a quarter on: before, caches and pools fill up.
        "per_hour": {
            key: _slope_per_hour(rows[len(rows) // 4 :], key)
            for key in ("memory_mb", "threads", "open_files")
        },
        "samples": rows,
    }


async def _solo(client: Client, text: str, voice: str) -> bytes:
    speech = client.synthesize(text, voice=voice, pace=pb.PACE_UNPACED)
    return b"".join([audio.data async for audio in speech])


async def _visitor(
    address: str,
    solo: dict[tuple[str, str], bytes],
    chance: random.Random,
    end_s: float,
    soak: Soak,
    info: pb.GetServerInfoResponse,
) -> None:
    """One after another, things that clients do."""
    behaviours = (_whole, _whole, _cut, _hang_up, _slow, _bad)
    while time.perf_counter() < end_s:
        behaviour = chance.choice(behaviours)
        line = chance.choice(list(solo))
        name = behaviour.__name__.strip("_")
        try:
            outcome = await behaviour(address, line, solo[line], chance, soak, info)
        except ServiceError as error:
            outcome = error.status
            expected = REFUSALS if behaviour is _bad else BUSY
            if error.status not in expected:
                soak.faults.append(f"{name}: {error.status} {error.reason}")
            if error.status == "RESOURCE_EXHAUSTED":
                if error.retry_after_s is None:
                    soak.faults.append(f"{name}: RESOURCE_EXHAUSTED without RetryInfo")
                await asyncio.sleep(min(error.retry_after_s or 0.5, 2.0))
        soak.outcomes[f"{name}: {outcome}"] += 1


async def _whole(address: str, line: Any, solo: bytes, chance: Any, soak: Soak, info: Any) -> str:
    async with Client(address, timeout_s=120) as client:
        speech = client.synthesize(
            line[0], voice=line[1], pace=chance.choice((pb.PACE_UNPACED, pb.PACE_REALTIME))
        )
        heard = b"".join([audio.data async for audio in speech])
    _compare(heard, solo, line, soak, info, is_whole=True)
    return "heard"


async def _cut(address: str, line: Any, solo: bytes, chance: Any, soak: Soak, info: Any) -> str:
    """Cancels after a few packets, as a player walks off."""
    async with Client(address, timeout_s=120) as client:
        speech = client.synthesize(line[0], voice=line[1], pace=pb.PACE_REALTIME)
        heard, left = b"", chance.randrange(5)
        async for audio in speech:
            heard += audio.data
            if (left := left - 1) < 0:
                speech.interrupt()
    _compare(heard, solo, line, soak, info)
    return "cut"


async def _hang_up(address: str, line: Any, solo: bytes, chance: Any, soak: Soak, info: Any) -> str:
    """The connection goes, without a word, at any moment."""
    client = Client(address, timeout_s=120)
    speech = client.synthesize(line[0], voice=line[1])

    async def listen() -> None:
        async for _ in speech:
            pass

    listening = asyncio.create_task(listen())
    await asyncio.sleep(chance.random())
    await client.close()
    await asyncio.wait([listening])
    # How it ended depends on the moment: cancelled, cut off, or heard to the end.
    if not listening.cancelled():
        listening.exception()
    return "hung up"


async def _slow(address: str, line: Any, solo: bytes, chance: Any, soak: Soak, info: Any) -> str:
    async with Client(address, timeout_s=120) as client:
        speech = client.synthesize(line[0], voice=line[1], pace=pb.PACE_UNPACED)
        heard = b""
        async for audio in speech:
            heard += audio.data
            await asyncio.sleep(chance.random() * 0.4)
    _compare(heard, solo, line, soak, info, is_whole=True)
    return "heard slowly"


async def _bad(address: str, line: Any, solo: bytes, chance: Any, soak: Soak, info: Any) -> str:
    async with Client(address, timeout_s=120) as client:
        async for _ in client.synthesize(**chance.choice(BAD_REQUESTS)):
            pass
    soak.faults.append("a request that means nothing was spoken")
    return "spoken"


def _compare(
    heard: bytes, solo: bytes, line: Any, soak: Soak, info: Any, *, is_whole: bool = False
) -> None:
    if heard != (solo if is_whole else solo[: len(heard)]):
        soak.faults.append(f"{line[1]} sounded otherwise than alone: {len(heard)} bytes")
    soak.compared_s += len(heard) / 2 / info.model.sample_rate_hz


async def _watch(client: Client, pid: int, end_s: float, rows: list[dict[str, Any]]) -> None:
    began_s = time.perf_counter()
    while (now_s := time.perf_counter()) < end_s:
        capacity = (await client.server_info()).capacity
        rows.append(
            _sample(pid, now_s - began_s) | {"active": capacity.active, "waiting": capacity.waiting}
        )
        await asyncio.sleep(min(SAMPLE_EVERY_S, max(0.0, end_s - now_s)))


async def _at_rest(client: Client) -> dict[str, int]:
    """Who is active and waiting once everybody has left; a moment is allowed for the last hang-ups."""
    for _ in range(100):
        capacity = (await client.server_info()).capacity
        if not capacity.active and not capacity.waiting:
            break
        await asyncio.sleep(0.1)
    return {"active": capacity.active, "waiting": capacity.waiting}


def _sample(pid: int, at_s: float) -> dict[str, Any]:
    status = Path(f"/proc/{pid}/status").read_text()
    return {
        "at_s": round(at_s, 1),
        "memory_mb": machine.memory_mb(pid),
        "threads": int(status.split("Threads:")[1].split()[0]),
        "open_files": len(os.listdir(f"/proc/{pid}/fd")),
        "cpu_s": machine.cpu_seconds(pid),
    }


def _slope_per_hour(rows: Sequence[dict[str, Any]], key: str) -> float | None:
    """Of a straight line through the samples."""
    if len(rows) < 3:
        return None
    slope, _ = np.polyfit([row["at_s"] for row in rows], [row[key] for row in rows], 1)
    return round(float(slope) * 3600, 2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="Soak.")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--model", default="tiny", help="as in `kani-npc serve`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.hardware(),
        "load": machine.load_average(),
        "model": arguments.model,
    }
    serve = ("--model", arguments.model, "--reproducible", "--cache", "off", "--slots", str(SLOTS))
    with local_server(*serve, log=ROOT / "build" / "soak-server.log") as server:
        result["soak"] = asyncio.run(
            measure(server.address, server.pid, seconds=60 * arguments.minutes, seed=arguments.seed)
        )
    arguments.results.mkdir(parents=True, exist_ok=True)
    path = arguments.results / f"{result['date'][:10]}-soak.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    shown = {key: value for key, value in result["soak"].items() if key != "samples"}
    print(json.dumps(shown, indent=2))
    print(f"written: {os.path.relpath(path)}")
    sys.exit(1 if result["soak"]["faults"] else 0)


if __name__ == "__main__":
    main()
