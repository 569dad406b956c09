"""`python -m benchmarks.readme`: writes README's figures from the newest results; with `--check` says whether they are.

So no figure in README was typed by hand, and none outlives the file it came from.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.worker import ROOT

BEGIN, END = "<!-- figures: written by python -m benchmarks.readme -->", "<!-- end of figures -->"
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme", description="README.")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    readme = README.read_text(encoding="utf-8")
    head, _, rest = readme.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = f"{head}{BEGIN}\n\n{figures(RESULTS)}\n{END}{tail}"
    if arguments.check:
        if readme != wanted:
            print("README.md's figures are not those of benchmarks/results", file=sys.stderr)
        return int(readme != wanted)
    README.write_text(wanted, encoding="utf-8")
    return 0


def figures(results: Path) -> str:
    """The section's Markdown: a part for each kind of machine that there are results of."""
    lines: list[str] = []
    for kind, heading in KINDS.items():
        found = {name: _newest(results, name, kind) for name in _NAMES}
        if sections := list(_sections(found)):
            lines += [f"### {heading}", "", *sections]
    return "\n".join(lines)


KINDS = {
    "gpu": "On a GPU",
    "avx512": "On a CPU with AVX-512",
    "other": "On a CPU without AVX-512",
}
"""Machines whose figures say nothing of each other's. Without AVX-512 torch has no 8-bit products as wide, and none of
bfloat16."""

_NAMES = ("speech", "load", "frames", "decode", "codec-step", "soak", "watchdog")


def kind_of(machine: dict[str, Any]) -> str:
    """Which of `KINDS` a result's machine is."""
    if machine.get("cuda"):
        return "gpu"
    return "avx512" if "avx512f" in machine["cpu_extensions"] else "other"


def _newest(results: Path, name: str, kind: str) -> dict[str, Any] | None:
    """The last result of that name from such a machine, or of all of them. Names begin with a date, so their order is
    that of time."""
    for pattern in (f"????-??-??-{name}.json", "????-??-??-all.json"):
        for path in sorted(results.glob(pattern), reverse=True):
            result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if kind_of(result["machine"]) == kind:
                return result
    return None


def _sections(found: dict[str, dict[str, Any] | None]) -> Iterator[str]:
    for name, key, section in (
        ("speech", "speech", _speech),
        ("load", "load_test", _load),
        ("frames", "frames", _frames),
        ("decode", "decode", _decode),
    ):
        result = found[name]
        if result and key in result:
            yield from _conditions(result)
            yield from section(result[key])
    if (result := found["codec-step"]) and "codec_step" in result:
        yield from _codec(result["codec_step"])
    if (result := found["soak"]) and "soak" in result:
        yield from _soak(result)
    if (result := found["watchdog"]) and "watchdog" in result:
        yield from _watchdog(result["watchdog"])


def _conditions(result: dict[str, Any]) -> Iterator[str]:
    machine, calibration = result["machine"], result["calibration"]
    reads = sorted(calibration[when]["memory_read_gb_s"] for when in ("before", "after"))
    yield (
        f"On {machine['cores']} cores of {machine['cpu']}, torch {machine['torch']}, {result['date'][:10]}; load "
        f"{result['load']['before']} before and {result['load']['after']} after, memory read at {reads[0]:.0f} to "
        f"{reads[1]:.0f} GB/s. Take ratios from these rather than digits: others use this machine too."
    )
    yield ""


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _speech(speech: dict[str, Any]) -> Iterator[str]:
    rows = speech["rows"]
    yield from _table(
        [f"`{speech['model']}` through gRPC", *(f"{row['streams']} at once" for row in rows)],
        [
            [
                "first audio at the client, median",
                *(f"{row['first_audio_ms']:.0f} ms" for row in rows),
            ],
            ["real-time factor of a line", *(f"{row['real_time_factor']:.2f}" for row in rows)],
            [
                "wall seconds for a second of sound",
                *(f"{row['wall_s_per_audio_s']:.2f}" for row in rows),
            ],
        ],
    )
    if long_text := speech.get("long_text"):
        yield (
            f"A text of {long_text['characters']:,} characters sounds after "
            f"{long_text['times_the_lines']:.2f} times as "
            f"long as its first sentence alone ({long_text['first_audio_ms']:.0f} ms, "
            f"{long_text['first_audio_ms_of_a_line']:.0f} ms).\n"
        )


def _load(load: dict[str, Any]) -> Iterator[str]:
    def triple(row: dict[str, Any], what: str) -> str:
        values = row[what]
        return "-" if values is None else " / ".join(f"{values[f'p{p}']:.0f}" for p in (50, 95, 99))

    yield from _table(
        [
            f"`{load['model']}`, listeners in real time",
            "loop",
            "first audio ms, p50 / p95 / p99",
            "lines without a gap",
            "between packets ms, p50 / p95 / p99",
            "server, cores",
        ],
        [
            [
                str(row["streams"]),
                row["loop"],
                triple(row, "first_audio_ms"),
                "-" if row["gap_free_share"] is None else f"{row['gap_free_share']:.1%}",
                triple(row, "between_packets_ms"),
                str(row["server_cpu_cores"]),
            ]
            for row in load["rows"]
        ],
    )
    cancel = load["cancel_to_free_ms"]
    yield f"From hanging up to a free slot: {cancel['p50']:.0f} ms (p95 {cancel['p95']:.0f}).\n"


