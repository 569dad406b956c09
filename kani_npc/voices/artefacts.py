"""Large parts as files: adapters, reference clips. Content-addressed, so that a file is whole or not there.

Calls block; a store makes them beside its event loop. A file's time says when it was last put: who deletes what nobody
needs must not take what somebody just brought, and is about to name in a record.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kani_npc.errors import ArtefactMissing


def missing(sha256: str) -> ArtefactMissing:
    return ArtefactMissing(f"the store does not hold the part {sha256[:12]}…; upload it again")


class ArtefactFolder:
    """`<root>/<project>/<first two digits>/<sha256>`. Raises `OSError` where the disk does."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, project: str, sha256: str, data: bytes) -> None:
        path = self._path(project, sha256)
        with suppress(FileNotFoundError):
            _date(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _beside(path, "part")
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _date(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name is part of what must survive
        finally:
            os.close(folder)

    def get(self, project: str, sha256: str) -> bytes:
        """Raises `ArtefactMissing`, also for a file that is not what its name says."""
        try:
            data = self._path(project, sha256).read_bytes()
        except FileNotFoundError:
            raise missing(sha256) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise missing(sha256)
        return data

    def names(self, project: str) -> Sequence[str]:
        """The sha256 of every part that is there."""
        found = (self._root / project).glob("??/*")
        return [path.name for path in found if "." not in path.name]

    def delete(self, project: str, sha256: str, *, put_before_s: float) -> bool:
        """Whether it is gone: not if it was put at that time or later."""
        path = self._path(project, sha256)
        grave = _beside(path, "swept")
        with suppress(FileNotFoundError):  # somebody else was quicker
            # Out of the way first: from here on a put writes a file of its own, and one from before has left its time.
            path.rename(grave)
            if grave.stat().st_mtime >= put_before_s:
                grave.replace(path)
                return False
            grave.unlink()
        return True

    def tidy(self, project: str, *, put_before_s: float) -> None:
        """Removes what killed processes left half done."""
        for path in (self._root / project).glob("??/*.*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < put_before_s:
                    path.unlink()

    def _path(self, project: str, sha256: str) -> Path:
        return self._root / project / sha256[:2] / sha256


def _beside(path: Path, what: str) -> Path:
    """A name that is nobody else's."""
    return path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.{what}")


def _date(path: Path) -> None:
    now_ns = time.time_ns()  # the kernel's own stamps lag by some milliseconds
    os.utime(path, ns=(now_ns, now_ns))
