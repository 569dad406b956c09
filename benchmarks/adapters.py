"""`python -m benchmarks.adapters`: what voices with adapters of their own cost beside voices without.

Four lines step together: with none, one or four different adapters (and decoders) among them. The cases take turns
frame by frame, in one process on one thread, and time is the thread's own, so that what else runs matters little; what
is said is each case's ratio to the case without. `tiny` as it serves, and four layers of the published size (of
sixteen: the ratio is the same, the memory is not), both with int8 weights. Prints a table and writes
benchmarks/results/<date>-adapters.json.
"""

import argparse
import datetime
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.codec_step import random_codec
from benchmarks.decode_ours import NoTokenizer
from benchmarks.worker import FULL
from kani_npc.codec.delta import with_own_decoder
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.source_filter import SourceFilterCodec
from kani_npc.engine.adapters import Adaptation
from kani_npc.engine.model import SpeechModel, load_model
from kani_npc.engine.runner import Runner
from kani_npc.engine.scheduler import StepPlan
from kani_npc.lm.adapters import MAX_LORA_RANK, Lora, adaptable
from kani_npc.lm.config import LmConfig
from kani_npc.lm.model import Lfm2
from kani_npc.lm.packed import pack
from kani_npc.models import resolve_model
from kani_npc.prompt import Prompt
from kani_npc.speech import ModelInfo, Sampling, Utterance, Voice

RESULTS = Path(__file__).parent / "results"
LINES = 4
WARM = 3
# By case: the rank and how many of the four lines share each adapter; 0 is none.
CASES: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "no adapter": (0, (0, 0, 0, 0)),
    "no adapter, again": (0, (0, 0, 0, 0)),
    "one line of four, rank 8": (8, (1, 0, 0, 0)),
    "four lines of one voice, rank 8": (8, (1, 1, 1, 1)),
    "four voices, rank 8": (8, (1, 2, 3, 4)),
    "four voices, rank 32": (32, (1, 2, 3, 4)),
}
DECODERS: Mapping[str, tuple[int, ...]] = {
    "one decoder": (0, 0, 0, 0),
    "two decoders": (0, 0, 1, 1),
    "four decoders": (0, 1, 2, 3),
}


def lora(config: LmConfig, rank: int, seed: int) -> Lora:
    draw = torch.Generator().manual_seed(seed)
    return Lora(
        "",
        {
            name: (
                torch.randn(rank, columns, generator=draw) / columns,
                torch.randn(rank, rows, generator=draw) * 0.1,
            )
            for name, (rows, columns) in adaptable(config).items()
        },
    )


def part_of_full_size() -> SpeechModel:
    config = LmConfig.from_json(FULL)
    config = replace(config, layer_types=("conv", "full_attention") * 2)
    torch.manual_seed(0)
    lm = pack(Lfm2(config).eval().requires_grad_(False), "int8")
    info = ModelInfo(
        name="part",
        licence="",
        sample_rate_hz=22050,
        samples_per_frame=1764,
        speaker_space="",
        languages=(),
        sampling=Sampling(),
    )
    return SpeechModel(lm, random_codec(), NoTokenizer(), info)


def runner(model: SpeechModel, adaptations: list[Adaptation | None], frames: int) -> Runner:
    made = Runner(
        model, num_slots=LINES, max_prompt_tokens=64, max_frames=frames + WARM, num_adapters=LINES
    )
    sampling = Sampling(greedy=True, min_frames=frames + WARM, max_frames=frames + WARM)
    for slot, adaptation in enumerate(adaptations):
        utterance = Utterance(
            str(slot), "", Voice(str(slot), ""), accent=None, sampling=sampling, seed=slot
        )
        layout = model.lm.layout
        prompt = Prompt((*range(3, 40), layout.start_of_ai, layout.start_of_speech))
        made.admit(slot, adaptation)
        made.begin(slot, utterance, prompt, piece=0)
        while not made.read(slot):
            pass
    return made


