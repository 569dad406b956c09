"""Recordings become rows; what is wrong with one is said, and stops nobody else's."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from finetune import prepare
from finetune.rows import Source, load, rows
from finetune.takes import MIN_S, Rejected, read
from kani_npc.codec.source_filter import ENCODER_FILE, SourceFilterCodec, SourceFilterConfig
from kani_npc.errors import CheckpointError, CodecError
from tests.support.clips import speechlike

TEXT = "The old bridge is closed until the morning."
SECONDS = 2.5


def studio(folder: Path, takes: int = 4) -> Path:
    """A folder as an actor's session leaves it."""
    folder.mkdir()
    for i in range(takes):
        sound = speechlike(SECONDS, rate_hz=44_100, seed=i, peak=0.1 + 0.1 * i)
        soundfile.write(folder / f"take{i}.wav", sound, 44_100)
        (folder / f"take{i}.txt").write_text(f"{TEXT}\n")
    return folder


def prepared(source: Path, out: Path, **options) -> dict:
    return prepare.run(
        source, out, **{"speaker": "mara", "tag": "en_us", "processes": 1, **options}
    )


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    """Four good takes, and one of each that is not."""
    folder = studio(tmp_path_factory.mktemp("session") / "takes")
    good = speechlike(SECONDS, rate_hz=22_050)

    def take(name: str, samples: np.ndarray, text: str = TEXT) -> None:
        soundfile.write(folder / f"{name}.flac", samples, 22_050)
        (folder / f"{name}.txt").write_text(text)

    take("silence", np.zeros(22_050))
    take("too_short", np.pad(good[3000 : 3000 + int(22_050 * MIN_S / 2)], (8000, 8000)))
    take("clipping", np.clip(good * 20, -1, 1))
    take("no_text", good, "...")
    take("text_mismatch", good, TEXT * 8)
    take("noise", good + 0.2 * np.random.default_rng(0).standard_normal(len(good)))
    (folder / "unreadable.wav").write_bytes(b"RIFF and nothing")
    (folder / "unreadable.txt").write_text(TEXT)
    soundfile.write(folder / "textless.wav", good, 22_050)
    return folder


def test_a_session_becomes_rows_and_each_bad_take_is_named(session: Path, tmp_path: Path):
    report = prepared(session, tmp_path / "out")
    with (tmp_path / "out" / "rejected.csv").open() as file:
        why = {Path(line["path"]).stem: line["reason"] for line in csv.DictReader(file)}
    assert why == {
        name: name
        for name in (
            "silence",
            "too_short",
            "clipping",
            "no_text",
            "text_mismatch",
            "noise",
            "unreadable",
        )
    } | {"textless": "no_text"}
    assert report["rows"] == 4 and report["takes"] == 12
    assert report["hours"] == pytest.approx(4 * SECONDS / 3600, rel=0.2)
    assert "z" in report["letters_not_heard"]
    assert "4 of 12 takes" in (tmp_path / "out" / "report.md").read_text()
    assert len(load(Source(str(tmp_path / "out")))) == 4  # all that it wrote, or the rows alone

    made = list(rows(Source(str(tmp_path / "out" / "rows"))))
    assert [Path(row.source).stem for row in made] == [f"take{i}" for i in range(4)]
    assert {(row.text, row.speaker, row.tag) for row in made} == {(TEXT, "mara", "en_us")}
    codec = SourceFilterCodec.from_folder(
        "kani_npc/tiny/codec", encoder=f"finetune/assets/tiny/{ENCODER_FILE}"
    )
    for row in made:
        assert row.codes_FK.shape[1] == codec.num_codebooks
        assert row.codes_FK.min() >= 0 and row.codes_FK.max() < codec.codebook_size
        np.testing.assert_array_equal(row.speaker_emb, made[0].speaker_emb)
        assert np.linalg.norm(row.speaker_emb) == pytest.approx(1, abs=1e-5)


def test_takes_of_any_level_rate_and_length_have_one_loudness_and_whole_frames(tmp_path: Path):
    loudness = []
    for peak in (0.02, 0.5):
        sound = np.pad(speechlike(SECONDS, rate_hz=48_000, peak=peak), (48_000, 24_000))
        soundfile.write(tmp_path / "take.wav", np.stack((sound, sound), axis=1), 48_000)
        take = read(tmp_path / "take.wav", 22_050, 1764)
        assert len(take.samples) % 1764 == 0 and take.channels == 2
        assert len(take.samples) / 22_050 == pytest.approx(SECONDS + 0.14, abs=0.4)
        loudness.append(np.square(take.samples).mean())
    assert loudness[0] == pytest.approx(loudness[1], rel=0.05)


