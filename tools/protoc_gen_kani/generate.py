"""Writes the clients' messages from `proto/`, or with `--check` says whether what is committed is what it would write.

Runs grpcio-tools' protoc with this package as its plugin.
"""

import os
import stat
import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.rpc import error_details_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent.parent
PROTO = ROOT / "proto"
# What stands in `grpc-status-details-bin`.
ROOTS = (
    "google.rpc.Status",
    "google.rpc.ErrorInfo",
    "google.rpc.BadRequest",
    "google.rpc.RetryInfo",
)
CORE = Path("clients/unreal/KaniNpc/Source/KaniNpcCore")
UNITY = Path("clients/unity/com.kani-npc.voice/Runtime/Core/Generated")


def destination(name: str) -> Path:
    """Where a written file belongs, from the root of the checkout."""
    if name.endswith(".cs"):
        return UNITY / name
    return CORE / ("Public/kani/v1" if name.endswith(".h") else "Private/v1") / name


def generate() -> dict[Path, str]:
    """All files of all languages: place from the root -> text. Raises `SystemExit` where protoc refuses."""
    texts: dict[Path, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder) / "protoc-gen-kani"
        plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tools.protoc_gen_kani\n')
        plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
        # The plugin is a module of this checkout, wherever it is run from.
        os.environ["PYTHONPATH"] = str(ROOT)
        includes = (
            PROTO,
            resources.files("grpc_tools") / "_proto",
            Path(error_details_pb2.__file__).parents[2],
        )
        protos = sorted(str(p) for p in (PROTO / "kani_npc/v1").glob("*.proto"))
        for language in ("csharp", "cpp"):
            out = Path(folder) / language
            out.mkdir()
            arguments = [
                "protoc",
                *(f"-I{i}" for i in includes),
                f"--plugin=protoc-gen-kani={plugin}",
                f"--kani_out={','.join((language, *ROOTS))}:{out}",
                *protos,
                "google/rpc/status.proto",
                "google/rpc/error_details.proto",
            ]
            if protoc.main(arguments) != 0:
                raise SystemExit(1)
            texts |= {destination(p.name): p.read_text(encoding="utf-8") for p in out.iterdir()}
    return texts


def committed() -> dict[Path, str]:
    """The written files that are there: place from the root -> text."""
    folders = (UNITY, CORE / "Public/kani/v1", CORE / "Private/v1")
    return {
        p.relative_to(ROOT): p.read_text(encoding="utf-8")
        for folder in folders
        for p in (ROOT / folder).glob("*")
        if p.suffix in (".cs", ".h", ".cpp")
    }


def main(arguments: list[str]) -> int:
    fresh, there = generate(), committed()
    stale = sorted(p for p in fresh.keys() | there.keys() if fresh.get(p) != there.get(p))
    if "--check" in arguments:
        if stale:
            names = ", ".join(map(str, stale))
            print(f"not what proto/ says: {names}; run `make proto`", file=sys.stderr)
        return 1 if stale else 0
    for place in stale:
        path = ROOT / place
        if place in fresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh[place], encoding="utf-8")
        else:
            path.unlink()
        print(place)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
