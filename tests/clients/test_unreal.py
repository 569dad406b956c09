"""The Unreal plugin's engine module, compiled against and run on small stand-ins of the engine's public API."""

import json
import re
from pathlib import Path

import pytest

from kani_npc import __version__
from tests.clients.builds import ADDRESS, HERE, KEPT, ROOT, cpp_program, run
from tests.clients.test_cpp import checks

# Compilers share the machine with whatever else runs on it.
pytestmark = pytest.mark.timeout(600)

PLUGIN = ROOT / "clients/unreal/KaniNpc"
MODULE = PLUGIN / "Source/KaniNpc"
TESTS = HERE / "unreal/module_tests.cpp"


@pytest.fixture(scope="module")
def program() -> Path:
    headers = KEPT / "unreal"
    sources = [p for p in MODULE.rglob("*") if p.suffix in (".h", ".cpp")]
    ours = {p.name for p in sources}
    for name in re.findall(r'#include "([\w/.]+)"', "".join(p.read_text("utf-8") for p in sources)):
        if name in ours or name.startswith("kani/"):
            continue
        place = headers / name
        place.parent.mkdir(parents=True, exist_ok=True)
        generated = name.endswith(".generated.h")
        place.write_text("" if generated else '#include "UnrealStub.h"\n')
    whole = KEPT / "module.cpp"
    modules = sorted(MODULE.glob("Private/*.cpp"))
    whole.write_text("".join(f'#include "{p}"\n' for p in [*modules, TESTS]))
    includes = [HERE / "cpp", HERE / "unreal/stubs", MODULE / "Public", MODULE / "Private", headers]
    return cpp_program("module_tests", [whole], more_flags=ADDRESS, includes=includes)


@pytest.mark.parametrize("check", checks(TESTS))
def test_module(program: Path, check: str):
    run([program, check], timeout=60)


def test_the_descriptor_names_the_modules_that_are_there():
    descriptor = json.loads((PLUGIN / "KaniNpc.uplugin").read_text("utf-8"))
    assert descriptor["VersionName"] == __version__
    for module in descriptor["Modules"]:
        rules = PLUGIN / "Source" / module["Name"] / f"{module['Name']}.Build.cs"
        assert f"class {module['Name']} : ModuleRules" in rules.read_text("utf-8")


def test_every_class_of_the_engine_has_its_generated_header_last():
    for header in MODULE.glob("Public/*.h"):
        text = header.read_text("utf-8")
        if "UCLASS" in text:
            assert re.findall(r"#include .*", text)[-1] == f'#include "{header.stem}.generated.h"'
            assert "GENERATED_BODY()" in text
