"""What a run needs to go on where it was stopped: one file, complete or not there.

Written aside, brought to the disk, then renamed: a process that dies while it writes leaves the file before. Knows
nothing of what is in it.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_NAME = re.compile(r"step-(\d+)\.pt")


def newest(folder: Path) -> Path | None:
    """The last complete one. What somebody did not finish writing is removed."""
    for draft in folder.glob("*.part"):
        draft.unlink()
    return max(_complete(folder), key=_step, default=None)


def save(folder: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    """Writes the state, and removes all but the last `keep`. Raises `OSError` where it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:07}.pt"
    write(path, lambda draft: torch.save(state, draft))
    for old in sorted(_complete(folder), key=_step)[:-keep]:
        old.unlink()
    return path


def load(path: Path) -> dict[str, Any]:
    """Raises `ValueError` for a file that is not one of ours."""
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises what its reader, zip or pickle does
        raise ValueError(
            f"{path} cannot be read; remove it to go on from the one before"
        ) from error


def write(path: Path, write_to: Callable[[Path], object]) -> None:
    """A file or a folder, whole or not at all. Raises `OSError` that says how much room there was."""
    draft = path.with_name(path.name + ".part")
    _remove(draft)
    try:
        write_to(draft)
        for part in [draft, *draft.rglob("*")]:
            if part.is_file():
                with part.open("rb") as file:
                    os.fsync(file.fileno())
    # torch's and safetensors' writers have errors of their own for a disk that is full.
    except Exception as error:
        _remove(draft)
        free = shutil.disk_usage(path.parent).free
        cause = str(error).partition("\n")[0]
        raise OSError(
            f"{path} could not be written, {free / 1e6:.0f} MB are free there: {cause}"
        ) from error
    if draft.is_dir() and path.is_dir():
        old = path.with_name(path.name + ".old")
        _remove(old)
        path.rename(old)
        draft.rename(path)
        _remove(old)
    else:
        os.replace(draft, path)


def _complete(folder: Path) -> list[Path]:
    return [path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name)]


def _step(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    assert found
    return int(found[1])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
