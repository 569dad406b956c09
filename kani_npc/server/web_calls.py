"""Calls over gRPC-Web: a POST becomes a call of the same servicers, behind the same interceptors, as over gRPC.

A method is found by what generated code registers. Knows no RPC by name, but for the twins of those that HTTP/1.1
cannot carry; where a request may come from is in `web`.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import Any, NoReturn

import grpc
from aiohttp import web
from grpc_status import rpc_status

from kani_npc.server.calls import most_bytes
from kani_npc.server.errors import MalformedRequest, RequestTooLarge, to_status
from kani_npc.server.web_frames import (
    PREFIX_BYTES,
    Metadata,
    header_value,
    message_frame,
    message_in,
    metadata_in,
    timeout_in,
    trailers_frame,
)

CONTENT_TYPE = "application/grpc-web+proto"
CONTENT_TYPES = ("application/grpc-web", CONTENT_TYPE)
# What to call instead of a method whose client streams: gRPC-Web has no such calls.
TWINS = {
    "/kani_npc.v1.SpeechService/StreamingSynthesize": "Synthesize with open_text, and AppendText",
}
MAX_SILENCE_S = 30.0  # a client that sends nothing for so long in the middle of its request is gone
FAREWELL_S = 5.0  # for the end of a response that nobody reads


class Aborted(grpc.aio.AbortError):
    """Ends a call with a status of its own."""

    def __init__(self, code: grpc.StatusCode, details: str, metadata: Metadata = ()) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.metadata = metadata


@dataclass(frozen=True, slots=True)
class CallDetails(grpc.HandlerCallDetails):
    """What interceptors are told of a call."""

    method: str
    invocation_metadata: Metadata


class WebCalls:
    """Stands where generated code expects a server to register its methods with, and answers their calls.

    `interceptors` are those of the gRPC server, in its order.
    """

    def __init__(self, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> None:
        self._interceptors = interceptors
        self._handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """They say the same as the registered ones."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        self._handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    async def answer(
        self, request: web.BaseRequest, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """The response to one call, whatever comes of it; `headers` go with it. Cancelled when the client leaves."""
        if request.content_type not in CONTENT_TYPES:
            raise web.HTTPUnsupportedMediaType(
                text=f"calls are {CONTENT_TYPE}; neither text nor JSON\n", headers=headers
            )
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise web.HTTPUnsupportedMediaType(text="send the body as it is\n", headers=headers)
        writer = _Writer(request, headers)
        try:
            return await writer.end(await self._status(request, writer))
        except ConnectionError:
            raise asyncio.CancelledError from None

    async def _status(self, request: web.BaseRequest, writer: "_Writer") -> Aborted:
        """Runs the call; its status, also where it went well."""
        clock = asyncio.get_running_loop().time
        try:
            deadline_s = clock() + timeout_in(request.headers.get("grpc-timeout"))
            context = WebContext(
                metadata_in(request.headers.items()), request.remote or "", deadline_s, writer
            )
            limit = None if deadline_s == math.inf else deadline_s
            try:
                async with asyncio.timeout_at(limit) as deadline:
                    data = await _read(request)
                    await context.run(await self._handler(request.path, context), data)
            except TimeoutError:
                if not deadline.expired():
                    raise
                return Aborted(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
            return context.status
        except Aborted as aborted:
            return aborted
        except Exception as error:
            status = rpc_status.to_status(to_status(error))
            return Aborted(status.code, status.details, status.trailing_metadata)

    async def _handler(self, method: str, context: "WebContext") -> Any:
        async def registered(details: grpc.HandlerCallDetails) -> Any:
            handler = self._handlers.get(details.method)
            if handler is None:
                raise Aborted(grpc.StatusCode.UNIMPLEMENTED, "there is no such method")
            if handler.request_streaming:
                name = details.method.rpartition("/")[2]
                raise Aborted(
                    grpc.StatusCode.UNIMPLEMENTED,
                    f"{name} streams to the server, which gRPC-Web cannot; call {TWINS[details.method]}",
                )
            return handler

        found = registered
        for interceptor in reversed(self._interceptors):
            found = partial(interceptor.intercept_service, found)
        return await found(CallDetails(method, context.invocation_metadata()))


class WebContext:
    """What a servicer sees of its caller: of `grpc.aio.ServicerContext`, what a call over HTTP/1.1 has."""

    def __init__(
        self, metadata: Metadata, remote: str, deadline_s: float, writer: "_Writer"
    ) -> None:
        self._metadata = metadata
        self._remote = remote
        self._deadline_s = deadline_s  # by the loop's clock
        self._writer = writer
        self._serialize: Any = bytes
        self._code = grpc.StatusCode.OK
        self._details = ""
        self._trailing: Metadata = ()

    @property
    def status(self) -> Aborted:
        """How the call ends if nobody aborts it."""
        return Aborted(self._code, self._details, self._trailing)

    async def run(self, handler: Any, data: bytes) -> None:
        """Calls the method, and writes what it answers. Raises what it raises."""
        self._serialize = handler.response_serializer
        message = handler.request_deserializer(data) if handler.request_deserializer else data
        if not handler.response_streaming:
            # Held back until its trailers: one piece, of a known length.
            self._writer.hold(self._serialize(await handler.unary_unary(message, self)))
            return
        responses = handler.unary_stream(message, self)
        if isawaitable(responses):
            await responses  # writes for itself
        else:
            async for response in responses:
                await self.write(response)

    async def write(self, message: Any) -> None:
        """Comes back when the transport has room for more. Raises `CancelledError` when nobody is there."""
        await self._writer.write(self._serialize(message))

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Metadata = (),
    ) -> NoReturn:
        raise Aborted(code, details, tuple(trailing_metadata) or self._trailing)

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        """They go with the first message."""
        self._writer.add_headers(metadata)

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        self._trailing = tuple(metadata)

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def invocation_metadata(self) -> Metadata:
        return self._metadata

    def peer(self) -> str:
        return self._remote

    def time_remaining(self) -> float | None:
        """Seconds; None without a deadline."""
        if self._deadline_s == math.inf:
            return None
        return max(0.0, self._deadline_s - asyncio.get_running_loop().time())


