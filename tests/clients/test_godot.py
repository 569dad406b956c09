"""The Godot addon in a real engine: Debian's headless Godot 3, against the live service."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.builds import HERE, ROOT, tool
from tests.clients.conftest import Service
from tools.local_server import free_port


@pytest.fixture
def godot(tmp_path: Path):
    engine = tool("godot3-server")

    def play(check: str, port: int) -> str:
        command = [engine, "--path", str(ROOT / "clients/godot"), "-s"]
        command += [str(HERE / "godot/run.gd"), check, str(port)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=120,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/games"},
        )
        said = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
        assert said and "SCRIPT ERROR" not in done.stderr + done.stdout, done.stdout + done.stderr
        return said[1]

    return play


def port_of(service: Service) -> int:
    return int(service.web.rpartition(":")[2])


def test_its_wire_is_protobufs(godot):
    assert godot("wire", 1).startswith("fine")


def test_a_character_speaks_to_the_end(godot, service: Service):
    said = godot("speak", port_of(service))
    assert re.search(r"samples=(\d+) started@22050 ended", said), said
    samples = int(re.search(r"samples=(\d+)", said)[1])  # pyright: ignore[reportOptionalSubscript]
    assert samples > 0 and samples % 1764 == 0
    # Nobody hears faster than the clock goes: what the mouth follows is what was played, up to a block of the mixer.
    ahead = int(re.search(r"ahead=(-?\d+)", said)[1])  # pyright: ignore[reportOptionalSubscript]
    assert ahead < 3000


def test_stopping_stops(godot, service: Service):
    assert "started@22050 stopped" in godot("stop", port_of(service))


def test_an_npc_that_is_not_there_is_an_error(godot, service: Service):
    assert godot("unknown", port_of(service)).startswith("code=5 failed")


def test_a_server_that_is_not_there_is_unavailable_after_some_tries(godot):
    assert godot("speak", free_port()).startswith("code=14 failed")
