"""The Unity package's core, without a network and without an engine: every check is a C# method, run under mono."""

import re
from pathlib import Path

import pytest

from tests.clients.builds import HERE, UNITY_CORE_SOURCES, cs_program, run, tool

# Compilers share the machine with whatever else runs on it.
pytestmark = pytest.mark.timeout(600)

SOURCE = HERE / "unity/CoreTests.cs"


def checks(source: Path) -> list[str]:
    """`Class.Method` of every check in a file."""
    found, of = [], ""
    for kind, name in re.findall(r"public static (class|void) (\w+)", source.read_text("utf-8")):
        if kind == "class":
            of = name
        else:
            found.append(f"{of}.{name}")
    return found


@pytest.fixture(scope="module")
def program() -> Path:
    # One assembly: the checks see what is internal.
    return cs_program("CoreTests", [*UNITY_CORE_SOURCES, HERE / "unity/Checks.cs", SOURCE])


@pytest.mark.parametrize("check", checks(SOURCE))
def test_check(program: Path, overloaded: Path, check: str):
    run([tool("mono"), program, check, overloaded], timeout=110)
