"""The Unity package has the shape that Unity's package manager wants."""

import json
import re

from kani_npc import __version__
from tests.clients.builds import UNITY
from tools import unity_meta


def test_every_asset_has_its_meta_file_and_a_guid_of_its_own():
    assert unity_meta.main(["--check"]) == 0
    guids = [
        re.search(r"guid: ([0-9a-f]{32})", p.read_text())[1]  # pyright: ignore[reportOptionalSubscript]
        for p in UNITY.rglob("*.meta")
    ]
    assert len(guids) == len(set(guids)) > 30


def test_the_manifest_says_what_the_package_is():
    manifest = json.loads((UNITY / "package.json").read_text("utf-8"))
    assert manifest["name"] == UNITY.name == "com.kani-npc.voice"
    assert manifest["version"] == __version__
    assert re.fullmatch(r"\d{4}\.\d", manifest["unity"])
    assert not manifest.get("dependencies")
    for sample in manifest["samples"]:
        assert list((UNITY / sample["path"]).glob("*.cs"))
    for name in ("README.md", "CHANGELOG.md", "LICENSE.md"):
        assert (UNITY / name).stat().st_size > 0


def test_the_core_knows_no_engine_and_each_assembly_only_those_below():
    assemblies = {
        definition["name"]: definition
        for definition in (json.loads(p.read_text("utf-8")) for p in UNITY.rglob("*.asmdef"))
    }
    assert assemblies["KaniNpc.Core"]["noEngineReferences"] is True
    assert assemblies["KaniNpc.Core"]["references"] == []
    assert assemblies["KaniNpc.Unity"]["references"] == ["KaniNpc.Core"]
    assert assemblies["KaniNpc.Editor"]["includePlatforms"] == ["Editor"]
    core = "".join(p.read_text("utf-8") for p in UNITY.glob("Runtime/Core/**/*.cs"))
    # Ahead-of-time compilers strip what only reflection reaches.
    for word in (
        "UnityEngine",
        "System.Reflection",
        "Activator",
        "dynamic ",
        "DllImport",
        "unsafe",
    ):
        assert word not in core
