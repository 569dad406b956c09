"""From a folder of recordings and their texts to rows that can be trained on, and a report on what they are.

    <out>/parts/NNNNN.json       what became of 64 takes: written last, so a part that has one is not made again
    <out>/parts/NNNNN.npz        codes, embeddings and figures of those that were kept
    <out>/rows/train.parquet     the rows, with the published data sets' columns (`rows.features`)
    <out>/rejected.csv           every take that is not among them, and why
    <out>/report.json, .md       durations, levels, noise, text coverage, speaking rate

A bad take never stops the run and never passes silently. Takes are read, checked and encoded in processes of one thread
each; the encoder hears every take alone, since padding changes the codes of a codec.
"""

import csv
import hashlib
import io
import json
import multiprocessing
import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tqdm import tqdm

from finetune import checkpoints
from finetune.recogniser import open_recogniser, spoken_words, word_errors
from finetune.speaking import codec_encoder_of, open_codec, speaker_encoder_of
from finetune.takes import MAX_S, REASONS, Rejected, read
from kani_npc import models
from kani_npc.config import single_thread_environment
from kani_npc.errors import CodecError, InvalidUtterance, ModelError
from kani_npc.lm.config import LmConfig
from kani_npc.speaker.enrollment import unit
from kani_npc.text.clean import clean

