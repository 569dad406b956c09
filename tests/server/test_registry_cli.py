"""The commands about voices, NPCs, accents and lexicons, as they are typed, against a server of its own process."""

import csv
import hashlib
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
import torch

from kani_npc import cli
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder
from kani_npc.voices.artefacts import ArtefactFolder
from tests.support.clips import speechlike, wav
from tools.local_server import local_server

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture(scope="module")
def served(
    random_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Address and store."""
    folder = tmp_path_factory.mktemp("served")
    torch.manual_seed(0)
    shipped = json.loads((random_model_folder / "voices.json").read_text())["voices"][0]
    dim = len(shipped["embedding"])
    config = LogMelConfig(shipped["space"], dim=dim, mels=16, channels=8, pooled_channels=16)
    LogMelEncoder(config).save(folder / "speaker")
    store = f"sqlite:{folder / 'voices.db'}"
    options = {
        "--model": random_model_folder,
        "--store": store,
        "--speaker-encoder": folder / "speaker",
        "--threads": 1,
    }
    arguments = [str(word) for option in options.items() for word in option]
    with local_server(*arguments, log=folder / "log") as server:
        yield server.address, store


@pytest.fixture
def run(monkeypatch, capfd, tmp_path) -> Run:
    """`run("voices", ...)` -> exit code, stdout, lines of stderr; in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["kani-npc", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as exit:
            code = int(exit.code or 0)
        out, err = capfd.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def at(run: Run, served: tuple[str, str]) -> Run:
    """`run` at the server, in a project of the test's own."""

    def at(*arguments: str, project: str = "test") -> tuple[int, str, list[str]]:
        return run(*arguments, "--server", served[0], "--project", project)

    return at


def test_a_designer_enrols_hears_versions_and_carries_a_voice(at: Run, run: Run, served, tmp_path):
    """docs/voices.md, step by step."""
    (tmp_path / "ada.wav").write_bytes(wav(speechlike(2.0)))
    (tmp_path / "ada-2.wav").write_bytes(wav(speechlike(2.0, pitch_hz=150.0)))

    code, out, err = at("voices", "enroll", "mirela", "ada.wav")
    assert (code, out) == (1, "") and "consent" in err[0]
    allowed = ["--holder", "Ada", "--statement", "I agree.", "--scope", "one game"]
    code, out, err = at("voices", "enroll", "mirela", "ada.wav", "--keep-clips", *allowed)
    assert code == 0, err
    assert "s of speech" in out and "CONSENT_KIND_GRANTED" in out and err == []

    code, _, err = at("say", "Halt!", "--voice", "mirela", "-o", "halt.wav")
    assert code == 0, err
    assert soundfile.info(tmp_path / "halt.wav").frames > 0

    code, out, err = at("voices", "enroll", "mirela", "ada-2.wav", "--revise", "--json")
    assert code == 0, err
    assert json.loads(out)["revision"] == 2
    code, out, _ = at("voices", "rollback", "mirela", "1", "--json")
    assert code == 0 and json.loads(out)["revision"] == 3
    code, out, _ = at("voices", "show", "mirela")
    assert code == 0 and "3 (" in out and "1 (" in out
    code, out, _ = at("voices", "show", "mirela@2", "--json")
    assert code == 0 and json.loads(out)["revision"] == 2

    code, out, err = at("voices", "export", "mirela")
    assert code == 0 and (tmp_path / "mirela.voice.safetensors").exists(), err
    code, out, err = at(
        "voices", "import", "mirela.voice.safetensors", "--id", "bea", "--own-voice"
    )
    assert code == 0 and "VOICE_SOURCE_IMPORTED" in out, err
    code, out, err = at("voices", "blend", "both", "mirela=2", "bea=1", "--name", "Both")
    assert code == 0 and "BLENDED" in out, err

    code, out, _ = at("voices", "list")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert (
        code == 0 and lines["ID"].split() == "ID NAME REVISION SOURCE TAG CONSENT CHANGED".split()
    )
    assert "granted" in lines["mirela"] and "own voice" in lines["bea"]
    assert "of its parents" in lines["both"] and any("builtin" in line for line in lines.values())

    code, out, err = at("npcs", "set", "guard", "--voice", "both", "--gain-db", "-3", "--seed", "7")
    assert code == 0 and "gain_db=-3" in out, err
    code, _, err = at("say", "Halt!", "--npc", "guard", "-o", "guard.wav")
    assert code == 0 and "seed 7" in err[0]

    code, out, _ = at("consent", "revoke", "mirela", "--json")
    assert code == 0 and "revoke_time" in json.loads(out)["consent"]
    code, _, err = at("say", "Halt!", "--npc", "guard", "-o", "no.wav")
    assert code == 1 and "revoked" in err[0]
    code, out, _ = at("voices", "rm", "bea")
    assert (code, out) == (0, "bea: deleted\n")

    spoken = {("mirela", "", "rendered"), ("both", "guard", "rendered")}
    until_s = time.monotonic() + 20  # the ledger is a second behind
    while (found := ledger(run, served[1])) != spoken:
        assert time.monotonic() < until_s, found


def ledger(run: Run, store: str) -> set[tuple[str, str, str]]:
    code, out, _ = run("usage", "export", "--store", store, "--project", "test")
    assert code == 0
    return {(row["voice"], row["npc"], row["usage"]) for row in csv.DictReader(io.StringIO(out))}


def test_npcs_are_made_changed_listed_and_removed(at: Run):
    assert at("npcs", "set", "gunnar", "--voice", "nobody")[0] == 2
    voice = json.loads(at("voices", "list", "--json")[1])[0]["id"]
    code, out, err = at(
        "npcs", "set", "gunnar", "--voice", voice, "--vary", "--temperature", "0.5", "--json"
    )
    assert code == 0, err
    made = json.loads(out)
    assert made["seed_policy"] == "SEED_POLICY_VARY" and made["sampling"] == {"temperature": 0.5}
    code, out, _ = at("npcs", "set", "gunnar", "--name", "Gunnar", "--seed", "3", "--json")
    changed = json.loads(out)
    assert changed["voice"] == voice and changed["seed"] == "3" and changed["revision"] == 2
    code, out, _ = at("npcs", "set", "gunnar", "--vary", "--json")
    assert "seed" not in json.loads(out)
    assert "Gunnar" in at("npcs", "list")[1] and "Gunnar" in at("npcs", "show", "gunnar")[1]
    assert at("npcs", "rm", "gunnar")[0] == 0
    code, _, err = at("npcs", "show", "gunnar")
    assert code == 2 and err == ["kani-npc: no npc 'gunnar'; ListNpcs lists them"]


def test_accents_are_made_changed_listed_and_removed(at: Run):
    tag = json.loads(at("accents", "list", "--json")[1])[0]["tag"]
    code, out, err = at("accents", "set", "old-town", "--tag", tag, "--top-k", "5")
    assert code == 0 and "top_k=5" in out, err
    assert at("accents", "set", "old-town", "--name", "Old town")[0] == 0
    assert "Old town" in at("accents", "show", "old-town")[1]
    listed = at("accents", "list")[1]
    assert "the model" in listed and "the project" in listed
    assert at("accents", "rm", "old-town")[0] == 0
    code, _, err = at("accents", "set", "mars", "--tag", "martian")
    assert code == 1 and "martian" in err[0]


def test_words_are_put_into_a_lexicon_and_taken_out(at: Run):
    assert at("lexicons", "set", "default", "Cthulhu=kuh thoo loo", "ork=orc")[0] == 0
    code, out, _ = at("lexicons", "set", "default", "ork=", "--json")
    assert code == 0 and json.loads(out)["entries"] == {"Cthulhu": "kuh thoo loo"}
    assert "kuh thoo loo" in at("lexicons", "show", "default")[1]
    assert at("lexicons", "list")[1].splitlines()[1].split()[0] == "default"
    assert at("lexicons", "rm", "default")[0] == 0


def test_reembed_takes_only_voices_that_kept_recordings(at: Run):
    code, out, _ = at("voices", "reembed", project="empty")
    assert code == 0 and out.splitlines() == ["ID  REVISION  SPACE"]


def test_projects_have_voices_of_their_own(at: Run, tmp_path):
    (tmp_path / "ada.wav").write_bytes(wav(speechlike(2.0)))
    assert at("voices", "enroll", "solo", "ada.wav", "--synthetic", project="north")[0] == 0
    assert at("voices", "show", "solo", project="south")[0] == 2


def test_without_a_server_commands_work_on_the_store_right_here(run: Run, random_model_folder):
    here = ["--store", "sqlite:here.db", "--model", str(random_model_folder)]
    assert run("lexicons", "set", "default", "ork=orc", *here)[0] == 0
    code, out, _ = run("lexicons", "show", "default", "--json", *here)
    assert code == 0 and json.loads(out)["entries"] == {"ork": "orc"}
    assert Path("here.db").exists()


def test_parts_that_no_voice_has_are_swept_away_when_they_are_old(run: Run, tmp_path):
    folder = ArtefactFolder(tmp_path / "artefacts")
    folder.put("test", hashlib.sha256(b"left").hexdigest(), b"left")
    here = ["--store", "sqlite:here.db", "--project", "test"]
    assert run("voices", "sweep", *here)[:2] == (0, "0 parts deleted\n")
    assert run("voices", "sweep", *here, "--grace-s", "0")[:2] == (0, "1 parts deleted\n")
    assert not folder.names("test")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["voices", "enroll", "mirela", "nowhere.wav", "--synthetic"], 1, "nowhere.wav"),
        (["voices", "show", "ada@x"], 2, "revision"),
        (["voices", "blend", "both", "mirela"], 2, "key=value"),
        (["voices", "blend", "both", "mirela=much"], 2, "number"),
        (["npcs", "set", "x", "--vary", "--seed", "1"], 2, "--vary"),
        (["voices", "list", "--store", "a.db"], 2, "--server"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(at: Run, arguments, code, says):
    found, out, err = at(*arguments)
    assert (found, out, len(err)) == (code, "", 1), err
    assert err[0].startswith("kani-npc: ") and says in err[0]


def test_both_declarations_at_once_are_none(at: Run, tmp_path):
    (tmp_path / "ada.wav").write_bytes(b"")
    code, _, err = at("voices", "enroll", "mirela", "ada.wav", "--synthetic", "--own-voice")
    assert code == 2 and "--own-voice" in err[0]


def test_a_server_that_is_not_there_is_named(run: Run):
    code, _, err = run("voices", "list", "--server", "127.0.0.1:9")
    assert code == 1 and len(err) == 1 and "127.0.0.1:9" in err[0]
