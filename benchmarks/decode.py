"""How fast the full-size language model decodes, beside the published package's `generate`, in turns.

Random weights: speed does not depend on them. Both sides read the same 40-token prompt with a speaker, sample with
the published settings and make the same number of tokens; the codec is on neither side.
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
    sides = [
        (who, dtype, python, worker)
        for dtype in ("float32", "bfloat16")
        for who, python, worker in (
            ("kani-npc", Path(sys.executable), "decode_ours"),
            (peer, peer_python, module),
        )
    ]
    runs: dict[tuple[str, str], list[dict[str, float]]] = {side[:2]: [] for side in sides}
    loads: list[float | None] = []
    with ExitStack() as stack:
        workers: dict[tuple[str, str], Worker] = {}
        for who, dtype, python, worker in sides:
            log = build / f"bench-{worker}-{dtype}.log"
            started = Worker(python, f"benchmarks.{worker}", settings | {"dtype": dtype}, log)
            stack.callback(started.close)
            workers[who, dtype] = started
        for _ in range(rounds):
            loads.append(settle(settle_s))
            for key, worker in workers.items():
                runs[key].append(worker.decode())
    rows = [_row(who, dtype, taken) for (who, dtype), taken in runs.items()]
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
    }


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
        pairs = zip(runs["kani-npc", ours], runs[peer, theirs], strict=True)
        return round(statistics.median(b["wall_s"] / a["wall_s"] for a, b in pairs), 2)

    return {
        "float32": ratio("float32", "float32"),
        "bfloat16": ratio("bfloat16", "bfloat16"),
        "ours in bfloat16, theirs as its loader makes it (float32)": ratio("bfloat16", "float32"),
    }
