"""The designer's console in a real browser, by a person's steps: type, click, upload, speak, hear."""

import re
from collections.abc import Iterable

import numpy as np
import pytest
from playwright.async_api import Locator, Page, expect

from kani_npc.v1 import npc_service_pb2, voice_service_pb2
from tests.support.clips import speechlike, wav
from tests.support.serving import make_npc, make_voice
from tests.support.sine import SAMPLES_PER_FRAME
from tests.web.browser import browser_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
ENROL_MS = 150_000  # a worker is a fresh Python with torch, of the least priority
# Once it does: there are pauses in what the microphone hears.
MOVES = "meter => new Promise(done => setInterval(() => meter.value > -50 && done(), 20))"
# Three hops of timing, asked for by the samples that were played.
MOUTH_AT = """async (samples) => {
    const { Wave } = await import("/console/wave.js");
    const wave = new Wave(document.createElement("canvas"));
    const shape = (viseme) => Array.from({ length: 15 }, (_, i) => (i === viseme ? 1 : 0));
    wave.addTiming({ firstSample: 0, hopSamples: 441, weights: [...shape(0), ...shape(10)], openness: [0, 1] });
    wave.addTiming({ firstSample: 882, hopSamples: 441, weights: shape(1), openness: [0] });
    return samples.map((played) => wave.playedTo(played));
}"""
CONTROLS = (
    "button textbox searchbox combobox checkbox radio slider spinbutton tab meter image dialog Date "
    "DisclosureTriangle menuitem link"
).split()


async def open_console(page: Page, url: str) -> None:
    await page.goto(url)
    await expect(page.get_by_role("heading", level=2).first).to_be_visible()


async def heard(page: Page) -> dict[str, int | str]:
    """What the audio clock says of the line that was just asked for, once it was played."""
    facts = page.locator("#facts")
    await expect(facts).to_have_attribute("data-state", "done")
    data = await facts.evaluate("element => ({...element.dataset})")
    return {key: int(value) if value.isdecimal() else value for key, value in data.items()}


async def hear_without_gaps(page: Page, steps: Locator) -> dict[str, int | str]:
    """One of at most four takes, each played whole: the audio thread of a busy machine is late at times, and the page
    cannot help it. What the player itself is worth is tried on a simulated clock (test_module.py)."""
    gaps = []
    for _ in range(4):
        await steps.click()
        await page.wait_for_timeout(50)  # the last line's facts are gone
        facts = await heard(page)
        assert facts["played"] == facts["total"] > 0
        gaps.append(facts["underruns"])
        if gaps[-1] == 0:
            print("gaps:", gaps)  # `pytest -rP` shows it
            return facts
    pytest.fail(f"every take had gaps: {gaps}")


async def nameless_controls(page: Page) -> Iterable[str]:
    """Roles of what a screen reader would have no name for, as the browser computes them."""
    session = await page.context.new_cdp_session(page)
    nodes = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    await session.detach()
    shown = [node for node in nodes if not node.get("ignored")]
    return [
        node["role"]["value"]
        for node in shown
        if node["role"]["value"] in CONTROLS and not node.get("name", {}).get("value", "").strip()
    ]


async def test_a_line_is_typed_and_heard_to_its_last_sample(web, chromium):
    await make_voice(web.grpc, "troll", display_name="Old Troll")
    async with browser_page(chromium) as page:
        await open_console(page, web.url)
        await page.keyboard.press("/")
        await page.keyboard.type("old tr")
        await expect(page.locator("#list button")).to_have_count(1)
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Old Troll")).to_be_visible()
        await page.get_by_label("Line", exact=True).fill("Halt! Who goes there?")
        await page.get_by_role("combobox", name="Accent").select_option("en-glasg")
        facts = await hear_without_gaps(page, page.get_by_role("button", name="Say it"))
        said = web.sine.utterances[-1]
        assert (said.text, said.voice.id, said.language) == (
            "Halt! Who goes there?",
            "troll",
            "en_glasg",
        )
        assert facts["played"] == len(said.text) * SAMPLES_PER_FRAME
        assert 0 < facts["firstAudioMs"] <= facts["firstSoundMs"]
        await expect(page.locator("#fact-first")).to_have_text(re.compile(r"^\d+ ms$"))
        await expect(page.locator("#fact-mouth")).to_have_text(re.compile("^[a-zA-Z]{1,3}$"))
        assert await page.evaluate(MOUTH_AT, [0, 440, 441, 1322, 5000]) == [
            "sil",
            "sil",
            "aa",
            "PP",
            "",
        ]
        assert await nameless_controls(page) == []
        # Enter says it, Escape stops it: long before its 40 s are over.
        await page.get_by_label("Line", exact=True).fill("Halt! " * 80)
        await page.keyboard.press("Enter")
        await expect(page.locator("#load-text")).to_have_text(re.compile("^1 of 8 speaking"))
        await page.keyboard.press("Escape")
        await expect(page.locator("#load-text")).to_have_text(re.compile("^0 of 8 speaking"))
        await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_disabled()


