"""Judges `tiny` on lines that nothing was trained on: what an independent recogniser hears, beside its teachers.

Three columns a voice: the teacher's own recording, the codec's copy of it, and the model speaking the text. The
recogniser is pocketsphinx with a bigram of the recipe's lines, which can only answer words of the recipe's vocabulary:
figures compare columns, they are not open-vocabulary error rates.

    python -m finetune.tiny evaluate

Writes `evaluation.json` and `evaluation.md` into the recipe's folder, and the model's card.
"""

import json
import math
import re
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.tiny import card
from finetune.tiny.g2p import read_dictionary
from finetune.tiny.lines import lines, spoken_words, vocabulary
from finetune.tiny.lm import read_codes
from finetune.tiny.package import MODEL_FOLDER, tokenizer
from finetune.tiny.teachers import SAMPLE_RATE_HZ, TEACHERS, Teacher
from kani_npc.codec.load import load_codec
from kani_npc.lm.generate import generate
from kani_npc.lm.load import load_lm
from kani_npc.prompt import build_prompt
from kani_npc.speech import Sampling
from kani_npc.text import load_tokenizer
from kani_npc.text.phones import ALPHABET, PHONES

FRAMES_PER_S = 12.5
RUNAWAY = 2.0  # times as long as the teacher's line
_BIGRAM_LINES = 60_000
_DISCOUNT = 0.5
_RECOGNISER_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Result:
    """One teacher's voice. Rates are shares of words (0..1), errors over words said."""

    voice: str
    tag: str
    engine: str
    lines: int
    words: int
    teacher_wer: float
    copy_wer: float
    tiny_wer: float
    length_ratio: float  # mean of tiny / teacher
    length_spread: float  # its standard deviation
    runaways: float  # share of lines over RUNAWAY times the teacher's length, or without an end
    lm_rtf: float  # CPU seconds of one thread for a second of sound
    codec_rtf: float


class Recogniser:
    """pocketsphinx, which knows the recipe's words and which of them follow each other."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder, get_model_path

        with tempfile.TemporaryDirectory() as folder:
            dictionary, bigram = Path(folder) / "words.dict", Path(folder) / "bigram.arpa"
            dictionary.write_text(_dictionary())
            bigram.write_text(_bigram())
            self._decoder = Decoder(
                hmm=str(Path(get_model_path()) / "en-us" / "en-us"),
                lm=str(bigram),
                dict=str(dictionary),
                loglevel="FATAL",
            )

    def words(self, samples: NDArray[np.float32]) -> list[str]:
        """What it hears in mono samples at 22 050 Hz."""
        from scipy.signal import resample_poly

        heard = resample_poly(samples, _RECOGNISER_RATE_HZ // 50, SAMPLE_RATE_HZ // 50)
        heard = np.pad(heard, 2400)  # it needs some silence around the words
        pcm = (np.clip(heard, -1, 1) * 32_767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        if hypothesis is None:
            return []
        return re.sub(r"\(\d+\)", "", hypothesis.hypstr).split()


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Least number of substitutions, insertions and deletions."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def run(
    folder: Path, *, model: Path = MODEL_FOLDER, lines_each: int = 30, processes: int = 2
) -> list[Result]:
    """Judges every teacher's voice and writes the figures."""
    with ProcessPoolExecutor(processes) as pool:
        results = list(
            pool.map(
                _judge, TEACHERS, *zip(*[(folder, model, lines_each)] * len(TEACHERS), strict=True)
            )
        )
    report = {"model": model.name, "lines_each": lines_each, "voices": [asdict(r) for r in results]}
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    (folder / "evaluation.md").write_text(table(results))
    card.write(folder, model)
    print(table(results))
    return results


def table(results: Sequence[Result]) -> str:
    """The results as Markdown, a voice a row, and all voices at the end."""
    rows = [
        "| voice | accent | teacher's engine | WER teacher | WER codec copy | WER tiny | length tiny / teacher "
        "| runaways | CPU s per s of sound (model + codec) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        rows.append(
            f"| {r.voice} | {r.tag} | {r.engine} | {r.teacher_wer:.1%} | {r.copy_wer:.1%} | {r.tiny_wer:.1%} "
            f"| {r.length_ratio:.2f} ± {r.length_spread:.2f} | {r.runaways:.0%} "
            f"| {r.lm_rtf:.3f} + {r.codec_rtf:.3f} |"
        )
    for name, some in (
        ("flite voices", [r for r in results if r.engine.startswith("flite")]),
        ("all", results),
    ):
        words = sum(r.words for r in some)
        wer = [
            sum(getattr(r, column) * r.words for r in some) / words
            for column in ("teacher_wer", "copy_wer", "tiny_wer")
        ]
        rows.append(f"| **{name}** | | | " + " | ".join(f"**{x:.1%}**" for x in wer) + " | | | |")
    return "\n".join(rows) + "\n"


