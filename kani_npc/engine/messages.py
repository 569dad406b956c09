"""What crosses between the event loop and the engine thread.

Inwards: say this, and this too, so much was taken, stop. Outwards: what happened to one utterance. Ending and failing
are messages too, and `Abort` names the utterance, never the slot. Knows no threads, no tensors and no slots.
"""

from dataclasses import dataclass

from kani_npc.engine.adapters import Adaptation
from kani_npc.speech import Audio, Finished, Utterance
from kani_npc.text.pieces import Pieces


@dataclass(frozen=True, slots=True)
class Submit:
    """Say these pieces of text, one after the other. While `is_open`, more of them may follow.

    The text is cut by who takes the message, as it is needed: all of a long one at once holds up everybody's sound.

    `submitted_s` is `time.perf_counter()` when the listener asked; waiting is counted from there. The seat of
    `adaptation` is the line's until it ends or is aborted.
    """

    utterance: Utterance
    pieces: Pieces
    is_open: bool
    submitted_s: float
    adaptation: Adaptation | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """Say these too, after what is there already. After `is_last` nothing follows."""

    utterance_id: str
    pieces: tuple[str, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """The listener has taken its sound up to `end_sample`."""

    utterance_id: str
    end_sample: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Nobody listens any more. An utterance that has ended already is not an error."""

    utterance_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The last event of an utterance that could not be spoken to its end."""

    error: Exception  # a `KaniError`, but for what befell the writer of a line's text


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one utterance."""

    utterance_id: str
    what: Audio | Finished | Failed


Inbound = Submit | Append | Taken | Abort
