"""Turns the corpus into codes for the language model, once the encoder is frozen.

Knows the exported codec and the corpus; no language model. Utterances are encoded whole, together only with
others of the same length, so no padding reaches the codes.

`codes.npz` (U utterances in the order of the shards, T frames in all):
    voice, tag, text   str [U]         "mira", "en_us", "Hello, Anna."
    held_out           bool [U]        true for lines that nothing may be trained on
    lengths            int32 [U]       frames of each utterance
    codes              int16 [4, T]    all utterances one after the other; offsets are the sums of `lengths`
`codes.ready` is written after it: JSON with counts and the entropy of each codebook.
"""

import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from finetune.tiny.data import Shard, Utterance, shards
from kani_npc.codec.source_filter import ENCODER_FILE, SourceFilterCodec

BATCH = 16


def run(folder: Path, *, threads: int = 2) -> None:
    """Writes `codes.npz` and `codes.ready` into the recipe's folder."""
    torch.set_num_threads(threads)
    codec = SourceFilterCodec.from_folder(folder / "codec", encoder=folder / "codec" / ENCODER_FILE)
    spoken = [
        (shard, utterance) for shard in shards(folder / "corpus") for utterance in shard.utterances
    ]
    codes = _encode(codec, spoken)
    codes_KT = np.concatenate(codes, axis=1)

    unfinished = folder / "codes.part.npz"
    np.savez(
        unfinished,
        voice=np.array([utterance.voice for _, utterance in spoken]),
        tag=np.array([utterance.tag for _, utterance in spoken]),
        text=np.array([utterance.text for _, utterance in spoken]),
        held_out=np.array([shard.is_held_out for shard, _ in spoken]),
        lengths=np.array([piece.shape[1] for piece in codes], dtype=np.int32),
        codes=codes_KT,
    )
    os.replace(unfinished, folder / "codes.npz")
    figures = {
        "utterances": len(spoken),
        "frames": codes_KT.shape[1],
        "hours": round(codes_KT.shape[1] / 12.5 / 3600, 2),
        "entropy_bits": [round(_entropy_bits(row), 2) for row in codes_KT],
        "codes_used": [len(np.unique(row)) for row in codes_KT],
    }
    (folder / "codes.ready").write_text(json.dumps(figures) + "\n")
    print(figures, flush=True)


def read_codes(path: Path) -> list[NDArray[np.int16]]:
    """The codes [4, frames] of every utterance, in the order of the shards."""
    with np.load(path) as arrays:
        ends = arrays["lengths"].cumsum()
        return np.split(arrays["codes"], ends[:-1], axis=1)


def _encode(
    codec: SourceFilterCodec, spoken: list[tuple[Shard, Utterance]]
) -> list[NDArray[np.int16]]:
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, (_, utterance) in enumerate(spoken):
        by_length[utterance.samples].append(number)
    codes: list[NDArray[np.int16]] = [np.zeros((0, 0), np.int16)] * len(spoken)
    with tqdm(total=len(spoken), unit="line", mininterval=5) as progress:
        for numbers in by_length.values():
            for first in range(0, len(numbers), BATCH):
                batch = numbers[first : first + BATCH]
                samples = np.stack(
                    [spoken[number][0].samples(spoken[number][1]) for number in batch]
                )
                codes_BKF = codec.encode_batch(torch.from_numpy(samples)).numpy().astype(np.int16)
                for number, codes_KF in zip(batch, codes_BKF, strict=True):
                    codes[number] = codes_KF
                progress.update(len(batch))
    return codes


def _entropy_bits(codes: NDArray[np.int16]) -> float:
    share = np.bincount(codes) / len(codes)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())
