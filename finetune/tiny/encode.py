"""Turns corpus and crowd into codes for the language model, once the codec's encoder is frozen.

Knows the exported codec and the two folders of speech; no language model. Utterances are encoded whole, together only
with others of the same length, so no padding reaches the codes. A shard whose codes exist is not encoded again.

`codes/<shard>.npy`    int16 [4, frames]   all utterances of a shard, one after the other; their lengths are the shard's
`codes.npz`            everything that a language model is trained or judged on (U utterances, T frames):
    voice, tag, text   str [U]         "mira", "en_us", "Hello, Anna."; a speaker of the crowd is a voice too
    held_out           bool [U]        true for lines that nothing may be trained on
    lengths            int32 [U]       frames of each utterance
    codes              int16 [4, T]    all utterances one after the other; offsets are the sums of `lengths`
`codes.ready` is written last: JSON with counts and the entropy of each codebook.

Of the crowd there are no speakers that are held out.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from finetune.device import AUTO, device_of
from finetune.tiny import crowd
from finetune.tiny.data import shards
from finetune.tiny.teachers import SAMPLES_PER_FRAME
from kani_npc.codec.source_filter import ENCODER_FILE, SourceFilterCodec

BATCH = 16
ESPEAK_SHARDS = 2  # of each of the crowd's espeak-ng speakers
ACCENT_TAGS = {
    "en-us": "en_us",
    "en-gb-x-rp": "en_rp",
    "en-gb-scotland": "en_scot",
    "en-gb-x-gbclan": "en_lanc",
}
_TAGS = {**ACCENT_TAGS, "es": "es_es"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance before it is encoded. `samples_N` holds whole frames."""

    voice: str
    tag: str
    text: str
    samples_N: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """A shard of either folder."""

    name: str
    is_held_out: bool
    spoken: Sequence[Spoken]


def run(folder: Path, *, threads: int = 2, device: str = AUTO) -> None:
    """Encodes what has no codes yet, then writes `codes.npz` and `codes.ready` into the recipe's folder.

    Raises `ModelError` for a device that is not here.
    """
    where = device_of(device)
    torch.set_num_threads(threads)
    codec = SourceFilterCodec.from_folder(folder / "codec", encoder=folder / "codec" / ENCODER_FILE)
    codec.to(where)
    (folder / "codes").mkdir(exist_ok=True)
    rows: list[tuple[str, str, str, bool, int]] = []
    pieces: list[NDArray[np.int16]] = []
    for source in tqdm(_sources(folder), unit="shard", mininterval=5):
        path = folder / "codes" / f"{source.name}.npy"
        if not path.exists():
            unfinished = path.with_suffix(".part.npy")
            np.save(unfinished, np.concatenate(_encode(codec, source.spoken), axis=1))
            os.replace(unfinished, path)
        pieces.append(np.load(path))
        rows += [
            (s.voice, s.tag, s.text, source.is_held_out, len(s.samples_N) // SAMPLES_PER_FRAME)
            for s in source.spoken
        ]
    voice, tag, text, held_out, lengths = zip(*rows, strict=True)
    codes_KT = np.concatenate(pieces, axis=1)
    if sum(lengths) != codes_KT.shape[1]:
        raise ValueError("codes of other speech than there is; delete codes/ and run encode again")
    unfinished = folder / "codes.part.npz"
    np.savez(
        unfinished,
        voice=np.array(voice),
        tag=np.array(tag),
        text=np.array(text),
        held_out=np.array(held_out),
        lengths=np.array(lengths, dtype=np.int32),
        codes=codes_KT,
    )
    os.replace(unfinished, folder / "codes.npz")
    figures = {
        "utterances": len(rows),
        "voices": len(set(voice)),
        "frames": codes_KT.shape[1],
        "hours": round(codes_KT.shape[1] / 12.5 / 3600, 2),
        "entropy_bits": [round(_entropy_bits(row), 2) for row in codes_KT],
        "codes_used": [len(np.unique(row)) for row in codes_KT],
    }
    (folder / "codes.ready").write_text(json.dumps(figures) + "\n")
    print(figures, flush=True)


def shard_codes(folder: Path, name: str, samples: Sequence[int]) -> list[NDArray[np.int16]]:
    """The codes [4, frames] of a shard's utterances, which are so many samples long.

    Raises `FileNotFoundError` for a shard that was not encoded.
    """
    ends = np.cumsum([count // SAMPLES_PER_FRAME for count in samples])
    codes_KT = np.load(folder / "codes" / f"{name}.npy")
    if codes_KT.shape[1] != ends[-1]:
        raise ValueError(f"the codes of {name} are of other speech; delete them and encode again")
    return np.split(codes_KT, ends[:-1], axis=1)


def encode_all(
    codec: SourceFilterCodec, sounds: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.int16]]:
    """The codes [4, frames] of each of these sounds of whole frames."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, samples in enumerate(sounds):
        by_length[len(samples)].append(number)
    codes: list[NDArray[np.int16]] = [np.zeros((0, 0), np.int16)] * len(sounds)
    for numbers in by_length.values():
        for first in range(0, len(numbers), BATCH):
            batch = numbers[first : first + BATCH]
            samples_BN = torch.from_numpy(np.stack([sounds[number] for number in batch]))
            codes_BKF = codec.encode_batch(samples_BN.to(codec.device)).cpu().numpy()
            for number, codes_KF in zip(batch, codes_BKF, strict=True):
                codes[number] = codes_KF.astype(np.int16)
    return codes


def _encode(codec: SourceFilterCodec, spoken: Sequence[Spoken]) -> list[NDArray[np.int16]]:
    return encode_all(codec, [s.samples_N for s in spoken])


def _sources(folder: Path) -> Iterator[Source]:
    for shard in shards(folder / "corpus"):
        spoken = [Spoken(u.voice, u.tag, u.text, shard.samples(u)) for u in shard.utterances]
        yield Source(shard.name, shard.is_held_out, spoken)
    for speaker in crowd.crowd():
        if speaker.is_held_out:
            continue
        for name, said in crowd.read_shards(folder / "crowd", speaker):
            number = int(name.rsplit("-", 1)[1])
            if not speaker.is_scaling and ESPEAK_SHARDS <= number < crowd.SPANISH_SHARD:
                continue
            spoken = [
                Spoken(
                    speaker.name,
                    _TAGS.get(s.tag, s.tag),
                    s.text,
                    (pcm / 32_768).astype(np.float32),
                )
                for s, pcm in said
            ]
            yield Source(name, False, spoken)


def _entropy_bits(codes: NDArray[np.int16]) -> float:
    share = np.bincount(codes) / len(codes)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())
