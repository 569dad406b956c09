"""`python -m benchmarks.enrolment`: whether speech goes on undisturbed while somebody is enrolled.

A server of its own process, and one listener in real time who hears line after line: first alone, then while
recordings are enrolled one after the other, by turns. A gap is the time between two pieces beyond the sound that the
first of them brought; the worst one says how much a listener must have in hand. Nothing but the ratio means anything
on a machine with other things to do.
"""

import argparse
import asyncio
import datetime
import json
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from kani_npc.client import Client
from kani_npc.v1 import voice_service_pb2 as voice_pb
from tools.local_server import local_server

ROOT = Path(__file__).parents[1]
LINE = "Welcome back, my friend. The bridge is closed until the morning."
CONSENT = voice_pb.Consent(kind=voice_pb.CONSENT_KIND_SYNTHETIC)
START_S = 0.1  # of sound in hand before the listener plays


async def hear(client: Client, voice: str, seed: int) -> dict[str, float]:
    """One line in real time, by a listener who plays it as it comes."""
    speech = client.synthesize(LINE, voice=voice, seed=seed)
    began_s = time.perf_counter()
    arrivals: list[tuple[float, float]] = []
    async for audio in speech:
        duration_s = len(audio.data) / speech.sample_bytes / 22_050
        arrivals.append((time.perf_counter() - began_s, duration_s))
    assert speech.header and speech.end
    starts_s = arrivals[0][0] + START_S
    played_s, worst_s = 0.0, 0.0
    for at_s, duration_s in arrivals:
        worst_s = max(worst_s, at_s - (starts_s + played_s))
        played_s += duration_s
    return {
        "first_audio_ms": arrivals[0][0] * 1000,
        "underrun_ms": max(0.0, worst_s) * 1000,
        "compute_ms": speech.end.compute_ms,
        "pieces": len(arrivals),
        "audio_s": played_s,
    }


async def measure(address: str, clip: bytes, rounds: int, lines: int) -> dict[str, Any]:
    """By turns alone and beside enrolments, so that both meet the same machine."""
    found: dict[str, list[dict[str, float]]] = {"alone": [], "beside": []}
    enrolled, enrol_s = 0, []
    async with Client(address, timeout_s=300) as client, Client(address, timeout_s=300) as studio:
        voice = (await client.server_info()).default_voice
        await hear(client, voice, 0)  # opens the connection

        async def enrol_on() -> None:
            nonlocal enrolled
            while True:
                began_s = time.perf_counter()
                one = voice_pb.Voice(id=f"voice-{enrolled}", consent=CONSENT)
                request = voice_pb.EnrollVoiceRequest(voice=one, clips=[clip])
                await studio.voices.EnrollVoice(request, timeout_s=300)
                enrolled += 1
                enrol_s.append(time.perf_counter() - began_s)

        seed = 0
        for _ in range(rounds):
            for how in ("alone", "beside"):
                task = asyncio.create_task(enrol_on()) if how == "beside" else None
                for _ in range(lines):
                    seed += 1  # never the same line: one that is remembered costs nothing
                    found[how].append(await hear(client, voice, seed))
                if task is not None:
                    if task.done():
                        task.result()  # says why it ended
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
    return {
        **{how: _summary(lines) for how, lines in found.items()},
        "enrolled": enrolled,
        "enrol_s": round(statistics.median(enrol_s), 2) if enrol_s else None,
    }


def _summary(lines: list[dict[str, float]]) -> dict[str, Any]:
    def over(name: str) -> list[float]:
        return sorted(line[name] for line in lines)

    return {
        "lines": len(lines),
        "audio_s": round(sum(over("audio_s")), 2),
        "first_audio_ms": round(statistics.median(over("first_audio_ms")), 1),
        "first_audio_ms_worst": round(over("first_audio_ms")[-1], 1),
        "underrun_ms_worst": round(over("underrun_ms")[-1], 1),
        "gap_free_share": round(sum(gap == 0 for gap in over("underrun_ms")) / len(lines), 3),
        "compute_ms": round(statistics.median(over("compute_ms")), 1),
    }


def main() -> None:
    """One server, one listener; a JSON file beside the other results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enrolment", description=__doc__)
    parser.add_argument("clip", type=Path, help="a recording that can be enrolled")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=5, help="a round, of each kind")
    parser.add_argument(
        "--settle", type=float, default=90.0, help="seconds to wait for a load below 0.5"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    load = machine.settle(arguments.settle)
    log = ROOT / "build" / "bench-enrolment.log"
    with local_server("--model", arguments.model, log=log) as server:
        found = asyncio.run(
            measure(server.address, arguments.clip.read_bytes(), arguments.rounds, arguments.lines)
        )
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.hardware(),
        "load": {"before": load, "after": machine.load_average()},
        "model": arguments.model,
        **found,
    }
    print(
        json.dumps(
            {k: result[k] for k in ("load", "alone", "beside", "enrolled", "enrol_s")}, indent=2
        )
    )
    arguments.results.mkdir(parents=True, exist_ok=True)
    path = arguments.results / f"{result['date'][:10]}-enrolment.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
