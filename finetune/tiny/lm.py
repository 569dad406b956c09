"""Trains the language model of `tiny` on the codes of the corpus: the class, prompts and positions that serve.

The loss is over legal tokens only: place k of a frame chooses among the codes of codebook k, end_of_speech is a
choice at k = 0. Input codes are corrupted at random, so that the model learns to go on after an error of its own. Some
lines are several utterances of one voice in a row, so that long texts are no news. A speaker is what the speaker
encoder heard in one to three of its utterances, so that a voice can be enrolled from a recording. For the first half of
the time the model is also asked, at each frame, which symbol of its text is about due, as if all took the same time: a
crude alignment, but it teaches where to look long before the sound does. Resumable: `lm.pt` holds everything, the
batches of an epoch are a function of seed and epoch. The learning rate follows the minutes trained: warm-up, constant,
then down to nothing; or, where trained weights are refined on more lines, down from the start.

Files in the recipe's folder: `codes.npz` and `embeddings.npz` (read), `lm.pt` (checkpoint), `lm_log.jsonl` (a row every
evaluation).

Shapes: B rows, P prompt ids, F frames, K codebooks, H hidden.
"""

import json
import os
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from finetune.device import AUTO, autocast, device_of, multiplies_bfloat16
from finetune.tiny.package import lm_config, tokenizer
from finetune.tiny.speakers import Speakers
from finetune.tiny.teachers import TEACHERS, VOICES
from finetune.tiny.together import ALONE, Team, check_processes, train_together
from kani_npc.lm.config import LmConfig
from kani_npc.lm.load import load_lm
from kani_npc.lm.model import Lfm2
from kani_npc.prompt import build_prompt, positions
from kani_npc.speaker.protocol import WEIGHTS
from kani_npc.text.phones import MAX_SYMBOLS, PAD, PhoneTokenizer
from kani_npc.tokens import TokenLayout

CODEBOOK_SIZE = 1000
CODEBOOKS = 4
FSQ_LEVELS = (8, 5, 5, 5)
MAX_FRAMES = 500

