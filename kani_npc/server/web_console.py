"""The designer's console: files of `clients/web`, read once and served from memory.

Knows no RPC: the console is a client like any other, which happens to live at the server's own address.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aiohttp import web

import kani_npc

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PARTS = ("console", "kani-npc")  # of `clients/web`: the page, and the module that it uses
_HEADERS = {
    # Everything comes from here, and nothing is written into the page itself.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",  # asked for anew each time, and answered by its tag
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _File:
    content_type: str
    data: bytes
    etag: str


class Console:
    """Raises `OSError` where the files cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            "/" + path.relative_to(folder).as_posix(): _file(path)
            for part in _PARTS
            for path in sorted((folder / part).rglob("*"))
            if path.suffix in _TYPES
        }

    def answer(self, request: web.BaseRequest) -> web.Response:
        """A file, or that there is none."""
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"])
        if request.path == "/":
            raise web.HTTPFound("/console/")
        path = request.path + ("index.html" if request.path.endswith("/") else "")
        file = self._files.get(path)
        if file is None:
            raise web.HTTPNotFound(text="there is no such page\n")
        response = web.Response(
            body=file.data, headers={**_HEADERS, "Content-Type": file.content_type}
        )
        response.etag = file.etag
        wanted = request.if_none_match
        if wanted and any(tag.value in (file.etag, "*") for tag in wanted):
            response.set_status(304)
            response.body = None
        return response


def console_folder() -> Path:
    """Where the files are: in the package when it was installed, else in the checkout."""
    package = Path(kani_npc.__file__).parent
    installed = package / "web"
    return installed if installed.is_dir() else package.parent / "clients" / "web"


def _file(path: Path) -> _File:
    data = path.read_bytes()
    return _File(_TYPES[PurePosixPath(path).suffix], data, hashlib.sha256(data).hexdigest()[:16])
