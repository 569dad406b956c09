"""Enrolment in a process of its own: what a file does to it, it does to that process only."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from kani_npc.errors import BadAudio, EnrollmentFailed, ModelError, Overloaded
from kani_npc.speaker import embedder as module
from kani_npc.speaker.embedder import Embedder
from kani_npc.speaker.enrollment import enroll
from kani_npc.speaker.load import load_speaker_encoder
from kani_npc.speaker.log_mel import LogMelConfig, LogMelEncoder
from tests.support.clips import speechlike, wav

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
CLIPS = [wav(speechlike(seed=i)) for i in range(2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("speaker")
    LogMelEncoder(LogMelConfig("test-1")).save(path)
    return path


def workers() -> list[int]:
    """This process's children, zombies left out."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    states = {int(pid): Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1] for pid in children}
    return [pid for pid, state in states.items() if state.split()[0] != "Z"]


async def first_worker(other_than: list[int]) -> int:
    while not (found := [pid for pid in workers() if pid not in other_than]):
        await asyncio.sleep(0.01)
    return found[0]


async def test_worker_finds_what_this_process_would_find(folder: Path):
    before = workers()
    embedder = Embedder(folder)
    assert embedder.space == "test-1"
    theirs = await embedder.enroll(CLIPS)
    ours = enroll(CLIPS, load_speaker_encoder(folder))
    np.testing.assert_allclose(theirs.embedding.vector, ours.embedding.vector, atol=1e-5)
    assert theirs.embedding.vector.dtype == np.float32
    assert theirs.embedding.space == "test-1"
    assert [clip.speech_s for clip in theirs.clips] == [clip.speech_s for clip in ours.clips]
    assert workers() == before


async def test_bad_audio_comes_back_as_it_was_found(folder: Path):
    with pytest.raises(BadAudio, match="silent") as caught:
        await Embedder(folder).enroll([CLIPS[0], wav(np.zeros(48_000, np.float32))])
    assert (caught.value.reason, caught.value.field) == ("silence", "clips[1]")


async def test_event_loop_goes_on_while_a_worker_listens(folder: Path):
    job = asyncio.create_task(Embedder(folder).enroll([wav(speechlike(30.0))]))
    longest_s, began = 0.0, time.monotonic()
    last = began
    while not job.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest_s, last = max(longest_s, now - last), now
    await job
    # Listening is most of it; on a busy machine a turn of the loop may take a while.
    assert longest_s < (last - began) / 4


async def test_worker_is_of_low_priority_and_limited(folder: Path):
    before = workers()
    long = [wav(speechlike(50.0, seed=i)) for i in range(2)]  # it listens for a while
    job = asyncio.create_task(Embedder(folder).enroll(long))
    worker = Path(f"/proc/{await first_worker(before)}")
    found = {"Max file size": ""}
    while not job.done() and found["Max file size"] != "0":  # the last one that it sets
        rows = (worker / "limits").read_text().splitlines()
        found = {row[:25].strip(): row[25:].split()[0] for row in rows}
        nice = int((worker / "stat").read_text().rsplit(")", 1)[1].split()[16])
        await asyncio.sleep(0.005)
    await job
    assert nice == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert int(found["Max data size"]) < 2 << 30
    assert (found["Max cpu time"], found["Max file size"]) == ("60", "0")


async def test_a_library_that_writes_a_file_when_it_is_imported_does_no_harm(
    folder: Path, tmp_path: Path, monkeypatch
):
    """torch imports dill where it is installed, and dill asks for a folder for temporary files."""
    lines = ["import tempfile", "tempfile.TemporaryFile().write(b'x')", "def extend(**_): pass"]
    (tmp_path / "dill.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert (await Embedder(folder).enroll(CLIPS)).clips


async def test_what_no_library_should_do_is_told_by_its_name(
    folder: Path, tmp_path: Path, monkeypatch
):
    (tmp_path / "soundfile.py").write_text("raise LookupError('/somewhere')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EnrollmentFailed, match=r"could not be heard: LookupError$"):
        await Embedder(folder).enroll(CLIPS)


async def test_a_worker_out_of_memory_is_a_clear_error_and_the_next_one_works(folder: Path):
    with pytest.raises(EnrollmentFailed, match=r"memory|lost"):
        await Embedder(folder, memory_bytes=48 << 20).enroll(CLIPS)
    assert (await Embedder(folder).enroll(CLIPS)).clips


async def test_a_killed_worker_is_a_clear_error_and_the_next_one_works(folder: Path):
    embedder, before = Embedder(folder), workers()
    job = asyncio.create_task(embedder.enroll(CLIPS))
    os.kill(await first_worker(before), signal.SIGKILL)
    with pytest.raises(EnrollmentFailed, match="lost"):
        await job
    assert (await embedder.enroll(CLIPS)).clips


async def test_a_worker_that_takes_too_long_is_ended(folder: Path):
    before = workers()
    with pytest.raises(EnrollmentFailed, match="longer than"):
        await Embedder(folder, time_limit_s=0.05).enroll(CLIPS)
    assert workers() == before


async def test_cancelling_ends_the_worker(folder: Path):
    embedder, before = Embedder(folder), workers()
    job = asyncio.create_task(embedder.enroll(CLIPS))
    await first_worker(before)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert workers() == before


async def test_one_is_heard_at_a_time_and_a_crowd_is_turned_away(folder: Path, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    embedder, before = Embedder(folder), workers()
    jobs = [asyncio.create_task(embedder.enroll(CLIPS)) for _ in range(4)]
    await first_worker(before)
    assert len(workers()) == len(before) + 1
    with pytest.raises(Overloaded) as caught:
        await jobs[3]
    assert caught.value.retry_after_s > 0
    for job in jobs[:3]:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert workers() == before


async def test_a_folder_without_an_encoder_is_refused_when_it_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match="could not be read"):
        Embedder(tmp_path)


async def test_weights_that_do_not_fit_are_said_by_the_worker(folder: Path, tmp_path: Path):
    LogMelEncoder(LogMelConfig("test-1")).save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EnrollmentFailed, match=r"model\.safetensors"):
        await Embedder(tmp_path).enroll(CLIPS)
