"""Writes `kani_npc/v1/` from `proto/`, or with `--check` says whether what is committed is what it would write.

Generation is pinned to grpcio-tools 1.76.0: generated code refuses to run with a protobuf or grpcio older than the
one it was made with, and 1.76.0's runs with every version `pyproject.toml` allows (grpcio 1.76 to 1.85 and protobuf
6.33 and 7.36 were tried).
"""

import sys
import tempfile
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from grpc_tools import protoc

TOOLS_VERSION = "1.76.0"
ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PACKAGE = Path("kani_npc/v1")


def generate(out: Path) -> None:
    """Write all generated modules under `out`. Raises `SystemExit` where protoc refuses a file."""
    protos = sorted((PROTO / PACKAGE).glob("*.proto"))
    services = [p for p in protos if "\nservice " in p.read_text(encoding="utf-8")]
    include = [f"-I{PROTO}", f"-I{resources.files('grpc_tools') / '_proto'}"]
    for arguments in (
        [f"--python_out={out}", f"--pyi_out={out}", *map(str, protos)],
        [f"--grpc_python_out={out}", *map(str, services)],
    ):
        if protoc.main(["protoc", *include, *arguments]) != 0:
            raise SystemExit(1)


def generated(folder: Path) -> dict[str, str]:
    """The generated modules below `folder`: name -> text."""
    files = (p for p in (folder / PACKAGE).glob("*_pb2*") if p.suffix in (".py", ".pyi"))
    return {p.name: p.read_text(encoding="utf-8") for p in files}


def main(arguments: list[str]) -> int:
    if version("grpcio-tools") != TOOLS_VERSION:
        print(f"generation is pinned to grpcio-tools=={TOOLS_VERSION}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = generated(Path(folder))
    committed = generated(ROOT)
    stale = sorted(n for n in fresh.keys() | committed.keys() if fresh.get(n) != committed.get(n))
    if "--check" in arguments:
        if stale:
            print(f"not what proto/ says: {', '.join(stale)}; run `make proto`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        path = ROOT / PACKAGE / name
        if name in fresh:
            path.write_text(fresh[name], encoding="utf-8")
        else:
            path.unlink()
        print(f"{PACKAGE / name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
