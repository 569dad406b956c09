"""A model's name becomes a folder, or one line that says why not. The hub here is a loopback server."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from kani_npc.errors import HubError, ModelError
from kani_npc.models import (
    PUBLISHED_CODEC,
    list_models,
    resolve_codec,
    resolve_model,
    resolve_speaker_encoder,
)

FILES = {"config.json": b"{}", "model.safetensors": b"weights", "voice.bin": b"a pickle"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub():
    """The few answers of the hub that a fetch needs, for one repository, `studio/voice`."""

    class Hub(http.server.BaseHTTPRequestHandler):
        def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            name = path.rpartition("/")[2]
            if path.startswith("/api/models/studio/voice/tree/"):
                tree = [
                    {"type": "file", "path": n, "size": len(data), "oid": n}
                    for n, data in FILES.items()
                ]
                self.answer(json.dumps(tree).encode(), Content_Type="application/json")
            elif path.startswith("/api/models/studio/voice"):
                siblings = [{"rfilename": n} for n in FILES]
                info = {"id": "studio/voice", "sha": COMMIT, "siblings": siblings, "private": False}
                self.answer(json.dumps(info).encode(), Content_Type="application/json")
            elif path.startswith("/studio/voice/resolve/") and name in FILES:
                fetched.append(name)
                self.answer(FILES[name], ETag=f'"{name}"', X_Repo_Commit=COMMIT)
            else:
                self.answer(b"", 404, X_Error_Code="RepoNotFound")

        do_HEAD = do_GET

        def log_message(self, *_) -> None:
            pass

    fetched: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", fetched
        server.shutdown()


def ask(code: str, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own: the hub's library reads its settings once."""
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


RESOLVE = "from kani_npc.models import *; print(resolve_model('studio/voice'))"
REFUSED = """
from kani_npc.models import *
try:
    resolve_model("studio/voice")
except HubError as error:
    print(error)
"""
LIST = "from kani_npc.models import *; print(*(m.name for m in list_models() if m.folder))"


def test_a_hub_name_is_fetched_without_pickles_and_found_again_without_a_network(tmp_path):
    with hub() as (endpoint, fetched):
        first = ask(RESOLVE, endpoint, tmp_path)
    assert first.returncode == 0, first.stderr
    folder = Path(first.stdout.strip())
    assert {p.name for p in folder.iterdir()} == {"config.json", "model.safetensors"}
    assert "voice.bin" not in fetched
    assert "%" in first.stderr  # a progress bar
    again = ask(RESOLVE, endpoint, tmp_path)  # the hub is gone
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    assert "studio/voice" in ask(LIST, endpoint, tmp_path).stdout.split()


def test_without_a_network_a_hub_name_is_one_line_that_names_it(tmp_path):
    result = ask(REFUSED, "http://127.0.0.1:9", tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("studio/voice could not be fetched")
    assert len(result.stdout.splitlines()) == 1


def test_a_network_that_swallows_packets_is_given_up_within_the_timeout(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started_s = time.perf_counter()
        impatient = REFUSED.replace(
            "try:", "from kani_npc import models; models.HUB_TIMEOUT_S = 0.2\ntry:"
        )
        result = ask(impatient, endpoint, tmp_path)
    assert "timed out" in result.stdout and time.perf_counter() - started_s < 30


def test_without_the_hubs_library_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"kani-npc\[hub\]"):
        resolve_model("studio/voice")
    assert [m.name for m in list_models()][1] == "nineninesix/kani-tts-2-en"


@pytest.mark.parametrize("name", ["", "nope", "./nope", "/nope/nope", "a/b/c", "../x", "org/"])
def test_what_is_no_folder_and_no_hub_name_is_an_error(name):
    with pytest.raises(ModelError, match="no model"):
        resolve_model(name)


def test_a_folder_is_itself(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve_model(str(tmp_path))
    (tmp_path / "config.json").touch()
    assert resolve_model(str(tmp_path)) == tmp_path


def test_the_codec_is_the_model_folders_own_unless_another_is_named(tmp_path):
    (tmp_path / "codec").mkdir()
    assert resolve_codec(None, tmp_path) is None
    other = tmp_path / "other.nemo"
    other.touch()
    assert resolve_codec(str(other), tmp_path) == other
    with pytest.raises(ModelError, match="no codec"):
        resolve_codec("./nope.nemo", tmp_path)


def test_a_folder_without_a_codec_takes_the_published_one(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=PUBLISHED_CODEC):
        resolve_codec(None, tmp_path)


def test_every_published_model_is_listed_with_its_licence(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    licences = {m.name: m.licence for m in list_models()}
    assert licences == {
        "tiny": "Apache-2.0",
        "nineninesix/kani-tts-2-en": "LFM Open License v1.0",
        "nvidia/nemo-nano-codec-22khz-0.6kbps-12.5fps": "NVIDIA Open Model License",
        "nineninesix/speaker-emb-tbr": "CC-BY-SA-3.0",
    }


def test_a_speaker_encoder_is_the_named_one_else_the_models_own(tmp_path):
    model, other = tmp_path / "model", tmp_path / "other"
    (model / "speaker").mkdir(parents=True)
    other.mkdir()
    assert resolve_speaker_encoder(None, model, "s") == model / "speaker"
    assert resolve_speaker_encoder(str(other), model, "s") == other
    with pytest.raises(ModelError, match="no speaker encoder"):
        resolve_speaker_encoder("no such thing", model, "s")


def test_a_model_without_a_speaker_encoder_says_how_to_give_it_one(tmp_path):
    with pytest.raises(ModelError, match="--speaker-encoder"):
        resolve_speaker_encoder(None, tmp_path, "of-its-own")
