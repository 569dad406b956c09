"""`python -m benchmarks`: measures, prints tables, writes benchmarks/results/<date>-<name>.json and a plot.

For figures worth quoting the machine must be idle: every round waits (`--settle`) for a load below 0.5 and says what
load it started at.
"""

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import Any

from kani_npc.config import SPIN_COUNT

# Before torch is imported, and inherited by the processes that are measured: how threads wait, as in `kani-npc serve`.
os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)

from rich.console import Console

from benchmarks import decode, frames, load, machine, report, speech
from benchmarks.worker import ROOT

PARTS = ("speech", "load", "frames", "decode")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure.")
    parser.add_argument("--only", choices=PARTS, help="leave the others out")
    parser.add_argument(
        "--model", default="tiny", help="for speech and load; as in `kani-npc serve`"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each row of the load test")
    parser.add_argument(
        "--settle", type=float, default=90.0, help="seconds to wait for a load below 0.5"
    )
    parser.add_argument(
        "--quick", action="store_true", help="does it run at all; says nothing about speed"
    )
    parser.add_argument("--name", help="of the result files; the default says what was measured")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    settle_s = 0.0 if arguments.quick else arguments.settle
    build = ROOT / "build"
    build.mkdir(exist_ok=True)

    console = Console(width=None if sys.stdout.isatty() else 120)
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": arguments.quick,
        "machine": machine.hardware(),
        "load": {"before": machine.settle(settle_s)},
        "calibration": {"before": machine.calibrate()},
    }
    common = {"quick": arguments.quick, "rounds": rounds, "settle_s": settle_s, "build": build}
    parts = (arguments.only,) if arguments.only else PARTS
    if "speech" in parts:
        result["speech"] = speech.run(model=arguments.model, **common)
    if "load" in parts:
        result["load_test"] = load.run(
            model=arguments.model,
            quick=arguments.quick,
            seconds=2.0 if arguments.quick else arguments.seconds,
            settle_s=settle_s,
            build=build,
        )
    if "frames" in parts:
        result["frames"] = frames.run(
            quick=arguments.quick, rounds=min(rounds, 3), settle_s=settle_s
        )
    if "decode" in parts:
        result["decode"] = decode.run(**common)
    result["calibration"]["after"] = machine.calibrate()
    result["load"]["after"] = machine.load_average()

    report.show(result, console)
    name = arguments.name or arguments.only or "all"
    if arguments.quick:
        console.print("quick: nothing is written")
        return
    path = report.write(result, arguments.results, f"{result['date'][:10]}-{name}")
    console.print(f"written: {os.path.relpath(path)} and its plot")


if __name__ == "__main__":
    main()
