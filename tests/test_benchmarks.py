"""The benchmarks measure what they say they measure, on models that say nothing about speed."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import frames, full_size, load, machine, readme, report, speech
from benchmarks.listener import BUFFER_S, Listened
from benchmarks.worker import SMALL, Worker
from kani_npc.client import Client
from kani_npc.v1 import speech_service_pb2 as pb
from tools.local_server import local_server


def test_speech_is_measured_at_each_number_of_streams_and_written(
    random_model_folder: Path, tmp_path: Path
):
    measured = speech.run(
        model=str(random_model_folder), quick=True, rounds=1, settle_s=0.0, build=tmp_path
    )
    assert [row["streams"] for row in measured["rows"]] == list(speech.STREAMS)
    for row in measured["rows"]:
        assert row["lines"] == row["streams"]
        assert 0 < row["first_audio_ms"] <= row["first_audio_ms_worst"]
        assert row["real_time_factor"] > 0 and row["audio_s"] > 0
    path = report.write({"speech": measured}, tmp_path, "quick")
    assert json.loads(path.read_text())["speech"] == measured
    assert path.with_suffix(".png").stat().st_size > 0


def test_a_worker_decodes_once_for_every_word_of_its_parent(tmp_path: Path):
    settings = {"dims": SMALL, "dtype": "float32", "threads": 1, "tokens": 16}
    worker = Worker(sys.executable, "benchmarks.decode_ours", settings, tmp_path / "log")
    try:
        runs = [worker.decode() for _ in range(2)]
    finally:
        worker.close()
    assert [run["tokens"] for run in runs] == [16, 16]
    assert all(run["wall_s"] > 0 for run in runs)


def test_a_worker_that_cannot_start_is_reported_in_its_own_last_words(tmp_path: Path):
    with pytest.raises(RuntimeError, match=r"decode_ours did not start: .*Error"):
        Worker(sys.executable, "benchmarks.decode_ours", {"threads": 1}, tmp_path / "log")


def test_the_calibrator_gives_rates_and_what_they_cost():
    rates = machine.calibrate(num_gib=0.01, rounds=2)
    assert min(rates.values()) >= 0
    assert rates["memory_read_gb_s"] > 0 and rates["matmul_1024_gflop_s"] > 0


@pytest.mark.parametrize(
    ("prebuffer_s", "start_s", "underrun_s"),
    [(0.0, 1.1, 0.3), (0.3, 1.2, 0.2), (0.5, 1.8, 0.0), (9.0, 1.8, 0.0)],
    ids=["plays at once", "waits for some", "waits for enough", "waits for the whole line"],
)
def test_an_underrun_is_how_long_playback_stands_still(
    prebuffer_s: float, start_s: float, underrun_s: float
):
    assert BUFFER_S == 0.1
    heard = Listened(0.0, [(1.0, 0.2), (1.2, 0.2), (1.8, 0.2)], prebuffer_s=prebuffer_s)
    assert heard.playback_start_s == pytest.approx(start_s)
    assert heard.worst_underrun_s == pytest.approx(underrun_s)
    assert heard.first_audio_s == 1.0


def test_a_listener_who_ran_dry_is_not_late_for_ever():
    heard = Listened(0.0, [(0.0, 0.1), (1.0, 0.1), (1.1, 0.1), (1.2, 0.1)])
    assert heard.worst_underrun_s == pytest.approx(0.8)
    assert sum(heard.between_s) == pytest.approx(1.2)


def test_load_is_measured_in_both_loops_and_written(random_model_folder: Path, tmp_path: Path):
    measured = load.run(
        model=str(random_model_folder), quick=True, seconds=0.5, settle_s=0.0, build=tmp_path
    )
    asked = [(row["streams"], row["loop"]) for row in measured["rows"]]
    assert asked == [(1, "closed"), (1, "open"), (2, "closed"), (2, "open")]
    for row in measured["rows"]:
        heard = row["first_audio_ms"]["count"] if row["first_audio_ms"] else 0
        assert heard + sum(row["refused"].values()) == row["lines"]
        if row["loop"] == "closed":
            assert row["lines"] >= row["streams"] and row["audio_s_per_s"] > 0
            assert 0 <= row["gap_free_share"] <= 1
    assert measured["cancel_to_free_ms"]["count"] == 2
    path = report.write({"load_test": measured}, tmp_path, "quick")
    assert json.loads(path.read_text())["load_test"] == measured
    assert path.with_suffix(".png").stat().st_size > 0


def test_frames_are_measured_with_their_floors_and_drawn(tmp_path: Path):
    threads = torch.get_num_threads()
    measured = frames.run(quick=True, rounds=1, settle_s=0.0)
    assert torch.get_num_threads() == threads
    (tiny,) = measured["models"]
    assert [row["rows"] for row in tiny["rows"]] == [1, 2]
    for row in tiny["rows"]:
        stages, floors = row["ms"], row["floor_ms"]
        assert set(floors) <= set(stages) | {"codec, reading alone"}
        assert min(floors.values()) > 0 and min(stages[stage] for stage in frames.STAGES) > 0
        # Frames that are watched are others than those that count: of one, the stages are its parts.
        assert sum(stages[stage] for stage in frames.STAGES) <= stages["language model"] * 1.01
    one, two = (row["floor_ms"] for row in tiny["rows"])
    assert one["matrices"] == two["matrices"], "weights are read once for all rows"
    assert two["codec"] > one["codec"] and two["attention"] > one["attention"]
    path = report.write({"frames": measured}, tmp_path, "quick")
    assert path.with_suffix(".png").stat().st_size > 0
    assert any("x " in line for line in readme._frames(measured))


def test_figures_are_of_the_newest_results_of_each_kind_of_machine(tmp_path: Path):
    def result(day: int, lines: int, extensions: list[str], cuda: str | None = None) -> None:
        said = {"model": "tiny", "lines": lines, "single_words": 0, "alarms": [], "voices": 1}
        measured = {
            "machine": {"cpu_extensions": extensions, "cuda": cuda},
            "watchdog": {**said, "most_of_the_allowed": 0.5},
        }
        (tmp_path / f"2026-01-{day:02d}-watchdog.json").write_text(json.dumps(measured))

    result(1, 101, ["avx2", "avx512f"])
    result(2, 102, ["avx2", "avx512f"])
    result(3, 103, ["avx2"])
    text = readme.figures(tmp_path)
    with_avx512, without = text.split(f"### {readme.KINDS['other']}")
    assert with_avx512.startswith(f"### {readme.KINDS['avx512']}")
    assert "of 102" in with_avx512 and "of 101" not in text and "of 103" in without
    result(4, 104, ["avx2", "avx512f"], cuda="a GPU")
    assert readme.figures(tmp_path).startswith(f"### {readme.KINDS['gpu']}")


def test_a_random_model_folder_is_served_and_its_lines_are_as_long_as_asked(tmp_path: Path):
    full_size.write(tmp_path / "model", dims=SMALL, frames=5)
    with local_server("--model", str(tmp_path / "model"), log=tmp_path / "log") as server:

        async def speak() -> tuple[str, int]:
            async with Client(server.address) as client:
                speech = client.synthesize("Halt! Who goes there?", pace=pb.PACE_UNPACED)
                async for _ in speech:
                    pass
                assert speech.header and speech.end
                return speech.header.model, speech.end.total_samples

        name, samples = asyncio.run(speak())
    assert name == full_size.NAME
    assert samples == 5 * 6
