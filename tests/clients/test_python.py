"""The Python examples, as a newcomer runs them: each a program of its own, against the shipped model's service."""

import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.clients.builds import ROOT
from tests.clients.conftest import Service
from tests.support.clips import speechlike, wav

EXAMPLES = ROOT / "clients/python"
# Compilers and a training may share the machine.
pytestmark = pytest.mark.timeout(300)


def example(name: str, *arguments: str | Path, at: Path, **how) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / f"{name}.py", *arguments]
    return subprocess.run(
        [str(word) for word in command],
        cwd=at,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        **how,
    )


def length_s(file: Path) -> float:
    samples, rate_hz = soundfile.read(file)
    assert np.abs(samples).max() > 0.05
    return len(samples) / rate_hz


def test_a_line_becomes_a_wav_file(tiny: Service, tmp_path: Path):
    done = example(
        "say_to_wav", "Halt! Who goes there?", "halt.wav", "--server", tiny.grpc, at=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert 0.5 < length_s(tmp_path / "halt.wav") < 10


def test_what_is_wrong_is_said_in_a_line(tiny: Service, tmp_path: Path):
    done = example(
        "say_to_wav", "Halt!", "no.wav", "--npc", "nobody", "--server", tiny.grpc, at=tmp_path
    )
    assert done.returncode == 1 and done.stderr.startswith("NPC_NOT_FOUND: ")
    assert "Traceback" not in done.stderr and not (tmp_path / "no.wav").exists()


def test_a_line_is_played_while_it_streams(tiny: Service, tmp_path: Path):
    player = tmp_path / "player.py"
    # Whatever a sound card is to `aplay`, a file is to this one; it says when sound came.
    player.write_text(
        "import sys, time\n"
        "with open('heard.raw', 'wb') as heard, open('times', 'w') as times:\n"
        "    while data := sys.stdin.buffer.read1(65536):\n"
        "        heard.write(data); print(time.monotonic(), file=times)\n"
    )
    text = (
        "The road to the old mill is long, traveller, and nobody who walks it at night comes back."
    )
    done = example(
        "play_while_it_streams", text, "--server", tiny.grpc, "--player",
        f"{sys.executable} {player} {{rate}}", at=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    heard = np.fromfile(tmp_path / "heard.raw", "<i2")
    assert f"{len(heard)} samples" in done.stdout and np.abs(heard).max() > 1000
    times = np.loadtxt(tmp_path / "times")
    assert len(heard) > 3 * 22050
    times = np.loadtxt(tmp_path / "times")
    if "heard from 0.12 s" in done.stderr:  # and not from more, which a busy machine asks for
        # The server is two seconds ahead at most.
        assert times[-1] - times[0] > 0.25 * len(heard) / 22050
        assert done.stderr.count(" s  ") > 10 and "oooo" in done.stderr


def test_text_is_said_while_it_is_written(tiny: Service, tmp_path: Path):
    command = [sys.executable, str(EXAMPLES / "speak_as_it_is_written.py"), "answer.wav"]
    with subprocess.Popen(
        [*command, "--server", tiny.grpc],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin and writer.stdout
        for token in "Well| met|, tra|veller. The| mill| is not| far.".split("|"):
            writer.stdin.write(token)
            writer.stdin.flush()
            time.sleep(0.02)
        writer.stdin.close()
        said = writer.stdout.read()
    assert writer.returncode == 0
    assert said.startswith("answer.wav: ") and length_s(tmp_path / "answer.wav") > 1


def test_a_voice_is_enrolled_and_an_npc_speaks_with_it(tiny: Service, tmp_path: Path):
    (tmp_path / "take.wav").write_bytes(wav(speechlike(6.0)))
    consent = ["--holder", "Ada", "--statement", "I agree.", "--scope", "one game"]
    done = example(
        "enrol_a_voice", "mirela", "take.wav", *consent, "--server", tiny.grpc, at=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "take.wav: " in done.stdout and "revision 1" in done.stdout
    with wave.open(str(tmp_path / "mirela.wav")) as sound:
        assert sound.getnframes() > 0
    (tmp_path / "hum.wav").write_bytes(wav(speechlike(0.4)))
    short = example("enrol_a_voice", "hum", "hum.wav", *consent, "--server", tiny.grpc, at=tmp_path)
    assert short.returncode == 1 and "clips" in short.stderr and "Traceback" not in short.stderr


def test_lines_are_made_ahead_of_play_and_only_once(tiny: Service, tmp_path: Path):
    (tmp_path / "lines.txt").write_text("Halt!\n\nWho goes there?\n")
    first, again = (
        example("prewarm_lines", "lines.txt", "--server", tiny.grpc, at=tmp_path) for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    assert [line.split() for line in first.stdout.splitlines()] in (
        [["made", "Halt!"], ["made", "Who", "goes", "there?"]],
        [["made", "Who", "goes", "there?"], ["made", "Halt!"]],
    )
    assert again.stdout.count("cached") == 2


def test_every_example_is_in_the_readme_and_tested():
    readme, tests = (EXAMPLES / "README.md").read_text(), Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f"`{path.name}`" in readme and f'"{path.stem}' in tests