def _frames(frames: dict[str, Any]) -> Iterator[str]:
    models = frames["models"]
    yield from _table(
        [
            "a frame (80 ms) of every row, ms",
            "part",
            *(f"{row['rows']}" for row in models[0]["rows"]),
        ],
        [
            [f"{model['model']}, {model['weights']}, {_threads(model)}", part]
            + [f"{row['ms'][part]:.{1 if row['ms'][part] < 100 else 0}f}" for row in model["rows"]]
            for model in models
            for part in ("language model", "codec")
        ],
    )
    yield (
        "How far each stage is from this machine's limit (the time that reading its bytes takes at the rate measured "
        "in the same run; for the codec, that its multiplications take at the rate of one large float32 product): "
        "times the limit, and its share of the frame.\n"
    )
    stages = ("matrices", "attention", "head and sampling", "rest", "codec")
    rows = [(model, row) for model in models for row in (model["rows"][0], model["rows"][-1])]
    yield from _table(
        ["", "rows", *stages],
        [
            [model["model"], str(row["rows"]), *(_distance(row, stage) for stage in stages)]
            for model, row in rows
        ],
    )
    yield (
        "The codec's is below 1 where its own convolutions run faster than that one product: its limit lies lower.\n"
    )
    for model in models:
        reads = model["read_gb_s"]
        yield (
            f"{model['model']}: a frame reads {model['bytes']['matrices'] / 1e6:.1f} MB of matrices four times at "
            f"{reads['matrices']:.0f} GB/s, {model['bytes']['head'] / 1e6:.1f} MB of heads once, and "
            f"{model['bytes_remembered_a_row'] / 1e6:.2f} MB a row four times; its sound is "
            f"{model['codec_gflop_a_frame']:.2f} GFLOP a row, at {model['product_gflop_s']:.0f} GFLOP/s.\n"
        )


def _threads(model: dict[str, Any]) -> str:
    return "1 thread" if model["threads"] == 1 else f"{model['threads']} threads"


def _distance(row: dict[str, Any], stage: str) -> str:
    ms = row["ms"]
    share = f"{ms[stage] / (ms['language model'] + ms['codec']):.0%}"
    floor = row["floor_ms"].get(stage)
    return share if floor is None else f"x {ms[stage] / floor:.1f}, {share}"


def _decode(decode: dict[str, Any]) -> Iterator[str]:
    yield from _table(
        ["full size, random weights", "dtype", "tokens/s", "real-time factor of the model alone"],
        [
            [
                row["who"],
                row["dtype"],
                f"{row['tokens_per_s']:.1f}",
                f"{row['lm_real_time_factor']:.2f}",
            ]
            for row in decode["rows"]
        ],
    )
    ratio = decode["ratios"]["ours in int8, theirs as its loader makes it (float32)"]
    spoken = "; ".join(
        f"{row['who'].removeprefix('kani-npc with codec, ')} {row['real_time_factor']:.2f} "
        f"({min(row['real_time_factor_all']):.2f} to {max(row['real_time_factor_all']):.2f})"
        for row in decode["spoken"]
    )
    yield (
        f"In 8 bits ours is {ratio:.1f} times as fast as {decode['peer']} as its loader makes it, in float32. With the "
        f"full-size codec, through the engine, real-time factors of all streams together, median and range of "
        f"{decode['rounds']} rounds: {spoken}.\n"
    )


def _codec(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield from _table(
        ["full-size codec, one step", "streams x frames", "ms", "real-time factor a stream", "SNR"],
        [
            [
                row["dtype"],
                f"{row['streams']} x {row['frames']}",
                f"{row['step_ms']:.0f}",
                f"{row['real_time_factor_per_stream']:.2f}",
                "" if row["snr_db"] is None else f"{row['snr_db']:.0f} dB",
            ]
            for row in rows
        ],
    )


def _soak(result: dict[str, Any]) -> Iterator[str]:
    soak = result["soak"]
    slopes = soak["per_hour"]
    yield (
        f"Soak, {result['date'][:10]}: {soak['seconds'] / 60:.0f} minutes of {soak['visitors']} clients on "
        f"{soak['slots']} slots, {sum(soak['outcomes'].values())} calls of all kinds; {soak['compared_audio_s']:.0f} s "
        f"of sound were what the same line is alone, bit for bit; {len(soak['faults'])} faults; memory "
        f"{slopes['memory_mb']:+.0f} MB an hour, threads {slopes['threads']:+.1f}, "
        f"open files {slopes['open_files']:+.1f}.\n"
    )


def _watchdog(watchdog: dict[str, Any]) -> Iterator[str]:
    said = watchdog["lines"] + watchdog["single_words"]
    yield (
        f"The watchdog cut {len(watchdog['alarms'])} of {said} ordinary lines of `{watchdog['model']}`, "
        f"{watchdog['single_words']} of them a single word, in {watchdog['voices']} voices; the longest took "
        f"{watchdog['most_of_the_allowed']:.0%} of the frames that its text is allowed.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