PART = 64
SOUND_FILES = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff")
# Of the others' median: outside, text and sound are of different lines, or half of one is missing.
RATE_BOUNDS = (0.4, 2.5)
# Cosine to the mean of a speaker's other takes.
LEAST_LIKENESS = 0.5
# Of a text's words, where a recogniser is asked; a good one gets a tenth or two wrong, of another line nearly all.
MOST_WORDS_WRONG = 0.8
LEAST_WORDS = 4  # of a text that is judged so: one misheard word is no proof
COLUMNS = ("path", "text", "speaker", "tag")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the manifest."""

    path: str
    text: str
    speaker: str = ""
    tag: str = ""
    fault: str = ""  # what is wrong with the line itself, and where it stands


@dataclass(frozen=True, slots=True)
class Tools:
    """What a process loads once."""

    codec: str
    codec_encoder: str | None
    speaker_encoder: str
    max_s: float
    recogniser: str
    codebooks: tuple[int, int]  # that the model takes: how many, of how many codes


def read_manifest(source: Path, *, speaker: str, tag: str) -> list[Entry]:
    """The entries of a folder (sounds beside .txt files), a .csv or a .jsonl; `speaker` and `tag` fill what is not
    given. Paths in a file are relative to it. A line that is none is an entry with its fault.

    Raises `ValueError` that names the file for one that is no manifest at all.
    """
    if source.is_dir():
        sounds = sorted(p for p in source.rglob("*") if p.suffix.lower() in SOUND_FILES)
        entries = [_beside(sound, speaker, tag) for sound in sounds]
    elif source.suffix in (".csv", ".jsonl") and source.is_file():
        try:
            text = source.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{source} is not in UTF-8") from None
        given = _csv(source, text) if source.suffix == ".csv" else _jsonl(text)
        entries = [_entry(values, source, line, speaker, tag) for line, values in given]
    else:
        raise ValueError(f"{source} is no folder, no .csv and no .jsonl")
    if not entries:
        raise ValueError(f"{source} has no recordings ({', '.join(SOUND_FILES)})")
    return entries


def _beside(sound: Path, speaker: str, tag: str) -> Entry:
    """A sound with the text that is beside it."""
    path = sound.with_suffix(".txt")
    try:
        text = path.read_text(encoding="utf-8-sig").strip() if path.is_file() else ""
    except UnicodeDecodeError:
        return Entry(str(sound), "", speaker, tag, f"{path.name} is not in UTF-8")
    return Entry(str(sound), text, speaker, tag)


def _csv(source: Path, text: str) -> Iterator[tuple[int, Any]]:
    table = csv.DictReader(io.StringIO(text, newline=""))
    unknown = set(table.fieldnames or ()) - set(COLUMNS)
    if unknown or "path" not in (table.fieldnames or ()):
        what = f"unknown column {', '.join(sorted(unknown))}" if unknown else "no column path"
        raise ValueError(f"{source}: {what}; {', '.join(COLUMNS)} are known")
    for values in table:
        yield table.line_num, values


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError:
                yield number, None


def _entry(values: Any, source: Path, line: int, speaker: str, tag: str) -> Entry:
    where = f"{source.name}, line {line}"
    if not isinstance(values, dict):
        return Entry(where, "", speaker, tag, f"line {line}: not a JSON object")
    given = {name: values[name] for name in values if values[name] not in (None, "")}
    if unknown := sorted(str(name) for name in given if name not in COLUMNS):
        return Entry(where, "", speaker, tag, f"line {line}: unknown column {unknown[0]}")
    if wrong := sorted(name for name, value in given.items() if not isinstance(value, str)):
        return Entry(where, "", speaker, tag, f"line {line}: {wrong[0]} is no text")
    if "path" not in given:
        return Entry(where, "", speaker, tag, f"line {line}: no path")
    return Entry(
        str(source.parent / given["path"]),
        given.get("text", ""),
        given.get("speaker", speaker),
        given.get("tag", tag),
    )


def run(
    source: Path,
    out: Path,
    *,
    model: str = "tiny",
    codec: str | None = None,
    codec_encoder: str | None = None,
    speaker_encoder: str | None = None,
    speaker: str = "",
    tag: str = "",
    max_s: float = MAX_S,
    recogniser: str = "",
    processes: int = 2,
) -> dict[str, Any]:
    """Prepares what has not been prepared yet; returns the report.

    `model` says which codec and which speaker encoder: rows are of one model's vocabulary and space. With a
    `recogniser` (as `finetune.recogniser` names them) takes are left out of which it hears hardly a word of the text.
    Raises `ValueError` for a manifest and `KaniError` for a model that cannot be used, `OSError` for a full disk.
    """
    entries = read_manifest(source, speaker=speaker, tag=tag)
    tools = _tools(model, codec, codec_encoder, speaker_encoder, max_s, recogniser)
    parts = out / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    groups = [entries[i : i + PART] for i in range(0, len(entries), PART)]
    wanted = [
        (parts / f"{i:05}.json", group, _fingerprint(group, tools))
        for i, group in enumerate(groups)
    ]
    missing = [
        (path, group, print_) for path, group, print_ in wanted if not _is_done(path, print_)
    ]
    takes = sum(len(group) for _, group, _ in missing)
    progress = tqdm(total=takes, unit="take", desc="prepare", disable=not missing)
    with progress, _pool(processes, tools) as pool:
        running = {pool.submit(_prepare_part, *job): len(job[1]) for job in missing}
        for done in as_completed(running):
            done.result()
            progress.update(running[done])
    for stale in set(parts.glob("*.json")) - {path for path, _, _ in wanted}:
        stale.unlink()
        stale.with_suffix(".npz").unlink(missing_ok=True)
    return _finish(out, [path for path, _, _ in wanted], tools)


def _pool(processes: int, tools: Tools) -> Executor:
    if processes == 1:  # this one: a process of its own would only cost its start
        return ThreadPoolExecutor(1, initializer=_begin, initargs=(tools,))
    # Spawned: a fork of a process with numeric threads may hang. One thread each, set before they import anything.
    os.environ.update(single_thread_environment())
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(tools,))


def _tools(
    model: str,
    codec: str | None,
    codec_encoder: str | None,
    speaker_encoder: str | None,
    max_s: float,
    recogniser: str,
) -> Tools:
    folder = models.resolve_model(model)
    # Not above: a process of the pool would wait for it too.
    from finetune.rows import NUM_LAYERS

    layout = LmConfig.from_json(folder).layout
    if layout.num_codebooks != NUM_LAYERS:
        raise ModelError(f"{folder} has {layout.num_codebooks} codebooks; rows are of {NUM_LAYERS}")
    codec_path = models.resolve_codec(codec, folder) or folder / "codec"
    of_model = codec_encoder or codec_encoder_of(model)
    encoder = speaker_encoder_of(model, speaker_encoder)
    return Tools(
        str(codec_path),
        of_model and str(of_model),
        str(encoder),
        max_s,
        recogniser,
        (layout.num_codebooks, layout.codebook_size),
    )


def _fingerprint(group: Sequence[Entry], tools: Tools) -> str:
    """Of everything that a part is made from: another take, text or codec makes it anew."""
    made_from: list[Any] = [asdict(tools)]
    for entry in group:
        path = Path(entry.path)
        stat = path.stat() if path.is_file() else None
        made_from.append((asdict(entry), stat and (stat.st_size, stat.st_mtime_ns)))
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def _is_done(path: Path, fingerprint: str) -> bool:
    try:
        return json.loads(path.read_text())["fingerprint"] == fingerprint
    except (OSError, ValueError, KeyError):
        return False


# From here on: a process of the pool.

_tools_here: Tools | None = None
_loaded: tuple[Any, Any, Any] | None = None


def _begin(tools: Tools) -> None:
    # Opened with the first take: what goes wrong here would end the pool without a word.
    global _tools_here, _loaded
    _tools_here, _loaded = tools, None


def _open(tools: Tools) -> tuple[Any, Any, Any]:
    """Codec, speaker encoder, recogniser."""
    import torch

    from kani_npc.speaker.load import load_speaker_encoder

    torch.set_num_threads(1)
    codec = open_codec(Path(tools.codec), tools.codec_encoder)
    found = codec.num_codebooks, codec.codebook_size
    if found != tools.codebooks:
        raise CodecError(
            f"the codec {tools.codec} has {found[0]} codebooks of {found[1]} codes; the model takes "
            f"{tools.codebooks[0]} of {tools.codebooks[1]}"
        )
    hear = open_recogniser(tools.recogniser) if tools.recogniser else None
    return codec, load_speaker_encoder(tools.speaker_encoder), hear


def _prepare_part(path: Path, group: Sequence[Entry], fingerprint: str) -> None:
    kept: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    rejected: list[dict[str, str]] = []
    for entry in group:
        try:
            codes_FK, embedding, found = _prepare(entry)
        except Rejected as why:
            rejected.append({"path": entry.path, "reason": why.reason, "detail": why.detail})
            continue
        arrays[f"codes{len(kept)}"], arrays[f"embedding{len(kept)}"] = codes_FK, embedding
        kept.append(found)
    _write(path.with_suffix(".npz"), lambda file: np.savez(file, **arrays))  # pyright: ignore[reportArgumentType]
    document = {"fingerprint": fingerprint, "kept": kept, "rejected": rejected}
    _write(path, lambda file: file.write(json.dumps(document).encode()))


def _prepare(entry: Entry) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    import torch

    global _loaded
    assert _tools_here is not None
    tools, _loaded = _tools_here, _loaded or _open(_tools_here)
    codec, encoder, hear = _loaded
    if entry.fault:
        raise Rejected("bad_row", entry.fault)
    try:
        text = clean(entry.text)
    except InvalidUtterance:
        raise Rejected("no_text") from None
    take = read(Path(entry.path), codec.sample_rate_hz, codec.samples_per_frame, max_s=tools.max_s)
    if hear is not None:
        _check_words(text, entry.tag, hear(take.samples, codec.sample_rate_hz))
    with torch.inference_mode():
        codes_KF = codec.encode(torch.from_numpy(take.samples))
    import soxr

    heard = soxr.resample(take.samples, codec.sample_rate_hz, encoder.sample_rate_hz)
    found = asdict(entry) | {
        "text": text,
        "speech_s": take.speech_s,
        "file_rate_hz": take.file_rate_hz,
        "codec_rate_hz": codec.sample_rate_hz,
        "channels": take.channels,
        "loudness_lufs": take.loudness_lufs,
        "clipped_share": take.clipped_share,
        "snr_db": take.snr_db,
    }
    return codes_KF.T.numpy().astype(np.int16), encoder.embed(heard), found


def _check_words(text: str, tag: str, heard: str) -> None:
    """Raises `Rejected` where hardly a word of the text is heard."""
    english = not tag or tag.lower().startswith("en")
    words = spoken_words(text, english=english)
    if len(words) >= LEAST_WORDS:
        errors = word_errors(words, spoken_words(heard, english=english))
        if errors >= MOST_WORDS_WRONG * len(words):
            raise Rejected("text_mismatch", f"{errors} of {len(words)} words are heard otherwise")


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """All of it or nothing, on the disk before it has its name."""

    def write_to(draft: Path) -> None:
        with draft.open("wb") as file:
            write(file)

    checkpoints.write(path, write_to)


# And back in the one that was started.


def _finish(out: Path, parts: Sequence[Path], tools: Tools) -> dict[str, Any]:
    # Not above: a process of the pool would wait for it too.
    import datasets

    from finetune.rows import features

    kept: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    codes: list[np.ndarray] = []
    embeddings: list[np.ndarray] = []
    for path in parts:
        document = json.loads(path.read_text())
        rejected += document["rejected"]
        with np.load(path.with_suffix(".npz")) as arrays:
            for i, found in enumerate(document["kept"]):
                kept.append(found)
                codes.append(arrays[f"codes{i}"])
                embeddings.append(arrays[f"embedding{i}"])
    likeness = _likeness([found["speaker"] for found in kept], embeddings)
    rates = _rates(kept)
    reasons = [_odd(found, like, rates) for found, like in zip(kept, likeness, strict=True)]
    rejected += [
        {"path": found["path"], "reason": why.reason, "detail": why.detail}
        for found, why in zip(kept, reasons, strict=True)
        if why
    ]
    stays = [i for i, why in enumerate(reasons) if why is None]
    if not stays:
        _write_rejected(out, rejected)
        counts = Counter(one["reason"] for one in rejected)
        raise ValueError(f"no take could be used: {dict(counts)}; see {out / 'rejected.csv'}")
    groups = _group_means([kept[i]["speaker"] for i in stays], [embeddings[i] for i in stays])
    columns = {
        "text": [kept[i]["text"] for i in stays],
        **{f"nano_layer_{k + 1}": [codes[i][:, k].tolist() for i in stays] for k in range(4)},
        "encoded_len": [len(codes[i]) for i in stays],
        "speaker_emb": [embeddings[i].tolist() for i in stays],
        "grouped_sp_emb": [groups[kept[i]["speaker"]].tolist() for i in stays],
        "speaker": [kept[i]["speaker"] for i in stays],
        "tag": [kept[i]["tag"] or None for i in stays],
        "source": [kept[i]["path"] for i in stays],
        "speech_s": [kept[i]["speech_s"] for i in stays],
    }
    table = datasets.Dataset.from_dict(columns, features=features(len(embeddings[0])))
    (out / "rows").mkdir(exist_ok=True)
    _write(out / "rows" / "train.parquet", table.to_parquet)
    _write_rejected(out, rejected)
    report = _report([kept[i] for i in stays], [likeness[i] for i in stays], rejected, tools)
    _write(out / "report.json", lambda f: f.write((json.dumps(report, indent=2) + "\n").encode()))
    _write(out / "report.md", lambda f: f.write(_markdown(report).encode()))
    return report


def _likeness(speakers: Sequence[str], embeddings: Sequence[np.ndarray]) -> list[float]:
    """Each take's cosine to the mean of its speaker's other takes; 1 for an only one."""
    sums = {
        s: np.sum([e for t, e in zip(speakers, embeddings, strict=True) if t == s], 0)
        for s in set(speakers)
    }
    found: list[float] = []
    for speaker, embedding in zip(speakers, embeddings, strict=True):
        others = sums[speaker] - embedding
        norm = float(np.linalg.norm(others))
        found.append(float(embedding @ others) / norm if norm > 1e-6 else 1.0)
    return found


def _rates(kept: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """The least and the most characters a second that are believed."""
    middle = statistics.median(_rate(found) for found in kept) if kept else 0.0
    return RATE_BOUNDS[0] * middle, RATE_BOUNDS[1] * middle


def _rate(found: dict[str, Any]) -> float:
    return sum(c.isalnum() for c in found["text"]) / found["speech_s"]


def _odd(found: dict[str, Any], like: float, rates: tuple[float, float]) -> Rejected | None:
    rate = _rate(found)
    if not rates[0] <= rate <= rates[1]:
        return Rejected("text_mismatch", f"{rate:.1f} characters a second")
    if like < LEAST_LIKENESS:
        return Rejected("other_speaker", f"cosine {like:.2f}")
    return None


def _group_means(
    speakers: Sequence[str], embeddings: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """One vector of unit length for each speaker."""
    means: dict[str, np.ndarray] = {}
    for speaker in set(speakers):
        own = [e for s, e in zip(speakers, embeddings, strict=True) if s == speaker]
        means[speaker] = unit(np.mean(own, 0))
    return means


def _write_rejected(out: Path, rejected: Sequence[dict[str, str]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    table.writerow(("path", "reason", "detail", "what"))
    for one in sorted(rejected, key=lambda one: one["path"]):
        table.writerow((one["path"], one["reason"], one["detail"], REASONS[one["reason"]]))
    _write(out / "rejected.csv", lambda file: file.write(text.getvalue().encode()))


def _report(
    kept: Sequence[dict[str, Any]],
    likeness: Sequence[float],
    rejected: Sequence[dict[str, str]],
    tools: Tools,
) -> dict[str, Any]:
    words = Counter(w for found in kept for w in found["text"].lower().split())
    letters = Counter(c for found in kept for c in found["text"].lower() if c.isalpha())

    def spread(values: Sequence[float]) -> dict[str, float]:
        ranked = sorted(values)
        return {
            name: round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 3)
            for name, share in (
                ("least", 0),
                ("p5", 0.05),
                ("median", 0.5),
                ("p95", 0.95),
                ("most", 1),
            )
        }

    return {
        "takes": len(kept) + len(rejected),
        "rows": len(kept),
        "hours": round(sum(found["speech_s"] for found in kept) / 3600, 3),
        "speakers": dict(Counter(found["speaker"] for found in kept)),
        "tags": dict(Counter(found["tag"] for found in kept)),
        "rejected": dict(Counter(one["reason"] for one in rejected)),
        "speech_s": spread([found["speech_s"] for found in kept]),
        "loudness_lufs": spread([found["loudness_lufs"] for found in kept]),
        "snr_db": spread([found["snr_db"] for found in kept]),
        "clipped_share": spread([found["clipped_share"] for found in kept]),
        "characters_a_second": spread([_rate(found) for found in kept]),
        "likeness": spread(likeness),
        "file_rates_hz": dict(Counter(str(found["file_rate_hz"]) for found in kept)),
        "words": sum(words.values()),
        "different_words": len(words),
        "letters_not_heard": sorted(set("abcdefghijklmnopqrstuvwxyz") - set(letters)),
        "repeated_texts": len(kept) - len({found["text"] for found in kept}),
        "codec": Path(tools.codec).name,
        "codec_rate_hz": kept[0]["codec_rate_hz"],
        "speaker_encoder": Path(tools.speaker_encoder).name,
    }


def _markdown(report: dict[str, Any]) -> str:
    lines = [
        "# Data report",
        "",
        f"{report['rows']} of {report['takes']} takes, {60 * report['hours']:.1f} minutes of speech, "
        f"{len(report['speakers'])} speaker(s).",
        "",
        "| | least | 5 % | median | 95 % | most |",
        "|---|---|---|---|---|---|",
    ]
    for name in (
        "speech_s",
        "loudness_lufs",
        "snr_db",
        "clipped_share",
        "characters_a_second",
        "likeness",
    ):
        lines.append("| " + " | ".join([name, *(f"{v:g}" for v in report[name].values())]) + " |")
    lines += ["", f"{report['different_words']} different words of {report['words']}."]
    if report["letters_not_heard"]:
        lines.append(f"Letters that no text has: {' '.join(report['letters_not_heard'])}.")
    if report["repeated_texts"]:
        lines.append(f"Texts that were said before: {report['repeated_texts']}.")
    of_rates = {int(rate): count for rate, count in report["file_rates_hz"].items()}
    lines.append(f"Files by rate: {', '.join(f'{n} at {r} Hz' for r, n in of_rates.items())}.")
    if dull := sum(count for rate, count in of_rates.items() if rate < report["codec_rate_hz"]):
        lines.append(
            f"{dull} of them are below the codec's {report['codec_rate_hz']} Hz: what they lack is not heard later."
        )
    lines += ["", "Rejected (each with its file in rejected.csv):", ""]
    lines += [
        f"- {count} {name}: {REASONS[name]}" for name, count in report["rejected"].items()
    ] or ["- none"]
    return "\n".join(lines) + "\n"
