"""A character's lines as a decoder learns them: codes, the recording that they were made of, its pitch.

Rows keep no sound, so the recordings are read again, as `prepare` read them; one that is gone or was changed since is
an error. Also draws crops. Knows no losses.

Shapes: B crops, K codebooks, F frames, N samples, T hops of pitch.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from finetune.rows import Row, Source, rows
from finetune.takes import REASONS, Rejected, read
from kani_npc.codec.protocol import Codec
from kani_npc.codec.source_filter import HOPS_PER_FRAME, SourceFilterCodec
from kani_npc.errors import CodecError

# Lines that are encoded again, and how many of their codes have to agree: arithmetic differs a little from machine to
# machine, another codec's codes agree by chance alone.
CHECKED_LINES = 3
LEAST_AGREEMENT = 0.8
LEAST_LINES = 4  # two to train on, one to choose by, one for the report


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    speaker: str
    codes_KF: Tensor  # int64
    samples_N: Tensor  # float32, whole frames
    f0_T: (
        Tensor | None
    )  # Hz at the end of every hop, 0 where unvoiced; of a source-filter codec's lines

    @property
    def num_frames(self) -> int:
        return self.codes_KF.shape[1]


def read_lines(sources: Sequence[Source], codec: Codec) -> list[Line]:
    """The lines of these rows. Raises `ValueError` that says which row does not fit, and what to do."""
    found: list[Line] = []
    for source in sources:
        for number, row in enumerate(
            tqdm(list(rows(source)), unit="line", desc="recordings", leave=False)
        ):
            where = f"{source.path}, row {number}"
            line = _line(row, codec, where)
            if number < CHECKED_LINES:
                _check_codes(line, codec, where)
            found.append(line)
    return found


def _line(row: Row, codec: Codec, where: str) -> Line:
    frames, codebooks = row.codes_FK.shape
    low, high = int(row.codes_FK.min(initial=0)), int(row.codes_FK.max(initial=0))
    if codebooks != codec.num_codebooks or low < 0 or high >= codec.codebook_size:
        raise ValueError(
            f"{where}: {codebooks} codebooks with codes up to {high}; the codec has {codec.num_codebooks} "
            f"of {codec.codebook_size}. The rows are another codec's: prepare them with this one"
        )
    if not row.source:
        raise ValueError(
            f"{where} names no recording; `python -m finetune prepare` writes rows that do"
        )
    path = Path(row.source)
    try:
        take = read(path, codec.sample_rate_hz, codec.samples_per_frame, max_s=float("inf"))
    except Rejected as why:
        raise ValueError(f"{where}: {path} cannot be used: {REASONS[why.reason]}") from None
    if len(take.samples) != frames * codec.samples_per_frame:
        raise ValueError(
            f"{where}: {path} has {len(take.samples) / codec.sample_rate_hz:.2f} s, the row "
            f"{frames * codec.samples_per_frame / codec.sample_rate_hz:.2f} s; it was changed since: prepare it again"
        )
    f0_T = None
    if isinstance(codec, SourceFilterCodec):
        f0_T = _pitch(take.samples, codec)
    return Line(
        row.text,
        row.speaker,
        torch.from_numpy(row.codes_FK.T.astype(np.int64)),
        torch.from_numpy(take.samples),
        f0_T,
    )


def _pitch(samples: np.ndarray, codec: SourceFilterCodec) -> Tensor:
    # Imported here: pyworld has to be compiled, and only this codec needs it.
    from finetune.tiny.data import SAMPLE_RATE_HZ, f0_track

    if codec.sample_rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(
            f"the codec runs at {codec.sample_rate_hz} Hz; pitch is tracked at {SAMPLE_RATE_HZ} only"
        )
    return torch.from_numpy(f0_track(samples))


def _check_codes(line: Line, codec: Codec, where: str) -> None:
    """That the codes are this codec's, where its encoder is at hand to say so."""
    try:
        codes_KF = codec.encode(line.samples_N)
    except CodecError:
        return
    agreement = float((codes_KF.cpu() == line.codes_KF).float().mean())
    if agreement < LEAST_AGREEMENT:
        raise ValueError(
            f"{where}: {agreement:.0%} of its codes are what the codec makes of its recording. The rows are another "
            "codec's, or the recording was changed since: prepare it again"
        )


