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
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from finetune.speaking import codec_encoder_of, open_codec, speaker_encoder_of
from finetune.takes import MAX_S, REASONS, Rejected, read
from kani_npc import models
from kani_npc.config import single_thread_environment
from kani_npc.errors import InvalidUtterance
from kani_npc.speaker.enrollment import unit
from kani_npc.text.clean import clean

PART = 64
SOUND_FILES = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff")
# Of the others' median: outside, text and sound are of different lines, or half of one is missing.
RATE_BOUNDS = (0.4, 2.5)
# Cosine to the mean of a speaker's other takes.
LEAST_LIKENESS = 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the manifest."""

    path: str
    text: str
    speaker: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a process loads once."""

    codec: str
    codec_encoder: str | None
    speaker_encoder: str
    max_s: float


def read_manifest(source: Path, *, speaker: str, tag: str) -> list[Entry]:
    """The entries of a folder (sounds beside .txt files), a .csv or a .jsonl; `speaker` and `tag` fill what is not
    given. Paths in a file are relative to it.

    Raises `ValueError` that names the file, the line and what is wrong with it.
    """
    if source.is_dir():
        sounds = sorted(p for p in source.rglob("*") if p.suffix.lower() in SOUND_FILES)
        texts = [p.with_suffix(".txt") for p in sounds]
        entries = [
            Entry(
                str(p), t.read_text(encoding="utf-8").strip() if t.is_file() else "", speaker, tag
            )
            for p, t in zip(sounds, texts, strict=True)
        ]
    elif source.suffix in (".csv", ".jsonl") and source.is_file():
        given = _csv(source) if source.suffix == ".csv" else _jsonl(source)
        entries = [_entry(values, source, line, speaker, tag) for line, values in given]
    else:
        raise ValueError(f"{source} is no folder, no .csv and no .jsonl")
    if not entries:
        raise ValueError(f"{source} has no recordings ({', '.join(SOUND_FILES)})")
    return entries


def _csv(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with source.open(encoding="utf-8-sig", newline="") as file:
        yield from enumerate(csv.DictReader(file), start=2)


def _jsonl(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                values = json.loads(line)
            except ValueError:
                values = None
            if not isinstance(values, dict):
                raise ValueError(f"{source}, line {number}: not a JSON object")
            yield number, values


def _entry(values: dict[str, Any], source: Path, line: int, speaker: str, tag: str) -> Entry:
    unknown = set(values) - {"path", "text", "speaker", "tag"}
    if unknown or not isinstance(values.get("path"), str) or not values["path"]:
        names = ", ".join(sorted(map(str, unknown)))
        raise ValueError(
            f"{source}, line {line}: "
            + (
                f"unknown column {names}; path, text, speaker and tag are known"
                if unknown
                else "no path"
            )
        )
    path = source.parent / values["path"]
    return Entry(
        str(path),
        values.get("text") or "",
        values.get("speaker") or speaker,
        values.get("tag") or tag,
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
    processes: int = 2,
) -> dict[str, Any]:
    """Prepares what has not been prepared yet; returns the report.

    `model` says which codec and which speaker encoder: rows are of one model's vocabulary and space. Raises
    `ValueError` for a manifest and `KaniError` for a model that cannot be used, `OSError` for a disk that is full.
    """
    entries = read_manifest(source, speaker=speaker, tag=tag)
    tools = _tools(model, codec, codec_encoder, speaker_encoder, max_s)
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
    progress = tqdm(total=len(missing), unit="part", desc="prepare", disable=not missing)
    with progress, _pool(processes, tools) as pool:
        for done in as_completed([pool.submit(_prepare_part, *job) for job in missing]):
            done.result()
            progress.update()
    for stale in set(parts.glob("*.json")) - {path for path, _, _ in wanted}:
        stale.unlink()
        stale.with_suffix(".npz").unlink(missing_ok=True)
    return _finish(out, [path for path, _, _ in wanted], tools)


def _pool(processes: int, tools: Tools) -> Executor:
    if processes == 1:  # this one: a process of its own would only cost its start
        return ThreadPoolExecutor(1, initializer=_open, initargs=(tools,))
    # Spawned: a fork of a process with numeric threads may hang. One thread each, set before they import anything.
    os.environ.update(single_thread_environment())
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, context, initializer=_open, initargs=(tools,))


def _tools(
    model: str,
    codec: str | None,
    codec_encoder: str | None,
    speaker_encoder: str | None,
    max_s: float,
) -> Tools:
    folder = models.resolve_model(model)
    codec_path = models.resolve_codec(codec, folder) or folder / "codec"
    of_model = codec_encoder or codec_encoder_of(model)
    encoder = speaker_encoder_of(model, speaker_encoder)
    return Tools(str(codec_path), of_model and str(of_model), str(encoder), max_s)


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

_loaded: tuple[Any, Any, Tools] | None = None


def _open(tools: Tools) -> None:
    import torch

    from kani_npc.speaker.load import load_speaker_encoder

    global _loaded
    torch.set_num_threads(1)
    codec = open_codec(Path(tools.codec), tools.codec_encoder)
    _loaded = codec, load_speaker_encoder(tools.speaker_encoder), tools


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

    assert _loaded is not None
    codec, encoder, tools = _loaded
    try:
        text = clean(entry.text)
    except InvalidUtterance:
        raise Rejected("no_text") from None
    take = read(Path(entry.path), codec.sample_rate_hz, codec.samples_per_frame, max_s=tools.max_s)
    with torch.inference_mode():
        codes_KF = codec.encode(torch.from_numpy(take.samples))
    import soxr

    heard = soxr.resample(take.samples, codec.sample_rate_hz, encoder.sample_rate_hz)
    found = asdict(entry) | {
        "text": text,
        "speech_s": take.speech_s,
        "file_rate_hz": take.file_rate_hz,
        "channels": take.channels,
        "loudness_lufs": take.loudness_lufs,
        "clipped_share": take.clipped_share,
        "snr_db": take.snr_db,
    }
    return codes_KF.T.numpy().astype(np.int16), encoder.embed(heard), found


def _write(path: Path, write: Any) -> None:
    """All of it or nothing, on the disk before it has its name."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


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
    for name in ("speech_s", "loudness_lufs", "snr_db", "characters_a_second", "likeness"):
        lines.append("| " + " | ".join([name, *(f"{v:g}" for v in report[name].values())]) + " |")
    lines += ["", f"{report['different_words']} different words of {report['words']}."]
    if report["letters_not_heard"]:
        lines.append(f"Letters that no text has: {' '.join(report['letters_not_heard'])}.")
    lines += ["", "Rejected (each with its file in rejected.csv):", ""]
    lines += [
        f"- {count} {name}: {REASONS[name]}" for name, count in report["rejected"].items()
    ] or ["- none"]
    return "\n".join(lines) + "\n"
