"""The benchmarks measure what they say they measure, on models that say nothing about speed."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import machine, report, speech
from benchmarks.worker import SMALL, Worker


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