def split(lines: Sequence[Line], share: float, *, with_test: bool) -> tuple[list[Line], ...]:
    """Lines to train on, to choose the best weights by and, unless there are rows for it, to report on.

    By their text alone: a line said twice is on one side. Raises `ValueError` for too few.
    """
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(hashlib.sha256(line.text.encode()).hexdigest(), []).append(line)
    if len(groups) < LEAST_LINES:
        raise ValueError(f"{len(groups)} different lines; at least {LEAST_LINES} are needed")
    names = sorted(groups)
    count = max(1, round(share * len(names)))
    test, validation = count if with_test else 0, count
    parts = names[test + validation :], names[test : test + validation], names[:test]
    return tuple([line for name in part for line in groups[name]] for part in parts)


# --- crops


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops with the frames before them, which are decoded so that the crop begins as it does in its line."""

    codes_BKF: Tensor
    f0_BT: Tensor | None
    first_B: Tensor  # the crop's first frame
    samples_BN: Tensor  # of the crop, 0 behind the line's end
    valid_BN: Tensor  # 1.0 before it

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            self.codes_BKF.to(device),
            None if self.f0_BT is None else self.f0_BT.to(device),
            self.first_B.to(device),
            self.samples_BN.to(device),
            self.valid_BN.to(device),
        )


class Crops:
    """Draws crops, every frame as often as any other; beginnings of lines with nothing before them, as in use."""

    def __init__(
        self,
        lines: Sequence[Line],
        samples_per_frame: int,
        *,
        crop_frames: int,
        context_frames: int,
    ) -> None:
        self._lines = lines
        self._samples_per_frame = samples_per_frame
        self._crop = min(crop_frames, max(line.num_frames for line in lines))
        self._context = context_frames
        frames_L = np.array([line.num_frames for line in lines], dtype=np.float64)
        self._shares_L = frames_L / frames_L.sum()

    def batch(self, rng: np.random.Generator, crops: int) -> Batch:
        """The same for the same state of `rng`."""
        drawn = [self._draw(rng) for _ in range(crops)]
        f0 = [f0_T for _, f0_T, _, _, _ in drawn if f0_T is not None]
        return Batch(
            torch.stack([codes for codes, _, _, _, _ in drawn]),
            torch.stack(f0) if f0 else None,
            torch.tensor([first for _, _, first, _, _ in drawn]),
            torch.stack([samples for _, _, _, samples, _ in drawn]),
            torch.stack([valid for _, _, _, _, valid in drawn]),
        )

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor | None, int, Tensor, Tensor]:
        line = self._lines[int(rng.choice(len(self._lines), p=self._shares_L))]
        window = self._context + self._crop
        at = int(rng.integers(max(0, line.num_frames - self._crop) + 1))  # of the crop, in the line
        start = max(0, at - self._context)
        first = at - start
        # What a line does not reach goes on with its last frame; a causal decoder says nothing of it before.
        frames = torch.arange(start, start + window).clamp_max(line.num_frames - 1)
        f0_T = None
        if line.f0_T is not None:
            f0_T = line.f0_T[start * HOPS_PER_FRAME : (start + window) * HOPS_PER_FRAME]
            f0_T = torch.nn.functional.pad(f0_T, (0, window * HOPS_PER_FRAME - len(f0_T)))
        size = self._crop * self._samples_per_frame
        samples = line.samples_N[at * self._samples_per_frame :][:size]
        spare = (0, size - len(samples))
        return (
            line.codes_KF[:, frames],
            f0_T,
            first,
            torch.nn.functional.pad(samples, spare),
            torch.nn.functional.pad(torch.ones(len(samples)), spare),
        )


def cropped(x_BT: Tensor, first_B: Tensor, steps_per_frame: int, length: int) -> Tensor:
    """`length` steps of each row from its frame `first_B` on."""
    starts_B1 = first_B[:, None] * steps_per_frame
    return x_BT.gather(1, starts_B1 + torch.arange(length, device=x_BT.device))
