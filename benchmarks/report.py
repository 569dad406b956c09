"""Measurements as a JSON file, tables on the terminal, and plots beside the file."""

import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def write(result: dict[str, Any], folder: Path, name: str) -> Path:
    """`<folder>/<name>.json`, and `<name>.png` where there is something to draw. Returns the JSON's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _draw(result, path.with_suffix(".png"))
    return path


def show(result: dict[str, Any], console: Console) -> None:
    """The tables, and what they were measured on."""
    machine, calibration = result["machine"], result["calibration"]
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}; calibrator before: "
        f"{calibration['before']['memory_read_gb_s']} GB/s read, "
        f"{calibration['before']['matmul_1024_gflop_s']} GFLOP/s; after: "
        f"{calibration['after']['memory_read_gb_s']}, {calibration['after']['matmul_1024_gflop_s']}; "
        f"load {result['load']['before']} before, {result['load']['after']} after",
        highlight=False,
    )
    if speech := result.get("speech"):
        table = Table(
            "streams", "lines", "first audio ms", "worst", "real-time factor", "wall s / audio s",
            "server CPU s / audio s", title=speech["what"],
        )  # fmt: skip
        for row in speech["rows"]:
            keys = ("streams", "lines", "first_audio_ms", "first_audio_ms_worst", "real_time_factor",
                    "wall_s_per_audio_s", "server_cpu_s_per_audio_s")  # fmt: skip
            table.add_row(*(str(row[key]) for key in keys))
        console.print(table)
    if load := result.get("load_test"):
        table = Table(
            "loop", "streams", "lines", "refused", "first audio ms, p50 / p95 / p99", "gap-free",
            "underrun ms, p99", "RTF", "audio s / s", "cores", "MB", title=load["what"],
        )  # fmt: skip
        for row in load["rows"]:
            table.add_row(
                row["loop"],
                str(row["streams"]),
                str(row["lines"]),
                str(sum(row["refused"].values())),
                " / ".join(f"{_p(row, 'first_audio_ms', p):.0f}" for p in (50, 95, 99)),
                "-" if row["gap_free_share"] is None else f"{row['gap_free_share']:.1%}",
                f"{_p(row, 'worst_underrun_ms', 99):.0f}",
                f"{_p(row, 'real_time_factor', 50):.3f}",
                str(row["audio_s_per_s"]),
                str(row["server_cpu_cores"]),
                str(row["server_memory_mb"]),
            )
        console.print(table)
        console.print(f"cancel to free slot, ms: {load['cancel_to_free_ms']}", highlight=False)
    for model in result.get("frames", {}).get("models", []):
        stages = list(model["rows"][0]["ms"])
        table = Table(
            "rows", *(f"{stage}: ms / floor" for stage in stages), "RTF a row",
            title=f"time per frame, {model['model']}, {model['weights']}, {model['threads']} threads",
        )  # fmt: skip
        for row in model["rows"]:
            cells = [
                f"{row['ms'][stage]:.2f}"
                + (f" / {row['floor_ms'][stage]:.2f}" if stage in row["floor_ms"] else "")
                for stage in stages
            ]
            table.add_row(str(row["rows"]), *cells, str(row["real_time_factor_a_row"]))
        console.print(table)
    if decode := result.get("decode"):
        table = Table(
            "who", "dtype", "tokens/s", "LM real-time factor", "CPU s / token",
            title=f"{decode['what']}, {decode['dims']}, {decode['threads']} threads",
        )  # fmt: skip
        for row in decode["rows"]:
            keys = ("who", "dtype", "tokens_per_s", "lm_real_time_factor", "cpu_s_per_token")
            table.add_row(*(str(row[key]) for key in keys))
        console.print(table)
        console.print(f"peer: {decode['peer_note']}", highlight=False)
        for row in decode.get("spoken", []):
            console.print(
                f"{row['who']}: real-time factor {row['real_time_factor']}", highlight=False
            )
        if price := decode.get("reproducible_price"):
            console.print(f"reproducible costs {price} times as much", highlight=False)
        for what, ratio in decode["ratios"].items():
            console.print(f"ours is {ratio} times as fast: {what}", highlight=False)


def _p(row: dict[str, Any], what: str, p: int) -> float:
    """A percentile of a row; not a number where nothing was heard."""
    return math.nan if row[what] is None else row[what][f"p{p}"]


def _draw(result: dict[str, Any], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # What draws itself into one pair of axes, and what it is drawn from.
    panels = [(_DRAWN[part], result[part]) for part in ("speech", "load_test") if part in result]
    panels += [(_draw_frames, model) for model in result.get("frames", {}).get("models", [])]
    panels += [(_DRAWN[part], result[part]) for part in ("decode",) if part in result]
    if not panels:
        return
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure, all_axes = pyplot.subplots(
        lines, columns, figsize=(6 * columns, 4 * lines), layout="constrained", squeeze=False
    )
    for axes in all_axes.flat[len(panels) :]:
        axes.remove()
    for axes, (draw, what) in zip(all_axes.flat, panels, strict=False):
        draw(axes, what)
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def _draw_speech(axes: Any, speech: dict[str, Any]) -> None:
    rows = speech["rows"]
    streams = [str(row["streams"]) for row in rows]
    axes.bar(streams, [row["first_audio_ms"] for row in rows], color="#4c72b0")
    axes.set(xlabel="streams at once", ylabel="first audio, ms (bars)")
    factors = axes.twinx()
    factors.plot(streams, [row["real_time_factor"] for row in rows], "o-", color="#c44e52")
    factors.set(ylabel="real-time factor (line)", ylim=(0, None))
    axes.set_title(speech["what"], fontsize=9)


def _draw_load(axes: Any, load: dict[str, Any]) -> None:
    shares = axes.twinx()
    streams: list[int] = []
    for loop, style in (("closed", "-"), ("open", "--")):
        of_loop = [row for row in load["rows"] if row["loop"] == loop]
        streams = [row["streams"] for row in of_loop]
        for p, colour in ((50, "#4c72b0"), (95, "#55a868"), (99, "#8172b2")):
            first = [_p(row, "first_audio_ms", p) for row in of_loop]
            axes.plot(streams, first, style, color=colour, label=f"p{p}, {loop} loop")
        gap_free = [100 * (row["gap_free_share"] or 0) for row in of_loop]
        shares.plot(streams, gap_free, style, color="#c44e52", marker="o", markersize=4)
    axes.set(xlabel="listeners", ylabel="first audio, ms", xscale="log", yscale="log")
    axes.set_xticks(streams, [str(n) for n in streams])
    _plain_numbers(axes)
    axes.legend(fontsize=7, loc="center left")
    shares.set(ylabel="lines without a gap, % (red)", ylim=(0, 105))
    axes.set_title(load["what"], fontsize=9)


def _plain_numbers(axes: Any) -> None:
    """On a logarithmic scale of milliseconds."""
    low, high = axes.get_ylim()
    ticks = [n * 10**power for power in range(-2, 5) for n in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _draw_frames(axes: Any, model: dict[str, Any]) -> None:
    rows = [row["rows"] for row in model["rows"]]
    drawn = (
        ("language model", ("matrices", "attention", "head and sampling"), "#4c72b0"),
        ("codec", ("codec",), "#55a868"),
    )
    for what, floors, colour in drawn:
        axes.plot(rows, [row["ms"][what] for row in model["rows"]], "o-", color=colour, label=what)
        floor = [sum(row["floor_ms"][stage] for stage in floors) for row in model["rows"]]
        limit = "memory's limit" if what != "codec" else "limit of memory and arithmetic"
        axes.plot(rows, floor, ":", color=colour, label=f"{what}: {limit}")
    axes.axhline(80, color="#c44e52", linewidth=1, label="a frame lasts so long")
    axes.set(xlabel="rows", ylabel="ms a frame", xscale="log", yscale="log")
    axes.set_xticks(rows, [str(n) for n in rows])
    _plain_numbers(axes)
    axes.legend(fontsize=6)
    axes.set_title(f"{model['model']}, {model['weights']}, {model['threads']} threads", fontsize=9)


def _draw_decode(axes: Any, decode: dict[str, Any]) -> None:
    rows = decode["rows"]
    names = [f"{row['who']}\n{row['dtype']}" for row in rows]
    ours = [row["who"] == "kani-npc" for row in rows]
    colours = ["#4c72b0" if mine else "#999999" for mine in ours]
    axes.bar(names, [row["tokens_per_s"] for row in rows], color=colours)
    axes.axhline(50, color="#c44e52", linewidth=1)
    axes.set(ylabel="tokens/s; the line is one stream in real time")
    axes.tick_params(axis="x", labelsize=7)
    axes.set_title(decode["what"], fontsize=9)


_DRAWN = {"speech": _draw_speech, "load_test": _draw_load, "decode": _draw_decode}
