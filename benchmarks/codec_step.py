"""`python -m benchmarks.codec_step`: what one step of the full-size NanoCodec decoder costs, by streams and frames.

Random weights of published size: a step's time does not depend on their values. They are scaled so that sound neither
dies nor clips, because the noise of bfloat16 does depend on that; real weights may differ. Prints a table and writes
benchmarks/results/<date>-codec-step.json.
"""

import argparse
import datetime
import math
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from kani_npc.config import SPIN_COUNT

# Before torch is imported: see benchmarks.__main__.
os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks import machine, report
from benchmarks.worker import ROOT
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.network import NanoCodecConfig
from kani_npc.codec.streaming import StreamingDecoder
from kani_npc.tokens import TokenLayout

STREAMS_AND_FRAMES = ((1, 1), (1, 2), (1, 4), (1, 8), (4, 1), (4, 4))
SNR_FRAMES = 40


def random_codec(seed: int = 0) -> NanoCodec:
    """Full size. Every output of a convolution has a weight vector of the same length, as weight norm would give it."""
    codec = NanoCodec()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in codec.decoder.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("alpha"):
                parameter.copy_(torch.exp(0.3 * noise))
            elif name.endswith("bias"):
                parameter.copy_(0.05 * noise)
            else:
                gain = 1.6 if "up_sample" in name else 0.4 if "skip_conv" in name else 1.0
                gain = 0.12 if name.startswith("post_conv") else gain
                parameter.copy_(gain * noise / noise.flatten(1).norm(dim=1)[:, None, None])
    return codec.serve()


def codec_of(layout: TokenLayout) -> NanoCodec:
    """The full-size codec, or for dims of a quick look a small one of as many codes."""
    if layout.codebook_size == math.prod(NanoCodecConfig().levels_per_group):
        return random_codec()
    config = NanoCodecConfig(
        encoder_channels=2,
        down_sample_rates=(2, 3),
        decoder_channels=28,
        up_sample_rates=(3, 2),
        num_groups=layout.num_codebooks,
        levels_per_group=(layout.codebook_size,),
    )
    return NanoCodec(config).serve()


def random_codes(codec: NanoCodec, streams: int, frames: int) -> Tensor:
    generator = torch.Generator().manual_seed(streams * 100 + frames)
    shape = (streams, codec.num_codebooks, frames)
    return torch.randint(0, codec.codebook_size, shape, generator=generator)


def step_row(
    codec: NanoCodec, decoder: StreamingDecoder, streams: int, frames: int, rounds: int
) -> dict[str, Any]:
    codes, state = random_codes(codec, streams, frames), decoder.init_state(streams)
    with machine.timed() as first:  # builds the kernels of these shapes
        decoder(codes, state)
    wall_ms: list[float] = []
    cpu_ms: list[float] = []
    for _ in range(rounds):
        with machine.timed() as step:
            decoder(codes, state)
        wall_ms.append(1000 * step.wall_s)
        cpu_ms.append(1000 * step.cpu_s)
    audio_ms = 1000 * frames * codec.samples_per_frame / codec.sample_rate_hz
    return {
        "streams": streams,
        "frames": frames,
        "step_ms": round(statistics.median(wall_ms), 1),
        "step_ms_best": round(min(wall_ms), 1),
        "step_ms_first": round(1000 * first.wall_s, 1),
        "step_cpu_ms": round(statistics.median(cpu_ms), 1),
        "real_time_factor": round(statistics.median(wall_ms) / audio_ms, 3),
        "real_time_factor_per_stream": round(statistics.median(wall_ms) / audio_ms / streams, 3),
    }


def decode(codec: NanoCodec, decoder: StreamingDecoder) -> Tensor:
    state = decoder.init_state(1)
    codes = random_codes(codec, 1, SNR_FRAMES)
    return torch.cat([decoder(piece, state) for piece in codes.split(4, dim=2)], dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codec_step", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="steps a row; the median counts")
    parser.add_argument("--threads", type=int, help="torch threads; the default is torch's own")
    parser.add_argument(
        "--settle", type=float, default=90.0, help="seconds to wait for a load below 0.5"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.hardware(),
        "load": {"before": machine.settle(arguments.settle)},
        "calibration": {"before": machine.calibrate()},
        "codec_step": [],
    }
    codec = random_codec()
    exact = decode(codec, codec.streaming_decoder())
    for dtype in (torch.float32, torch.bfloat16):
        decoder = StreamingDecoder(codec.decoder, codec.quantizer, dtype)
        noise = decode(codec, decoder) - exact
        snr_db = 10 * torch.log10(exact.square().mean() / noise.square().mean())
        for streams, frames in STREAMS_AND_FRAMES:
            row = step_row(codec, decoder, streams, frames, arguments.rounds)
            name = str(dtype).removeprefix("torch.")
            snr = None if dtype == torch.float32 else round(float(snr_db), 1)
            result["codec_step"].append({"dtype": name, "snr_db": snr, **row})
    result["calibration"]["after"] = machine.calibrate()
    result["load"]["after"] = machine.load_average()

    console = Console(width=None if sys.stdout.isatty() else 120)
    report.show(result, console)
    columns = {
        "dtype": "dtype", "snr_db": "SNR dB", "streams": "streams", "frames": "frames", "step_ms": "ms a step",
        "step_ms_best": "best", "step_ms_first": "first", "step_cpu_ms": "CPU ms",
        "real_time_factor": "RTF", "real_time_factor_per_stream": "RTF a stream",
    }  # fmt: skip
    table = Table(*columns.values(), title="full-size NanoCodec, one decoder step")
    for row in result["codec_step"]:
        table.add_row(*("" if row[key] is None else str(row[key]) for key in columns))
    console.print(table)
    path = report.write(result, arguments.results, f"{result['date'][:10]}-codec-step")
    console.print(f"wrote {path}", highlight=False)


if __name__ == "__main__":
    main()
