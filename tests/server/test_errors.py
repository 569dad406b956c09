"""One map from errors to statuses: complete, and with the details that the wire promises."""

import pytest
from google.rpc import code_pb2, error_details_pb2

from kani_npc import errors
from kani_npc.server.errors import to_status


def every(kind: type) -> list[type]:
    return [kind, *(k for sub in kind.__subclasses__() for k in every(sub))]


def unpacked(status, kind):
    return next((d for p in status.details if p.Unpack(d := kind())), None)


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.InvalidUtterance("m", field="seed"), "INVALID_ARGUMENT", "INVALID_UTTERANCE"),
        (errors.BundleError("m"), "INVALID_ARGUMENT", "BUNDLE_ERROR"),
        (errors.VoiceNotFound("m"), "NOT_FOUND", "VOICE_NOT_FOUND"),
        (errors.AlreadyExists("m", current="e"), "ALREADY_EXISTS", "ALREADY_EXISTS"),
        (errors.StaleEtag("m", current="e"), "ABORTED", "STALE_ETAG"),
        (errors.ConsentRevoked("m"), "FAILED_PRECONDITION", "CONSENT_REVOKED"),
        (errors.CheckpointError("m"), "FAILED_PRECONDITION", "CHECKPOINT_ERROR"),
        (errors.Overloaded("m", retry_after_s=2.5), "RESOURCE_EXHAUSTED", "OVERLOADED"),
        (errors.StoreUnavailable("m"), "UNAVAILABLE", "STORE_UNAVAILABLE"),
        (errors.EngineClosed("m"), "UNAVAILABLE", "ENGINE_CLOSED"),
        (errors.EngineFailed("m"), "INTERNAL", "ENGINE_FAILED"),
    ],
)
def test_an_error_of_ours_is_its_status_with_its_message_and_reason(error, code, reason):
    status = to_status(error)
    assert (code_pb2.Code.Name(status.code), status.message) == (code, "m")
    info = unpacked(status, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason) == ("kani-npc", reason)


def test_the_details_are_those_of_the_error():
    bad = unpacked(
        to_status(errors.InvalidUtterance("m", field="audio.encoding")),
        error_details_pb2.BadRequest,
    )
    assert [(v.field, v.description) for v in bad.field_violations] == [("audio.encoding", "m")]
    retry = unpacked(
        to_status(errors.Overloaded("m", retry_after_s=2.5)), error_details_pb2.RetryInfo
    )
    assert retry.retry_delay.ToMilliseconds() == 2500
    stale = unpacked(to_status(errors.StaleEtag("m", current="e7")), error_details_pb2.ErrorInfo)
    assert stale.metadata["etag"] == "e7"


# Our own fault, or raised before anything is served.
INTERNAL = {
    errors.EngineFailed,
    errors.EnrollmentFailed,
    errors.KaniError,
    errors.SettingsError,
}


def test_no_error_of_ours_is_internal_by_oversight():
    ours = {kind for kind in every(errors.KaniError) if kind.__module__.startswith("kani_npc.")}
    for kind in ours - INTERNAL:
        error = kind.__new__(kind)
        error.field, error.current, error.reason, error.retry_after_s = "f", "c", "r", 1.0
        error.next_sequence = 1
        assert to_status(error).code != code_pb2.INTERNAL, f"{kind.__name__}: add it to STATUS"
