"""The demonstration's own part: who speaks the takes, and commands that are run as they are printed."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from finetune import demo
from finetune.demo import DemoFailed, Stage, together
from finetune.recipe import read
from finetune.tiny.lines import is_held_out

needs_festival = pytest.mark.skipif(
    shutil.which("festival") is None
    or not Path("/usr/share/festival/voices/english/ked_diphone").exists(),
    reason="festival and festvox-kdlpc16k are not installed",
)


@needs_festival
def test_so_much_is_spoken_as_was_asked_for_and_never_twice(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(demo, "AT_ONCE", 2)
    texts = [
        f'The {n} gate, he said "closed" for me.' for n in ("first", "second", "third", "last")
    ]
    spoken_s = demo.speak(texts, tmp_path, until_s=3.0)
    rows = [json.loads(row) for row in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == texts[: len(rows)] and 1 < len(rows) < 4
    assert 3.0 <= spoken_s < 6.0
    assert sorted(p.name for p in tmp_path.iterdir()) == [row["path"] for row in rows] + [
        "lines.jsonl"
    ]
    before = (tmp_path / "000.wav").stat().st_mtime_ns
    assert demo.speak(["Another one."], tmp_path, until_s=3.0) == pytest.approx(spoken_s)
    assert (tmp_path / "000.wav").stat().st_mtime_ns == before


def test_without_festival_it_says_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoFailed, match="apt-get install festival festvox-kdlpc16k"):
        demo.speak(["Halt!"], tmp_path / "takes")


def test_what_is_judged_was_trained_on_by_nobody():
    assert all(is_held_out(text) for text in demo.unheard_texts())
    assert not any(is_held_out(text) for _, text in zip(range(200), demo.texts(), strict=False))


def test_a_stage_that_fails_is_named_with_its_last_words_and_ends_the_one_beside_it(
    tmp_path: Path, capfd
):
    failing = "import sys; print('first'); sys.exit('the disk is full')"
    stages = [
        Stage("train", (sys.executable, "-c", failing), tmp_path / "a.log"),
        Stage("wait", (sys.executable, "-c", "import time; time.sleep(600)"), tmp_path / "b.log"),
    ]
    with pytest.raises(DemoFailed, match="train ended with status 1: the disk is full"):
        together(stages)
    assert "$ python -c 'import time; time.sleep(600)'" in capfd.readouterr().out
    together([Stage("fine", (sys.executable, "-c", "print('done')"), tmp_path / "c.log")])
    assert (tmp_path / "c.log").read_text() == "done\n"


@pytest.mark.parametrize("name", ["lora-tiny.toml"])
def test_the_recipes_that_it_names_can_be_read(name: str):
    assert read(demo.RECIPES / name).lora is not None