CHECKPOINT_EVERY_S = 120.0
PEAK_RATE = 3e-3  # AdamW: embeddings, norms, convolution taps
PEAK_MATRIX_RATE = 7e-3  # Muon: the layers' matrices
DECAY_SHARE = 0.6  # of the time, at the end
REFINING_RATE = 0.6  # of the peaks, to begin with
WARM_UP_STEPS = 100
WEIGHT_DECAY = 0.05
EMA_DECAY = 0.998
CORRUPTED_ROWS = 0.9
MOST_CORRUPTED = 0.3  # of a row's codes; the mean over rows is half of it
CROWD_SHARE = 0.5  # of what the crowd says is in a pass over the corpus
JOINED = 0.15  # of the utterances are spoken in a row with others
UNTAGGED = 0.2  # of the lines in the first accent have no tag
# The mode without a speaker slot is learned with one voice, so that it has one.
VOICELESS_SHARE = 0.3
VOICELESS_VOICE = TEACHERS[0].voice
READING_WEIGHT = 0.3  # of the loss on the due symbol, to begin with
READING_SHARE = (0.25, 0.5)  # of the time: until when it weighs so much, and from when nothing
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Dims:
    """How large the model is. `layers` has a letter for each: c(onv) or a(ttention). Raises `ValueError`."""

    hidden_size: int = 256
    layers: str = "cacaca"
    ff_size: int = 640

    def __post_init__(self) -> None:
        if (
            self.hidden_size <= 0
            or self.hidden_size % 128
            or self.ff_size <= 0
            or self.ff_size % 16
        ):
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of 128 and ff_size {self.ff_size} of 16"
            )
        if not self.layers or set(self.layers) - set("ca"):
            raise ValueError(f"layers {self.layers!r} must be letters c(onv) and a(ttention)")


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance as codes."""

    voice: str
    tag: str
    text: str
    codes_FK: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Example:
    """What one row of a batch is made of. `voice` None: no speaker slot."""

    ids: tuple[int, ...]
    voice: str | None
    codes_FK: NDArray[np.int16]

    @property
    def shape(self) -> tuple[int, int, bool]:
        """(prompt ids, frames with room for the end, with a speaker): rows of a batch have the same."""
        needed = len(self.codes_FK) + 1
        grid = 4 if needed <= 32 else 8 if needed <= 64 else 32
        return len(self.ids), -(-needed // grid) * grid, self.voice is not None

    @property
    def tokens(self) -> int:
        """Of prompt and frames, as a row of a batch has them."""
        num_prompt, frames, _ = self.shape
        return num_prompt + CODEBOOKS * frames


@dataclass(frozen=True, slots=True)
class Batch:
    ids_BT: (
        Tensor  # prompt, then the codes but for the last one, whose successor is never asked for
    )
    positions_BT: Tensor
    speaker_BD: Tensor | None
    targets_BFK: Tensor  # IGNORED after the end
    symbols_BF: Tensor  # about due; IGNORED after the end
    num_prompt: int

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        moved = {
            f.name: value.to(device, non_blocking=True)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)


def read_codes(path: Path) -> tuple[list[Spoken], list[Spoken]]:
    """The utterances to train on, and the held-out ones."""
    with np.load(path) as file:
        codes_TK, frames = np.ascontiguousarray(file["codes"].T), file["lengths"]
        voices, tags, texts, held_out = (file[k] for k in ("voice", "tag", "text", "held_out"))
    ends = np.cumsum(frames)
    spoken = [
        Spoken(str(v), str(t), str(x), codes_TK[end - n : end])
        for v, t, x, n, end in zip(voices, tags, texts, frames, ends, strict=True)
    ]
    kept = [s for s, is_held_out in zip(spoken, held_out, strict=True) if not is_held_out]
    return kept, [s for s, is_held_out in zip(spoken, held_out, strict=True) if is_held_out]


class Examples:
    """Turns utterances into rows and batches."""

    def __init__(
        self,
        layout: TokenLayout,
        encode: PhoneTokenizer,
        audio_step: float,
        speakers: Speakers,
    ) -> None:
        self._layout, self._encode, self._audio_step = layout, encode, audio_step
        self._speakers = speakers

    def example(self, spoken: Spoken, *, tag: str | None, with_speaker: bool = True) -> Example:
        prompt = build_prompt(
            self._layout, self._encode.encode, spoken.text, tag, with_speaker=with_speaker
        )
        return Example(prompt.ids, spoken.voice if with_speaker else None, spoken.codes_FK)

    def epoch(self, utterances: Sequence[Spoken], rng: random.Random) -> list[Example]:
        """Every utterance once, in random company."""
        joined: dict[tuple[str, str], list[Spoken]] = defaultdict(list)
        lines: list[Spoken] = []
        for spoken in utterances:
            if rng.random() < JOINED:
                joined[spoken.voice, spoken.tag].append(spoken)
            else:
                lines.append(spoken)
        for (voice, tag), parts in joined.items():
            rng.shuffle(parts)
            while parts:
                # Mostly two or three, now and then as many as forty seconds hold.
                count = min(len(parts), 2 + int(rng.expovariate(0.6)))
                taken = [parts.pop() for _ in range(count)]
                while not self._fits_one_line(taken):
                    parts.append(taken.pop())
                text = " ".join(part.text for part in taken)
                codes = np.concatenate([part.codes_FK for part in taken])
                lines.append(Spoken(voice, tag, text, codes))
        examples: list[Example] = []
        for line in lines:
            untagged = line.tag == TEACHERS[0].tag and rng.random() < UNTAGGED
            voiceless = line.voice == VOICELESS_VOICE and rng.random() < VOICELESS_SHARE
            tag = None if untagged else line.tag
            examples.append(self.example(line, tag=tag, with_speaker=not voiceless))
        return examples

    def _fits_one_line(self, parts: Sequence[Spoken]) -> bool:
        """Whether a request may be as long, by the sound and by the text."""
        symbols = sum(len(self._encode.symbols(part.text, part.tag)) + 1 for part in parts)
        return symbols <= MAX_SYMBOLS and sum(len(part.codes_FK) for part in parts) < MAX_FRAMES

    def batches(
        self, examples: Sequence[Example], tokens: int, rng: random.Random
    ) -> Iterator[list[Example]]:
        """Groups of one shape and about `tokens` tokens, in random order."""
        by_shape: dict[tuple[int, int, bool], list[Example]] = defaultdict(list)
        for example in examples:
            by_shape[example.shape].append(example)
        groups: list[list[Example]] = []
        for rows in by_shape.values():
            rng.shuffle(rows)
            count = max(1, round(tokens / rows[0].tokens))
            groups += [rows[i : i + count] for i in range(0, len(rows), count)]
        rng.shuffle(groups)
        yield from groups

    def batch(self, rows: Sequence[Example], corrupt: np.random.Generator | None = None) -> Batch:
        """With `corrupt`, for training: some codes are replaced, speakers are drawn. Else they are the mean ones."""
        num_prompt, frames, with_speaker = rows[0].shape
        codes_BFK = np.zeros((len(rows), frames, CODEBOOKS), np.int64)
        targets_BFK = np.full((len(rows), frames, CODEBOOKS), IGNORED, np.int64)
        symbols_BF = np.full((len(rows), frames), IGNORED, np.int64)
        for row, example in enumerate(rows):
            length = len(example.codes_FK)
            symbols_BF[row, :length] = due_symbols(example)
            codes_BFK[row, :length] = example.codes_FK
            targets_BFK[row, :length] = example.codes_FK
            targets_BFK[row, length, 0] = self._layout.codebook_size  # end_of_speech's column
        if corrupt is not None:
            codes_BFK = corrupted(codes_BFK, corrupt)
        starts_K = np.array([self._layout.codebook_start(k) for k in range(CODEBOOKS)])
        audio_BT = (codes_BFK + starts_K).reshape(len(rows), -1)[:, :-1]
        ids_BT = np.concatenate((np.array([example.ids for example in rows]), audio_BT), axis=1)
        where_T = positions(ids_BT[0], self._layout, self._audio_step, speaker=with_speaker)
        speaker_BD = None
        if with_speaker:
            voices = [row.voice or "" for row in rows]
            if corrupt is None:
                speakers = [self._speakers.vectors[voice] for voice in voices]
            else:
                speakers = [self._speakers.draw(voice, corrupt) for voice in voices]
            speaker_BD = torch.from_numpy(np.stack(speakers))
        return Batch(
            torch.from_numpy(ids_BT),
            torch.from_numpy(where_T)[None].expand(len(rows), -1),
            speaker_BD,
            torch.from_numpy(targets_BFK),
            torch.from_numpy(symbols_BF),
            num_prompt,
        )


def due_symbols(example: Example) -> NDArray[np.int64]:
    """The id of the symbol due at each frame, [F], if every symbol took the same time.

    The first half frame is the teachers' lead-in, the last ones are silence: the final pause.
    """
    text = np.array(
        example.ids[3:-4]
    )  # after start_of_human, BOS and the tag; before the closing markers
    text = text[text != PAD]
    length = len(example.codes_FK)
    index = np.arange(length) / max(1, length - 2) * (len(text) - 1)
    return text[np.minimum(index.astype(np.int64), len(text) - 1)]


def corrupted(codes_BFK: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Some codes replaced, half of them by any code, half by one a level away in one of the group's dims.

    The second kind is what a model's own errors look like.
    """
    rows = len(codes_BFK)
    share_B = MOST_CORRUPTED * rng.random(rows) * (rng.random(rows) < CORRUPTED_ROWS)
    anywhere = rng.integers(0, CODEBOOK_SIZE, codes_BFK.shape)
    dim = rng.integers(0, len(FSQ_LEVELS), codes_BFK.shape)
    basis = np.cumprod((1, *FSQ_LEVELS[:-1]))[dim]
    levels = np.array(FSQ_LEVELS)[dim]
    level = codes_BFK // basis % levels
    moved = np.clip(level + rng.choice((-1, 1), codes_BFK.shape), 0, levels - 1)
    nearby = codes_BFK + (moved - level) * basis
    wrong = np.where(rng.random(codes_BFK.shape) < 0.5, anywhere, nearby)
    return np.where(rng.random(codes_BFK.shape) < share_B[:, None, None], wrong, codes_BFK)


