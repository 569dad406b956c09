"""Shows fine-tuning on a voice that `tiny` never heard: five minutes of it, from recordings to a running service.

`make finetune-demo` runs it: festival's kdl speaks, and then come the commands that a studio would give, as they are
printed. In <out>, by default `out/finetune`:

    takes/, unheard/        what kdl says: to learn from, and lines that nothing is trained on
    data/                   `prepare`: rows and the data report
    runs/ked/, ked-codec/   `train` and `adapt-codec`: the adapter, the decoder's delta, their reports
    evaluation/report.html  `evaluate`: before and after, beside each other and the recordings
    ked.wav                 a line by the service that the voice was published to

Every stage goes on where it was stopped. Knows no training, only the commands.
"""

import argparse
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import soundfile

from finetune.takes import Rejected, find_speech
from finetune.tiny.lines import lines
from kani_npc.config import single_thread_environment
from tools.local_server import ServerFailed, local_server

VOICE, TAG = "ked", "en_us"
SPEECH_S = 300.0  # to learn from
AT_ONCE = 20  # by one process of festival
UNHEARD = 40  # lines to judge by
LEAST_WORDS = 3  # of those: a word or two is more a guess than a measurement
RECIPES = Path(__file__).parent / "recipes"
FESTIVAL_VOICE = "voice_ked_diphone"
MISSING = (
    "festival and its voice kdl speak the takes, and are not here: apt-get install festival festvox-kdlpc16k "
    "(Debian, Ubuntu; free, University of Edinburgh). `make finetune-demo` installs nothing by itself"
)
LINE = "Halt! Who goes there?"


class DemoFailed(RuntimeError):
    """A stage did not work. Says which, and what it said last."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A command and where its output goes."""

    name: str
    command: tuple[str, ...]
    log: Path


def texts() -> Iterator[str]:
    """What is said to learn from, without end."""
    return lines(4711, held_out=False)


def unheard_texts() -> Iterator[str]:
    """What is judged. The hash that holds these out held them out when `tiny` itself was trained."""
    wanted = (text for text in lines(4712, held_out=True) if len(text.split()) >= LEAST_WORDS)
    return islice(wanted, UNHEARD)


def speak(texts: Iterable[str], folder: Path, *, until_s: float = math.inf) -> float:
    """kdl says texts, into 000.wav, ... and lines.jsonl, up to so many seconds of speech; returns how many it was.

    What it has said already is not said again. Raises `DemoFailed` without festival.
    """
    manifest = folder / "lines.jsonl"
    if manifest.exists():
        return sum(_speech_s(path) for path in folder.glob("*.wav"))
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    spoken_s, texts = 0.0, iter(texts)
    while spoken_s < until_s and (some := list(islice(texts, AT_ONCE))):
        numbered = enumerate(some, start=len(rows))
        new = [{"path": f"{number:03}.wav", "text": text} for number, text in numbered]
        _festival(new, folder)
        for row in new:
            if spoken_s < until_s:
                rows.append(row)
                spoken_s += _speech_s(folder / row["path"])
            else:
                (folder / row["path"]).unlink()
    unfinished = manifest.with_suffix(".part")
    unfinished.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    unfinished.replace(manifest)
    return spoken_s


def _festival(rows: Sequence[dict[str, str]], folder: Path) -> None:
    """One process for many lines: its voice takes longer to load than a line to say."""
    if shutil.which("festival") is None:
        raise DemoFailed(MISSING)
    said = [f"({FESTIVAL_VOICE})"]
    for row in rows:
        text, path = json.dumps(row["text"]), json.dumps(str(folder / row["path"]))
        said.append(f"(utt.save.wave (utt.synth (Utterance Text {text})) {path} 'riff)")
    script = folder / "lines.scm"
    script.write_text("\n".join(said) + "\n", encoding="utf-8")
    done = subprocess.run(["festival", "-b", str(script)], capture_output=True, text=True)
    script.unlink()
    if done.returncode or not (folder / rows[-1]["path"]).exists():
        raise DemoFailed(f"{MISSING}. It said: {(done.stderr or done.stdout).strip()[-200:]}")


def _speech_s(path: Path) -> float:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    try:
        first, end, _ = find_speech(samples.mean(axis=1), rate)
    except Rejected:
        return 0.0
    return (end - first) / rate


