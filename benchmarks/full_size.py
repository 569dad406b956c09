"""`python -m benchmarks.full_size FOLDER`: a model folder of the published size with random weights, to be served.

What a machine without a hub measures the whole service with: `python -m benchmarks --only load --model FOLDER`. Speed
does not depend on the weights; lines do: they mean nothing, and each is `--frames` frames long, as end_of_speech is one
candidate of thousands. Its tokenizer knows bytes, so a text has more tokens than under the published one.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from benchmarks.codec_step import codec_of
from benchmarks.worker import FULL
from kani_npc.lm.config import LmConfig
from kani_npc.lm.load import save_lm
from kani_npc.lm.model import Lfm2
from kani_npc.tokens import END_OF_TEXT, START_OF_TEXT

NAME = "full size, random weights"
FRAMES = 40  # 3.2 s: an ordinary line's
MARKERS = ("<|pad|>", "<|startoftext|>", "<|endoftext|>")


def write(folder: Path, *, dims: Mapping[str, Any] = FULL, frames: int = FRAMES) -> None:
    """The folder, its language model in bfloat16 as published."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    lm = Lfm2(LmConfig.from_json(dims))
    save_lm(lm.bfloat16(), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_name": NAME}))
    _byte_tokenizer().save(str(folder / "tokenizer.json"))
    # As the published package samples, and never over before its time.
    limits = {"min_frames": frames, "max_frames": frames}
    sampling = {"temperature": 1.0, "top_p": 0.95, "top_k": 50, "repetition_penalty": 1.1}
    (folder / "generation_config.json").write_text(json.dumps(sampling | limits))
    codec_of(lm.layout).save(folder / "codec")


def _byte_tokenizer() -> Tokenizer:
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    assert MARKERS.index("<|startoftext|>") == START_OF_TEXT
    assert MARKERS.index("<|endoftext|>") == END_OF_TEXT
    vocabulary = {symbol: i for i, symbol in enumerate((*MARKERS, *symbols))}
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full_size", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each line, 80 ms each")
    arguments = parser.parse_args()
    write(arguments.folder, frames=arguments.frames)
    size = sum(path.stat().st_size for path in arguments.folder.rglob("*") if path.is_file())
    print(f"{arguments.folder}: {size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
