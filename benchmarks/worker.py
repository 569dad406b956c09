"""A process that decodes when told to, so that two implementations can take turns on one machine.

The parent writes a line, the worker decodes and answers with one line of JSON. Imports torch alone: it also runs in
an environment that does not have kani_npc.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

Decode = Callable[[], int]
"""Decodes one utterance and returns how many tokens that were."""

ROOT = Path(__file__).resolve().parent.parent

# LFM2-350M as KaniTTS2 uses it (its config.json, and 4 x 4032 codes), and the same code at dims for a quick look.
FULL = {
    "vocab_size": 80_538,
    "audio_tokens_start": 64_410,
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "num_hidden_layers": 16,
    "layer_types": ["full_attention" if i in (2, 5, 8, 10, 12, 14) else "conv" for i in range(16)],
    "block_ff_dim": 6656,
    "block_auto_adjust_ff_dim": True,
    "block_multiple_of": 256,
    "block_ffn_dim_multiplier": 1.0,
    "conv_L_cache": 3,
    "norm_eps": 1e-5,
    "rope_theta": 1e6,
    "use_learnable_rope": True,
    "alpha_min": 0.1,
    "alpha_max": 2.0,
    "audio_step": 1.0,
    "tokens_per_frame": 4,
    "speaker_emb_dim": 128,
}
SMALL = FULL | {
    "vocab_size": 586,
    "audio_tokens_start": 330,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "layer_types": ["conv", "full_attention"],
    "block_ff_dim": 192,
}
PROMPT_TOKENS = 40


def serve(prepare: Callable[[dict[str, Any]], Decode]) -> None:
    """The worker's side: prepare once, then decode at every line on standard input."""
    import torch

    torch.set_grad_enabled(False)
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    # Whatever a library prints while it loads must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    decode = prepare(settings)
    decode()  # warm
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        tokens = decode()
        answer = {
            "tokens": tokens,
            "wall_s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
        }
        print(json.dumps(answer), file=answers, flush=True)


class Worker:
    """The parent's side of one such process."""

    def __init__(
        self, python: str | Path, module: str, settings: dict[str, Any], log: Path
    ) -> None:
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", module, json.dumps(settings)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if self._line() != "ready\n":
            self.close()
            raise RuntimeError(f"{module} did not start: {self._last_words()}")

    def decode(self) -> dict[str, float]:
        """One decode: tokens, wall_s, cpu_s."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._line()
        if not line:
            raise RuntimeError(f"a worker ended early: {self._last_words()}")
        return json.loads(line)

    def close(self) -> None:
        with ExitStack() as stack:
            stack.callback(self._process.wait)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    stack.callback(pipe.close)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _last_words(self) -> str:
        lines = self._log.read_text().strip().splitlines()
        return lines[-1] if lines else "it said nothing"
