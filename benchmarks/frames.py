"""Time per frame against rows, the language model and the codec apart, and how far each stage is from the machine.

A frame is 80 ms of sound for every row. The language model's part is four sub-steps, measured through the engine's own
runner; then once more with a clock around each kind of work, for its share: products with matrices, attention, head and
sampling; the rest is norms, rotations, convolutions and what lies between. The codec's part is a step of four frames,
as after a line's first ones, divided by four.

The floor is the time in which the bytes that a frame has to read can be read: weights once a sub-step, whatever the
rows, and what each row remembers. The rate is measured in the same run, with as many threads, over a block as large as
the weights: those of a small model stay in the caches. The codec computes more than it reads, so its floor is the
higher of that one and of the time of its multiplications at the rate of one large float32 product.

Random weights at full size: time does not depend on them.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import full_size
from benchmarks.codec_step import random_codec
from benchmarks.decode_ours import NoTokenizer
from benchmarks.machine import settle
from benchmarks.worker import FULL, PROMPT_TOKENS
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.source_filter import SourceFilterCodec
from kani_npc.engine.cores import physical_cores
from kani_npc.engine.model import SpeechModel, load_model
from kani_npc.engine.runner import Runner
from kani_npc.engine.scheduler import StepPlan
from kani_npc.lm.config import LmConfig
from kani_npc.lm.model import Lfm2
from kani_npc.lm.packed import pack
from kani_npc.lm.sampler import Sampler
from kani_npc.models import resolve_model
from kani_npc.prompt import Prompt
from kani_npc.speech import ModelInfo, Sampling, Utterance, Voice

ROWS = (1, 2, 4, 8, 16)
GROUP = 4  # frames that become sound at a time, after a line's first ones
STAGES = ("matrices", "attention", "head and sampling")
WARM, PLAIN, WATCHED = 2, 6, 4  # frames of each row of the table, in every round
LONGEST = WARM + PLAIN + WATCHED
# As published; no line ends by itself.
SAMPLING = Sampling(
    temperature=1.0, top_k=50, top_p=0.95, repetition_penalty=1.1, min_frames=500, max_frames=500
)


def run(*, quick: bool, rounds: int, settle_s: float) -> dict[str, Any]:
    """`tiny` and a full-size model, each with its weights as `auto` keeps them here: one table each."""
    models: dict[str, Callable[[], SpeechModel]] = {"tiny": _tiny}
    if not quick:
        models[full_size.NAME] = _full_size
    threads = torch.get_num_threads()
    tables: list[dict[str, Any]] = []
    for name, make in models.items():
        load = settle(settle_s)
        table = _measure(make(), ROWS[:2] if quick else ROWS, rounds)
        tables.append({"model": name, "load_at_start": load, **table})
        torch.set_num_threads(threads)
    return {"what": "time per frame", "rounds": rounds, "models": tables}


def _tiny() -> SpeechModel:
    return load_model(resolve_model("tiny"), hashed=False)


def _full_size() -> SpeechModel:
    torch.manual_seed(0)
    lm = pack(Lfm2(LmConfig.from_json(FULL)).eval().requires_grad_(False), "int8")
    codec = random_codec()
    info = ModelInfo("random", "", codec.sample_rate_hz, codec.samples_per_frame, "random")
    return SpeechModel(lm, codec, NoTokenizer(), info)


@torch.inference_mode()
def _measure(model: SpeechModel, all_rows: tuple[int, ...], rounds: int) -> dict[str, Any]:
    threads = model.max_threads or physical_cores()
    torch.set_num_threads(threads)
    needs = _needs(model)
    rates = {part: _read_gb_s(num_bytes) for part, num_bytes in needs["bytes"].items()}
    gflop_s = _product_gflop_s()
    runner = Runner(
        model, num_slots=max(all_rows), max_prompt_tokens=PROMPT_TOKENS, max_frames=LONGEST
    )
    decoder = model.codec.streaming_decoder()
    sounding = decoder.init_state(max(all_rows))
    taken: dict[int, list[dict[str, float]]] = {rows: [] for rows in all_rows}
    for _ in range(rounds):
        for rows in all_rows:
            codes = torch.randint(
                model.codec.codebook_size, (rows, model.codec.num_codebooks, GROUP)
            )
            decoder(codes, sounding, range(rows))
            codec_ms = [
                1e3 * _seconds(lambda c=codes, n=rows: decoder(c, sounding, range(n))) / GROUP
                for _ in range(3)
            ]
            one = _language_model(runner, model, rows)
            taken[rows].append(one | {"codec": statistics.median(codec_ms)})
    floors = [_floors(needs, rates, gflop_s, rows) for rows in all_rows]
    return {
        "weights": _weights(model.lm),
        "threads": threads,
        "prompt_tokens": PROMPT_TOKENS,
        "bytes": needs["bytes"],
        "bytes_remembered_a_row": needs["remembered"],
        "codec_gflop_a_frame": round(needs["codec_flops"] / 1e9, 3),
        "read_gb_s": {part: round(rate, 1) for part, rate in rates.items()},
        "product_gflop_s": round(gflop_s, 1),
        "rows": [
            _row(rows, taken[rows], floor) for rows, floor in zip(all_rows, floors, strict=True)
        ],
    }


def _language_model(runner: Runner, model: SpeechModel, rows: int) -> dict[str, float]:
    """Milliseconds of a frame without its sound: in all, and of each stage in frames that are watched."""
    layout = model.lm.layout
    ids = (layout.start_of_human, *range(3, 1 + PROMPT_TOKENS - 2), layout.start_of_ai)
    prompt = Prompt((*ids, layout.start_of_speech))
    for slot in range(rows):
        voice = Voice(id="none", display_name="None")
        line = Utterance(str(slot), "", voice, None, SAMPLING, seed=slot)
        runner.admit(slot)
        runner.begin(slot, line, prompt, 0)
        while not runner.read(slot):
            pass
    plan = StepPlan(speak=tuple(range(rows)))
    for _ in range(WARM):
        runner.run(plan)
    all_ms = [1e3 * _seconds(lambda: runner.run(plan)) for _ in range(PLAIN)]
    whole = statistics.median(all_ms)
    shares: list[dict[str, float]] = []
    for _ in range(WATCHED):
        with _watched(model.lm) as spent_s:
            watched_s = _seconds(lambda: runner.run(plan))
        shares.append({stage: spent_s[stage] / watched_s for stage in STAGES})
    return {"language model": whole} | {
        stage: whole * statistics.median(one[stage] for one in shares) for stage in STAGES
    }


@contextmanager
def _watched(lm: Lfm2) -> Iterator[dict[str, float]]:
    """Seconds that go into each stage meanwhile."""
    spent: dict[str, float] = dict.fromkeys(STAGES, 0.0)

    def around(stage: str, what: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **more: Any) -> Any:
            began_s = time.perf_counter()
            try:
                return what(*args, **more)
            finally:
                spent[stage] += time.perf_counter() - began_s

        return timed

    matrices, attend, draw = list(_matrices(lm)), F.scaled_dot_product_attention, Sampler.draw
    try:
        for matrix in matrices:
            matrix.forward = around("matrices", matrix.forward)
        F.scaled_dot_product_attention = around("attention", attend)
        Sampler.draw = around("head and sampling", draw)
        lm.codebook_logits = around("head and sampling", lm.codebook_logits)
        yield spent
    finally:
        for matrix in matrices:
            del matrix.forward
        F.scaled_dot_product_attention, Sampler.draw = attend, draw
        del lm.codebook_logits


def _matrices(lm: Lfm2) -> Iterator[nn.Module]:
    """The modules of the layers that multiply with a matrix, packed or not."""
    for module in lm.layers.modules():
        if type(module).__name__.endswith("Linear") and next(module.children(), None) is None:
            yield module


def _weights(lm: Lfm2) -> str:
    """How they are kept, as `kani-npc serve --weights` calls it."""
    kind = type(next(_matrices(lm))).__name__
    for packed in ("int8", "int4"):
        if packed in kind.lower():
            return packed
    return str(lm.dtype).removeprefix("torch.")


def _needs(model: SpeechModel) -> dict[str, Any]:
    """What a frame has to read, and what its sound has to multiply, by the dims."""
    lm, config, codec = model.lm, model.lm.config, model.codec
    width = {"int8": 1.0, "int4": 0.5}.get(_weights(lm), lm.dtype.itemsize)
    # The head stays in 8 bits where matrices have 4.
    head = lm.layout.num_codebooks * lm.layout.codebook_size * config.hidden_size * max(1, width)
    kv = 2 * len(config.attention_layers) * config.num_kv_heads * config.head_dim
    seen = PROMPT_TOKENS + lm.layout.num_codebooks * (WARM + PLAIN / 2)
    assert isinstance(codec, NanoCodec | SourceFilterCodec)
    flops: list[int] = []
    for frames in (8, 24):
        with FlopCounterMode(display=False) as counter:
            if isinstance(
                codec, NanoCodec
            ):  # its plain network: the served one's operators are not counted
                codec.decoder(torch.zeros(1, codec.config.latent_size, frames))
            else:
                codec.decode(torch.zeros(codec.num_codebooks, frames, dtype=torch.int64))
        flops.append(counter.get_total_flops())
    return {
        "bytes": {
            # A frame reads all matrices in each of its sub-steps, and the head of one codebook.
            "matrices": int(lm.num_matrix_weights * width),
            "head": int(head),
            "codec": sum(parameter.nbytes for parameter in codec.decoder.parameters()),
        },
        "sub_steps": lm.layout.num_codebooks,
        "remembered": int(kv * seen * lm.dtype.itemsize),
        "codec_flops": (flops[1] - flops[0]) / 16,
    }


def _floors(
    needs: dict[str, Any], rates: dict[str, float], gflop_s: float, rows: int
) -> dict[str, float]:
    """Milliseconds a frame, by stage."""
    num_bytes, sub_steps = needs["bytes"], needs["sub_steps"]
    read = {part: num_bytes[part] / rates[part] / 1e6 for part in num_bytes}
    return {
        "matrices": sub_steps * read["matrices"],
        "attention": sub_steps * rows * needs["remembered"] / rates["matrices"] / 1e6,
        "head and sampling": read["head"],
        "codec": max(read["codec"] / GROUP, rows * needs["codec_flops"] / gflop_s / 1e6),
        "codec, reading alone": read["codec"] / GROUP,
    }


def _row(rows: int, taken: list[dict[str, float]], floor: dict[str, float]) -> dict[str, Any]:
    ms = {what: statistics.median(one[what] for one in taken) for what in taken[0]}
    ms["rest"] = max(0.0, ms["language model"] - sum(ms[stage] for stage in STAGES))
    return {
        "rows": rows,
        "ms": {what: round(value, 3) for what, value in ms.items()},
        "floor_ms": {what: round(value, 4) for what, value in floor.items()},
        "real_time_factor_a_row": round((ms["language model"] + ms["codec"]) / 80, 4),
    }


def _read_gb_s(num_bytes: int) -> float:
    """The best rate of reading so many bytes again and again."""
    block = torch.ones(max(1024, num_bytes // 4))
    times = max(1, int(2e8 / block.nbytes))
    best_s = min(_seconds(lambda: [block.sum() for _ in range(times)]) for _ in range(7))
    return times * block.nbytes / best_s / 1e9


def _product_gflop_s() -> float:
    """The best rate of products of several sizes: none of them is the fastest on every CPU."""
    best = 0.0
    for n, tries in ((256, 50), (512, 20), (1024, 7), (2048, 3)):
        product = partial(torch.mm, torch.rand(n, n), torch.rand(n, n))
        best = max(best, 2 * n**3 / min(_seconds(product) for _ in range(tries)) / 1e9)
    return best


def _seconds(what: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    what()
    return time.perf_counter() - began_s
