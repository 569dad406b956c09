"""The Unity package against the live service, under mono: its core, and its component in an engine of a page."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.clients.builds import (
    HERE,
    NUNIT,
    UNITY,
    UNITY_CORE_SOURCES,
    cs_program,
    need_nunit,
    run,
    tool,
)
from tests.clients.conftest import Service
from tests.clients.test_unity_core import checks

# Compilers share the machine with whatever else runs on it.
pytestmark = pytest.mark.timeout(600)

LIVE = HERE / "unity/LiveTests.cs"
VOICE = HERE / "unity/VoiceTests.cs"
PLAY_MODE = UNITY / "Tests/Runtime/NpcVoiceTests.cs"
ALONE = {  # what needs a server of its own
    "Live.AServerThatDiesIsUnavailable",
    "Live.ASilentServerIsGivenUp",
}


@pytest.fixture(scope="module")
def core() -> Path:
    return cs_program("KaniNpc.Core", UNITY_CORE_SOURCES, library=True)


@pytest.fixture(scope="module")
def live(core: Path) -> Path:
    return cs_program("LiveTests", [HERE / "unity/Checks.cs", LIVE], references=[core])


@pytest.fixture(scope="module")
def engine() -> Path:
    return cs_program("UnityEngine", [HERE / "unity/stubs/UnityEngine.cs"], library=True)


@pytest.fixture(scope="module")
def unity(core: Path, engine: Path) -> Path:
    sources = sorted(UNITY.glob("Runtime/Unity/*.cs"))
    return cs_program("KaniNpc.Unity", sources, library=True, references=[core, engine])


@pytest.fixture(scope="module")
def voice(core: Path, engine: Path, unity: Path) -> Path:
    return cs_program(
        "VoiceTests", [HERE / "unity/Checks.cs", VOICE], references=[core, engine, unity]
    )


@pytest.mark.parametrize("check", [c for c in checks(LIVE) if c not in ALONE])
def test_core_with_a_live_service(live: Path, service: Service, check: str):
    done = run([tool("mono"), live, check, service.web], timeout=110)
    print(done.stdout)  # figures, which `pytest -rP` shows


@pytest.mark.parametrize("check", checks(VOICE))
def test_component_with_a_live_service(voice: Path, service: Service, check: str):
    run([tool("mono"), voice, check, service.web], timeout=110)


@pytest.fixture(scope="module")
def play_mode(core: Path, engine: Path, unity: Path, service: Service) -> dict[str, str]:
    """How each of the package's play-mode tests went, in one run of all."""
    need_nunit()
    runner = cs_program(
        "UnityEngine.TestRunner",
        [HERE / "unity/stubs/UnityTestRunner.cs"],
        library=True,
        references=[engine],
    )
    references = [core, engine, unity, runner, NUNIT]
    tests = cs_program("KaniNpc.Tests", [PLAY_MODE], library=True, references=references)
    player = cs_program("PlayMode", [HERE / "unity/PlayMode.cs"], references=[*references, tests])
    done = subprocess.run(
        [tool("mono"), player, player.parent / tests.name],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "KANI_NPC_ADDRESS": service.web},
        check=False,
    )
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    "check", re.findall(r"\[(?:Unity)?Test\]\s+public \w+ (\w+)", PLAY_MODE.read_text("utf-8"))
)
def test_play_mode(play_mode: dict[str, str], check: str):
    assert play_mode[check] == "fine"


def test_a_server_that_is_killed_in_the_middle_of_a_line_is_unavailable(
    live: Path, mortal: Service
):
    command = [tool("mono"), live, "Live.AServerThatDiesIsUnavailable", mortal.web]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "READY\n"
        os.kill(mortal.pid, signal.SIGKILL)
        rest, _ = client.communicate(timeout=60)
    assert client.returncode == 0, rest


def test_a_server_that_says_nothing_is_given_up(live: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run([tool("mono"), live, "Live.ASilentServerIsGivenUp", address], timeout=60)


def test_the_editors_window_and_the_sample_compile_against_the_public_api(
    core: Path, engine: Path, unity: Path
):
    editor = cs_program(
        "UnityEditor", [HERE / "unity/stubs/UnityEditor.cs"], library=True, references=[engine]
    )
    references = [core, engine, unity]
    window = sorted(UNITY.glob("Editor/*.cs"))
    assert window
    cs_program("KaniNpc.Editor", window, library=True, references=[*references, editor])
    for sample in UNITY.glob("Samples~/*/*.cs"):
        cs_program(sample.stem, [sample], library=True, references=references)
