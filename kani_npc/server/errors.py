"""What went wrong, as gRPC says it: the one map from our errors to statuses with google.rpc details.

What is not our error is INTERNAL with an id; the log has the place in the code under that id, the client does not.
Exception messages are not logged: they may quote a player.
"""

import logging
import math
import re
import traceback
import uuid

from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from kani_npc import errors

log = logging.getLogger(__name__)

DOMAIN = "kani-npc"


class MalformedRequest(errors.KaniError):
    """Bytes that are not the request they should be."""


class RequestTooLarge(errors.KaniError):
    """More bytes than this method takes."""


class ListenerStalled(errors.KaniError):
    """A client that holds its stream open and does not read it."""


# The most special class of an error's ancestry wins.
STATUS: dict[type[errors.KaniError], int] = {
    errors.InvalidUtterance: code_pb2.INVALID_ARGUMENT,
    errors.InvalidRecord: code_pb2.INVALID_ARGUMENT,
    errors.BadAudio: code_pb2.INVALID_ARGUMENT,
    MalformedRequest: code_pb2.INVALID_ARGUMENT,
    # gRPC itself says RESOURCE_EXHAUSTED, which here means: the same again later. It would not fit later either.
    RequestTooLarge: code_pb2.INVALID_ARGUMENT,
    ListenerStalled: code_pb2.DEADLINE_EXCEEDED,
    errors.TextForgotten: code_pb2.DEADLINE_EXCEEDED,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.StaleEtag: code_pb2.ABORTED,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.ModelError: code_pb2.FAILED_PRECONDITION,
    errors.Overloaded: code_pb2.RESOURCE_EXHAUSTED,
    errors.TooLate: code_pb2.DEADLINE_EXCEEDED,
    errors.StoreUnavailable: code_pb2.UNAVAILABLE,
    errors.EngineClosed: code_pb2.UNAVAILABLE,
    errors.EngineFailed: code_pb2.INTERNAL,
    errors.EnrollmentFailed: code_pb2.INTERNAL,
    errors.KaniError: code_pb2.INTERNAL,
}
DRAINED_RETRY_S = 1.0  # another replica answers at once; this one's successor within a moment


def to_status(error: Exception) -> status_pb2.Status:
    """One error as a status; logs those that are not of our making."""
    if not isinstance(error, errors.KaniError):
        return _unexpected(error)
    code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    info = error_details_pb2.ErrorInfo(domain=DOMAIN, reason=reason_of(error))
    details: list[Message] = [info]
    match error:
        case errors.InvalidUtterance() | errors.InvalidRecord() | errors.BadAudio():
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=error.field, description=str(error)
            )
            details.append(error_details_pb2.BadRequest(field_violations=[violation]))
            if isinstance(error, errors.BadAudio):
                info.metadata["audio"] = error.reason
        case errors.AlreadyExists() | errors.StaleEtag():
            info.metadata["etag"] = error.current
        case errors.OutOfSequence():
            info.metadata["next_sequence"] = str(error.next_sequence)
        case errors.Overloaded() | errors.StoreUnavailable():
            details.append(_retry(error.retry_after_s))
        case errors.EngineClosed():
            details.append(_retry(DRAINED_RETRY_S))
    return _status(code, str(error), details)


def reason_of(error: errors.KaniError) -> str:
    """An error's name as the wire spells it: VOICE_NOT_FOUND."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()


def _unexpected(error: Exception) -> status_pb2.Status:
    error_id = uuid.uuid4().hex[:12]
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("internal error %s: %s\n%s", error_id, type(error).__name__, place)
    info = error_details_pb2.ErrorInfo(
        domain=DOMAIN, reason="INTERNAL", metadata={"error_id": error_id}
    )
    message = f"internal error {error_id}; the server's log says more"
    return _status(code_pb2.INTERNAL, message, [info])


def _retry(after_s: float) -> error_details_pb2.RetryInfo:
    seconds = math.floor(after_s)
    delay = Duration(seconds=seconds, nanos=int((after_s - seconds) * 1e9))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def _status(code: int, message: str, details: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status
