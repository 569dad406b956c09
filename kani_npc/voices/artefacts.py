"""Large parts as files: adapters, reference clips. Content-addressed, so that a file is whole or not there.

Calls block; a store makes them beside its event loop.
"""

import hashlib
import os
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
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
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

    def delete(self, project: str, sha256: str) -> None:
        self._path(project, sha256).unlink(missing_ok=True)

    def _path(self, project: str, sha256: str) -> Path:
        return self._root / project / sha256[:2] / sha256
