"""What is heard of a system is counted; two are compared line by line; what cannot be judged is said."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from finetune import evaluate, evaluate_report
from finetune.evaluate import FIGURES, Judged
from finetune.recogniser import open_recogniser, spoken_words, word_errors
from finetune.systems import Line, open_system, read_lines
from kani_npc.codec.delta import save_delta
from kani_npc.codec.load import load_codec
from kani_npc.errors import KaniError
from tests.support.clips import speechlike
from tests.support.tiny_random import make_random_model

TEXTS = [f"Line number {word} of the old story." for word in "one two three four five six".split()]
RATE = 16_000


def hears_nothing_wrong(samples: np.ndarray, sample_rate_hz: int) -> str:
    """A recogniser that hears a line by its length, and one word too many in what is louder than others."""
    number = round(len(samples) / sample_rate_hz - 2)
    extra = " again" if np.abs(samples).max() > 0.9 else ""
    return (TEXTS[number] if 0 <= number < len(TEXTS) else "") + extra


def write(folder: Path, sounds: list[np.ndarray], rate: int = RATE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, sound in enumerate(sounds):
        soundfile.write(folder / f"take{i}.wav", sound, rate)
    return folder


def recorded(folder: Path, *, speaker: str = "mara", pitch_hz: float = 120.0) -> list[np.ndarray]:
    """A session: sounds, and their manifest in lines.jsonl."""
    sounds = [speechlike(2.0 + i, rate_hz=RATE, seed=i, pitch_hz=pitch_hz) for i in range(6)]
    write(folder, sounds)
    rows = [
        {"path": f"take{i}.wav", "text": text, "speaker": speaker} for i, text in enumerate(TEXTS)
    ]
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return sounds


@pytest.fixture
def by_length(tmp_path, monkeypatch) -> str:
    """The recogniser above, as a user names one of his own."""
    here = Path(__file__)
    (tmp_path / "my_recogniser.py").write_text(
        f"import sys; sys.path.insert(0, {str(here.parents[2])!r})\n"
        "from importlib.util import module_from_spec, spec_from_file_location\n"
        f"spec = spec_from_file_location('heard', {str(here)!r})\n"
        "module = module_from_spec(spec); spec.loader.exec_module(module)\n"
        "hear = module.hears_nothing_wrong\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "my_recogniser:hear"


def test_two_folders_of_sounds_are_compared_line_by_line_and_with_the_recordings(
    tmp_path: Path, by_length: str
):
    sounds = recorded(tmp_path / "takes")
    faulty = [sound.copy() for sound in sounds]
    faulty[0] = np.zeros(2 * RATE, np.float32)  # silent
    faulty[1] = np.concatenate([sounds[1]] * 3)  # goes on and on
    faulty[4] = sounds[4][: len(sounds[4]) // 3]  # breaks off
    faulty[5] = np.concatenate([sounds[5][:RATE], np.zeros(4 * RATE), sounds[5][RATE : 2 * RATE]])
    found = evaluate.run(
        [
            f"{write(tmp_path / 'good', sounds)},name=good",
            f"{write(tmp_path / 'faulty', faulty)},name=faulty",
        ],
        tmp_path / "out",
        lines=tmp_path / "takes" / "lines.jsonl",
        recogniser=by_length,
    )
    assert list(found["systems"]) == ["recording", "good", "faulty"]
    good, bad = found["systems"]["good"], found["systems"]["faulty"]
    assert good["duration_ratio"]["value"] == pytest.approx(1.0, abs=0.05)
    assert [good[name]["value"] for name in ("loops", "breaks_off", "falls_silent")] == [0, 0, 0]
    assert bad["loops"]["value"] == pytest.approx(1 / 6)
    assert bad["breaks_off"]["value"] == pytest.approx(1 / 6)
    assert bad["falls_silent"]["value"] == pytest.approx(2 / 6)
    assert good["likeness"]["value"] > 0.8 and good["is_itself"]["value"] == 1.0
    assert "real_time_factor" not in good  # nobody made them here
    assert found["difference"]["falls_silent"]["value"] == pytest.approx(2 / 6)
    assert found["impostors"]["pairs"] == 12  # the model's own voices

    with (tmp_path / "out" / "utterances.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 18
    assert [row["line"] for row in table if row["loops"] == "True"] == ["take1"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<audio") == 18 and page.count("data:audio/flac;base64,") == 18
    assert set(re.findall(r"""(?:src|href)=["']?(.{5})""", page)) == {"data:"}  # nothing is fetched
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == found

    again = evaluate.run(  # what was judged can be judged again
        [str(tmp_path / "out" / "sounds" / "good")],
        tmp_path / "again",
        lines=tmp_path / "takes" / "lines.jsonl",
        recogniser=by_length,
    )
    assert again["difference"] is None
    assert again["systems"]["good"]["word_error_rate"] == good["word_error_rate"]


