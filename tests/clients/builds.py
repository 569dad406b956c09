"""Compiles what the clients' tests run: C++ with g++ or clang, C# with mono's mcs. Nothing is compiled twice.

Objects are kept under `build/clients`, named by a digest of all that went into them.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "clients"
CORE = ROOT / "clients/unreal/KaniNpc/Source/KaniNpcCore"
UNITY = ROOT / "clients/unity/com.kani-npc.voice"
HERE = ROOT / "tests/clients"
NUNIT = Path("/usr/lib/cli/nunit.framework-2.6.3/nunit.framework.dll")

ADDRESS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREAD = ("-fsanitize=thread",)

# As a game is built, and every warning counts.
CPP_FLAGS = (
    "-std=c++17 -O0 -fno-exceptions -fno-rtti -Wall -Wextra -Wshadow -Wconversion -Werror".split()
)
CORE_SOURCES = sorted(p for p in CORE.glob("Private/**/*.cpp") if p.parent.name != "Unreal")
UNITY_CORE_SOURCES = sorted(UNITY.glob("Runtime/Core/**/*.cs"))


def tool(name: str) -> str:
    """Where a program is. Skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def need_nunit() -> None:
    """Skips the test where Debian's NUnit is not installed."""
    if not NUNIT.exists():
        pytest.skip("libnunit-framework2.6.3-cil is not installed")


def run(command: Iterable[str | Path], **options) -> subprocess.CompletedProcess:
    """Runs a program, which must succeed; what it printed is in the failure."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done


def cpp_program(
    name: str,
    sources: Iterable[Path],
    *,
    compiler: str = "g++",
    more_flags: Iterable[str] = (),
    includes: Iterable[Path] = (),
    libraries: Iterable[str] = (),
) -> Path:
    """A program of these sources and the engine-free core, which is compiled once for all that want the same flags."""
    compiler = tool(compiler)
    flags = [*CPP_FLAGS, *more_flags, f"-I{CORE / 'Public'}"]
    objects = [_object(compiler, flags, _whole_core(), [*_headers(CORE), *CORE_SOURCES])]
    own_flags = [*flags, *(f"-I{i}" for i in includes)]
    objects += [
        _object(compiler, own_flags, source, _headers(CORE, *includes)) for source in sources
    ]
    program = KEPT / f"{name}-{_digest([compiler, *flags, *map(str, objects), *libraries], [])}"
    if not program.exists():
        made = program.with_suffix(f".{os.getpid()}.tmp")
        run([compiler, *flags, *objects, "-o", made, "-pthread", *libraries])
        made.rename(program)
    return program


def _whole_core() -> Path:
    """All sources of the core as one, which is compiled in a quarter of the time of each by itself."""
    whole = KEPT / "core.cpp"
    text = "".join(f'#include "{source}"\n' for source in CORE_SOURCES)
    if not whole.exists() or whole.read_text("utf-8") != text:
        KEPT.mkdir(parents=True, exist_ok=True)
        whole.write_text(text, encoding="utf-8")
    return whole


def _headers(*folders: Path) -> list[Path]:
    return sorted(p for folder in folders for p in folder.rglob("*.h"))


def _object(compiler: str, flags: list[str], source: Path, needed: Iterable[Path]) -> Path:
    target = KEPT / f"{source.stem}-{_digest([compiler, *flags], [source, *needed])}.o"
    if not target.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        made = target.with_suffix(f".{os.getpid()}.tmp")
        run([compiler, *flags, "-c", source, "-o", made])
        made.rename(target)
    return target


def cs_program(
    name: str,
    sources: Iterable[Path],
    *,
    library: bool = False,
    references: Iterable[Path] = (),
) -> Path:
    """A program, or with `library` a DLL, of C# 7 sources, without one warning. Run it with mono."""
    compiler = tool("mcs")
    tool("mono")
    sources, references = list(sources), list(references)
    digest = _digest([str(library), *map(str, references)], sources)
    # A reference is found beside the program under its own name.
    folder = KEPT / f"{name}-{digest}"
    program = folder / f"{name}.{'dll' if library else 'exe'}"
    if not program.exists():
        made = Path(f"{folder}.{os.getpid()}.tmp")
        made.mkdir(parents=True)
        for reference in references:
            shutil.copy(reference, made)
        run(
            [
                compiler,
                "-langversion:7.2",
                "-warnaserror",
                "-optimize+",
                f"-target:{'library' if library else 'exe'}",
                f"-out:{made / program.name}",
                "-r:System.Net.Http.dll",
                *(f"-r:{r}" for r in references),
                *sources,
            ]
        )
        made.rename(folder)
    return program


def _digest(words: Iterable[str], files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for word in words:
        digest.update(word.encode() + b"\0")
    for file in files:
        digest.update(str(file).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
