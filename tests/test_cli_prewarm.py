"""`kani-npc prewarm`: a file of lines, made ahead of play."""

import sys

import pytest

from kani_npc import cli


@pytest.fixture
def run(monkeypatch, capfd, tmp_path):
    """`run(...)` -> exit code and lines of stderr; in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["kani-npc", "prewarm", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as exit:
            code = int(exit.code or 0)
        return code, capfd.readouterr().err.splitlines()

    return run


def test_lines_of_a_file_are_made_once_and_kept_in_a_folder(run, tmp_path):
    (tmp_path / "lines.txt").write_text("Halt!\n\nWho goes there?\n")
    here = ("lines.txt", "--cache-store", "kept", "--threads", "1")
    assert run(*here) == (0, ["2 made, 0 there already, 0 failed, of 2"])
    assert len(list((tmp_path / "kept").rglob("*.line"))) == 2
    assert run(*here) == (0, ["0 made, 2 there already, 0 failed, of 2"])


def test_a_table_says_who_speaks_and_what_failed_is_said_by_its_number(run, tmp_path):
    (tmp_path / "lines.csv").write_text(
        'text,voice,seed\n"Halt, you!",mira,7\nWho goes there?,nobody,\nHalt!,,\n'
    )
    code, told = run("lines.csv", "--cache-store", "kept", "--voice", "rowan", "--threads", "1")
    assert code == 1
    assert told[0].startswith("line 2: VOICE_NOT_FOUND: ")
    assert told[1:] == [
        "2 made, 0 there already, 1 failed, of 3",
        "kani-npc: 1 of 3 lines are not kept",
    ]


def test_what_cannot_be_done_is_one_line(run, tmp_path):
    (tmp_path / "lines.txt").write_text("Halt!\n")
    (tmp_path / "lines.csv").write_text("words\nHalt!\n")
    (tmp_path / "seeds.csv").write_text("text,seed\nHalt!,x\n")
    for arguments, code in (
        (("lines.txt",), 2),
        (("lines.txt", "--server", "127.0.0.1:1", "--cache-store", "kept"), 2),
        (("lines.txt", "--server", "127.0.0.1:1"), 1),
        (("lines.csv", "--cache-store", "kept"), 2),
        (("seeds.csv", "--cache-store", "kept"), 2),
        (("nothing.txt", "--cache-store", "kept"), 1),
    ):
        got, told = run(*arguments)
        assert (got, len(told)) == (code, 1), told
