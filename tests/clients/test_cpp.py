"""The C++ core and the libcurl client, under sanitizers: alone, and against the live service on both wires."""

import os
import re
import signal
import socket
import subprocess
import wave
from pathlib import Path

import pytest

from tests.clients.builds import ADDRESS, CORE, HERE, KEPT, ROOT, THREAD, cpp_program, run, tool
from tests.clients.conftest import Service

CPP = ROOT / "clients/cpp"
CORE_TESTS = HERE / "cpp/core_tests.cpp"
LIVE_TESTS = HERE / "cpp/live_tests.cpp"
ALONE = {"AServerThatDiesIsUnavailable", "ASilentServerIsGivenUp"}
# Compilers share the machine with whatever else runs on it.
pytestmark = pytest.mark.timeout(900)
SANITIZERS = {"address": ADDRESS, "thread": THREAD}


def checks(source: Path) -> list[str]:
    return re.findall(r"CHECK_NAMED\((\w+)\)", source.read_text("utf-8"))


@pytest.fixture(scope="module", params=SANITIZERS)
def core(request: pytest.FixtureRequest) -> Path:
    flags = SANITIZERS[request.param]
    return cpp_program("core_tests", [CORE_TESTS], more_flags=flags, includes=[HERE / "cpp"])


# One line of a game is three threads, and a real service behind it: what a sanitizer sees here, no unit test shows.
@pytest.fixture(scope="module", params=SANITIZERS)
def live(request: pytest.FixtureRequest) -> Path:
    tool("curl-config")  # comes with libcurl's headers
    return cpp_program(
        "live_tests",
        [LIVE_TESTS, CPP / "src/curl_client.cpp"],
        more_flags=SANITIZERS[request.param],
        includes=[HERE / "cpp", CPP / "include"],
        libraries=["-lcurl"],
    )


@pytest.mark.parametrize("check", checks(CORE_TESTS))
def test_core(core: Path, overloaded: Path, check: str):
    run([core, check, overloaded], timeout=110)


@pytest.mark.parametrize("check", [c for c in checks(LIVE_TESTS) if c not in ALONE])
def test_client_with_a_live_service(live: Path, service: Service, check: str):
    run([live, check, service.web, f"http://{service.grpc}"], timeout=110)


def test_a_server_that_is_killed_in_the_middle_of_a_line_is_unavailable(
    live: Path, mortal: Service
):
    command = [live, "AServerThatDiesIsUnavailable", mortal.web]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "READY\n"
        os.kill(mortal.pid, signal.SIGKILL)
        rest, _ = client.communicate(timeout=60)
    assert client.returncode == 0, rest


def test_a_server_that_says_nothing_is_given_up(live: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run([live, "ASilentServerIsGivenUp", f"http://127.0.0.1:{silent.getsockname()[1]}"])


def test_the_core_has_neither_exceptions_nor_rtti_nor_streams():
    for file in CORE.rglob("*"):
        if file.suffix in (".h", ".cpp"):
            text = re.sub(r"//.*", "", file.read_text("utf-8"))
            found = re.findall(
                r"\b(?:throw|try|catch|dynamic_cast|typeid|iostream|std::get<)", text
            )
            assert not found, (file, found)


@pytest.mark.timeout(400)  # a compiler that takes its time
def test_cmake_builds_the_example_and_it_speaks(service: Service, tmp_path: Path):
    tool("cmake")
    build = KEPT / "cmake"
    run(["cmake", "-S", CPP, "-B", build, "-DCMAKE_BUILD_TYPE=Debug"])
    run(["cmake", "--build", build, "--target", "say"])
    wav = tmp_path / "halt.wav"
    run([build / "say", "Halt!", wav, service.web], timeout=60)
    with wave.open(str(wav)) as sound:
        assert sound.getframerate() == 22050 and sound.getnframes() > 0
        assert sound.getnframes() % 1764 == 0


@pytest.mark.timeout(400)  # a compiler that takes its time
def test_the_grpc_example_speaks_over_the_systems_own_grpc(service: Service, tmp_path: Path):
    for name in ("cmake", "protoc", "grpc_cpp_plugin", "pkg-config"):
        tool(name)
    if subprocess.run(["pkg-config", "--exists", "grpc++", "protobuf"]).returncode != 0:
        pytest.skip("libgrpc++-dev or libprotobuf-dev is not installed")
    build = KEPT / "cmake-grpc"
    run(["cmake", "-S", CPP, "-B", build, "-DCMAKE_BUILD_TYPE=Debug", "-DKANI_GRPC_EXAMPLE=ON"])
    run(["cmake", "--build", build, "--target", "grpc_say"])
    sound = tmp_path / "halt.raw"
    run([build / "grpc_say", "Halt!", sound, service.grpc], timeout=60)
    assert sound.stat().st_size > 0 and sound.stat().st_size % (2 * 1764) == 0
    missing = subprocess.run(
        [build / "grpc_say", "", sound, service.grpc], capture_output=True, text=True
    )
    assert missing.returncode == 1 and "text" in missing.stderr