def losses(lm: Lfm2, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy in nats of each codebook, [K] (end_of_speech with the first), and of the due symbol, []."""
    batch = batch.to(lm.device)
    # Attention as plain products: over rows this short torch's flash kernel for the CPU takes three times as long.
    with autocast(lm.device), sdpa_kernel(SDPBackend.MATH):
        hidden = lm.hidden(batch.ids_BT, batch.positions_BT, batch.speaker_BD)
        rows, frames, _ = batch.targets_BFK.shape
        first = batch.num_prompt - 1 + (batch.speaker_BD is not None)  # at start_of_speech
        hidden_BFKH = hidden[:, first:].view(rows, frames, CODEBOOKS, -1)
        logits = [
            lm.codebook_logits(hidden_BFKH[:, :, k].flatten(0, 1), k) for k in range(CODEBOOKS)
        ]
        text = F.linear(
            hidden_BFKH[:, :, 0].flatten(0, 1), lm.embed_tokens.weight[: lm.layout.base]
        )
    targets = batch.targets_BFK.flatten(0, 1).unbind(1)
    codes = [_cross_entropy(x, y) for x, y in zip(logits, targets, strict=True)]
    return torch.stack(codes), _cross_entropy(text, batch.symbols_BF.flatten())


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), targets, ignore_index=IGNORED)


class Float32Products(TorchFunctionMode):
    """Within it nothing is made bfloat16: `torch.optim.Muon` multiplies in that, whatever the device is good at."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return args[0].float() if func is Tensor.bfloat16 else func(*args, **(kwargs or {}))


class Trainer:
    """A model, its average, an optimiser, and where they are kept. The processes of a team have equal ones."""

    def __init__(self, lm: Lfm2, checkpoint: Path) -> None:
        self.lm = lm
        self.team = ALONE
        self.average = {name: weight.clone() for name, weight in lm.state_dict().items()}
        self.checkpoint = checkpoint
        self.step = self.epoch = self.batches_done = self.tokens = 0
        self.batches_an_epoch = 1
        self.seconds = 0.0
        # Muon learned the same from about two thirds of the tokens in a trial, for an eighth more time a step.
        taps = lm.config.conv_kernel
        matrices = [w for w in lm.layers.parameters() if w.ndim == 2 and w.shape[1] > taps]
        taken = {id(weight) for weight in matrices}
        others = [weight for weight in lm.parameters() if id(weight) not in taken]
        self._muon = torch.optim.Muon(
            matrices, PEAK_MATRIX_RATE, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"
        )
        self._adam = torch.optim.AdamW(
            others, PEAK_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        )

    def compile(self) -> None:
        """The layers through torch's compiler, where there is a C++ one: a third more tokens a second."""
        if shutil.which("g++") is None:
            return
        # A version for each kind of layer, with gradients and without, for one row and for more.
        torch._dynamo.config.recompile_limit = 32  # pyright: ignore[reportPrivateUsage]
        for layer in self.lm.layers:
            layer.compile(dynamic=True)

    def resume(self) -> None:
        if not self.checkpoint.exists():
            return
        kept = torch.load(self.checkpoint, weights_only=True, map_location=self.lm.device)
        self.lm.load_state_dict(kept["weights"])
        self.average = kept["average"]
        self._muon.load_state_dict(kept["muon"])
        self._adam.load_state_dict(kept["adam"])
        for name in ("step", "epoch", "batches_done", "tokens", "seconds"):
            setattr(self, name, kept[name])

    def save(self) -> None:
        """The first process's is everybody's."""
        if not self.team.is_first:
            return
        kept = {
            "weights": self.lm.state_dict(),
            "average": self.average,
            "muon": self._muon.state_dict(),
            "adam": self._adam.state_dict(),
            "audio_step": self.lm.config.audio_step,
            "dims": _dims(self.lm.config),
            **{n: getattr(self, n) for n in ("step", "epoch", "batches_done", "tokens", "seconds")},
        }
        draft = self.checkpoint.with_suffix(".part")
        torch.save(kept, draft)
        os.replace(draft, self.checkpoint)

    def train(self, batch: Batch, rate: float, reading: float = 0.0) -> Tensor:
        """One step at this share of the peak rates. Returns the losses of the codebooks and the due symbol, [K + 1]."""
        for optimiser, peak in ((self._muon, PEAK_MATRIX_RATE), (self._adam, PEAK_RATE)):
            for group in optimiser.param_groups:
                group["lr"] = peak * rate
        loss_K, symbol_loss = losses(self.lm, batch)
        self.lm.zero_grad(set_to_none=True)
        (loss_K.mean() + reading * symbol_loss).backward()
        self.team.average_gradients(list(self.lm.parameters()))
        torch.nn.utils.clip_grad_norm_(self.lm.parameters(), 1.0)
        with nullcontext() if multiplies_bfloat16(self.lm.device) else Float32Products():
            self._muon.step()
        self._adam.step()
        self.step += 1
        self.batches_done += 1
        self.tokens += self.team.size * batch.ids_BT.numel()
        if self.step % 4 == 0:
            keep = min(EMA_DECAY, (1 + self.step) / (10 + self.step)) ** 4
            for name, weight in self.lm.state_dict().items():
                self.average[name].lerp_(weight, 1 - keep)
        return torch.cat((loss_K, symbol_loss[None])).detach()


def rate(step: int, progress: float, *, refines: bool = False) -> float:
    """The learning rate's share of its peak: warm-up, constant, then linearly down over the last part.

    With `refines` linearly down all the time, from a part of it.
    """
    warm_up = (step + 1) / WARM_UP_STEPS
    if refines:
        return min(warm_up, REFINING_RATE * max(0.01, 1 - progress))
    return min(1.0, warm_up, max(0.01, (1 - progress) / DECAY_SHARE))


def reading_weight(progress: float) -> float:
    """What the loss on the due symbol weighs at a point 0..1 of the training."""
    full, none = READING_SHARE
    return READING_WEIGHT * min(1.0, max(0.0, (none - progress) / (none - full)))


@torch.no_grad()
def held_out_nll(
    lm: Lfm2, examples: Examples, held_out: Sequence[Spoken]
) -> tuple[list[float], float]:
    """Nats a token of each codebook with the right text, and the mean with other lines' texts.

    While the two are close the model does not read.
    """
    right = [examples.example(spoken, tag=spoken.tag) for spoken in held_out]
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, example in enumerate(right):
        by_length[len(example.ids)].append(i)
    wrong = list(right)
    for same in by_length.values():
        for i, other in zip(same, same[1:] + same[:1], strict=True):
            # The other line's text in this line's accent: the tag's place is after start_of_human and BOS.
            ids = (*right[i].ids[:3], *right[other].ids[3:])
            wrong[i] = Example(ids, right[i].voice, right[i].codes_FK)

    def mean(rows: Sequence[Example]) -> NDArray[np.float64]:
        total = np.zeros(CODEBOOKS)
        for group in examples.batches(rows, 4096, random.Random(0)):
            total += len(group) * losses(lm, examples.batch(group))[0].double().cpu().numpy()
        return total / len(rows)

    return mean(right).tolist(), float(mean(wrong).mean())


def symbols_per_frame(utterances: Sequence[Spoken], encode: PhoneTokenizer) -> float:
    """How many symbols of text a frame says: the `audio_step` that keeps a sound beside its symbol."""
    sample = random.Random(0).sample(list(utterances), min(1000, len(utterances)))
    symbols = sum(len(encode.symbols(spoken.text, spoken.tag)) for spoken in sample)
    return symbols / sum(len(spoken.codes_FK) for spoken in sample)


def new_lm(encode: PhoneTokenizer, audio_step: float, dims: Dims | None = None) -> Lfm2:
    config = lm_config(
        encode,
        **asdict(dims or Dims()),
        audio_step=audio_step,
        codebook_size=CODEBOOK_SIZE,
    )
    return Lfm2(config)


def _dims(config: LmConfig) -> dict[str, Any]:
    """What `Dims` are made of, of a model."""
    layers = "".join("c" if kind == "conv" else "a" for kind in config.layer_types)
    return {"hidden_size": config.hidden_size, "layers": layers, "ff_size": config.ff_size}


def _kept(checkpoint: Path) -> tuple[dict[str, Any], Dims]:
    """What a checkpoint holds, and its dims: the usual ones, if it is from before there was a choice."""
    kept = torch.load(checkpoint, weights_only=True, map_location="cpu")
    return kept, Dims(**kept.get("dims", {}))


def trained(folder: Path) -> Lfm2:
    """The newest checkpoint's averaged weights."""
    kept, dims = _kept(folder / "lm.pt")
    lm = new_lm(tokenizer(), kept["audio_step"], dims)
    lm.load_state_dict(kept["average"])
    return lm.eval().requires_grad_(False)


def begun_from(
    model: Path, encode: PhoneTokenizer, dims: Dims | None = None, *, speaker: Path | None = None
) -> Lfm2:
    """Weights of a model folder; the speaker projection is new unless `speaker` is the folder's own encoder.

    Raises `ValueError` for one of other dims.
    """
    given = load_lm(model)
    lm = new_lm(encode, given.config.audio_step, dims)
    if given.config != lm.config:
        raise ValueError(f"the model in {model} has other dims than this recipe's")
    weights = given.float().state_dict()
    if not _same_encoder(model / "speaker", speaker):
        for name, weight in lm.speaker_emb_projection.state_dict().items():
            weights[f"speaker_emb_projection.{name}"] = weight
    lm.load_state_dict(weights)
    return lm


def _same_encoder(one: Path, other: Path | None) -> bool:
    """Whether both folders have a speaker encoder, and the same one: a space's name may outlive its weights."""
    if other is None or not ((one / WEIGHTS).exists() and (other / WEIGHTS).exists()):
        return False
    return (one / WEIGHTS).read_bytes() == (other / WEIGHTS).read_bytes()


def run(
    folder: Path,
    *,
    minutes: float = 150.0,
    tokens: int = 4096,
    init: Path | None = None,
    dims: Dims | None = None,
    evaluate_every: int = 250,
    threads: int = 2,
    processes: int = 1,
    seed: int = 0,
    device: str = AUTO,
    refine: bool = False,
) -> None:
    """Trains to the end of `minutes`, or on from the newest checkpoint; `tokens` are of one step.

    `init` is a model folder of the same dims, to begin with its weights instead of random ones; `dims` are by default
    those of the checkpoint, if there is one. `refine` is for weights that are trained already: a gentle rate, and
    nothing about which symbol is due, which they know. `processes` share each step and the `threads`, on a CPU; a run
    may go on with another number of them. Raises `ValueError` for a model or checkpoint of other dims, or for
    processes that there are no threads or no CPU for, `ModelError` for a device that is not here.
    """
    check_processes(processes, threads, device)
    prepare = partial(_prepared, folder, init, dims, threads // processes, seed, device)
    train = partial(
        fit,
        log=folder / "lm_log.jsonl",
        minutes=minutes,
        tokens=tokens,
        evaluate_every=evaluate_every,
        seed=seed,
        refines=refine,
    )
    train_together(processes, prepare, train)


def _prepared(
    folder: Path, init: Path | None, dims: Dims | None, threads: int, seed: int, device: str
) -> tuple[Trainer, Examples, list[Spoken], list[Spoken]]:
    """What `fit` trains, where it stopped, and on what."""
    where = device_of(device)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    encode = tokenizer()
    utterances, held_out = read_codes(folder / "codes.npz")
    held_out = random.Random(seed).sample(held_out, min(256, len(held_out)))
    checkpoint = folder / "lm.pt"
    if checkpoint.exists():  # positions go on as they were learned, whatever the corpus is now
        kept, its_dims = _kept(checkpoint)
        if (dims := dims or its_dims) != its_dims:
            raise ValueError(f"{checkpoint} is of {its_dims}; take another folder, or remove it")
        lm = new_lm(encode, kept["audio_step"], dims)
    elif init:
        lm = begun_from(init, encode, dims, speaker=folder / "speaker")
    else:
        lm = new_lm(encode, round(symbols_per_frame(utterances, encode), 2), dims)
    trainer = Trainer(lm.to(where), checkpoint)
    trainer.resume()
    trainer.compile()
    speakers = Speakers.heard(folder / "embeddings.npz")
    examples = Examples(lm.layout, encode, lm.config.audio_step, speakers)
    return trainer, examples, utterances, held_out


def fit(
    team: Team,
    trainer: Trainer,
    examples: Examples,
    utterances: Sequence[Spoken],
    held_out: Sequence[Spoken],
    log: Path,
    minutes: float,
    tokens: int,
    *,
    evaluate_every: int = 250,
    seed: int = 0,
    refines: bool = False,
) -> None:
    """Trains until `trainer` has had its minutes, earlier runs included; `log` gets a row of figures now and then."""
    trainer.team = team
    if team.is_first:
        print(
            f"{sum(p.numel() for p in trainer.lm.parameters()) / 1e6:.2f} M parameters, {len(utterances)} utterances, "
            f"{len(held_out)} held out, audio_step {trainer.lm.config.audio_step}",
            flush=True,
        )
    started = saved = time.monotonic()
    before_s, recent = trainer.seconds, []
    while trainer.seconds < 60 * minutes:
        order = random.Random(f"{seed}/{trainer.epoch}")
        said = [u for u in utterances if u.voice in VOICES or order.random() < CROWD_SHARE]
        rows = examples.epoch(said, order)
        groups = list(examples.batches(rows, tokens // team.size, order))
        groups = shares(groups, team, order)
        if not groups:
            raise ValueError(f"{len(utterances)} utterances do not make a batch for each process")
        trainer.batches_an_epoch = len(groups)
        for i, group in enumerate(groups):
            if i < trainer.batches_done:
                continue
            batch = examples.batch(group, np.random.default_rng((seed, trainer.step, team.rank)))
            progress = trainer.seconds / 60 / minutes
            reading = 0.0 if refines else reading_weight(progress)
            share = rate(trainer.step, progress, refines=refines)
            recent.append(trainer.train(batch, share, reading))
            trainer.seconds = team.first_says(before_s + time.monotonic() - started)
            is_over = trainer.seconds >= 60 * minutes
            if trainer.step % evaluate_every == 0 or is_over:
                if team.is_first:
                    _report(trainer, torch.stack(recent).mean(0), examples, held_out, log)
                recent.clear()
            if time.monotonic() - saved > CHECKPOINT_EVERY_S or is_over:
                trainer.save()
                saved = time.monotonic()
            if is_over:
                return
        trainer.epoch += 1
        trainer.batches_done = 0


def shares(groups: Sequence[list[Example]], team: Team, rng: random.Random) -> list[list[Example]]:
    """The groups of one of a team: as many for each, and in each step of about one length, as all wait for the longest.

    Some of the shortest groups are left out where they do not go round.
    """
    if team.size == 1:
        return list(groups)
    by_length = sorted(groups, key=lambda group: len(group) * group[0].tokens)
    by_length = by_length[len(groups) % team.size :]
    steps = [by_length[i : i + team.size] for i in range(0, len(by_length), team.size)]
    rng.shuffle(steps)
    for step in steps:
        rng.shuffle(step)
    return [step[team.rank] for step in steps]


def _report(
    trainer: Trainer, loss: Tensor, examples: Examples, held_out: Sequence[Spoken], log: Path
) -> None:
    nll_K, wrong = held_out_nll(trainer.lm, examples, held_out)
    row = {
        "step": trainer.step,
        "epochs": round(trainer.epoch + trainer.batches_done / trainer.batches_an_epoch, 2),
        "parameters": sum(p.numel() for p in trainer.lm.parameters()),
        "minutes": round(trainer.seconds / 60, 2),
        "tokens": trainer.tokens,
        "tokens_per_s": round(trainer.tokens / trainer.seconds),
        "train": [round(x, 3) for x in loss[:CODEBOOKS].tolist()],
        "due_symbol": round(loss[CODEBOOKS].item(), 3),
        "held_out": [round(x, 3) for x in nll_K],
        "held_out_mean": round(sum(nll_K) / CODEBOOKS, 3),
        "wrong_text_mean": round(wrong, 3),
    }
    with log.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)
