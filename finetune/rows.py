"""Training rows: Parquet files with the columns of the published data sets, written and read through `datasets`.

A published data set loads as it is: a source names its columns (`TextSource`), as the published training's own
configuration does. Knows no sound, no tokenizer and no model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray

NUM_LAYERS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance: its text, its codes [F, 4] within each codebook, and who says it."""

    text: str
    codes_FK: NDArray[np.int16]
    speaker_emb: NDArray[np.float32] | None = None  # the speaker's, not this utterance's own
    speaker: str = ""
    tag: str | None = None
    source: str = ""  # the file that it came from

    @property
    def num_frames(self) -> int:
        return len(self.codes_FK)


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows are, and what their columns are called. `path` is what `prepare` wrote, a folder of Parquet files, a
    file, or a hub name that `datasets` knows (fetched because it was named), or a copy of what it names.

    The defaults are our own; the published sets have `nano_layer_1` to `4` and `encoded_len` as well.
    """

    path: str
    config: str | None = None  # which of a hub data set's, where it has several
    split: str = "train"
    text: str = "text"
    layers: Sequence[str] = tuple(f"nano_layer_{k + 1}" for k in range(NUM_LAYERS))
    encoded_len: str = "encoded_len"
    speaker_emb: str = "grouped_sp_emb"
    speaker: str = "speaker"
    tag_column: str = "tag"
    tag: str | None = None  # of all rows, instead of a column
    max_rows: int | None = None  # after a shuffle by `seed`
    seed: int = 42  # the published one


def features(speaker_dim: int) -> datasets.Features:
    """The columns that `prepare` writes."""
    codes = {
        f"nano_layer_{k + 1}": datasets.List(datasets.Value("int32")) for k in range(NUM_LAYERS)
    }
    return datasets.Features(
        {
            "text": datasets.Value("string"),
            **codes,
            "encoded_len": datasets.Value("int32"),
            "speaker_emb": datasets.List(datasets.Value("float32"), length=speaker_dim),
            "grouped_sp_emb": datasets.List(datasets.Value("float32"), length=speaker_dim),
            "speaker": datasets.Value("string"),
            "tag": datasets.Value("string"),
            "source": datasets.Value("string"),
            "speech_s": datasets.Value("float32"),
        }
    )


def load(source: Source) -> datasets.Dataset:
    """The data set of a source. Raises `ValueError` that names the path or the columns that it lacks."""
    path = Path(source.path)
    if path.is_dir():
        # `prepare` keeps its rows in a folder of their own.
        files = sorted(map(str, [*path.glob("*.parquet"), *path.glob("rows/*.parquet")]))
        if files:
            table = datasets.load_dataset("parquet", data_files=files, split="train")
        elif next(path.rglob("*.parquet"), None):  # a copy of a hub data set's repository
            table = datasets.load_dataset(source.path, source.config, split=source.split)
        else:
            raise ValueError(
                f"{path} has no Parquet files; `python -m finetune prepare` writes them"
            )
    elif path.is_file():
        table = datasets.load_dataset("parquet", data_files=str(path), split="train")
    elif path.suffix == ".parquet" or path.is_absolute() or source.path.startswith("."):
        raise ValueError(f"there is no {path}")
    else:
        table = datasets.load_dataset(source.path, source.config, split=source.split)
    missing = {source.text, *source.layers, source.encoded_len} - set(table.column_names)
    if missing:
        raise ValueError(
            f"{source.path} has no column {', '.join(sorted(missing))}; it has {', '.join(table.column_names)}"
        )
    if source.max_rows is not None:
        table = table.shuffle(seed=source.seed).select(range(min(source.max_rows, len(table))))
    return table


def rows(source: Source) -> Iterator[Row]:
    """The rows of a source. Raises `ValueError` for codes that do not fit each other, with the row's number."""
    for number, values in enumerate(load(source)):
        assert isinstance(values, Mapping)
        yield to_row(values, source, number)


def to_row(values: Mapping[str, Any], source: Source, number: int) -> Row:
    """Raises `ValueError`."""
    layers = [values[name] for name in source.layers]
    lengths = {len(layer) for layer in layers}
    if lengths != {values[source.encoded_len]}:
        raise ValueError(
            f"{source.path}, row {number}: codebooks of {sorted(lengths)} frames where "
            f"{source.encoded_len} is {values[source.encoded_len]}"
        )
    embedding = values.get(source.speaker_emb)
    return Row(
        text=values[source.text],
        codes_FK=np.array(layers, dtype=np.int16).T,
        speaker_emb=None if embedding is None else np.array(embedding, dtype=np.float32),
        speaker=values.get(source.speaker) or "",
        tag=source.tag if source.tag is not None else values.get(source.tag_column),
        source=values.get("source") or "",
    )