def in_turns(cases: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Any]:
    """Milliseconds of the thread's own time, medians, and each round's ratio to the first case."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for round in range(WARM + rounds):
        for name, run in cases.items():
            started_s = time.thread_time()
            run()
            if round >= WARM:
                times[name].append(1000 * (time.thread_time() - started_s))
    first = next(iter(times.values()))
    result: dict[str, Any] = {}
    for name, some in times.items():
        ratios = [one / other for one, other in zip(some, first, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        result[name] = {
            "ms": round_to(statistics.median(some)),
            "ratio": round_to(middle),
            "quartiles": [round_to(low), round_to(high)],
        }
    return result


def round_to(value: float) -> float:
    return float(f"{value:.3g}")


def language_model(model: SpeechModel, rounds: int) -> dict[str, Any]:
    speak = StepPlan(tuple(range(LINES)), ())
    cases: dict[str, Callable[[], object]] = {}
    for name, (rank, seats) in CASES.items():
        adaptations = [
            Adaptation(seat, lora(model.lm.config, rank, seat), None) if seat else None
            for seat in range(LINES + 1)
        ]
        runs = runner(model, [adaptations[seat] for seat in seats], rounds)
        cases[name] = lambda runs=runs: runs.run(speak)
    return in_turns(cases, rounds)


def sound(model: SpeechModel, frames: int, rounds: int) -> dict[str, Any]:
    codec = model.codec
    assert isinstance(codec, NanoCodec | SourceFilterCodec)
    decoders = [with_own_decoder(codec).streaming_decoder() for _ in range(LINES)]
    codes = torch.randint(0, codec.codebook_size, (LINES, codec.num_codebooks, frames))
    cases: dict[str, Callable[[], object]] = {}
    for name, whose in DECODERS.items():
        state = decoders[0].init_state(LINES)
        groups = [[slot for slot in range(LINES) if whose[slot] == one] for one in sorted({*whose})]

        def run(groups: list[list[int]] = groups, state: Any = state) -> None:
            for decoder, slots in zip(decoders, groups, strict=False):
                decoder(codes[slots], state, slots)

        cases[name] = run
    return in_turns(cases, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", choices=("tiny", "full"))
    parser.add_argument("--quick", action="store_true", help="does it run at all")
    arguments = parser.parse_args()
    rounds = 2 if arguments.quick else arguments.rounds
    torch.set_num_threads(1)
    models: dict[str, Callable[[], SpeechModel]] = {
        "tiny": lambda: load_model(resolve_model("tiny"), weights="int8", hashed=False),
        "full": part_of_full_size,
    }
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.hardware(),
        "load": {"before": machine.load_average()},
        "rounds": rounds,
    }
    console = Console(width=120)
    for name, make in models.items():
        if arguments.only not in (None, name):
            continue
        model = make()
        found = {"frame, language model": language_model(model, rounds)}
        for frames in (1, 4):
            found[f"sound of {frames} frames"] = sound(model, frames, rounds)
        seat = MAX_LORA_RANK * 4 * sum(map(sum, adaptable(model.lm.config).values()))
        result[name] = {**found, "bytes_of_a_seat": seat}
        for part, rows in found.items():
            table = Table(title=f"{name}: {part}, four lines")
            for column in ("case", "ms", "ratio", "quartiles"):
                table.add_column(column)
            for case, row in rows.items():
                table.add_row(case, str(row["ms"]), str(row["ratio"]), str(row["quartiles"]))
            console.print(table)
        del model
    result["load"]["after"] = machine.load_average()
    if not arguments.quick:
        which = f"-{arguments.only}" if arguments.only else ""
        path = RESULTS / f"{result['date'][:10]}-adapters{which}.json"
        path.write_text(json.dumps(result, indent=2) + "\n")
        console.print(f"written: {path.name}")


if __name__ == "__main__":
    main()
