"""The house: what a newcomer runs and reads does what it says."""

import ast
import re
import subprocess
import sys
import tomllib
import wave
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy import healthcheck
from tools import demo
from tools.check_licences import judge, permitted
from tools.local_server import LocalServer, ServerFailed, free_port, local_server

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def served(random_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalServer:
    """A server in a process of its own, on the random model."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with local_server("--model", str(random_model_folder), log=log) as server:
        yield server


def test_demo_writes_three_lines_a_picture_and_a_table(
    random_model_folder: Path, tmp_path: Path, capsys, monkeypatch
):
    monkeypatch.setattr(
        sys, "argv", ["demo", "--model", str(random_model_folder), "--out", str(tmp_path)]
    )
    assert demo.main() == 0
    files = sorted(tmp_path.glob("*.wav"))
    assert len(files) == 3
    for file in files:
        with wave.open(str(file)) as wav:
            assert wav.getframerate() == 22050
            assert wav.getnframes() > 0 and wav.getnframes() % 1764 == 0
    assert [picture.stem for picture in tmp_path.glob("*.png")] == [files[0].stem]
    printed = " ".join(capsys.readouterr().out.split())
    assert "first audio" in printed and "real-time" in printed


def test_demo_says_in_one_line_that_a_model_is_missing(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["demo", "--model", str(tmp_path / "absent"), "--out", str(tmp_path)]
    )
    assert demo.main() == 1
    assert "no demo" in capsys.readouterr().out


def test_a_server_that_cannot_start_is_reported_and_not_waited_for(tmp_path: Path):
    with (
        pytest.raises(ServerFailed, match="status"),
        local_server("--model", str(tmp_path), log=tmp_path / "log", start_timeout_s=60),
    ):
        pass


def test_health_probe_tells_a_serving_server_from_a_silent_port(served: LocalServer):
    assert healthcheck.serving(served.address, timeout_s=10)
    assert not healthcheck.serving(f"127.0.0.1:{free_port()}", timeout_s=0.5)


@pytest.mark.parametrize("number", [0, 1])
def test_python_examples_of_the_readme_run(served: LocalServer, tmp_path: Path, number: int):
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    script = examples[number].replace("127.0.0.1:50051", served.address)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr


def test_links_between_the_documents_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_direct_dependency_has_an_exact_pin_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    pins = {
        canonicalize_name(name): version
        for name, version in re.findall(
            r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE
        )
    }
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name != "kani-npc":
            assert name in pins, f"{name} has no pin"
            assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]}"


@pytest.mark.parametrize("package", ["kani_npc", "finetune"])
def test_every_imported_distribution_is_declared(package: str):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    homes = packages_distributions()
    # Recipes run from a checkout, which has the tools too; what is installed does without.
    ours = {"kani_npc", "finetune"} | ({"tools"} if package == "finetune" else set())
    for file in (ROOT / package).rglob("*.py"):
        for name in imported(file) - ours - sys.stdlib_module_names:
            owners = {canonicalize_name(owner) for owner in homes.get(name, [name])}
            assert owners & declared, f"{file.name} imports {name}, of {owners}"


def imported(file: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {
        node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0
    }
    return {name.partition(".")[0] for name in whole | parts}


def test_copyleft_and_unnamed_licences_are_refused():
    assert judge("phonemizer", "3", "GPL-3.0-or-later").verdict == "refused"
    assert judge("something", "1", "AGPL-3.0-only").verdict == "refused"
    assert judge("something", "1", "").verdict == "refused"
    assert judge("another", "1", "LGPL-2.1-or-later").verdict == "refused"


def test_reviewed_packages_pass_with_their_reason():
    found = judge("soxr", "1.1.0", "LGPL-2.1-or-later")
    assert found.verdict == "reviewed" and found.reason


def test_licence_expressions_are_met_as_a_whole():
    allowed = {"MIT", "Apache-2.0"}
    assert permitted("MIT", allowed)
    assert permitted("GPL-3.0-only OR MIT", allowed)
    assert permitted("Apache-2.0 WITH LLVM-exception AND MIT", allowed)
    assert not permitted("MIT AND GPL-3.0-only", allowed)
    assert not permitted("", allowed)
