"""Everything that can go wrong and is worth a name.

    KaniError
    ├── InvalidUtterance      the request itself: empty or over-long text, bad sampling, unknown format
    ├── NotFound
    │   ├── VoiceNotFound
    │   └── AccentNotFound
    ├── ModelError            a model folder, a checkpoint or a codec that cannot be used
    │   ├── CheckpointError   keys or shapes that do not fit; says which
    │   └── CodecError        the codec cannot do what was asked
    ├── HubError              a hub name that could not be fetched
    ├── SettingsError         an option or environment variable that cannot be used, an address already taken
    ├── Overloaded            no room; says when to try again
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


class NotFound(KaniError):
    """A name that nobody registered."""


class VoiceNotFound(NotFound):
    pass


class AccentNotFound(NotFound):
    pass


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


class Overloaded(KaniError):
    """The queue is full. `retry_after_s` is when room is expected."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineClosed(KaniError):
    """The engine is draining or stopped."""


class EngineFailed(KaniError):
    """A step of the engine failed; the streams of that step are lost, the service goes on."""