def test_a_take_longer_than_asked_for_is_left_out(tmp_path: Path):
    soundfile.write(tmp_path / "take.wav", speechlike(3.0), 16_000)
    with pytest.raises(Rejected, match="too_long") as rejected:
        read(tmp_path / "take.wav", 22_050, 1764, max_s=2.0)
    assert rejected.value.reason == "too_long"


def test_what_was_prepared_is_not_made_again_and_what_changed_is(tmp_path: Path, monkeypatch):
    takes, out = studio(tmp_path / "takes", 3), tmp_path / "out"
    monkeypatch.setattr(prepare, "PART", 2)
    prepared(takes, out)
    first, second = ((out / "parts" / f"0000{i}.json").stat().st_mtime_ns for i in range(2))
    prepared(takes, out)
    (takes / "take2.txt").write_text("Another text of about that many letters.")
    prepared(takes, out)
    assert (out / "parts" / "00000.json").stat().st_mtime_ns == first
    assert (out / "parts" / "00001.json").stat().st_mtime_ns > second
    assert "Another text" in load(Source(str(out / "rows")))[2]["text"]


@pytest.mark.timeout(400)  # each process imports torch, on a busy machine side by side with others
def test_several_processes_make_the_same_rows_as_one(tmp_path: Path, monkeypatch):
    takes = studio(tmp_path / "takes", 3)
    monkeypatch.setattr(prepare, "PART", 2)
    reports = [prepared(takes, tmp_path / f"{n}", processes=n) for n in (1, 2)]
    assert reports[0] == reports[1]
    one, two = (list(rows(Source(str(tmp_path / f"{n}" / "rows")))) for n in (1, 2))
    assert [r.codes_FK.tolist() for r in one] == [r.codes_FK.tolist() for r in two]


def test_a_part_that_was_cut_off_by_a_kill_is_made_again(tmp_path: Path):
    takes, out = studio(tmp_path / "takes", 2), tmp_path / "out"
    whole = prepared(takes, out)
    (out / "parts" / "00000.json").write_text('{"fingerprint": ')
    assert prepared(takes, out) == whole


