"""What the language model is trained on: rows become examples, examples steps, steps batches.

An example is the published sequence (`prompt.training_row`). Which examples a step is of and how they are drawn follows
from seed, epoch and step alone: neither the number of processes nor a restart changes it. Several examples can share a
row (packing): between two of them stand empty inputs, one fewer than a convolution is long.

Knows no model: ids, positions and labels.

B rows, T inputs, N speakers, D their width
"""

import bisect
import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetune.recipe import Data, Loss
from finetune.rows import Source, load, to_row
from kani_npc.errors import InvalidUtterance
from kani_npc.lm.config import LmConfig
from kani_npc.lm.loss import IGNORED
from kani_npc.prompt import Encode, positions, training_row
from kani_npc.tokens import TokenLayout

# Of what is kept of rows between runs: to be raised when `_to_example` makes something else of them.
EXAMPLES_VERSION = 2
EMPTY = -1  # the segment of inputs that are nobody's
PACKED_AT_ONCE = 2048  # examples among which rows are filled up
SKIPPED = ("longer than max_s", "without sound", "with a text that the tokenizer cannot say")

Row = tuple[int, ...]
"""Which examples stand in a row of a batch, by number."""


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance as the model reads it. `speaker` None: no speaker slot."""

    ids: NDArray[np.int32]
    num_prompt: int
    speaker: NDArray[np.float32] | None = None

    @property
    def num_inputs(self) -> int:
        return len(self.ids) + (self.speaker is not None)


@dataclass(frozen=True, slots=True)
class Batch:
    ids_BT: Tensor
    positions_BT: Tensor  # float32
    labels_BT: Tensor  # of the inputs themselves; who predicts shifts them
    segments_BT: Tensor  # which example of its row; EMPTY for filling
    speakers_ND: Tensor
    speaker_rows_N: Tensor
    speaker_columns_N: Tensor
    is_packed: bool

    def to(self, device: torch.device) -> "Batch":
        moved = {
            f.name: value.to(device)
            for f in dataclasses.fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return dataclasses.replace(self, **moved)


class Examples:
    """The usable rows of some sources. `skipped` counts the others, by reason."""

    def __init__(self, table: datasets.Dataset) -> None:
        figures = table.select_columns(["num_prompt", "num_ids", "has_speaker"])
        columns = figures.with_format("numpy")[:]
        is_usable = columns["num_prompt"] >= 0
        self.skipped = Counter(SKIPPED[-1 - int(n)] for n in columns["num_prompt"][~is_usable])
        self._table = table.select(np.flatnonzero(is_usable)).with_format("numpy")
        self.num_ids = columns["num_ids"][is_usable].astype(np.int64)
        self.num_prompt = columns["num_prompt"][is_usable].astype(np.int64)
        self.has_speaker = columns["has_speaker"][is_usable].astype(bool)

    def __len__(self) -> int:
        return len(self.num_ids)

    def __getitem__(self, index: int) -> Example:
        values = self._table[index]
        speaker = values["speaker"] if self.has_speaker[index] else None
        return Example(values["ids"], int(values["num_prompt"]), speaker)

    @property
    def num_inputs(self) -> NDArray[np.int64]:
        return self.num_ids + self.has_speaker

    def split(self, share: float, seed: int) -> "tuple[Examples, Examples]":
        """All but a share, drawn by the seed, and that share: at least one where any is asked for."""
        order = np.random.default_rng(seed).permutation(len(self))
        held_out = min(len(self) - 1, max(1, round(share * len(self)))) if share else 0
        kept, rest = np.sort(order[held_out:]), np.sort(order[:held_out])
        return self._select(kept, self.skipped), self._select(rest, Counter())

    def _select(self, indices: NDArray[np.int64], skipped: Counter[str]) -> "Examples":
        some = Examples(self._table.with_format(None).select(indices))
        some.skipped = skipped
        return some

    def num_labels(self, loss: Loss) -> NDArray[np.int64]:
        """How many labels each example has, the first one too, as the published trainer counts them."""
        if loss.choices == "legal":
            return self.num_ids - self.num_prompt - 1  # codes and end_of_speech, not end_of_ai
        return self.num_ids if loss.prompt else self.num_ids - self.num_prompt


def read(
    sources: Sequence[Source], data: Data, config: LmConfig, encode: Encode, tokenizer_hash: str
) -> Examples:
    """The examples of some sources, for a model of these dims.

    Raises `ValueError` that names the source and the row for codes, ids or speakers that are another model's.
    """
    tables = [_examples_of(source, data, config, encode, tokenizer_hash) for source in sources]
    return Examples(datasets.concatenate_datasets(tables))


def _examples_of(
    source: Source, data: Data, config: LmConfig, encode: Encode, tokenizer_hash: str
) -> datasets.Dataset:
    try:
        table = load(source)
    except ValueError as wrong:
        if "corresponds to no data" in str(wrong):  # files without rows, in `datasets`' words
            raise ValueError(f"{source.path} has no rows") from None
        raise
    settings = (dataclasses.asdict(source), data.max_s, data.frames_per_s)
    made_from = (
        EXAMPLES_VERSION,
        table._fingerprint,
        settings,
        data.drop_repeated_frames,
        config,
        tokenizer_hash,
    )
    return table.map(
        lambda values, number: _to_example(values, number, source, data, config, encode),
        with_indices=True,
        remove_columns=table.column_names,
        features=datasets.Features(
            {
                "ids": datasets.List(datasets.Value("int32")),
                "num_ids": datasets.Value("int32"),
                "num_prompt": datasets.Value("int32"),
                "has_speaker": datasets.Value("bool"),
                "speaker": datasets.List(datasets.Value("float32")),
            }
        ),
        new_fingerprint=datasets.fingerprint.Hasher.hash(repr(made_from)),
        desc=f"examples of {source.path}",
    )


def _to_example(
    values: Mapping[str, Any],
    number: int,
    source: Source,
    data: Data,
    config: LmConfig,
    encode: Encode,
) -> dict[str, Any]:
    layout = config.layout
    row = to_row(values, source, number)
    where = f"{source.path}, row {number}"

    def made(ids: Sequence[int], num_prompt: int, speaker: Sequence[float] = ()) -> dict[str, Any]:
        # Numbers beside the lists: a run needs all of those at once, and of these a few at a time.
        return {
            "ids": list(ids),
            "num_ids": len(ids),
            "num_prompt": num_prompt,
            "has_speaker": bool(speaker),
            "speaker": list(speaker),
        }

    def skipped(reason: int) -> dict[str, Any]:
        return made([], -1 - reason)

    if row.codes_FK.shape[1] != layout.num_codebooks:
        raise ValueError(
            f"{where}: {row.codes_FK.shape[1]} codebooks where the model has {layout.num_codebooks}"
        )
    if row.num_frames == 0:
        return skipped(1)
    low, high = int(row.codes_FK.min()), int(row.codes_FK.max())
    if low < 0 or high >= layout.codebook_size:
        raise ValueError(
            f"{where}: code {low if low < 0 else high} where the model's codebooks have {layout.codebook_size}; "
            "the rows are of another codec"
        )
    if row.speaker_emb is not None and len(row.speaker_emb) != config.speaker_dim:
        raise ValueError(
            f"{where}: a speaker of {len(row.speaker_emb)} numbers where the model takes {config.speaker_dim}"
        )
    if row.num_frames > data.max_s * data.frames_per_s:
        return skipped(0)
    tag = row.tag or None
    try:
        prompt = training_row(layout, encode, row.text, [], tag)[:-2]
        frames = row.codes_FK.tolist()
        if data.drop_repeated_frames:
            ids = training_row(layout, encode, row.text, frames, tag)
        else:
            ids = [*prompt, *layout.to_ids(frames), layout.end_of_speech, layout.end_of_ai]
    except InvalidUtterance:
        return skipped(2)
    if max(ids[1 : len(prompt) - 3]) >= layout.base:
        raise ValueError(
            f"{where}: the tokenizer gives ids that are not text to the model; they do not belong together"
        )
    speaker = [] if row.speaker_emb is None else row.speaker_emb.tolist()
    return made(ids, len(prompt), speaker)


def epoch_rows(
    lengths: NDArray[np.int64], indices: NDArray[np.int64], pack_tokens: int, gap: int, seed: int
) -> list[Row]:
    """All of the indices in an order of the seed's, as rows: one each, or packed.

    Packing is best-fit, the longest first, among `PACKED_AT_ONCE` neighbours of that order; an example longer than a
    row has one to itself.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(indices)
    if not pack_tokens:
        return [(int(i),) for i in order]
    rows: list[Row] = []
    for first in range(0, len(order), PACKED_AT_ONCE):
        some = sorted(order[first : first + PACKED_AT_ONCE].tolist(), key=lambda i: -lengths[i])
        packed: list[list[int]] = []
        rooms: list[tuple[int, int]] = []  # left in each row, and the row; the least first
        for i in some:
            needed = int(lengths[i]) + gap
            at = bisect.bisect_left(rooms, (needed, 0))
            if at < len(rooms):
                room, row = rooms.pop(at)
            else:
                room, row = pack_tokens + gap, len(packed)
                packed.append([])
            packed[row].append(i)
            bisect.insort(rooms, (room - needed, row))
        rows += map(tuple, packed)
    return [rows[i] for i in rng.permutation(len(rows))]


