"""What a training run was, on one page: figures with what is thought good, curves, and how to read them.

    <run>/plots/*.png     the plots by themselves
    <run>/report.html     all of it in one file

Knows no models: reads what a run wrote down.
"""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from finetune.metrics import THRESHOLDS, Metrics

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } small { color: #666; } pre { background: #f5f5f5; padding: .7rem; overflow-x: auto; }
.good { background: #e2f3e4; } .fair { background: #fdf3d8; } .poor { background: #fbe3e0; }
"""

# What each plot shows, for who has not read the metrics' code.
_CAPTIONS = {
    "loss": "Loss in nats a label. The rows held out say what was learned; the others also what was learned by heart.",
    "perplexity": "Among how many codes the model is undecided, for each codebook. The dotted lines: good, fair.",
    "confusion": "Where codebook i is due (rows), whose codes are among the five likeliest (columns). The diagonal "
    "should be above 0.8.",
    "influence": "What the predictions of each codebook hang on: the sizes of the gradients at what was read before, "
    "at frame positions.",
    "variance": "Variance of what each attention layer says. Near nothing, the layer has nothing to say.",
    "alphas": "The learned factor on the rope frequencies of each attention layer.",
}
_LEGAL = (
    "This model was trained among each codebook's own codes, as it is served. Its perplexities are among those; the "
    "confusion looks at the whole vocabulary, of which training said nothing, and no fault follows from it."
)


def write(
    folder: Path,
    recipe: Mapping[str, Any],
    facts: Mapping[str, str],
    rows: Sequence[Mapping[str, float]],
    metrics: Metrics | None,
) -> Path:
    """The page and its plots, from the lines of `metrics.jsonl` and the last metrics. Raises `OSError`."""
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    drawn = _draw(plots, rows, metrics)
    path = folder / "report.html"
    path.write_text(_html(recipe, facts, rows, metrics, drawn), encoding="utf-8")
    return path


def _html(
    recipe: Mapping[str, Any],
    facts: Mapping[str, str],
    rows: Sequence[Mapping[str, float]],
    metrics: Metrics | None,
    drawn: Sequence[Path],
) -> str:
    name = escape(str(recipe["name"]))
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style></head><body>',
        f"<h1>{name}</h1>",
        _table([(escape(k), escape(v)) for k, v in facts.items()]),
    ]
    if metrics is not None:
        parts += ["<h2>Figures</h2>", _figures_table(metrics)]
        if recipe["loss"]["choices"] == "legal":
            parts.append(f"<p>{_LEGAL}</p>")
    for path in drawn:
        image = base64.b64encode(path.read_bytes()).decode()
        parts += [
            f"<h2>{path.stem.capitalize()}</h2><p>{escape(_CAPTIONS[path.stem])}</p>",
            f'<img alt="{path.stem}" src="data:image/png;base64,{image}">',
        ]
    parts += ["<h2>Steps</h2>", _steps_table(rows), "<h2>Recipe</h2>"]
    parts.append(f"<pre>{escape(json.dumps(recipe, indent=2))}</pre></body></html>")
    return "\n".join(parts) + "\n"


def _figures_table(metrics: Metrics) -> str:
    figures = metrics.figures
    lines = ["<table><tr><th>figure<th>value<th>good<th>fair</tr>"]
    for name, threshold in THRESHOLDS.items():
        if name in figures:
            sign = "above" if threshold.above else "below"
            lines.append(
                f'<tr class="{threshold.verdict(figures[name])}"><td>{name}<td>{figures[name]:.4g}'
                f"<td>{sign} {threshold.good:g}<td>{sign} {threshold.fair:g}</tr>"
            )
    others = sorted(metrics.perplexities.items())
    lines += [
        f"<tr><td>{escape(name)} perplexity<td>{value:.4g}<td><td></tr>" for name, value in others
    ]
    return "\n".join([*lines, "</table>"])


def _steps_table(rows: Sequence[Mapping[str, float]]) -> str:
    """At most thirty of the looks, the first and the last among them."""
    names = ("step", "epoch", "loss", "validation_loss", "learning_rate", "gradient_norm")
    chosen = sorted({round(i) for i in np.linspace(0, len(rows) - 1, min(30, len(rows)))})
    lines = ["<table><tr>" + "".join(f"<th>{name}" for name in names) + "</tr>"]
    for i in chosen:
        cells = "".join(f"<td>{rows[i][n]:.5g}" if n in rows[i] else "<td>" for n in names)
        lines.append(f"<tr>{cells}</tr>")
    return "\n".join([*lines, "</table>"])


def _table(cells: Sequence[tuple[str, str]]) -> str:
    return (
        "<table>" + "".join(f"<tr><th>{name}<td>{value}</tr>" for name, value in cells) + "</table>"
    )


def _draw(folder: Path, rows: Sequence[Mapping[str, float]], metrics: Metrics | None) -> list[Path]:
    # Not pyplot: it keeps figures, and asks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn: list[Path] = []

    def plot(name: str, draw: Any, size: tuple[float, float] = (7, 3.2)) -> None:
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=110)
        drawn.append(path)

    def loss(axes: Any) -> None:
        for name in ("loss", "validation_loss"):
            points = [(r["step"], r[name]) for r in rows if math.isfinite(r.get(name, math.nan))]
            if points:
                axes.plot(*zip(*points, strict=True), label=name.replace("_", " "), marker=".")
        axes.set_xlabel("step")
        axes.set_ylabel("nats a label")
        axes.legend()

    if rows:
        plot("loss", loss)
    if metrics is None:
        return drawn

    def perplexity(axes: Any) -> None:
        found = metrics.perplexities
        axes.bar(list(found), list(found.values()), color="#4878a8")
        limit = THRESHOLDS["avg_audio_ppl"]
        for value in (limit.good, limit.fair):
            if value < 2 * max(found.values()):
                axes.axhline(value, color="#888", linestyle=":")
        axes.set_ylabel("perplexity")

    def confusion(axes: Any) -> None:
        shares = metrics.confusion
        axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        for (i, j), value in np.ndenumerate(shares):
            colour = "white" if value > 0.5 else "black"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour)
        axes.set_xticks(range(len(shares)))
        axes.set_yticks(range(len(shares)))
        axes.set_xlabel("whose codes are likely")
        axes.set_ylabel("codebook that is due")

    def influence(axes: Any) -> None:
        shares = metrics.influence_shares
        codebooks, bottom = list(shares), np.zeros(len(shares))
        for kind in next(iter(shares.values())):
            values = np.array([shares[k][kind] for k in codebooks])
            axes.bar([f"codebook {k}" for k in codebooks], values, bottom=bottom, label=kind)
            bottom += values
        axes.set_ylabel("share")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    def of_layers(values: Mapping[int, float], label: str) -> Any:
        def draw(axes: Any) -> None:
            axes.bar([f"layer {i}" for i in values], list(values.values()), color="#4878a8")
            axes.set_ylabel(label)

        return draw

    if metrics.perplexities:
        plot("perplexity", perplexity)
    if metrics.confusions.any():
        plot("confusion", confusion, (4, 4))
    if metrics.influences:
        plot("influence", influence)
    if metrics.variances:
        plot("variance", of_layers(metrics.output_variances, "variance"))
    if metrics.alphas:
        plot("alphas", of_layers(metrics.alphas, "alpha"))
    return drawn
