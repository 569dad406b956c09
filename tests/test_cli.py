"""The command line, as it is typed: what it writes, and one line and an exit code where it cannot."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kani_npc import __version__, cli
from kani_npc.client import Client
from tests.support.tiny_random import make_random_model

LINE = "Halt! Who goes there?"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A model folder of random weights: it babbles, in every voice it has."""
    return str(make_random_model(tmp_path_factory.mktemp("model"), max_frames=12))


@pytest.fixture
def run(monkeypatch, capfdbinary, tmp_path):
    """`run("say", ...)` -> exit code, stdout, lines of stderr; in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, bytes, list[str]]:
        monkeypatch.setattr(sys, "argv", ["kani-npc", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as exit:
            code = int(exit.code or 0)
        out, err = capfdbinary.readouterr()
        return code, out, err.decode().splitlines()

    return run


def test_version_and_help_are_there(run):
    assert run("--version") == (0, f"kani-npc {__version__}\n".encode(), [])
    code, out, _ = run("--help")
    assert code == 0 and b"serve" in out and b"say" in out and b"models" in out


def test_models_are_listed_with_what_a_name_would_fetch_and_the_licences(run):
    code, out, _ = run("models")
    assert code == 0
    for word in (
        b"tiny",
        b"nineninesix/kani-tts-2-en",
        b"LFM Open License",
        b"CC-BY-SA",
        b"NVIDIA",
    ):
        assert word in out


def test_a_line_said_right_here_becomes_a_wav_file(run, model, tmp_path):
    code, out, err = run("say", LINE, "--model", model, "--seed", "7", "-o", "halt.wav")
    assert (code, out) == (0, b"")
    assert len(err) == 1 and "halt.wav" in err[0] and "seed 7" in err[0]
    samples, rate_hz = soundfile.read(tmp_path / "halt.wav", dtype="int16")
    assert rate_hz == 22050 and len(samples) % 1764 == 0 and np.any(samples)


def test_a_dash_streams_the_same_samples_raw(run, model, tmp_path):
    run("say", LINE, "--model", model, "-o", "halt.wav", "--rate", "8000", "--encoding", "float32")
    samples, _ = soundfile.read(tmp_path / "halt.wav", dtype="float32")
    code, out, err = run(
        "say", LINE, "--model", model, "-o", "-", "--rate", "8000", "--encoding", "float32"
    )
    assert code == 0 and len(err) == 1
    np.testing.assert_array_equal(np.frombuffer(out, "<f4"), samples)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["say", ""], "nothing to speak"),
        (["say", LINE, "--voice", "nobody"], "ListVoices"),
        (["say", LINE, "--accent", "martian"], "ListAccents"),
        (["say", LINE, "--seed", "-1"], "seed"),
        (["say", LINE, "--seed", "99999999999999999999"], "out of range"),
        (["say", LINE, "--rate", "11025"], "sample rate"),
        (["say", LINE, "--seed", "1", "--vary"], "vary"),
        (["say", "\udcff"], "utf-8"),
        (["say", LINE, "--device", "gpu"], "device"),
        (["say", LINE, "--threads", "-1"], "threads"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_exit_code_2(run, model, arguments, says):
    code, out, err = run(*arguments, "--model", model)
    assert (code, out, len(err)) == (2, b"", 1), err
    assert err[0].startswith("kani-npc: ") and says in err[0]
    assert not Path("speech.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["say", LINE, "--server", "127.0.0.1:9"], "127.0.0.1:9"),
        (["say", LINE, "--model", "./nowhere"], "./nowhere"),
        (["serve", "--model", "./nowhere", "--address", "127.0.0.1:0"], "./nowhere"),
        (["serve", "--model", ".", "--address", "127.0.0.1:0"], "config.json"),
    ],
)
def test_what_goes_wrong_is_one_line_and_exit_code_1(run, monkeypatch, arguments, says):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    code, out, err = run(*arguments)
    assert (code, out, len(err)) == (1, b"", 1), err
    assert err[0].startswith("kani-npc: ") and says in err[0]


def test_a_file_that_cannot_be_written_is_one_line(run, model):
    code, _, err = run("say", LINE, "--model", model, "-o", "nowhere/halt.wav")
    assert (code, err) == (1, ["kani-npc: nowhere/halt.wav: No such file or directory"])


def test_a_port_in_use_is_one_line_before_any_model_is_read(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, _, err = run("serve", "--address", address, "--model", "./nowhere")
    assert code == 2
    assert err == [
        f"kani-npc: cannot listen on {address}: Address already in use; pass another --address"
    ]


def test_an_unknown_environment_variable_is_refused(run, monkeypatch):
    monkeypatch.setenv("KANI_NPC_SPEED", "9")
    code, _, err = run("serve")
    assert code == 2 and len(err) == 1 and "KANI_NPC_SPEED" in err[0]


def test_a_server_without_a_name_is_one_clear_line(run):
    code, out, err = run("say", LINE, "--server", "")
    assert (code, out, len(err)) == (2, b"", 1) and "--server" in err[0]


def test_a_server_and_a_model_of_ones_own_exclude_each_other(run, model):
    code, _, err = run("say", LINE, "--server", "127.0.0.1:9", "--model", model)
    assert code == 2 and len(err) == 1


def test_serve_says_one_line_speaks_and_drains_on_sigterm(run, model, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "kani_npc", "serve", "--address", "127.0.0.1:0", "--threads", "1"],
        env=os.environ | {"KANI_NPC_MODEL": model, "OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            address = said.split("--server ")[1].split()[0]
            assert said.startswith(f"kani-npc {__version__} ") and "on cpu" in said
            code, _, err = run("say", LINE, "--server", address, "-o", "halt.wav")
            assert code == 0, err
            assert soundfile.info(tmp_path / "halt.wav").samplerate == 22050
            heard_s, drained_s = asyncio.run(stop_while_speaking(address, process))
            assert process.wait(10) == 0
            assert process.stdout.read() == ""  # and nothing more
        finally:
            process.kill()
    assert heard_s == pytest.approx(0.96) and drained_s < 5


async def stop_while_speaking(address: str, process: subprocess.Popen[str]) -> tuple[float, float]:
    """SIGTERM after the first piece of a line in real time: seconds of sound heard, seconds it took."""
    async with Client(address, timeout_s=20) as client:
        speech = client.synthesize(LINE, sampling={"min_frames": 12})
        num_bytes, stopped_s = 0, 0.0
        async for audio in speech:
            if not num_bytes:
                process.send_signal(signal.SIGTERM)
                stopped_s = time.perf_counter()
            num_bytes += len(audio.data)
        assert speech.end is not None
        return num_bytes / 2 / 22050, time.perf_counter() - stopped_s
