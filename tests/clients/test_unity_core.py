"""The Unity package's edit-mode tests, by Debian's NUnit under mono in one run; and what only a quiet process tells."""

import re
from pathlib import Path
from xml.etree import ElementTree

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

# Compilers share the machine with whatever else runs on it.
pytestmark = pytest.mark.timeout(600)

EDITOR_TESTS = sorted(UNITY.glob("Tests/Editor/*.cs"))
ALLOCATION = HERE / "unity/AllocationTests.cs"


def checks(source: Path, method: str = r"public static void") -> list[str]:
    """`Class.Method` of every check in a file."""
    found, of = [], ""
    for line in source.read_text("utf-8").splitlines():
        if name := re.match(r" *public (?:static|sealed) class (\w+)", line):
            of = name[1]
        elif name := re.match(rf" *{method} (\w+)\(\)", line):
            found.append(f"{of}.{name[1]}")
    return found


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """`Class.Method` of every edit-mode test -> why it failed, or nothing."""
    need_nunit()
    console = tool("nunit-console")
    core = cs_program("KaniNpc.Core", UNITY_CORE_SOURCES, library=True)
    tests = cs_program("KaniNpc.Editor.Tests", EDITOR_TESTS, library=True, references=[core, NUNIT])
    report = tmp_path_factory.mktemp("nunit") / "result.xml"
    words = [console, tests, "-nologo", "-domain:None", "-process:Single", f"-xml:{report}"]
    run(words, timeout=300, cwd=report.parent)
    return {
        ".".join(case.attrib["name"].split(".")[-2:]): ""
        if case.attrib["result"] == "Success"
        else "".join(case.itertext()).strip() or case.attrib["result"]
        for case in ElementTree.parse(report).iter("test-case")
    }


@pytest.mark.parametrize("check", [c for file in EDITOR_TESTS for c in checks(file, "public void")])
def test_edit_mode(outcomes: dict[str, str], check: str):
    assert outcomes[check] == ""


def test_what_an_error_looks_like_is_what_the_service_sends(overloaded: Path):
    source = (UNITY / "Tests/Editor/CoreTests.cs").read_text("utf-8")
    constant = source.partition("string Overloaded =")[2].partition(";\n")[0]
    text = "".join(re.findall(r'"(.*)"', constant)).replace(r"\r\n", "\r\n")
    assert text.encode() == overloaded.read_bytes()


@pytest.mark.parametrize("check", checks(ALLOCATION))
def test_alone(check: str):
    sources = [*UNITY_CORE_SOURCES, HERE / "unity/Checks.cs", ALLOCATION]
    run([tool("mono"), cs_program("AllocationTests", sources), check], timeout=110)