def run(out: Path) -> None:
    """All of it. Raises `DemoFailed`."""
    takes, unheard, data, runs = out / "takes", out / "unheard", out / "data", out / "runs"
    began = time.monotonic()
    spoken_s = speak(texts(), takes, until_s=SPEECH_S)
    speak(unheard_texts(), unheard)
    print(
        f"{VOICE}, festival's kdl: {spoken_s / 60:.1f} minutes of speech in {takes}\n", flush=True
    )

    manifest, rows = str(takes / "lines.jsonl"), str(data / "rows")
    about = ("--speaker", VOICE, "--tag", TAG)
    together([_finetune("prepare", out, manifest, "--out", str(data), *about)])
    # Side by side: the decoder is done in three minutes, and needs one core for it.
    of_run = ("--rows", rows, "--runs", str(runs), "--name")
    together(
        [
            _finetune("train", out, str(RECIPES / "lora-tiny.toml"), *of_run, VOICE),
            _finetune(
                "adapt-codec", out, str(RECIPES / "codec-tiny.toml"), *of_run, f"{VOICE}-codec"
            ),
        ]
    )
    adapter, delta = runs / VOICE / "adapter", runs / f"{VOICE}-codec" / "delta.safetensors"
    systems = (
        "tiny,name=before",
        f"tiny,adapter={adapter},codec-delta={delta},name=after",
        "tiny,says=copies,name=copies before",
        f"tiny,codec-delta={delta},says=copies,name=copies after",
    )
    judged = ("--lines", str(unheard / "lines.jsonl"), "--reference", manifest, *about)
    listener = ("--recogniser", "finetune.tiny.recogniser:hear_game")
    where = ("--out", str(out / "evaluation"))
    together([_finetune("evaluate", out, *systems, *judged, *listener, *where)])
    print(_table(out / "evaluate.log"))
    _publish(out, adapter, delta, data)
    print(f"\n{(time.monotonic() - began) / 60:.0f} minutes in all. To be opened:")
    print(f"  {out / 'evaluation' / 'report.html'}  every line before and after, to be heard")
    print(f"  {data / 'report.md'}, {runs / VOICE / 'report.html'}  the takes, the training")
    print(f"  {out / 'ked.wav'}  what the service said")


def _finetune(name: str, out: Path, *arguments: str) -> Stage:
    command = (sys.executable, "-m", "finetune", name, *arguments)
    return Stage(name, command, out / f"{name}.log")


def together(stages: Sequence[Stage]) -> None:
    """Runs commands side by side, each printed as one could type it. Raises `DemoFailed` with the first that fails."""
    environment = os.environ | single_thread_environment()
    began = time.monotonic()
    running: list[tuple[Stage, subprocess.Popen[bytes]]] = []
    try:
        for stage in stages:
            print(f"$ {shlex.join(['python', *stage.command[1:]])}", flush=True)
            with stage.log.open("wb") as log:
                process = subprocess.Popen(
                    stage.command, stdout=log, stderr=subprocess.STDOUT, env=environment
                )
            running.append((stage, process))
        for stage, process in running:
            if process.wait():
                raise DemoFailed(
                    f"{stage.name} ended with status {process.returncode}: {_last(stage.log)}"
                )
            print(f"  {stage.name}: {time.monotonic() - began:.0f} s; {stage.log}\n", flush=True)
    finally:
        for _, process in running:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _publish(out: Path, adapter: Path, delta: Path, data: Path) -> None:
    """The character speaks on a service that runs all the while."""
    try:
        with local_server("--model", "tiny", log=out / "server.log") as server:
            parts = ("--adapter", str(adapter), "--codec-delta", str(delta), "--data", str(data))
            about = ("--name", "Ked (synthetic, from festival's kdl)", "--tag", TAG)
            consent = ("--consent", "synthetic")
            at = ("--server", server.address)
            together([_finetune("publish", out, VOICE, *at, *parts, *about, *consent)])
            say = ("say", LINE, "--voice", VOICE, *at, "-o", str(out / "ked.wav"))
            command = (sys.executable, "-m", "kani_npc", *say)
            together([Stage("say", command, out / "say.log")])
    except ServerFailed as error:
        raise DemoFailed(str(error)) from error


def _last(log: Path) -> str:
    """The end of what a command wrote; progress bars overwrite themselves."""
    rows = log.read_text(errors="replace").replace("\r", "\n").strip().splitlines()
    return rows[-1] if rows else "it said nothing"


def _table(log: Path) -> str:
    rows = log.read_text(errors="replace").replace("\r", "\n").splitlines()
    return "\n".join(row for row in rows if row.startswith(("|", "Impostor")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("out/finetune"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it started ends with it
    try:
        run(out)
    except DemoFailed as error:
        print(f"no demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
