"""Measurements as a JSON file, tables on the terminal, and plots beside the file."""

import json
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
        for what, ratio in decode["ratios"].items():
            console.print(f"ours is {ratio} times as fast: {what}", highlight=False)


def _draw(result: dict[str, Any], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    parts = [part for part in ("speech", "decode") if part in result]
    if not parts:
        return
    figure, all_axes = pyplot.subplots(
        1, len(parts), figsize=(6 * len(parts), 4), layout="constrained", squeeze=False
    )
    for axes, part in zip(all_axes[0], parts, strict=True):
        rows = result[part]["rows"]
        if part == "speech":
            streams = [str(row["streams"]) for row in rows]
            axes.bar(streams, [row["first_audio_ms"] for row in rows], color="#4c72b0")
            axes.set(xlabel="streams at once", ylabel="first audio, ms (bars)")
            factors = axes.twinx()
            factors.plot(streams, [row["real_time_factor"] for row in rows], "o-", color="#c44e52")
            factors.set(ylabel="real-time factor (line)", ylim=(0, None))
        else:
            names = [f"{row['who']}\n{row['dtype']}" for row in rows]
            ours = [row["who"] == "kani-npc" for row in rows]
            colours = ["#4c72b0" if mine else "#999999" for mine in ours]
            axes.bar(names, [row["tokens_per_s"] for row in rows], color=colours)
            axes.axhline(50, color="#c44e52", linewidth=1)
            axes.set(ylabel="tokens/s; the line is one stream in real time")
            axes.tick_params(axis="x", labelsize=7)
        axes.set_title(result[part]["what"], fontsize=9)
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)
