"""Many listeners at once, in real time, through real gRPC: who hears sound how soon, and who hears gaps.

Closed loop: so many listeners, each asks for its next line when the last one ended. Open loop: lines are asked for at
random moments (Poisson) that do not wait for the server, at the rate that keeps as many listeners busy; latency counts
from the moment that was due, so a server that falls behind cannot hide it. The server is a process of its own on
loopback, the listeners are this one: on a machine of few cores they take a share of it, which is reported.
"""

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.listener import Listened
from benchmarks.machine import cpu_seconds, load_average, memory_mb, settle
from benchmarks.speech import LINES
from kani_npc.client import Client, ServiceError
from kani_npc.v1 import speech_service_pb2 as pb
from tools.local_server import local_server

STREAMS = (1, 2, 4, 8, 16)
CANCELS = 20


def run(
    *,
    model: str,
    quick: bool,
    seconds: float,
    settle_s: float,
    build: Path,
    serve: Sequence[str] = (),
) -> dict[str, Any]:
    """One row for each loop and number of streams, `seconds` of asking each; and from cancel to free slot.

    `serve` are further arguments of `kani-npc serve`.
    """
    streams = STREAMS[:2] if quick else STREAMS
    # No line is answered from a memory of it.
    arguments = ("--model", model, "--cache", "off", "--slots", str(max(streams)), *serve)
    with local_server(*arguments, log=build / "bench-load.log") as server:
        measured = asyncio.run(
            _measure(server.address, server.pid, streams, quick, seconds, settle_s)
        )
    return {
        "what": f"{model} under load, listeners in real time",
        "model": model,
        "serve": list(serve),
        "seconds_a_row": seconds,
        **measured,
    }


async def _measure(
    address: str,
    pid: int,
    streams: Sequence[int],
    quick: bool,
    seconds: float,
    settle_s: float,
) -> dict[str, Any]:
    async with Client(address, timeout_s=60) as client:
        voices = [voice.id for voice in (await client.server_info()).voices]
        lines = _lines(voices)
        warm = await _listen(client, *next(lines), time.perf_counter())  # opens the connection too
        rows: list[dict[str, Any]] = []
        mean_line_s = warm.duration_s
        for num_streams in streams:
            for loop in ("closed", "open"):
                # Rest before the first; after that a row's own load would be waited for.
                load = settle(0.0 if rows else settle_s)
                asking = (
                    _closed(client, lines, num_streams, seconds)
                    if loop == "closed"
                    else _open(client, lines, num_streams / mean_line_s, seconds)
                )
                cpu_s, own_cpu_s = cpu_seconds(pid), time.process_time()
                began_s = time.perf_counter()
                listened = await asking
                wall_s = time.perf_counter() - began_s
                ended_cpu_s = cpu_seconds(pid)
                row = _row(listened, wall_s) | {
                    "loop": loop,
                    "streams": num_streams,
                    "server_cpu_cores": (
                        None
                        if cpu_s is None or ended_cpu_s is None
                        else round((ended_cpu_s - cpu_s) / wall_s, 2)
                    ),
                    "listeners_cpu_cores": round((time.process_time() - own_cpu_s) / wall_s, 2),
                    "server_memory_mb": memory_mb(pid),
                    "load_at_start": load,
                    "load_at_end": load_average(),
                }
                rows.append(row)
                said = [one.duration_s for one in listened if one.status == "OK"]
                mean_line_s = statistics.mean(said) if said else mean_line_s
        cancels = [await _cancel(client, *next(lines)) for _ in range(2 if quick else CANCELS)]
    return {"rows": rows, "cancel_to_free_ms": percentiles(cancels, 1e3)}