def test_other_speakers_of_the_lines_are_impostors_and_no_line_is_compared_with_itself(
    tmp_path: Path,
):
    recorded(tmp_path / "mara")
    recorded(tmp_path / "otto", speaker="otto", pitch_hz=220.0)
    manifest = tmp_path / "both.jsonl"
    rows = [
        {**json.loads(row), "path": f"{who}/{json.loads(row)['path']}"}
        for who in ("mara", "otto")
        for row in (tmp_path / who / "lines.jsonl")
        .read_text()
        .splitlines()[3 * (who == "otto") :][:3]
    ]
    manifest.write_text("\n".join(map(json.dumps, rows)))
    lines, _ = read_lines(manifest, speaker="", tag="")
    listening = evaluate.Listening.from_folder(Path("kani_npc/tiny/speaker"))
    who = evaluate.Characters.hear(lines, listening, {}, alone=False)
    assert set(who.impostors("mara")) == {"otto"} and who.floor()["pairs"] == 2
    own = np.stack([who.lines[line.name][1] for line in lines[1:3]])
    np.testing.assert_allclose(who.of(lines[0]), evaluate.unit(own.mean(0)), atol=1e-6)
    alone = replace(who, alone=True)
    np.testing.assert_allclose(alone.of(lines[0]), who.mean["mara"], atol=1e-6)


def judged(line: int, errors: int) -> Judged:
    return Judged(
        "x", f"{line}", "", "", 10, errors, 2.0, 1.8, 1.0, False, False, False, 0.9, True, 0.2
    )


def test_a_difference_that_every_line_shows_is_surer_than_either_figure():
    hard = np.random.default_rng(0).integers(2, 9, 40)
    before = [judged(i, int(errors)) for i, errors in enumerate(hard)]
    after = [judged(i, int(errors) - 1) for i, errors in enumerate(hard)]
    own = evaluate._of_system(before)["word_error_rate"]
    difference = evaluate._difference(before, after)["word_error_rate"]
    low, high = own["interval"]
    assert low < own["value"] < high and high - low > 0.05
    assert difference["value"] == pytest.approx(-0.1)
    assert difference["interval"] == pytest.approx([-0.1, -0.1])


def test_a_change_is_better_by_what_the_figure_is():
    by_name = {figure.name: figure for figure in FIGURES}
    assert evaluate_report.is_better(-0.1, by_name["word_error_rate"], 0.5)
    assert not evaluate_report.is_better(-0.1, by_name["likeness"], 0.5)
    assert evaluate_report.is_better(-0.1, by_name["duration_ratio"], 1.2)
    assert not evaluate_report.is_better(-0.1, by_name["duration_ratio"], 0.9)


def test_a_model_speaks_before_and_after_and_copies_recordings(tmp_path: Path, by_length: str):
    model = make_random_model(tmp_path / "model")
    recorded(tmp_path / "takes")
    codec = load_codec(model / "codec")
    tuned = load_codec(model / "codec")
    for weight in tuned.decoder.parameters():
        weight.data.mul_(1.05)
    save_delta(tmp_path / "delta.safetensors", codec, tuned)
    adapter(model, tmp_path / "adapter")
    changed = f"adapter={tmp_path / 'adapter'},codec-delta={tmp_path / 'delta.safetensors'}"
    found = evaluate.run(
        [f"{model},voice=mira,name=before", f"{model},{changed},voice=mira,name=after"],
        tmp_path / "out",
        lines=tmp_path / "takes" / "lines.jsonl",
        recogniser=by_length,
        tag="en_us",
        most=1,
    )
    before, after = (
        soundfile.read(tmp_path / "out" / "sounds" / name / "take0.flac")[0]
        for name in ("before", "after")
    )
    assert before.any() and not np.array_equal(before, after)
    # It hardly ever ends by itself, and is not waited for.
    assert found["systems"]["before"]["loops"]["value"] == 1.0
    assert len(before) <= (2 * 2.2 + 1) * 22_050
    assert found["systems"]["before"]["real_time_factor"]["value"] > 0

    line = read_lines(tmp_path / "takes" / "lines.jsonl", speaker="", tag="", most=1)[0][0]
    copied = open_system("tiny,says=copies", {}).say(line, 0)
    assert len(copied.samples) == len(line.recording) and copied.compute_s is None