def shares(
    rows: Sequence[Row], lengths: NDArray[np.int64], rows_at_once: int, process: int, processes: int
) -> list[list[Row]]:
    """The batches of one process for a step's rows, of like lengths each; all processes get equally many.

    Where rows run out a batch is empty: `collate` makes one that counts nothing of it.
    """
    ordered = sorted(rows, key=lambda row: -int(sum(lengths[i] for i in row)))
    batches = [ordered[i : i + rows_at_once] for i in range(0, len(ordered), rows_at_once)]
    batches += [[]] * (-len(batches) % processes)
    return [list(batch) for batch in batches[process::processes]]


def collate(
    rows: Sequence[Sequence[Example]],
    layout: TokenLayout,
    audio_step: float,
    speaker_dim: int,
    loss: Loss,
    gap: int,
) -> Batch:
    """Rows of examples as one batch, filled up on the right with pads that nothing is learned of.

    Positions and labels of a row with one example are the published ones, its filling's too. No rows: one pad.
    """
    lengths = [sum(e.num_inputs for e in row) + gap * (len(row) - 1) for row in rows]
    num_rows, num_inputs = max(1, len(rows)), max(lengths, default=1)
    ids_BT = np.full((num_rows, num_inputs), layout.pad, dtype=np.int64)
    labels_BT = np.full_like(ids_BT, IGNORED)
    segments_BT = np.full_like(ids_BT, EMPTY)
    positions_BT = np.zeros(ids_BT.shape, dtype=np.float32)
    speakers: list[NDArray[np.float32]] = []
    places: list[tuple[int, int]] = []
    for b, row in enumerate(rows):
        start = 0
        for number, example in enumerate(row):
            with_speaker = example.speaker is not None
            stop = start + example.num_inputs
            # The columns of its ids: the speaker stands after the first.
            columns = np.arange(start, stop)
            if example.speaker is not None:
                places.append((b, start + 1))
                speakers.append(example.speaker)
                columns = np.delete(columns, 1)
            ids_BT[b, columns] = example.ids
            labels_BT[b, columns] = _labels(example, layout, loss)
            if start > 0:
                labels_BT[b, start] = IGNORED  # what stands before it is not its own
            segments_BT[b, start:stop] = number
            positions_BT[b, start:stop] = positions(example.ids, layout, audio_step, with_speaker)
            # What follows is filling, unless another example is put there: pads count as text.
            rest = num_inputs - stop
            positions_BT[b, stop:] = positions_BT[b, stop - 1] + 1 + np.arange(rest)
            start = stop + gap
    return Batch(
        torch.from_numpy(ids_BT),
        torch.from_numpy(positions_BT),
        torch.from_numpy(labels_BT),
        torch.from_numpy(segments_BT),
        torch.from_numpy(np.array(speakers, dtype=np.float32).reshape(-1, speaker_dim)),
        torch.tensor([b for b, _ in places], dtype=torch.int64),
        torch.tensor([t for _, t in places], dtype=torch.int64),
        is_packed=any(len(row) > 1 for row in rows),
    )


