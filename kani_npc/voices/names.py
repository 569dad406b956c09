"""Names: ids, projects, and a voice at one of its revisions. Knows nothing of what is named."""

import re
from dataclasses import dataclass

from kani_npc.errors import InvalidRecord

_ID = re.compile(r"[a-z0-9-]{1,63}")
_RULE = "1 to 63 of a-z, 0-9 and -"
DEFAULT_PROJECT = "default"


def is_id(id: str) -> bool:
    return _ID.fullmatch(id) is not None


def check_id(id: str, *, field: str = "id") -> str:
    """The id, if it is one. Raises `InvalidRecord`."""
    if not is_id(id):
        raise InvalidRecord(f"{field} must be {_RULE}, not {id[:64]!r}", field=field)
    return id


def check_project(project: str) -> str:
    """The project (tenant), if it is a name. Raises `InvalidRecord`."""
    return check_id(project, field="project")


@dataclass(frozen=True, slots=True)
class VoiceRef:
    """A voice as it is now (`id`), or as it was at one revision (`id@3`)."""

    id: str
    revision: int | None = None

    @classmethod
    def parse(cls, text: str, *, field: str = "voice") -> "VoiceRef":
        """Raises `InvalidRecord` that names `field`."""
        id, at, number = text.partition("@")
        if not at:
            return cls(check_id(id, field=field))
        # No sign, no leading zero, no more digits than a revision can have: one spelling for one revision.
        if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            raise InvalidRecord(
                f"{field} must be an id or id@revision, not {text[:80]!r}", field=field
            )
        return cls(check_id(id, field=field), int(number))

    def __str__(self) -> str:
        return self.id if self.revision is None else f"{self.id}@{self.revision}"
