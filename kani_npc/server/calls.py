"""What all calls of ours share: the request is parsed, the call is counted, whatever it raises becomes a status,
and none is taken while the server drains.

Knows no RPC by name. Health and reflection pass by.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from kani_npc.errors import EngineClosed
from kani_npc.server.errors import (
    ListenerStalled,
    MalformedRequest,
    RequestTooLarge,
    to_status,
)

PACKAGE = "/kani_npc."
MAX_REQUEST_BYTES = 64 * 1024
MAX_UPLOAD_BYTES = 32 * 2**20 + MAX_REQUEST_BYTES  # the file, and what is said of it
UPLOADS = ("/EnrollVoice", "/ImportVoice")
OF_RUNNING_LINES = (
    "/AppendText",
    "/Interrupt",
)  # which may end in good order while the server drains
# A game may be paused in the middle of a line. Longer than this, its listener is gone and only its connection is left,
# which answers pings for ever: its sound would stay in memory as long.
MAX_STALL_S = 300.0


Begun = Callable[[grpc.aio.ServicerContext], AbstractAsyncContextManager[None]]


def most_bytes(method: str) -> int:
    """How large a request of this method, as `/package.Service/Method`, may be."""
    return MAX_UPLOAD_BYTES if method.endswith(UPLOADS) else MAX_REQUEST_BYTES


class Calls(grpc.aio.ServerInterceptor):
    """Wraps every handler of our package. Cancellation passes through."""

    def __init__(self) -> None:
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False

    @property
    def is_draining(self) -> bool:
        return self._draining

    async def drain(self, timeout_s: float) -> None:
        """From now on new calls are UNAVAILABLE; returns when no call runs, or after so long."""
        self._draining = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(PACKAGE):
            return handler
        method = handler_call_details.method
        most = most_bytes(method)
        begun = partial(self._call, drains=not method.endswith(OF_RUNNING_LINES))
        if handler.stream_stream:
            wrap, call = grpc.stream_stream_rpc_method_handler, _stream_stream(handler, most, begun)
        elif handler.unary_stream:
            wrap, call = grpc.unary_stream_rpc_method_handler, _unary_stream(handler, most, begun)
        else:
            wrap, call = grpc.unary_unary_rpc_method_handler, _unary_unary(handler, most, begun)
        # No request deserializer: the call parses for itself, where a failure can be answered.
        return wrap(call, response_serializer=handler.response_serializer)

    @asynccontextmanager
    async def _call(
        self, context: grpc.aio.ServicerContext, *, drains: bool
    ) -> AsyncIterator[None]:
        self._running += 1
        self._idle.clear()
        try:
            if self._draining and drains:
                raise EngineClosed("the server is shutting down; connect again in a moment")
            yield
        except Exception as error:
            status = rpc_status.to_status(to_status(error))
            await context.abort(status.code, status.details, status.trailing_metadata)
        finally:
            self._running -= 1
            if self._running == 0:
                self._idle.set()


def _stream_stream(handler: Any, most: int, begun: Begun) -> Any:
    async def call(data: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        async with begun(context), aclosing(_parsed(handler, data, most)) as requests:
            await _write_all(handler.stream_stream(requests, context), context)

    return call


def _unary_stream(handler: Any, most: int, begun: Begun) -> Any:
    async def call(data: bytes, context: grpc.aio.ServicerContext) -> None:
        async with begun(context):
            await _write_all(handler.unary_stream(_parse(handler, data, most), context), context)

    return call


def _unary_unary(handler: Any, most: int, begun: Begun) -> Any:
    async def call(data: bytes, context: grpc.aio.ServicerContext) -> Message | None:
        async with begun(context):
            return await handler.unary_unary(_parse(handler, data, most), context)

    return call


async def _write_all(responses: AsyncGenerator[Message], context: grpc.aio.ServicerContext) -> None:
    async with aclosing(responses):
        async for response in responses:
            await _write(response, context)


async def _write(response: Message, context: grpc.aio.ServicerContext) -> None:
    """Comes back when the transport has accepted it."""
    try:
        async with asyncio.timeout(MAX_STALL_S):
            await context.write(response)
    except TimeoutError:
        raise ListenerStalled(
            f"nobody read this stream for {MAX_STALL_S:.0f} s; say the line again when somebody listens"
        ) from None


async def _parsed(handler: Any, stream: AsyncIterator[bytes], most: int) -> AsyncGenerator[Message]:
    async for data in stream:
        yield _parse(handler, data, most)


def _parse(handler: Any, data: bytes, most: int) -> Message:
    # gRPC has one limit for all methods of a server, which is that of uploads.
    if len(data) > most:
        raise RequestTooLarge(f"the request has {len(data)} bytes; this method takes {most}")
    try:
        return handler.request_deserializer(data)
    except DecodeError:
        raise MalformedRequest(
            "the request is not a message of this method; text must be valid UTF-8"
        ) from None