def _lines(voices: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Line and voice, in an order that is the same in every run."""
    pairs = [(text, voice) for voice in voices for text in LINES]
    random.Random(0).shuffle(pairs)
    return itertools.cycle(pairs)


async def _listen(client: Client, text: str, voice: str, asked_s: float) -> Listened:
    heard = Listened(asked_s)
    speech = client.synthesize(text, voice=voice, pace=pb.PACE_REALTIME)
    try:
        async for audio in speech:
            assert speech.header
            samples = len(audio.data) / speech.sample_bytes
            heard.arrivals.append((time.perf_counter(), samples / speech.header.sample_rate_hz))
            heard.prebuffer_s = speech.header.recommended_prebuffer_ms / 1e3
        assert speech.end
        heard.compute_s = speech.end.compute_ms / 1e3
    except ServiceError as error:
        heard.status = error.status
    return heard


async def _closed(
    client: Client, lines: Iterator[tuple[str, str]], num_streams: int, seconds: float
) -> list[Listened]:
    end_s = time.perf_counter() + seconds
    heard: list[Listened] = []

    async def listener() -> None:
        while (now_s := time.perf_counter()) < end_s:
            one = await _listen(client, *next(lines), now_s)
            heard.append(one)
            # A player does not start the next line before the last one was heard.
            if one.status == "OK" and one.arrivals:
                left_s = one.playback_start_s + one.duration_s - time.perf_counter()
                await asyncio.sleep(max(0.0, left_s))

    async with asyncio.TaskGroup() as listeners:
        for _ in range(num_streams):
            listeners.create_task(listener())
    return heard


async def _open(
    client: Client, lines: Iterator[tuple[str, str]], rate_hz: float, seconds: float
) -> list[Listened]:
    # The same moments in every run.
    moments = random.Random(rate_hz)
    began_s = time.perf_counter()
    due_s, calls = began_s, list[asyncio.Task[Listened]]()
    async with asyncio.TaskGroup() as group:
        while (due_s := due_s + moments.expovariate(rate_hz)) < began_s + seconds:
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            calls.append(group.create_task(_listen(client, *next(lines), due_s)))
    return [call.result() for call in calls]


async def _cancel(client: Client, text: str, voice: str) -> float:
    """Seconds from hanging up in the middle of a line until the server says that nobody is active."""
    speech = client.synthesize(text, voice=voice, pace=pb.PACE_REALTIME)
    async for _ in speech:
        break
    speech.interrupt()
    hung_up_s = time.perf_counter()
    while (await client.server_info()).capacity.active:
        await asyncio.sleep(0.001)
    return time.perf_counter() - hung_up_s


def _row(listened: Sequence[Listened], wall_s: float) -> dict[str, Any]:
    said = [one for one in listened if one.status == "OK" and one.arrivals]
    refused: dict[str, int] = {}
    for one in listened:
        if one.status != "OK":
            refused[one.status] = refused.get(one.status, 0) + 1
    audio_s = sum(one.duration_s for one in said)
    gap_free = [one.worst_underrun_s == 0.0 for one in said]
    return {
        "lines": len(listened),
        "refused": refused,
        "lines_per_s": round(len(said) / wall_s, 2),
        "audio_s_per_s": round(audio_s / wall_s, 2),
        "first_audio_ms": percentiles([one.first_audio_s for one in said], 1e3),
        "between_packets_ms": percentiles([gap for one in said for gap in one.between_s], 1e3),
        "worst_underrun_ms": percentiles([one.worst_underrun_s for one in said], 1e3),
        "gap_free_share": round(statistics.mean(gap_free), 4) if gap_free else None,
        "recommended_prebuffer_ms": percentiles([one.prebuffer_s for one in said], 1e3),
        "real_time_factor": percentiles(
            [one.compute_s / one.duration_s for one in said if one.duration_s], 1.0
        ),
    }


def percentiles(values: Sequence[float], scale: float) -> dict[str, float] | None:
    """p50, p95, p99 (nearest rank: a value that was seen) and how many there were."""
    if not values:
        return None
    ranked = sorted(values)
    return {
        f"p{p}": round(ranked[min(len(ranked) - 1, int(p / 100 * len(ranked)))] * scale, 3)
        for p in (50, 95, 99)
    } | {"count": len(ranked)}