def _labels(example: Example, layout: TokenLayout, loss: Loss) -> NDArray[np.int64]:
    labels = example.ids.astype(np.int64)
    if not loss.prompt or loss.choices == "legal":
        labels[: example.num_prompt] = IGNORED
    if loss.choices == "legal":
        labels[-1] = IGNORED  # end_of_ai: nothing is chosen there when it serves
    return labels


def without_some_speakers(share: float, seed: int, epoch: int) -> Callable[[int, Example], Example]:
    """Takes the speaker from a share of the examples; which ones is drawn anew each epoch."""

    def drawn(index: int, example: Example) -> Example:
        if share and np.random.default_rng((seed, epoch, index)).random() < share:
            return dataclasses.replace(example, speaker=None)
        return example

    return drawn


def with_wrong_codes(batch: Batch, layout: TokenLayout, most: float, seed: int) -> Batch:
    """Some codes of each row read as any other of their codebook, up to a share of `most`; labels stay as they are."""
    rng = np.random.default_rng(seed)
    ids_BT = batch.ids_BT.numpy().copy()
    codes_BT = ids_BT - layout.audio_tokens_start
    size, num_codes = layout.codebook_size, layout.num_codebooks * layout.codebook_size
    share_B1 = rng.uniform(0, most, (len(ids_BT), 1))
    is_wrong = (rng.random(ids_BT.shape) < share_B1) & (codes_BT >= 0) & (codes_BT < num_codes)
    others = codes_BT // size * size + rng.integers(0, size, ids_BT.shape)
    ids_BT[is_wrong] = layout.audio_tokens_start + others[is_wrong]
    return dataclasses.replace(batch, ids_BT=torch.from_numpy(ids_BT))
