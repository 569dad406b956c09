"""Everything that can go wrong and is worth a name.

    KaniError
    ├── InvalidUtterance      the request itself: empty or over-long text, bad sampling, unknown format
    ├── InvalidRecord         a voice, NPC, accent or lexicon that cannot be kept as it is
    │   └── BundleError       a voice file that cannot be read
    ├── BadAudio              a recording that no voice can be made of; says which, and why
    ├── NotFound
    │   ├── VoiceNotFound
    │   ├── NpcNotFound
    │   ├── AccentNotFound
    │   ├── LexiconNotFound
    │   ├── RevisionNotFound
    │   └── LineNotFound      a line that is not being said, or takes no more text
    ├── AlreadyExists         the id is taken; says by which etag
    ├── StaleEtag             somebody else was first; says the current etag
    ├── FailedPrecondition    nothing wrong with the request: something else must be done first
    │   ├── ReadOnly          comes with the model, cannot be changed
    │   ├── SpaceMismatch     an embedding of another speaker encoder than the model's
    │   ├── TagUnknown        a language tag that the model was not trained with
    │   ├── ConsentRequired
    │   ├── ConsentExpired
    │   ├── ConsentRevoked
    │   ├── ArtefactMissing   a large part that a voice needs and the store has not
    │   ├── AdapterUnfit      an adapter of a voice that the loaded model cannot speak with
    │   └── OutOfSequence     a fragment of text came before the one that it follows
    ├── TextForgotten         a line whose writer wrote no more and did not close it
    ├── StoreUnavailable      records cannot be read or written now; says when to try again
    ├── ModelError            a model folder, a checkpoint or a codec that cannot be used
    │   ├── CheckpointError   keys or shapes that do not fit; says which
    │   └── CodecError        the codec cannot do what was asked
    ├── HubError              a hub name that could not be fetched
    ├── SettingsError         an option or environment variable that cannot be used, an address already taken
    ├── EnrollmentFailed      the process that listens to recordings was lost; the service goes on
    ├── Overloaded            no room; says when to try again
    ├── TooLate               a line that was to start within some time, and did not
    ├── EngineClosed          shutting down
    └── EngineFailed          our own fault; the stream ends, the service goes on

Knows no gRPC status: `server/` maps these once. Messages say what happened and what to do, in one line,
and never carry a player's text.
"""


class KaniError(Exception):
    """Base of all errors raised on purpose."""


class InvalidUtterance(KaniError):
    """A request that cannot be spoken. `field` names the offending field in wire spelling, dots for nesting."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class InvalidRecord(KaniError):
    """A record that cannot be kept. `field` names the offending field in wire spelling, dots for nesting."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class BundleError(InvalidRecord):
    """A voice file that is damaged, too large or not one of ours."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="bundle")


class BadAudio(KaniError):
    """A recording that no voice can be made of. `reason` is a word of `speaker.recording`, `field` a clip: clips[0]."""

    def __init__(self, message: str, *, reason: str, field: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


class NotFound(KaniError):
    """A name that nobody registered."""


class VoiceNotFound(NotFound):
    pass


class NpcNotFound(NotFound):
    pass


class AccentNotFound(NotFound):
    pass


class LexiconNotFound(NotFound):
    pass


class RevisionNotFound(NotFound):
    pass


class LineNotFound(NotFound):
    pass


class AlreadyExists(KaniError):
    """The id is taken, by the record that `current` is the etag of (empty for what comes with the model)."""

    def __init__(self, message: str, *, current: str) -> None:
        super().__init__(message)
        self.current = current


class StaleEtag(KaniError):
    """The record changed since it was read. `current` is its etag now; read it again and repeat the change."""

    def __init__(self, message: str, *, current: str) -> None:
        super().__init__(message)
        self.current = current


class FailedPrecondition(KaniError):
    """The request is sound, the state of things is not; the message says what to do about it."""


class ReadOnly(FailedPrecondition):
    """What comes with the model cannot be changed."""


class SpaceMismatch(FailedPrecondition):
    """An embedding that another speaker encoder made: it means nothing to this model."""


class TagUnknown(FailedPrecondition):
    """A language tag that the loaded model was not trained with."""


class ConsentRequired(FailedPrecondition):
    """Nobody has said that this voice may be used."""


class ConsentExpired(FailedPrecondition):
    pass


class ConsentRevoked(FailedPrecondition):
    pass


class ArtefactMissing(FailedPrecondition):
    """A large part of a voice (an adapter, a reference clip) that the store does not hold."""


class AdapterUnfit(FailedPrecondition):
    """A voice's adapter that is damaged, or was made for another model than the one that is loaded."""


class OutOfSequence(FailedPrecondition):
    """A numbered fragment of text after a gap. `next_sequence` is the number that is missing."""

    def __init__(self, message: str, *, next_sequence: int) -> None:
        super().__init__(message)
        self.next_sequence = next_sequence


class TextForgotten(KaniError):
    """A line that waits for more text, and nobody writes it."""


class NoLineCache(FailedPrecondition):
    """This server keeps no lines."""


class LineNotKept(FailedPrecondition):
    """A line that was to be made ahead of play and is not kept."""


class ModelError(KaniError):
    """A model that cannot be used as it is."""


class CheckpointError(ModelError):
    """Weights that do not fit: says which key, which shape it has and which it should have."""


class CodecError(ModelError):
    """A codec that cannot be read, or cannot do what was asked."""


class HubError(ModelError):
    """A hub name that could not be fetched."""


class SettingsError(KaniError):
    """A setting that cannot be used: says which, and what it may be."""


class EnrollmentFailed(KaniError):
    """The process that listens to recordings ran out of memory or time, or died; only that enrolment is lost."""


class Overloaded(KaniError):
    """The queue is full. `retry_after_s` is when room is expected."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLate(KaniError):
    """A line could not start within the time after which nobody wants it."""


class StoreUnavailable(KaniError):
    """The store cannot be reached, or refuses to write. Whether a write that met this happened is not known: repeat
    it with the same request id or etag."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineClosed(KaniError):
    """The engine is draining or stopped."""


class EngineFailed(KaniError):
    """A step of the engine failed; the streams of that step are lost, the service goes on."""
