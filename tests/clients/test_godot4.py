"""The addon for Godot 4 in a real Godot 4.6, the web's, against the live service."""

import asyncio
import re
import shutil

import pytest

from tests.clients.builds import HERE, KEPT, ROOT
from tests.clients.godot4 import SCENE, engine, printed
from tests.support.tiny_random import make_random_model
from tools.local_server import free_port, local_server

PROJECT = ROOT / "clients/godot4"
# An engine is compiled by the browser each time, beside whatever else runs.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the checks of run.gd said, in one run of all, with a service that the game's page may call."""
    folder = engine(KEPT)
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip("there is no Chromium on this machine")
    place = tmp_path_factory.mktemp("godot4")
    model = make_random_model(place / "model", max_frames=60)
    page, port = free_port(), free_port()
    files = {
        str(path.relative_to(PROJECT)): path.read_bytes()
        for path in PROJECT.rglob("*")
        if path.suffix in (".gd", ".cfg", ".godot")
    }
    main = files["project.godot"].replace(b"res://example/guard.tscn", b"res://run.tscn")
    files |= {
        "project.godot": main,
        "run.tscn": SCENE.format("run.gd").encode(),
        "run.gd": (HERE / "godot4/run.gd").read_bytes(),
        "ports.txt": f"{port} {free_port()}".encode(),
    }
    with local_server(
        *("--model", str(model), "--web-address", f"127.0.0.1:{port}"),
        *("--web-origins", f"http://127.0.0.1:{page}"),
        log=place / "log",
    ):
        game = printed(folder, chromium, files, until="DONE", origin_port=page)
        lines = asyncio.run(game)
    assert any("Godot Engine v4." in line for line in lines)
    assert not any("SCRIPT ERROR" in line or "Parse Error" in line for line in lines), lines
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def test_its_wire_is_protobufs(said: dict[str, str]):
    # 300, -1 and "café" as fields 1 to 3
    assert said["wire"] == "08ac0210ffffffffffffffffff011a05636166c3a9"


def test_a_character_speaks_to_the_end_and_its_mouth_by_what_was_played(said: dict[str, str]):
    print(said["speak"])  # `pytest -rP` shows how many gaps there were
    facts = dict(re.findall(r"(\w+)=(-?[\d.]+)", said["speak"]))
    assert said["speak"].startswith("started@22050 ended ")
    assert int(facts["samples"]) > 0 and int(facts["samples"]) % 1764 == 0
    assert int(facts["shapes"]) > 3
    assert (
        int(facts["ahead"]) < 3000
    )  # nobody hears faster than the clock, up to a block of the mixer


def test_stopping_stops(said: dict[str, str]):
    assert said["stop"].startswith("started@22050 stopped ")


def test_an_npc_that_is_not_there_is_an_error(said: dict[str, str]):
    assert said["unknown"].startswith("failed@5 ")


def test_a_server_that_is_not_there_is_unavailable_after_some_tries(said: dict[str, str]):
    assert said["alone"].startswith("failed@14 ")


def test_the_addon_is_that_of_godot_3_in_what_it_asks_and_signals():
    three, four = (
        (ROOT / folder / "addons/kani_npc/kani_npc_voice.gd").read_text("utf-8")
        for folder in ("clients/godot", "clients/godot4")
    )
    for pattern in (r"^signal (\w+)", r"^func ([a-z]\w+)", r"wire\.(?:text|number)\((\d+)"):
        assert re.findall(pattern, three, re.MULTILINE) == re.findall(pattern, four, re.MULTILINE)
    # The plugin's script, which only an editor runs, is of the same language at least.
    assert (PROJECT / "addons/kani_npc/plugin.gd").read_text().startswith("@tool\n")