class _Writer:
    """One response: headers, frames of messages, and the trailers last."""

    def __init__(self, request: web.BaseRequest, headers: Mapping[str, str]) -> None:
        self._request = request
        # No proxy may keep a stream back to send more of it at once, nor keep it at all.
        self._headers = [
            *headers.items(),
            ("Content-Type", CONTENT_TYPE),
            ("Cache-Control", "no-store"),
            ("X-Accel-Buffering", "no"),
        ]
        self._response: web.StreamResponse | None = None
        self._held = b""

    def add_headers(self, metadata: Metadata) -> None:
        self._headers += [(key, header_value(key, value)) for key, value in metadata]

    def hold(self, message: bytes) -> None:
        self._held = message_frame(message)

    async def write(self, message: bytes) -> None:
        try:
            if self._response is None:
                self._response = web.StreamResponse()
                self._response.headers.extend(self._headers)
                await self._response.prepare(self._request)
            # Shielded: a call that waits for a full socket may be given up, by its deadline say, but what aiohttp waits
            # with must not be cancelled, or every later wait on this connection, for the trailers, counts as cancelled.
            await asyncio.shield(self._response.write(message_frame(message)))
        except ConnectionError:
            # As over gRPC: whoever speaks to nobody is cancelled, and nothing has gone wrong.
            raise asyncio.CancelledError from None

    async def end(self, status: Aborted) -> web.StreamResponse:
        """Raises `ConnectionError` when nobody is there, or nobody reads."""
        trailers = trailers_frame(status.code.value[0], status.details, status.metadata)
        if self._response is None:
            response = web.Response(body=self._held + trailers)
            response.headers.pop("Content-Type", None)
            response.headers.extend(self._headers)
            return response
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._response.write_eof(trailers)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionError from None
        return self._response


async def _read(request: web.BaseRequest) -> bytes:
    """The one message of a request. Never has more of it in memory than its method takes.

    Raises `RequestTooLarge`, `MalformedRequest`.
    """
    most = most_bytes(request.path)
    body = bytearray()
    while True:
        try:
            async with asyncio.timeout(MAX_SILENCE_S):
                piece = await request.content.readany()
        except TimeoutError:
            raise MalformedRequest(
                f"nothing came for {MAX_SILENCE_S:.0f} s in the middle of the request"
            ) from None
        except (web.RequestPayloadError, ConnectionError):
            raise MalformedRequest("the request's body ends in the middle") from None
        if not piece:
            return message_in(body)
        body += piece
        if len(body) - PREFIX_BYTES > most:
            raise RequestTooLarge(f"this method takes {most} bytes; the request has more")
