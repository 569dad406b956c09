"""Pictures of the designer's console, by a person's steps, before a server that speaks with `tiny`: to be looked at.

    python -m tools.console_pictures [--out DIR]

Light and dark: a line heard, the enrolment, the blend, an NPC, the load of several lines, a narrow window. Ends with
an error if the page complained of anything, or if a control of it has no name.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.async_api import ConsoleMessage, Page, async_playwright

from kani_npc.client import Client, Speech
from kani_npc.v1 import npc_service_pb2 as npcs
from tools.local_server import free_port, local_server

WAIT_MS = 120_000  # a step, on a machine that trains a voice beside it
LINE = "The road to the old mill is long, traveller, and nobody who walks it at night comes back."
CONTROLS = frozenset(
    "button textbox searchbox combobox checkbox radio slider spinbutton tab meter image dialog Date link".split()
)


ARGUMENTS = (
    "--no-sandbox",  # it may run as root, and the page is ours
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--mute-audio",
)


async def steps(page: Page, web: str, out: Path, recording: Path, client: Client) -> None:
    """All pictures of one colour scheme."""

    async def picture(name: str) -> None:
        await page.wait_for_timeout(300)
        await page.screenshot(path=out / f"{name}.png")
        nameless = await nameless_controls(page)
        if nameless:
            raise SystemExit(f"{name}: controls without a name: {', '.join(nameless)}")

    async def said() -> None:
        await page.wait_for_timeout(100)  # the last line's facts are gone
        await page.locator('#facts[data-state="done"]').wait_for()

    await page.goto(web)
    await page.get_by_role("button", name="Rowan").click()
    await picture("list")
    await page.get_by_label("Line", exact=True).fill(LINE)
    await page.get_by_role("button", name="Say it").click()
    await page.wait_for_timeout(2500)
    await picture("speaking")
    await said()
    await picture("spoken")

    await page.get_by_role("button", name="New voice from a recording").click()
    dialog = page.get_by_role("dialog", name="New voice from a recording")
    await dialog.get_by_label("Shown as").fill("Mirela")
    await page.locator("#clip-files").set_input_files(recording)
    await dialog.get_by_label("somebody's, who agreed").check()
    await dialog.get_by_label("Name", exact=True).fill("M. Aktorin")
    await dialog.get_by_label("May be used for").fill("one game")
    await dialog.get_by_label("What was agreed").fill("I agree.")
    await picture("enrol")
    await dialog.get_by_role("button", name="Record").click()
    await page.wait_for_timeout(1500)
    await picture("record")
    await dialog.get_by_role("button", name="Stop recording").click()
    remove = dialog.get_by_role("button", name="Remove microphone")
    if await remove.count():
        await remove.first.click()
    await dialog.get_by_role("button", name="Make the voice").click()
    await page.get_by_role("heading", name="Mirela").wait_for()
    await page.get_by_role("button", name="Say it").click()
    await said()
    await picture("enrolled")

    await page.get_by_role("button", name="Blend voices…").click()
    dialog = page.get_by_role("dialog", name="Blend voices")
    await dialog.get_by_label("Shown as").fill("Angus and Mira")
    await dialog.get_by_role("combobox", name="Voice 1", exact=True).select_option("angus")
    await dialog.get_by_role("combobox", name="Voice 2", exact=True).select_option("mira")
    await dialog.get_by_role("button", name="Hear this blend").click()
    await said()
    await picture("blend")
    await dialog.get_by_role("button", name="Make the voice").click()
    await page.get_by_role("heading", name="Angus and Mira").wait_for()

    guard = npcs.Npc(id="guard", display_name="Gate guard", voice="angus")
    await client.npcs.CreateNpc(npcs.CreateNpcRequest(npc=guard))
    await page.get_by_role("tab", name="NPCs").click()
    await page.get_by_role("button", name="Gate guard").click()
    await page.get_by_role("button", name="Say it").click()
    await said()
    await picture("npc")
    print(await page.locator("#facts").evaluate("element => ({...element.dataset})"))

    running = [client.synthesize(LINE, seed=seed) for seed in range(5)]
    listeners = [asyncio.create_task(_listen(speech)) for speech in running]
    await page.wait_for_timeout(2500)
    await picture("load")
    for speech in running:
        speech.interrupt()
    await asyncio.gather(*listeners)

    await page.set_viewport_size({"width": 390, "height": 844})
    await page.get_by_role("tab", name="Voices").click()
    await page.get_by_role("button", name="Rowan").click()
    await picture("narrow")
    await page.get_by_role("button", name="Say it").click()
    await said()
    await page.locator("#say").scroll_into_view_if_needed()
    await picture("narrow-spoken")
    await page.get_by_role("button", name="Blend voices…").click()
    await picture("narrow-blend")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="New voice from a recording").click()
    await picture("narrow-enrol")


async def _listen(speech: Speech) -> None:
    async for _ in speech:
        pass


async def nameless_controls(page: Page) -> list[str]:
    """Roles of what a screen reader would have no name for."""
    session = await page.context.new_cdp_session(page)
    nodes = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    await session.detach()
    return [
        node["role"]["value"]
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"] in CONTROLS
        and not node.get("name", {}).get("value", "").strip()
    ]


async def main(out: Path) -> None:
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        raise SystemExit("there is no Chromium on this machine")
    for scheme in ("light", "dark"):
        (out / scheme).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            await pictures(chromium, scheme, out / scheme, Path(scratch))


async def pictures(
    chromium: str, scheme: Literal["light", "dark"], out: Path, scratch: Path
) -> None:
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    web = f"127.0.0.1:{free_port()}"
    recording = scratch / "take-1.wav"
    with local_server("--model", "tiny", "--web-address", web, log=scratch / "log") as server:
        async with Client(server.address) as client, async_playwright() as playwright:
            await client.say_to_wav(f"{LINE} {LINE}", recording, voice="mira")
            microphone = f"--use-file-for-fake-audio-capture={recording}"
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=[*ARGUMENTS, microphone]
            )
            page = await browser.new_page(
                color_scheme=scheme, viewport={"width": 1280, "height": 900}
            )
            page.set_default_timeout(WAIT_MS)
            page.on("console", listen)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await steps(page, f"http://{web}", out, recording, client)
            await browser.close()
    if complaints:
        raise SystemExit(f"the page complained: {complaints}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/console"))
    sys.exit(asyncio.run(main(parser.parse_args().out)))
