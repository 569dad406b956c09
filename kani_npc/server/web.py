"""The second port: gRPC-Web for browsers and game engines, and the designer's console.

One listener of HTTP/1.1 in the gRPC server's event loop. Decides who may talk to it: any page on the Internet can try,
through the browser of somebody who has the server on his machine. A call itself is in `web_calls`.
"""

import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kani_npc.errors import SettingsError
from kani_npc.server.web_calls import WebCalls
from kani_npc.server.web_console import Console, console_folder

# Of the kernel, for each connection: what lies there has been sent, as far as a listener's clock knows. Linux doubles
# it, to 3 s of sound at 22 kHz; left alone it grows to megabytes for a client that does not read.
SEND_BUFFER_BYTES = 64 * 1024
IDLE_S = 300.0  # as on the gRPC port: game clients are silent for minutes between lines
_EXPOSED = "grpc-status, grpc-message, grpc-status-details-bin"
_DAY_S = 86_400

_http_log = logging.getLogger(f"{__name__}.http")


def _is_ours(record: logging.LogRecord) -> bool:
    """Not what no HTTP is: it is answered with 400, and the log would quote it."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


_http_log.addFilter(_is_ours)


@asynccontextmanager
async def web_server(
    calls: WebCalls, host: str, port: int, origins: Collection[str], goodbye_s: float
) -> AsyncIterator[int]:
    """Listens until the block ends; yields the port, the real one where 0 was asked for.

    `origins` are of pages elsewhere that may call; `*` is any. Running calls have `goodbye_s` to end. Raises
    `SettingsError` for an address where nobody can listen.
    """
    site = Site(calls, Console(console_folder()), host, origins)
    runner = web.ServerRunner(
        web.Server(
            site.answer,  # pyright: ignore[reportArgumentType]  it takes what aiohttp gives
            access_log=None,
            logger=_http_log,
            handler_cancellation=True,  # a client that leaves cancels its call, as over gRPC
            auto_decompress=False,  # a body is what was sent: nothing small becomes large
            keepalive_timeout=IDLE_S,
        ),
        shutdown_timeout=goodbye_s,
    )
    await runner.setup()
    try:
        listener = _listen(host, port)
        await web.SockSite(runner, listener, backlog=512).start()
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()


class Site:
    """What is answered at this port, and to whom."""

    def __init__(
        self, calls: WebCalls, console: Console, host: str, origins: Collection[str]
    ) -> None:
        self._calls = calls
        self._console = console
        self._origins = frozenset(origins)
        self._is_local = _is_loopback(host)
        self._hosts = {urlsplit(origin).hostname for origin in self._origins}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Raises `HTTPException` for what is no call and no page."""
        self._check_host(request)
        headers = self._cross_origin_headers(request)
        if request.method == "OPTIONS":
            return _preflight(request, headers)
        if request.method == "POST":
            return await self._calls.answer(request, headers)
        return self._console.answer(request)

    def _check_host(self, request: web.BaseRequest) -> None:
        """A server that only this machine reaches is asked for by this machine's names.

        A page whose own name is made to mean 127.0.0.1 has that name for an origin, and would be taken for our own.
        """
        name = _hostname(request.host)
        if self._is_local and not (_is_loopback(name) or name in self._hosts):
            raise web.HTTPForbidden(
                text="this server listens on the loopback address; ask for it as localhost, or name the "
                "address of its pages with --web-origins\n"
            )

    def _cross_origin_headers(self, request: web.BaseRequest) -> dict[str, str]:
        origin = request.headers.get("Origin")
        if origin is None:
            return {}
        if urlsplit(origin).netloc == request.host:
            return {"Vary": "Origin"}
        if not self._origins & {origin, "*"}:
            raise web.HTTPForbidden(
                text="pages of this origin may not call; allow it with --web-origins\n",
                headers={"Vary": "Origin"},
            )
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        }


def _preflight(request: web.BaseRequest, headers: dict[str, str]) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers")
    if "Access-Control-Allow-Origin" in headers:
        headers |= {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": asked or "content-type, x-grpc-web, grpc-timeout",
            "Access-Control-Max-Age": str(_DAY_S),
        }
    return web.Response(status=204, headers={**headers, "Allow": "GET, HEAD, OPTIONS, POST"})


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; pass another --web-address, or `off`"
        ) from None
    return listener


def _hostname(netloc: str) -> str:
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
