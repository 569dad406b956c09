"""What a newcomer meets first in every client: the address it calls by itself, and a README that is honest."""

import re

import pytest

from kani_npc.config import WEB_PORT
from tests.clients.builds import ROOT

READMES = sorted((ROOT / "clients").glob("*/**/README.md"))
SOURCES = [
    path
    for suffix in ("md", "cs", "gd", "h", "cpp", "js")
    for path in sorted((ROOT / "clients").rglob(f"*.{suffix}"))
    if "Tests" not in path.parts
]


def test_clients_of_the_web_port_call_the_one_that_the_service_opens_by_itself():
    found = 0
    for path in SOURCES:
        for port in re.findall(r"http://(?:127\.0\.0\.1|localhost|host):(\d+)", path.read_text()):
            assert int(port) == WEB_PORT, path
            found += 1
    assert found > 5
    for folder in ("godot", "godot4"):
        addon = (ROOT / "clients" / folder / "addons/kani_npc/kani_npc_voice.gd").read_text()
        assert re.findall(r"export var port :?= (\d+)", addon) == [str(WEB_PORT)]


def test_the_list_of_clients_names_every_one():
    listed = (ROOT / "clients/README.md").read_text("utf-8")
    for readme in READMES:
        assert f"({readme.parent.relative_to(ROOT / 'clients')})" in listed


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_readme_says_what_was_run_and_what_nobody_has_run(readme):
    text = readme.read_text("utf-8")
    assert "## What was run, and what was not" in text
    last = " ".join(text.partition("## What was run, and what was not")[2].split())
    assert re.search(r"[Nn]obody has|not run by any", last, re.IGNORECASE)
    assert re.search(r"If you are the first|The first who does", last)