def _embeddings(model: Path) -> dict[str, list[float]]:
    """What the model's own voices.json says of each voice."""
    voices = json.loads((model / "voices.json").read_text())["voices"]
    return {voice["id"]: voice["embedding"] for voice in voices}


def _judge(teacher: Teacher, folder: Path, model: Path, lines_each: int) -> Result:
    # Imported here: it loads pyworld, which only making the corpus needs.
    from finetune.tiny.data import shards

    torch.set_num_threads(1)
    recogniser = _recogniser()
    recordings = {
        utterance.text: shard.samples(utterance)
        for shard in shards(folder / "corpus")
        if shard.is_held_out
        for utterance in shard.utterances
        if (utterance.voice, utterance.tag) == (teacher.voice, teacher.tag)
    }
    _, held_out = read_codes(folder / "codes.npz")
    spoken = [s for s in held_out if (s.voice, s.tag) == (teacher.voice, teacher.tag)][:lines_each]

    lm, codec, encode = load_lm(model), load_codec(model / "codec"), load_tokenizer(model).encode
    speaker = torch.tensor(_embeddings(model)[teacher.voice])
    errors = Counter[str]()
    ratios: list[float] = []
    words = runaways = 0
    lm_s = codec_s = sound_s = 0.0
    for line in spoken:
        said = spoken_words(line.text)
        words += len(said)
        limit = math.ceil(RUNAWAY * len(line.codes_FK)) + 4
        prompt = build_prompt(lm.layout, encode, line.text, teacher.tag, with_speaker=True)
        started = time.process_time()
        codes = generate(
            lm, prompt, speaker, Sampling(greedy=True, repetition_penalty=1.0, max_frames=limit)
        )
        generated = time.process_time()
        samples = codec.decode(codes).numpy()
        codec_s += time.process_time() - generated
        lm_s += generated - started
        sound_s += codes.shape[1] / FRAMES_PER_S
        copy = codec.decode(torch.from_numpy(line.codes_FK.T.astype(np.int64))).numpy()
        errors["teacher"] += word_errors(said, recogniser.words(recordings[line.text]))
        errors["copy"] += word_errors(said, recogniser.words(copy))
        errors["tiny"] += word_errors(said, recogniser.words(samples) if len(samples) else [])
        ratios.append(codes.shape[1] / len(line.codes_FK))
        runaways += codes.shape[1] >= limit
    return Result(
        teacher.voice,
        teacher.tag,
        f"{teacher.engine} {teacher.engine_voice}",
        len(spoken),
        words,
        errors["teacher"] / words,
        errors["copy"] / words,
        errors["tiny"] / words,
        float(np.mean(ratios)),
        float(np.std(ratios)),
        runaways / len(spoken),
        lm_s / sound_s,
        codec_s / sound_s,
    )


@cache
def _recogniser() -> Recogniser:
    """One a process: its bigram takes longer to count than a voice to judge."""
    return Recogniser()


def _dictionary() -> str:
    known = read_dictionary()
    rules = tokenizer()
    rows: list[str] = []
    for word in vocabulary():
        if word in known:
            phones = [PHONES[ALPHABET.index(symbol)] for symbol in known[word]]
        else:
            phones = [symbol for symbol in rules.symbols(word) if symbol in PHONES]
        rows.append(f"{word} {' '.join(phones)}\n")
    return "".join(rows)


def _bigram() -> str:
    """ARPA text of a bigram with absolute discounting, from lines that are not the judged ones."""
    ones, twos = Counter[str](), Counter[tuple[str, str]]()
    for line in islice(lines(123, held_out=False), _BIGRAM_LINES):
        words = ["<s>", *spoken_words(line), "</s>"]
        ones.update(words)
        twos.update(pairwise(words))
    for word in vocabulary():
        ones.setdefault(word, 1)
    follows, kinds = Counter[str](), Counter[str]()
    for (first, _), count in twos.items():
        follows[first] += count
        kinds[first] += 1
    total = ones.total()

    def back_off(word: str) -> float:
        return math.log10(_DISCOUNT * kinds[word] / follows[word]) if follows[word] else 0.0

    rows = ["\\data\\", f"ngram 1={len(ones)}", f"ngram 2={len(twos)}", "", "\\1-grams:"]
    rows += [f"{math.log10(n / total):.4f} {w} {back_off(w):.4f}" for w, n in sorted(ones.items())]
    rows += ["", "\\2-grams:"]
    rows += [
        f"{math.log10((n - _DISCOUNT) / follows[a]):.4f} {a} {b}"
        for (a, b), n in sorted(twos.items())
    ]
    return "\n".join([*rows, "", "\\end\\", ""])