def adapter(model: Path, folder: Path) -> None:
    """One that changes something, as training writes it."""
    import torch
    from safetensors.torch import save_file

    from kani_npc.lm.adapters import adaptable, note_base
    from kani_npc.lm.config import LmConfig

    folder.mkdir()
    options = {"peft_type": "LORA", "r": 2, "lora_alpha": 2}
    (folder / "adapter_config.json").write_text(json.dumps(options))
    torch.manual_seed(0)
    tensors = {}
    for name, (rows, columns) in adaptable(LmConfig.from_json(model)).items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = torch.randn(2, columns)
        tensors[f"base_model.model.{name}.lora_B.weight"] = torch.randn(rows, 2)
    save_file(tensors, folder / "adapter_model.safetensors")
    note_base(folder, model)


def test_texts_without_recordings_are_judged_by_what_can_be_told_of_them(
    tmp_path: Path, by_length: str
):
    (tmp_path / "lines.txt").write_text("Halt!\n\nWho goes there?\n")
    model = make_random_model(tmp_path / "model")
    found = evaluate.run(
        [f"{model},voice=mira"],
        tmp_path / "out",
        lines=tmp_path / "lines.txt",
        recogniser=by_length,
    )
    (figures,) = found["systems"].values()
    assert found["lines"] == 2
    assert "word_error_rate" in figures and "duration_ratio" not in figures
    assert "likeness" not in figures and found["impostors"]["pairs"] == 0


def test_a_take_that_cannot_be_judged_is_left_out_by_name(tmp_path: Path):
    recorded(tmp_path / "takes")
    (tmp_path / "takes" / "take3.wav").unlink()
    lines, left_out = read_lines(tmp_path / "takes" / "lines.jsonl", speaker="", tag="")
    assert [line.name for line in lines] == ["take0", "take1", "take2", "take4", "take5"]
    assert left_out == [(str(tmp_path / "takes" / "take3.wav"), "missing")]


@pytest.mark.parametrize(
    ("system", "complaint"),
    [
        ("tiny,lora=x", "'lora' is not known; known are name, adapter"),
        ("tiny,voice=nobody", "the model has mira, rowan"),
        ("tiny,says=nothing", "says is lines or copies"),
        ("{folder}", "neither a model nor sounds"),
        ("{folder}/none", "not a folder"),
        ("tiny,adapter={folder}", "no whole adapter"),
        ("tiny,codec-delta={folder}/none", "could not be read"),
    ],
)
def test_a_system_that_cannot_be_opened_says_why(tmp_path: Path, system: str, complaint: str):
    with pytest.raises((ValueError, KaniError), match=complaint):
        open_system(system.replace("{folder}", str(tmp_path)), {})


def test_a_sound_that_is_missing_a_voice_that_is_unknown_and_equal_names_are_errors(
    tmp_path: Path, by_length: str
):
    sounds = recorded(tmp_path / "takes")
    some = write(tmp_path / "some", sounds[:2])
    manifest = tmp_path / "takes" / "lines.jsonl"
    with pytest.raises(ValueError, match="some has no sound for take2"):
        evaluate.run([str(some)], tmp_path / "out", lines=manifest, recogniser=by_length)
    with pytest.raises(ValueError, match="systems of one name: recording, some, some"):
        evaluate.run([str(some)] * 2, tmp_path / "out", lines=manifest, recogniser=by_length)
    model = open_system("tiny", {})
    with pytest.raises(ValueError, match="no recordings of mara"):
        model.say(Line("a", "Halt!", "mara", ""), 0)


# --- recognisers


def test_pocketsphinx_hears_what_is_said():
    pytest.importorskip("pocketsphinx")
    samples, rate = soundfile.read("docs/tiny-rowan.wav", dtype="float32")
    heard = spoken_words(open_recogniser("pocketsphinx")(samples, rate))
    assert word_errors(spoken_words("Halt! Who goes there?"), heard) <= 2, heard


def test_a_command_hears_the_file_that_it_is_given():
    hear = open_recogniser("sh -c 'wc -c < {}'")
    assert int(hear(np.zeros(1000, np.float32), 16_000)) == 44 + 2000
    with pytest.raises(ValueError, match=r"the recogniser sh failed: .*nonsense"):
        open_recogniser("sh -c 'nonsense {}'")(np.zeros(10, np.float32), 16_000)


@pytest.mark.parametrize("name", ["nobody", "json", "json:nobody", "no_such_module:hear"])
def test_a_recogniser_that_is_not_there_says_so(name: str):
    with pytest.raises(ValueError, match=f"recogniser '{name}'"):
        open_recogniser(name)


def test_numbers_count_as_the_words_they_are_read_as():
    assert spoken_words("It's 12 o'clock, Dr. Oz!") == "it's twelve o'clock doctor oz".split()
    assert spoken_words("¿Qué son 3?", english=False) == ["qué", "son", "3"]
