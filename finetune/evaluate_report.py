"""The page that shows an evaluation: figures beside each other, and every line to be heard, in one file.

Knows no models and measures nothing.
"""

import base64
import difflib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.recogniser import spoken_words

if TYPE_CHECKING:
    from finetune.evaluate import Figure, Judged

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid #ddd; }
.figures td:not(:first-child) { font-variant-numeric: tabular-nums; white-space: nowrap; }
small { color: #666; } audio { width: 11rem; height: 2rem; }
.better { background: #e2f3e4; } .worse { background: #fbe3e0; }
del { color: #b3261e; } ins { color: #8a5a00; } .bad { color: #b3261e; font-weight: 600; }
"""

_HOW_TO_READ = """
<p>Brackets hold what 95 % of bootstrap samples of the lines give. The difference is paired, line by line; it is
coloured where its interval leaves out 0. The recogniser errs as well: the recording's own column says how often, and no
system can be expected below it. A likeness is the cosine between what the speaker encoder hears in a line and in the
character's recordings; <em>the impostor floor</em> is what other people's voices have with them.</p>
"""


def html(
    found: Mapping[str, Any],
    judged: Sequence["Judged"],
    figures: Sequence["Figure"],
    sounds: Path,
) -> str:
    """The page. `found` is what `evaluation.json` has; `sounds` has a folder a system with <line>.flac."""
    conditions = found["conditions"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Evaluation</title>",
        f"<style>{_STYLE}</style><h1>Evaluation</h1>",
        f"<p>{found['lines']} lines, {found['words']} words; {escape(conditions['date'])}.</p>",
        _figures_table(found, figures),
        _floor(found["impostors"]),
        _HOW_TO_READ,
        _lines_table(list(found["systems"]), judged, sounds),
        _left_out(found["left_out"]),
        "<h2>Conditions</h2><ul>",
        *(f"<li>{escape(key)}: {escape(_words(value))}</li>" for key, value in conditions.items()),
        "</ul></html>",
    ]
    return "\n".join(parts)


def text(found: Mapping[str, Any], figures: Sequence["Figure"]) -> str:
    """The figures as a Markdown table."""
    columns = list(found["systems"])
    rows = [
        [
            "",
            *columns,
            *([" minus ".join(reversed(found["compared"]))] if found["difference"] else []),
        ]
    ]
    rows.append(["---"] * len(rows[0]))
    for figure in figures:
        values = [(of.get(figure.name), False) for of in found["systems"].values()]
        if any(value for value, _ in values):
            values += [(found["difference"].get(figure.name), True)] * bool(found["difference"])
            rows.append(
                [figure.heading, *(_range(v, figure, signed=signed) for v, signed in values)]
            )
    floor = found["impostors"]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if floor["pairs"]:
        lines += [
            "",
            f"Impostor floor: {floor['mean']:.2f} in the mean, {floor['95_percent']:.2f} in one pair of twenty.",
        ]
    return "\n".join(lines)


def shown(value: float, figure: "Figure", *, signed: bool = False) -> str:
    """A figure as it is read: per cent for shares."""
    sign = "+" if signed else ""
    return f"{100 * value:{sign}.1f} %" if figure.is_share else f"{value:{sign}.2f}"


def is_better(change: float, figure: "Figure", first: float) -> bool:
    """Whether a figure that moved by `change` from `first` is better than before."""
    if figure.better in ("less", "more"):
        return (change > 0) == (figure.better == "more")
    due = float(figure.better)
    return abs(first + change - due) < abs(first - due)


def _figures_table(found: Mapping[str, Any], figures: Sequence["Figure"]) -> str:
    systems, difference = found["systems"], found["difference"]
    head = [f"<th>{escape(name)}</th>" for name in systems]
    if difference is not None:
        first, second = found["compared"]
        head.append(f"<th>{escape(second)} minus {escape(first)}</th>")
    rows: list[str] = []
    for figure in figures:
        if not any(figure.name in of for of in systems.values()):
            continue
        cells = [f"<td>{_cell(of.get(figure.name), figure)}</td>" for of in systems.values()]
        if difference is not None:
            cells.append(_difference_cell(found, figure))
        rows.append(f"<tr><td>{escape(figure.heading)}</td>{''.join(cells)}</tr>")
    return f"<table class=figures><tr><th></th>{''.join(head)}</tr>{''.join(rows)}</table>"


def _range(value: Mapping[str, Any] | None, figure: "Figure", *, signed: bool = False) -> str:
    """A figure and its interval."""
    if value is None:
        return "-"
    low, high = (shown(x, figure, signed=signed).removesuffix(" %") for x in value["interval"])
    return f"{shown(value['value'], figure, signed=signed)} ({low} to {high})"


def _cell(value: Mapping[str, Any] | None, figure: "Figure", *, signed: bool = False) -> str:
    whole, bracket, rest = _range(value, figure, signed=signed).partition(" (")
    return f"{whole} <small>({rest}</small>" if bracket else whole


def _difference_cell(found: Mapping[str, Any], figure: "Figure") -> str:
    change = found["difference"].get(figure.name)
    if change is None:
        return "<td>-</td>"
    low, high = change["interval"]
    kind = ""
    if low > 0 or high < 0:
        first = found["systems"][found["compared"][0]][figure.name]["value"]
        kind = " class=" + ("better" if is_better(change["value"], figure, first) else "worse")
    return f"<td{kind}>{_cell(change, figure, signed=True)}</td>"


def _floor(impostors: Mapping[str, Any]) -> str:
    if not impostors["pairs"]:
        return "<p>No other voices were at hand: there is no impostor floor.</p>"
    return (
        f"<p>Impostor floor, of {impostors['pairs']} pairs: {impostors['mean']:.2f} in the mean, "
        f"{impostors['95_percent']:.2f} in one pair of twenty; the nearest, {escape(impostors['nearest'])}, has "
        f"{impostors['most']:.2f}.</p>"
    )


def _lines_table(systems: Sequence[str], judged: Sequence["Judged"], sounds: Path) -> str:
    by_line: dict[str, dict[str, Judged]] = {}
    for one in judged:
        by_line.setdefault(one.line, {})[one.system] = one
    head = "".join(f"<th>{escape(name)}</th>" for name in systems)
    rows: list[str] = []
    for line, of in by_line.items():
        text = escape(next(iter(of.values())).text)
        cells = "".join(
            f"<td>{_line_cell(of[name], sounds / name / f'{line}.flac')}</td>" for name in systems
        )
        rows.append(f"<tr><td>{text}<br><small>{escape(line)}</small></td>{cells}</tr>")
    return f"<h2>Every line</h2><table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _line_cell(one: "Judged", sound: Path) -> str:
    data = base64.b64encode(sound.read_bytes()).decode()
    notes = [
        name
        for name, is_so in (
            ("loops", one.loops),
            ("broken off", one.breaks_off),
            ("falls silent", one.falls_silent),
        )
        if is_so
    ]
    figures = [
        f"{name} {value:.2f}"
        for name, value in (("likeness", one.likeness), ("duration", one.duration_ratio))
        if value is not None
    ]
    heard = "" if one.heard is None else f"{_marked(one.text, one.heard)}<br>"
    return (
        f'<audio controls preload=none src="data:audio/flac;base64,{data}"></audio><br>{heard}'
        f"<small>{', '.join(figures)} <span class=bad>{', '.join(notes)}</span></small>"
    )


def _marked(text: str, heard: str) -> str:
    """What was heard: words that are not in the text underlined, those that were not heard struck out."""
    said, got = spoken_words(text), spoken_words(heard)
    parts: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, said, got, autojunk=False).get_opcodes():
        if kind == "equal":
            parts += map(escape, said[a:b])
        else:
            parts += [f"<del>{escape(' '.join(said[a:b]))}</del>"] * (b > a)
            parts += [f"<ins>{escape(' '.join(got[c:d]))}</ins>"] * (d > c)
    return " ".join(parts)


def _left_out(left_out: Sequence[Mapping[str, str]]) -> str:
    if not left_out:
        return ""
    rows = "".join(f"<li>{escape(o['path'])}: {escape(o['reason'])}</li>" for o in left_out)
    return f"<h2>Left out</h2><ul>{rows}</ul>"


def _words(value: object) -> str:
    return (
        " | ".join(map(str, value))
        if isinstance(value, Iterable) and not isinstance(value, str)
        else str(value)
    )