async def test_a_voice_is_enrolled_revised_compared_rolled_back_and_taken_along(
    web, chromium, tmp_path
):
    (tmp_path / "ada.wav").write_bytes(wav(speechlike(4.0)))
    quiet_room = speechlike(6.0, rate_hz=48_000, pitch_hz=190.0, seed=3)
    (tmp_path / "mic.wav").write_bytes(wav(quiet_room, 48_000))
    (tmp_path / "faint.wav").write_bytes(wav(speechlike(4.0) * np.float32(0.02)))
    async with browser_page(chromium, microphone=tmp_path / "mic.wav", dark=True) as page:
        await open_console(page, web.url)
        # From a file
        await page.get_by_role("button", name="New voice from a recording").click()
        dialog = page.get_by_role("dialog", name="New voice from a recording")
        await dialog.get_by_label("Shown as").fill("Ada Aktorin")
        await expect(dialog.get_by_label("Id", exact=True)).to_have_value("ada-aktorin")
        await dialog.get_by_role("combobox", name="Accent it speaks").select_option("en_glasg")
        await page.locator("#clip-files").set_input_files(
            [tmp_path / "ada.wav", tmp_path / "faint.wav"]
        )
        await expect(dialog.get_by_text("It is faint")).to_be_visible()
        await dialog.get_by_role("button", name="Remove faint.wav").click()
        make = dialog.get_by_role("button", name="Make the voice")
        await make.click()
        await expect(dialog.get_by_role("alert")).to_have_text("Say whose voice it is.")
        await dialog.get_by_label("somebody's, who agreed").check()
        await dialog.get_by_label("Name", exact=True).fill("Ada")
        await dialog.get_by_label("May be used for").fill("one game")
        await dialog.get_by_label("What was agreed").fill("I agree.")
        assert await nameless_controls(page) == []
        await make.click()
        await expect(page.get_by_role("heading", name="Ada Aktorin")).to_be_visible(
            timeout=ENROL_MS
        )
        await expect(page.locator("#consent-facts")).to_contain_text("Ada agreed")
        await hear_without_gaps(page, page.get_by_role("button", name="Say it"))
        assert web.sine.utterances[-1].voice.id == "ada-aktorin"
        # From the microphone: its next revision
        await page.get_by_role("button", name="New recording…", exact=True).click()
        dialog = page.get_by_role("dialog", name="New recording of Ada Aktorin")
        await dialog.get_by_role("button", name="Record").click()
        await dialog.get_by_role("meter").evaluate(MOVES)
        await expect(page.locator("#record-time")).to_have_text(re.compile(r"^([4-9]|\d\d)\.\d s$"))
        await dialog.get_by_role("button", name="Stop recording").click()
        await expect(page.locator("#clips li")).to_have_count(1)
        await dialog.get_by_role("button", name="Make the voice").click()
        await expect(page.locator("#revision-rows tr")).to_have_count(2, timeout=ENROL_MS)
        # A and B, then back
        await page.get_by_role("button", name="A, then B").click()
        await expect(page.locator("#compare-facts")).to_contain_text(
            re.compile(r"A: revision 2.*B: revision 1")
        )
        first, second = (u.voice.embedding.vector for u in web.sine.utterances[-1:-3:-1])
        assert not np.allclose(first, second)
        await page.get_by_role("button", name="Roll back to revision 1").click()
        await expect(page.locator("#revision-rows tr")).to_have_count(3)
        get = voice_service_pb2.ListVoiceRevisionsRequest(id="ada-aktorin")
        revisions = (await web.grpc.voices.ListVoiceRevisions(get)).voices
        assert revisions[0].content_hash == revisions[2].content_hash != revisions[1].content_hash
        # Out, and in again under another name
        async with page.expect_download() as downloading:
            await page.get_by_role("button", name="Export").click()
        bundle = tmp_path / "ada.safetensors"
        await (await downloading.value).save_as(bundle)
        await page.get_by_role("button", name="Import…").click()
        dialog = page.get_by_role("dialog", name="Import a voice")
        await dialog.get_by_label("File").set_input_files(bundle)
        await dialog.get_by_label("Id").fill("ada-again")
        await dialog.get_by_label("mine").check()
        await dialog.get_by_role("button", name="Import", exact=True).click()
        await expect(page.locator("#subject-facts")).to_contain_text("ada-again · revision 1")
        # No more
        await page.get_by_role("button", name="Revoke consent…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(page.locator("#consent-facts")).to_contain_text("Consent was revoked")
        await page.get_by_role("button", name="Say it").click()
        await expect(page.get_by_role("status")).to_contain_text("consent")


async def test_voices_are_blended_by_sliders_and_npcs_get_them(web, chromium):
    await make_voice(web.grpc, "troll", seed=1, display_name="Troll")
    await make_voice(web.grpc, "witch", seed=2, display_name="Witch")
    await make_npc(web.grpc, "gunnar", voice="troll", display_name="Gunnar")
    async with browser_page(chromium) as page:
        await open_console(page, web.url + "/console/#voice/troll")
        await page.get_by_role("button", name="Blend voices…").click()
        dialog = page.get_by_role("dialog", name="Blend voices")
        await dialog.get_by_label("Shown as").fill("Troll Witch")
        await dialog.get_by_role("combobox", name="Voice 2", exact=True).select_option("witch")
        slider = dialog.get_by_role("slider", name="Share of voice 2")
        await slider.focus()
        for _ in range(25):
            await page.keyboard.press("ArrowRight")
        await expect(dialog.locator("output").last).to_have_text("60 %")
        assert await nameless_controls(page) == []
        await dialog.get_by_role("button", name="Hear this blend").click()
        await expect(page.locator("#facts")).to_have_attribute("data-state", "done")
        await dialog.get_by_role("button", name="Make the voice").click()
        await expect(page.get_by_role("heading", name="Troll Witch")).to_be_visible()
        made = await web.grpc.voices.GetVoice(voice_service_pb2.GetVoiceRequest(id="troll-witch"))
        assert [(p.voice, p.weight) for p in made.voice.parents] == [
            ("troll@1", pytest.approx(0.4)),
            ("witch@1", pytest.approx(0.6)),
        ]
        listed = await web.grpc.voices.ListVoices(voice_service_pb2.ListVoicesRequest())
        assert not [voice.id for voice in listed.voices if voice.id.startswith("audition")]
        # The NPC takes it
        await page.get_by_role("tab", name="NPCs").click()
        await page.get_by_role("button", name="Gunnar").click()
        form = page.get_by_role("form", name="Voice and delivery")
        await form.get_by_label("Voice", exact=True).fill("troll-witch")
        await form.get_by_label("Gain, dB").fill("-6")
        assert await nameless_controls(page) == []
        await form.get_by_role("button", name="Save").click()
        await expect(page.locator("#subject-facts")).to_contain_text("speaks with troll-witch")
        npc = (await web.grpc.npcs.GetNpc(npc_service_pb2.GetNpcRequest(id="gunnar"))).npc
        assert (npc.voice, npc.delivery.gain_db) == ("troll-witch", -6.0)
        await hear_without_gaps(page, page.get_by_role("button", name="Say it"))
        assert web.sine.utterances[-1].voice.id == "troll-witch"
        # Somebody else changed it meanwhile
        update = npc_service_pb2.UpdateNpcRequest(npc={"id": "gunnar", "display_name": "Gunnar II"})
        await web.grpc.npcs.UpdateNpc(update)
        await form.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status")).to_contain_text("etag")
        # Another project has none of it
        await page.get_by_label("Project").fill("saga")
        await page.keyboard.press("Tab")
        await expect(page.locator("#list button")).to_have_count(2)


async def test_the_console_is_small_whole_and_asks_nobody_else(web):
    """Every file that the page names is there, nothing is written into it, and no address of another host is in it."""
    async with web.http.get(web.url + "/") as response:
        page = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=", page)
    todo, seen, size = (
        [f"/console/{name}" for name in re.findall(r'(?:src|href)="([\w./-]+)"', page)],
        set(),
        0,
    )
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        async with web.http.get(web.url + path) as response:
            assert response.status == 200, path
            text = await response.text()
            tag = response.headers["ETag"]
        async with web.http.get(web.url + path, headers={"If-None-Match": tag}) as again:
            assert again.status == 304
        size += len(text)
        assert not re.findall(r"https?://(?!www\.w3\.org)[^\s\"'`]+", text), path
        folder = path.rpartition("/")[0]
        for name in re.findall(r"""(?:from |import |new URL\()["']([\w./-]+\.js)""", text):
            parts = f"{folder}/{name}".split("/")
            while ".." in parts:
                up = parts.index("..")
                del parts[up - 1 : up + 1]
            todo.append("/".join(part for part in parts if part != "."))
    assert {"/kani-npc/player-worklet.js", "/console/recorder-worklet.js"} <= seen
    assert size < 150_000
    for path in ("/README.md", "/package.json", "/../pyproject.toml", "/%2e%2e/pyproject.toml"):
        async with web.http.get(web.url + path) as response:
            assert response.status == 404
