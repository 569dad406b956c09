"""gRPC-Web's framing: bytes of HTTP bodies and headers to messages, trailers, deadlines and metadata, and back.

Binary only. Pure functions: no sockets and no HTTP library. The rules are those of gRPC's PROTOCOL-WEB.md and
PROTOCOL-HTTP2.md.
"""

import base64
import binascii
import math
import re
from collections.abc import Iterable
from urllib.parse import quote

from kani_npc.server.errors import MalformedRequest

Metadata = tuple[tuple[str, str | bytes], ...]

PREFIX_BYTES = (
    5  # of a frame: flags, and the length of what follows as 32 bits, most significant first
)
_COMPRESSED = 0x01
_TRAILERS = 0x80
_UNIT_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# Printable ASCII without the percent sign stays as it is.
_UNQUOTED = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")
# Of HTTP, of browsers and of the framing; everything else that a client sends is metadata.
_NOT_METADATA = frozenset(
    "accept accept-encoding accept-language cache-control connection content-encoding content-length content-type "
    "cookie dnt expect grpc-accept-encoding grpc-encoding grpc-timeout host keep-alive origin pragma priority "
    "proxy-connection referer te trailer transfer-encoding upgrade x-grpc-web".split()
)


def message_in(body: bytes | bytearray) -> bytes:
    """The one message of a request's body. Raises `MalformedRequest` for anything but exactly one, uncompressed."""
    if len(body) < PREFIX_BYTES:
        raise MalformedRequest(
            "the body ends before its first message; gRPC-Web frames begin with five bytes"
        )
    flags, length = body[0], int.from_bytes(body[1:PREFIX_BYTES], "big")
    if flags == _COMPRESSED:
        raise MalformedRequest("the message is compressed; send it as it is")
    if flags != 0:
        raise MalformedRequest("the body begins with something that is no message")
    if len(body) - PREFIX_BYTES != length:
        raise MalformedRequest(
            f"the frame says {length} bytes and {len(body) - PREFIX_BYTES} follow; a request is one message"
        )
    return bytes(memoryview(body)[PREFIX_BYTES:])


def message_frame(message: bytes) -> bytes:
    """A message as it stands in a response's body."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def trailers_frame(code: int, message: str, metadata: Iterable[tuple[str, str | bytes]]) -> bytes:
    """The last frame of a response: the status, and the metadata that follow a call. `code` is gRPC's number."""
    lines = [("grpc-status", str(code)), ("grpc-message", quote(message, safe=_UNQUOTED))]
    lines += [(key.lower(), header_value(key, value)) for key, value in metadata]
    block = "".join(f"{key}: {value}\r\n" for key, value in lines).encode("ascii")
    return bytes([_TRAILERS]) + len(block).to_bytes(4, "big") + block


def header_value(key: str, value: str | bytes) -> str:
    """Metadata as a header has it. Values of keys in `-bin` are bytes."""
    if key.endswith("-bin"):
        data = value.encode() if isinstance(value, str) else value
        return base64.b64encode(data).decode().rstrip("=")
    return value.decode("ascii") if isinstance(value, bytes) else value


def metadata_in(headers: Iterable[tuple[str, str]]) -> Metadata:
    """What a client said of its call, in lower case and in order. Raises `MalformedRequest`.

    The browser's own `user-agent` gives way to `x-user-agent`, which is what gRPC-Web clients can set.
    """
    found: list[tuple[str, str | bytes]] = []
    for key, value in ((key.lower(), value) for key, value in headers):
        if key in _NOT_METADATA or key.startswith(("sec-", "access-control-")):
            continue
        if key.endswith("-bin"):
            found += [(key, _decoded(part.strip())) for part in value.split(",")]
        elif not (value.isascii() and value.isprintable()):
            raise MalformedRequest(
                "metadata is printable ASCII; keys that end in -bin take bytes as base64"
            )
        else:
            found.append((key, value))
    if any(key == "x-user-agent" for key, _ in found):
        found = [(key, value) for key, value in found if key != "user-agent"]
        found = [("user-agent" if key == "x-user-agent" else key, value) for key, value in found]
    return tuple(found)


def timeout_in(value: str | None) -> float:
    """Seconds that a call may take, by its `grpc-timeout`; infinity without one. Raises `MalformedRequest`."""
    if value is None:
        return math.inf
    if not re.fullmatch("[0-9]{1,8}[HMSmun]", value):
        raise MalformedRequest("grpc-timeout is up to eight digits and one of H, M, S, m, u, n")
    return int(value[:-1]) * _UNIT_S[value[-1]]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedRequest("a metadata key that ends in -bin takes base64") from None
