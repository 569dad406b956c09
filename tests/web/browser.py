"""Chromium, driven as a person would: pages that fail the test for anything they complain about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page, async_playwright, expect

WAIT_MS = 40_000  # for one step, on a machine that does much else
ARGUMENTS = (
    "--no-sandbox",  # tests may run as root, and the page is ours
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--mute-audio",
)


@asynccontextmanager
async def browser_page(
    chromium: str, *, microphone: Path | None = None, dark: bool = False
) -> AsyncIterator[Page]:
    """A page of a fresh browser, whose microphone hears the WAV file. At the end it must have had no errors."""
    heard = [f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=[*ARGUMENTS, *heard], timeout=WAIT_MS
        )
        try:
            page = await browser.new_page(
                color_scheme="dark" if dark else "light", viewport={"width": 1280, "height": 900}
            )
            page.set_default_timeout(WAIT_MS)
            page.on("console", listen)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            yield page
            assert not complaints, complaints
        finally:
            await browser.close()
