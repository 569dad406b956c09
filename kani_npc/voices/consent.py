"""Who allowed a voice, what for, until when; and whether that holds now. Knows no store."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from kani_npc.errors import ConsentExpired, ConsentRevoked, InvalidRecord


class ConsentKind(Enum):
    GRANTED = "granted"  # by the holder of the voice, in a statement
    OWN_VOICE = "own_voice"  # declared: it is the voice of who enrols it
    SYNTHETIC = "synthetic"  # declared: it is nobody's voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Raises `InvalidRecord` for one that says too little. Times are in UTC."""

    kind: ConsentKind
    holder: str = ""  # whose voice it is
    statement: str = ""  # what the holder said or signed
    scope: str = ""  # what it may be used for
    expires: datetime | None = None
    statement_sha256: str = ""  # of the recorded statement, in lower-case hex
    revoked: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("holder", "statement", "scope"):
            value = getattr(self, name)
            if len(value) > 4000:
                raise InvalidRecord(
                    f"{name} must be at most 4000 characters", field=f"consent.{name}"
                )
            if self.kind is ConsentKind.GRANTED and not value.strip():
                raise InvalidRecord(
                    f"a granted consent needs its {name}; "
                    "or declare the voice synthetic or your own",
                    field=f"consent.{name}",
                )
        digest = self.statement_sha256
        if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
            raise InvalidRecord(
                "statement_sha256 must be 64 hexadecimal digits in lower case",
                field="consent.statement_sha256",
            )
        for name in ("expires", "revoked"):
            time = getattr(self, name)
            if time is not None and time.tzinfo is None:
                raise InvalidRecord(f"{name} must say its time zone", field=f"consent.{name}")

    def same_giver(self, other: "Consent | None") -> bool:
        return other is not None and (self.kind, self.holder) == (other.kind, other.holder)

    def check(self, voice: str, now: datetime) -> None:
        """Raises `ConsentRevoked` or `ConsentExpired` where it does not hold."""
        if self.revoked is not None:
            raise ConsentRevoked(
                f"the consent for voice {voice!r} was revoked on {self.revoked:%Y-%m-%d}; "
                "it can speak again with a new consent record only"
            )
        if self.expires is not None and self.expires <= now:
            raise ConsentExpired(
                f"the consent for voice {voice!r} ended on {self.expires:%Y-%m-%d}; "
                "update the voice with a new one"
            )
