"""How fast the full-size language model decodes, beside the published package's `generate`, in turns.

Random weights: speed does not depend on them. Both sides read the same 40-token prompt with a speaker, sample with
the published settings and make the same number of tokens; the codec is on neither side. Then ours again as it is
served, with the full-size codec: one stream, four, and four in reproducible mode.
"""

import statistics
import subprocess
import sys
import venv
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.machine import load_average, settle
from benchmarks.worker import FULL, PROMPT_TOKENS, ROOT, SMALL, Worker

REFERENCE = "kani-tts-2 0.0.5"
OURS = "kani-npc"
# What is measured with the codec: streams at once, and whether in reproducible mode.
SPOKEN: dict[str, tuple[int, bool]] = {
    "kani-npc with codec, 1 stream": (1, False),
    "kani-npc with codec, 4 streams": (4, False),
    "kani-npc with codec, 4 streams, reproducible": (4, True),
}
PEER = "transformers LFM2"
# What the package pins. Without its other dependencies: NeMo and a CUDA build of torch are not needed to decode.
_TRANSFORMERS = "transformers==4.56.0"
_PACKAGE = "kani-tts-2==0.0.5"


def reference_python(folder: Path) -> Path:
    """The interpreter of an environment that has the published package, made on first use.

    Raises `RuntimeError` in one line where it cannot be installed.
    """
    python = folder / "bin" / "python"
    done = folder / "installed"
    if done.exists():
        return python
    torch_pin = next(
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line.startswith("torch==")
    )
    venv.create(folder, with_pip=True)
    for packages in ([torch_pin, _TRANSFORMERS], ["--no-deps", _PACKAGE]):
        install = [str(python), "-m", "pip", "install", "-qq", *packages]
        if subprocess.run(install).returncode != 0:
            raise RuntimeError(f"{packages[-1]} could not be installed")
    done.touch()
    return python


def run(*, quick: bool, rounds: int, settle_s: float, build: Path) -> dict[str, Any]:
    """Every side and dtype in turns, `rounds` times: one row per side and dtype, and the ratios."""
    dims = SMALL if quick else FULL
    settings = {"dims": dims, "threads": 2, "tokens": 16 if quick else 100}
    try:
        peer, peer_python, module = (
            REFERENCE,
            reference_python(build / "bench-reference"),
            "decode_reference",
        )
        note = "the package's own model class and generate"
    except RuntimeError as error:
        peer, peer_python, module = PEER, Path(sys.executable), "decode_transformers"
        note = f"{error}; transformers' own LFM2 generate instead, which has no frame positions and no speaker"
    here = Path(sys.executable)
    sides: list[tuple[str, str, Path, str, dict[str, Any]]] = []
    for dtype in ("float32", "bfloat16"):
        sides.append((OURS, dtype, here, "decode_ours", {}))
        sides.append((peer, dtype, peer_python, module, {}))
    sides += [(OURS, dtype, here, "decode_ours", {}) for dtype in ("int8", "int4")]
    sides += [
        (who, "int8", here, "decode_ours", {"streams": streams, "reproducible": reproducible})
        for who, (streams, reproducible) in SPOKEN.items()
    ]
    runs: dict[tuple[str, str], list[dict[str, float]]] = {side[:2]: [] for side in sides}
    loads: list[float | None] = []
    with ExitStack() as stack:
        workers: dict[tuple[str, str], Worker] = {}
        for who, dtype, python, worker, more in sides:
            log = build / f"bench-{worker}-{dtype}-{len(workers)}.log"
            asked = settings | {"dtype": dtype} | more
            started = Worker(python, f"benchmarks.{worker}", asked, log)
            stack.callback(started.close)
            workers[who, dtype] = started
        for _ in range(rounds):
            loads.append(settle(settle_s))
            for key, worker in workers.items():
                runs[key].append(worker.decode())
    rows = [_row(who, dtype, taken) for (who, dtype), taken in runs.items() if who not in SPOKEN]
    return {
        "what": "language model decode, random weights, 1 stream",
        "dims": "full size (370 M parameters)"
        if not quick
        else "tiny dims: says nothing about speed",
        "prompt_tokens": PROMPT_TOKENS,
        "threads": settings["threads"],
        "rounds": rounds,
        "peer": peer,
        "peer_note": note,
        "load_at_start_of_rounds": loads,
        "load_at_end": load_average(),
        "rows": rows,
        "ratios": _ratios(runs, peer),
        "spoken": [_spoken_row(who, runs[who, "int8"]) for who in SPOKEN],
        "reproducible_price": _reproducible_price(runs),
    }


def _spoken_row(who: str, taken: list[dict[str, float]]) -> dict[str, Any]:
    """Wall time over the sound of one stream: below 1 every stream is made faster than it is heard."""
    streams = SPOKEN[who][0]
    factors = [one["wall_s"] / (one["tokens"] / streams / 50) for one in taken]
    return {
        "who": who,
        "streams": streams,
        "real_time_factor": round(statistics.median(factors), 3),
        "real_time_factor_all": [round(factor, 3) for factor in factors],
    }


def _reproducible_price(runs: dict[tuple[str, str], list[dict[str, float]]]) -> float:
    """How many times as long four streams take where each must be the same bits as alone."""
    usual, same = (runs[who, "int8"] for who in list(SPOKEN)[1:])
    pairs = zip(same, usual, strict=True)
    return round(statistics.median(a["wall_s"] / b["wall_s"] for a, b in pairs), 2)


def _row(who: str, dtype: str, taken: list[dict[str, float]]) -> dict[str, Any]:
    rates = [one["tokens"] / one["wall_s"] for one in taken]
    return {
        "who": who,
        "dtype": dtype,
        "tokens": taken[0]["tokens"],
        "tokens_per_s": round(statistics.median(rates), 2),
        "tokens_per_s_all": [round(rate, 2) for rate in rates],
        # A stream in real time is 50 tokens a second.
        "lm_real_time_factor": round(50 / statistics.median(rates), 3),
        "cpu_s_per_token": round(
            statistics.median(one["cpu_s"] / one["tokens"] for one in taken), 4
        ),
        "cpu_s": round(sum(one["cpu_s"] for one in taken), 2),
    }


def _ratios(runs: dict[tuple[str, str], list[dict[str, float]]], peer: str) -> dict[str, float]:
    """Ours over the peer's tokens per second, median over the rounds; the peer's loader makes float32 models."""

    def ratio(ours: str, theirs: str) -> float:
        pairs = zip(runs[OURS, ours], runs[peer, theirs], strict=True)
        return round(statistics.median(b["wall_s"] / a["wall_s"] for a, b in pairs), 2)

    return {
        "float32": ratio("float32", "float32"),
        "bfloat16": ratio("bfloat16", "bfloat16"),
        "ours in bfloat16, theirs as its loader makes it (float32)": ratio("bfloat16", "float32"),
        "ours in int8, theirs as its loader makes it (float32)": ratio("int8", "float32"),
        "ours in int4, theirs as its loader makes it (float32)": ratio("int4", "float32"),
    }