def test_a_full_disk_is_an_error_and_leaves_nothing_half_written(tmp_path: Path, monkeypatch):
    takes, out = studio(tmp_path / "takes", 2), tmp_path / "out"
    prepared(takes, out)
    before = (out / "report.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare.os, "fsync", full)
    with pytest.raises(
        OSError, match=r"train\.parquet could not be written, .* MB are free there: .*No space"
    ):
        prepared(takes, out)
    assert (out / "report.json").read_bytes() == before
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.csv", b"path,txt\na.wav,Hello\n", "a.csv: unknown column txt"),
        ("a.csv", b"text\nHello\n", "a.csv: no column path"),
        ("a.csv", "path,text\na.wav,Señor\n".encode("latin-1"), "a.csv is not in UTF-8"),
        ("a.jsonl", b"", "has no recordings"),
        ("a.txt", b"Hello", "no folder"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_so(tmp_path: Path, name, content, complaint):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        prepare.read_manifest(tmp_path / name, speaker="mara", tag="")


def test_a_line_that_is_none_is_left_out_by_its_number_and_stops_nobody_else(tmp_path: Path):
    takes, out = studio(tmp_path / "takes", 2), tmp_path / "out"
    (takes / "take1.txt").write_bytes("Señor".encode("latin-1"))
    lines = [
        json.dumps({"path": "take0.wav", "text": TEXT}),
        "nonsense",
        json.dumps({"path": "take1.wav", "text": 5}),
        json.dumps({"text": TEXT}),
        json.dumps({"path": "take1.wav", "txt": TEXT}),
    ]
    (takes / "lines.jsonl").write_text("\n".join(lines))
    (takes / "lines.csv").write_text(f"path,text\ntake0.wav,{TEXT}\n,{TEXT}\ntake1.wav,a,b,c\n")
    for source, faults in (
        (
            takes / "lines.jsonl",
            [
                "line 2: not a JSON object",
                "line 3: text is no text",
                "line 4: no path",
                "line 5: unknown column txt",
            ],
        ),
        (takes / "lines.csv", ["line 3: no path", "line 4: unknown column None"]),
        (takes, ["take1.txt is not in UTF-8"]),
    ):
        report = prepared(source, out)
        assert report["rows"] == 1 and report["rejected"] == {"bad_row": len(faults)}
        with (out / "rejected.csv").open() as file:
            assert [row["detail"] for row in csv.DictReader(file)] == faults


def test_takes_of_other_texts_are_left_out_where_a_recogniser_is_asked(tmp_path: Path):
    """The texts of two takes changed places: their lengths say nothing of it."""
    takes = studio(tmp_path / "takes", 3)
    (takes / "take0.txt").write_text("The wolves came back when winter did")
    report = prepared(takes, tmp_path / "out", recogniser=f"sh -c 'test -s {{}} && echo {TEXT}'")
    assert report["rows"] == 2 and report["rejected"] == {"text_mismatch": 1}
    assert "of 7 words are heard otherwise" in (tmp_path / "out" / "rejected.csv").read_text()


@pytest.mark.parametrize("rate_hz", [4_000, 250_000])
def test_a_file_of_a_rate_that_nobody_records_at_is_left_out(tmp_path: Path, rate_hz: int):
    soundfile.write(tmp_path / "take.wav", speechlike(1.0), rate_hz)
    with pytest.raises(Rejected, match=f"wrong_rate {rate_hz} Hz"):
        read(tmp_path / "take.wav", 22_050, 1764)


@pytest.mark.timeout(400)  # as the other one that starts processes
def test_a_codec_of_other_dims_and_a_broken_one_are_errors_that_name_them(tmp_path: Path):
    takes, folder = studio(tmp_path / "takes", 1), tmp_path / "codec"
    encoder = folder / ENCODER_FILE
    small = SourceFilterCodec(SourceFilterConfig(levels=(8, 5, 5)), with_encoder=True)
    small.save(folder, encoder=encoder)
    given = {"codec": str(folder), "codec_encoder": str(encoder)}
    with pytest.raises(CodecError, match="4 codebooks of 200 codes; the model takes 4 of 1000"):
        prepared(takes, tmp_path / "out", processes=2, **given)
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match=r"model\.safetensors could not be read"):
        prepared(takes, tmp_path / "out", **given)


def test_a_copy_of_a_published_repository_is_read_by_its_split(tmp_path: Path):
    import datasets

    for split, text in (("train", "Hello."), ("test", "Good day.")):
        layers = {f"nano_layer_{k}": [[k]] for k in (1, 2, 3, 4)}
        table = datasets.Dataset.from_dict({"text": [text], **layers, "encoded_len": [1]})
        (tmp_path / "data").mkdir(exist_ok=True)
        table.to_parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    (row,) = rows(Source(str(tmp_path), split="test"))
    assert row.text == "Good day."


def test_a_manifest_may_name_speakers_and_tags_line_by_line(tmp_path: Path):
    path = tmp_path / "lines.jsonl"
    lines = [{"path": "a.wav", "text": "Hi", "speaker": "otto"}, {"path": "b.wav", "text": "Ho"}]
    path.write_text("\n".join(map(json.dumps, lines)))
    entries = prepare.read_manifest(path, speaker="mara", tag="en_us")
    assert [(e.speaker, e.tag) for e in entries] == [("otto", "en_us"), ("mara", "en_us")]
    assert entries[0].path == str(tmp_path / "a.wav")


def test_a_session_without_one_good_take_says_why(tmp_path: Path):
    takes = tmp_path / "takes"
    takes.mkdir()
    soundfile.write(takes / "a.wav", np.zeros(16_000), 16_000)
    (takes / "a.txt").write_text(TEXT)
    with pytest.raises(ValueError, match="'silence': 1"):
        prepared(takes, tmp_path / "out")


def test_a_published_data_set_is_read_by_the_names_of_its_columns(tmp_path: Path):
    import datasets

    table = datasets.Dataset.from_dict(
        {
            "answer": ["Hello.", "Good day."],
            **{f"nano_layer_{k}": [[k, k + 1], [k + 2]] for k in (1, 2, 3, 4)},
            "encoded_len": [2, 1],
            "sp_emb": [[0.6, 0.8], [1.0, 0.0]],
        }
    )
    table.to_parquet(tmp_path / "published.parquet")
    source = Source(
        str(tmp_path / "published.parquet"), text="answer", speaker_emb="sp_emb", tag="en_us"
    )
    first, second = rows(source)
    assert first.codes_FK.tolist() == [[1, 2, 3, 4], [2, 3, 4, 5]]
    assert (second.text, second.tag, second.num_frames) == ("Good day.", "en_us", 1)
    assert first.speaker_emb.tolist() == pytest.approx([0.6, 0.8])
    with pytest.raises(ValueError, match="no column text"):
        load(Source(str(tmp_path / "published.parquet")))


def test_codebooks_of_different_lengths_are_refused_with_their_row(tmp_path: Path):
    import datasets

    layers = {f"nano_layer_{k}": [[1, 2][: 1 + (k != 3)]] for k in (1, 2, 3, 4)}
    table = datasets.Dataset.from_dict({"text": ["Hello."], **layers, "encoded_len": [2]})
    table.to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match="row 0: codebooks of"):
        list(rows(Source(str(tmp_path / "bad.parquet"))))
