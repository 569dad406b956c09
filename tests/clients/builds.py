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

# As a game is built, and every warning counts.
CPP_FLAGS = (
    "-std=c++17 -O1 -fno-exceptions -fno-rtti -Wall -Wextra -Wshadow -Wconversion -Werror".split()
)
CORE_SOURCES = sorted(CORE.glob("Private/**/*.cpp"))
UNITY_CORE_SOURCES = sorted(UNITY.glob("Runtime/Core/**/*.cs"))


def tool(name: str) -> str:
    """Where a program is. Skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


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
    flags: Iterable[str] = CPP_FLAGS,
    more_flags: Iterable[str] = (),
    includes: Iterable[Path] = (),
    libraries: Iterable[str] = (),
) -> Path:
    """A program of C++ sources and the engine-free core's headers."""
    compiler = tool(compiler)
    flags = [*flags, *more_flags, f"-I{CORE / 'Public'}", *(f"-I{i}" for i in includes)]
    headers = sorted(
        p for i in (CORE / "Public", CORE / "Private", *includes) for p in i.rglob("*.h")
    )
    common = _digest([compiler, *flags], headers)
    objects = []
    for source in sources:
        target = KEPT / f"{source.stem}-{_digest([common], [source])}.o"
        if not target.exists():
            KEPT.mkdir(parents=True, exist_ok=True)
            made = target.with_suffix(f".{os.getpid()}.tmp")
            run([compiler, *flags, "-c", source, "-o", made])
            made.rename(target)
        objects.append(target)
    program = KEPT / f"{name}-{_digest([common, *map(str, objects), *libraries], [])}"
    if not program.exists():
        made = program.with_suffix(f".{os.getpid()}.tmp")
        run([compiler, *flags, *objects, "-o", made, *libraries])
        made.rename(program)
    return program


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
