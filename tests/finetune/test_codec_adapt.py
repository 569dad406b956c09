"""A decoder learns a voice: losses fall, streams stay exact, a killed run goes on, and bad rows are named."""

import dataclasses
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from finetune.codec import adapt
from finetune.codec import recipe as recipes
from finetune.codec.adapt import DELTA
from finetune.codec.lines import Crops, Line, cropped, read_lines, split
from finetune.codec.recipe import Loss, Machine, Optimiser, Recipe, Watch
from finetune.rows import Source, features
from kani_npc.codec.delta import load, with_delta
from kani_npc.codec.load import load_codec
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.network import NanoCodecConfig
from kani_npc.codec.protocol import Codec
from kani_npc.codec.source_filter import SourceFilterCodec, SourceFilterConfig
from kani_npc.errors import CheckpointError, ModelError
from tests.support.clips import speechlike

TOLERANCE = 1e-5  # of streams
SMALL_NANO = NanoCodecConfig(
    encoder_channels=2,
    encoder_kernels=(3,),
    encoder_dilations=(1,),
    decoder_channels=64,
    decoder_kernels=(3,),
    decoder_dilations=(1, 3),
)
SMALL_SOURCE_FILTER = SourceFilterConfig(
    frame_channels=16,
    frame_blocks=1,
    hop_channels=16,
    hop_blocks=1,
    pitch_channels=8,
    pitch_blocks=1,
    encoder_channels=16,
    encoder_frame_channels=16,
    encoder_blocks=1,
)
needs_pitch = pytest.mark.skipif(
    find_spec("pyworld") is None, reason="pyworld is not installed; it takes a C compiler"
)

NANO = Recipe(
    name="run",
    speaker_encoder="none",
    loss=Loss(discriminator_width=1 / 32),
    optimiser=Optimiser(
        learning_rate=3e-3,
        steps=12,
        crops=2,
        crop_frames=3,
        context_frames=2,
        average=0.5,
        discriminator_first=2,
    ),
    machine=Machine(threads=1),
    watch=Watch(evaluate_every=4, save_every=2, log_every=2),
)
SOURCE_FILTER = dataclasses.replace(
    NANO,
    loss=Loss(spectral="log", adversarial=0.0),
    optimiser=dataclasses.replace(NANO.optimiser, steps=30),
)


def nano_codec() -> NanoCodec:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return NanoCodec(SMALL_NANO).serve()


def source_filter_codec() -> SourceFilterCodec:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return SourceFilterCodec(SMALL_SOURCE_FILTER, with_encoder=True)


def write_rows(folder: Path, codec: Codec, takes: list[Path], **changed: object) -> Path:
    """Rows as `prepare` writes them, of takes that are whole frames already."""
    from finetune.takes import read

    codes = [
        codec.encode(
            torch.from_numpy(read(take, codec.sample_rate_hz, codec.samples_per_frame).samples)
        ).numpy()
        for take in takes
    ]
    columns: dict[str, object] = {
        "text": [f"Line number {i}." for i in range(len(takes))],
        **{f"nano_layer_{k + 1}": [c[k].tolist() for c in codes] for k in range(4)},
        "encoded_len": [c.shape[1] for c in codes],
        "speaker_emb": [[1.0, 0.0]] * len(takes),
        "grouped_sp_emb": [[1.0, 0.0]] * len(takes),
        "speaker": ["mara"] * len(takes),
        "tag": ["en_us"] * len(takes),
        "source": [str(take) for take in takes],
        "speech_s": [1.0] * len(takes),
        **changed,
    }
    folder.mkdir(parents=True)
    table = datasets.Dataset.from_dict(columns, features=features(2))
    table.to_parquet(str(folder / "train.parquet"))
    return folder


@pytest.fixture(scope="module")
def takes(tmp_path_factory) -> list[Path]:
    """Six short takes of one buzzing voice."""
    folder = tmp_path_factory.mktemp("takes")
    for i in range(6):
        sound = speechlike(0.9, rate_hz=22_050, pitch_hz=150, seed=i)
        soundfile.write(folder / f"take{i}.wav", sound, 22_050)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def nano(takes, tmp_path_factory) -> Recipe:
    """A recipe for a NanoCodec of small dims, and its rows."""
    folder = tmp_path_factory.mktemp("nano")
    codec = nano_codec()
    codec.save(folder / "codec")
    rows = write_rows(folder / "rows", codec, takes)
    return dataclasses.replace(NANO, codec=str(folder / "codec")).but(rows=rows)


@pytest.fixture(scope="module")
def source_filter(takes, tmp_path_factory) -> Recipe:
    folder = tmp_path_factory.mktemp("source_filter")
    codec = source_filter_codec()
    codec.save(folder / "codec", encoder=folder / "encoder")
    rows = write_rows(folder / "rows", codec, takes)
    made = dataclasses.replace(
        SOURCE_FILTER, codec=str(folder / "codec"), codec_encoder=str(folder / "encoder")
    )
    return made.but(rows=rows)


@pytest.fixture(scope="module")
def nano_run(nano, tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    adapt.run(nano, runs)
    return runs / nano.name


def logged(run: Path, name: str) -> list[float]:
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [row[name] for row in rows if name in row]


def check_streams(codec: Codec) -> None:
    """The test of the base codecs: any cutting gives the samples of one whole decode."""
    generator = torch.Generator().manual_seed(0)
    for cuts in ([1] * 9, [2, 3, 4], [8, 1]):
        codes = torch.randint(0, codec.codebook_size, (4, 9), generator=generator)
        stream = codec.streaming_decoder()
        state = stream.init_state(1)
        pieces = [stream(piece[None], state)[0] for piece in codes.split(cuts, dim=1)]
        assert (torch.cat(pieces) - codec.decode(codes)).abs().max() <= TOLERANCE


def test_nanocodec_learns_with_its_discriminators_and_says_what_it_gained(nano, nano_run):
    report = json.loads((nano_run / "report.json").read_text())
    mel = report["test"]["figures"]["mel_distance_db"]
    assert mel["after"] < 0.9 * mel["before"] and mel["recording"] == 0
    assert mel["interval"][0] <= mel["difference"] <= mel["interval"][1] < 0
    assert report["lines"] == {"train": 4, "validation": 1} and report["test"]["lines"] == 1
    assert "mel distance" in (nano_run / "report.md").read_text()
    assert {"discriminator", "adversarial", "features", "mel", "stft"} <= set(
        json.loads((nano_run / "metrics.jsonl").read_text().splitlines()[1])
    )
    assert len(logged(nano_run, "validation_mel_distance_db")) == 3
    assert {path.name for path in (nano_run / "audio").iterdir()} == {
        f"0-{name}.wav" for name in ("recording", "before", "after")
    }


def test_streams_stay_exact_and_codes_keep_their_meaning(nano, nano_run):
    base = load_codec(nano.codec)
    tuned = with_delta(base, load(nano_run / DELTA))
    check_streams(tuned)
    samples = torch.from_numpy(speechlike(1.0, rate_hz=22_050))
    assert torch.equal(tuned.encode(samples), base.encode(samples))
    changed = load_file(nano_run / DELTA)
    assert changed.keys() == dict(base.decoder.named_parameters()).keys()


@needs_pitch
def test_the_source_filter_decoder_learns_spectrum_and_pitch(source_filter, tmp_path):
    report = adapt.run(source_filter, tmp_path)
    run = tmp_path / source_filter.name
    mel = report["test"]["figures"]["mel_distance_db"]
    assert mel["after"] < 0.9 * mel["before"]
    assert logged(run, "f0_semitones")[-1] < 0.8 * logged(run, "f0_semitones")[0]
    check_streams(with_delta(load_codec(source_filter.codec), load(run / DELTA)))


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from finetune.codec import adapt, recipe

torch_save, calls = torch.save, []

def save(kept, path):
    calls.append(path)
    torch_save(kept, path)
    if len(calls) == 3:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

torch.save = save
adapt.run(recipe.read(Path(sys.argv[1])), Path(sys.argv[2]))
"""


def test_a_run_killed_in_the_middle_of_a_checkpoint_ends_as_one_that_was_not(
    nano, nano_run, tmp_path
):
    (tmp_path / "recipe.toml").write_text(as_toml(nano))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "recipe.toml"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    run = tmp_path / nano.name
    names = sorted(file.name for file in (run / "checkpoints").iterdir())
    assert names == ["step-0000002.pt", "step-0000004.pt", "step-0000006.pt.part"]
    adapt.run(nano, tmp_path)
    assert not list(run.rglob("*.part"))
    one, other = load_file(run / DELTA), load_file(nano_run / DELTA)
    assert all(torch.equal(change, other[name]) for name, change in one.items())
    # Rows of steps that were taken twice are there once.
    assert logged(run, "mel") == logged(nano_run, "mel")
    assert logged(run, "step") == logged(nano_run, "step")


def test_a_full_disk_is_said_and_the_checkpoint_before_stays(nano, nano_run, tmp_path):
    run = shutil.copytree(nano_run, tmp_path / nano.name)
    (run / DELTA).unlink()
    (run / "checkpoints" / "step-0000012.pt").unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"step-0000012.pt could not be written, \d+ MB are free"):
            adapt.run(nano, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.name for file in (run / "checkpoints").iterdir()] == ["step-0000010.pt"]
    adapt.run(nano, tmp_path)
    assert (run / DELTA).read_bytes() == (nano_run / DELTA).read_bytes()


def as_toml(recipe: Recipe) -> str:
    lines = [f'{name} = "{getattr(recipe, name)}"' for name in ("name", "codec", "speaker_encoder")]
    lines += ["[data]", f'train = ["{recipe.data.train[0].path}"]']
    for table in ("loss", "optimiser", "machine", "watch"):
        lines.append(f"[{table}]")
        for name, value in dataclasses.asdict(getattr(recipe, table)).items():
            lines.append(
                f"{name} = {list(value) if isinstance(value, tuple) else json.dumps(value)}"
            )
    return "\n".join(lines)


def test_a_folder_is_of_one_run(nano, nano_run):
    other = dataclasses.replace(nano, loss=Loss(mel=1.0, discriminator_width=1 / 32))
    with pytest.raises(ValueError, match="holds a run with another loss"):
        adapt.run(other, nano_run.parent)


def test_where_nothing_is_better_the_base_stays(nano, tmp_path):
    still = dataclasses.replace(
        nano,
        loss=Loss(adversarial=0.0),
        optimiser=dataclasses.replace(nano.optimiser, learning_rate=1e-30, steps=40),
        watch=Watch(evaluate_every=2, patience=2),
    )
    report = adapt.run(still, tmp_path)
    assert (report["steps"], report["best_step"], report["delta_bytes"]) == (4, 0, 0)
    assert not (tmp_path / still.name / DELTA).exists()
    assert report["test"]["figures"]["mel_distance_db"]["difference"] == 0


def test_lines_that_are_reported_on_are_not_trained_on(nano, tmp_path):
    same = dataclasses.replace(nano.data, test=nano.data.train)
    with pytest.raises(ValueError, match=r"all lines are among those of data\.test"):
        adapt.run(dataclasses.replace(nano, data=same), tmp_path)


# --- what does not fit


def rows_of(rows: Path) -> list[Source]:
    return [Source(str(rows))]


def test_rows_of_a_codec_with_other_codes_are_refused(takes, tmp_path):
    codec = nano_codec()
    rows = write_rows(tmp_path / "rows", codec, takes[:1])
    with pytest.raises(
        ValueError, match=r"row 0: 4 codebooks with codes up to \d+; the codec has 4 of 1000"
    ):
        read_lines(rows_of(rows), source_filter_codec())


def test_rows_of_a_codec_with_other_weights_are_refused(takes, tmp_path):
    other = nano_codec()
    with torch.no_grad():
        for weight in other.encoder.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    rows = write_rows(tmp_path / "rows", other, takes[:1])
    with pytest.raises(ValueError, match=r"\d+% of its codes are what the codec makes"):
        read_lines(rows_of(rows), nano_codec())


def lost(take: Path) -> None:
    take.unlink()


def silent(take: Path) -> None:
    soundfile.write(take, np.zeros(22_050), 22_050)


def at_another_rate(take: Path) -> None:
    samples, _ = soundfile.read(take)
    soundfile.write(take, samples, 16_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lost, "cannot be used: there is no such file"),
        (silent, "cannot be used: nothing above -55 dBFS"),
        (at_another_rate, "it was changed since: prepare it again"),
    ],
)
def test_a_recording_that_is_not_the_one_that_was_prepared_is_named(
    takes, tmp_path, change: Callable[[Path], None], message: str
):
    take = tmp_path / "take.wav"
    take.write_bytes(takes[0].read_bytes())
    rows = write_rows(tmp_path / "rows", nano_codec(), [take])
    change(take)
    with pytest.raises(ValueError, match=message) as wrong:
        read_lines(rows_of(rows), nano_codec())
    assert str(take) in str(wrong.value) and "Line number" not in str(wrong.value)


def test_rows_without_recordings_are_refused(takes, tmp_path):
    rows = write_rows(tmp_path / "rows", nano_codec(), takes[:1], source=[""])
    with pytest.raises(ValueError, match="row 0 names no recording"):
        read_lines(rows_of(rows), nano_codec())


def test_a_codec_of_other_dims_is_refused(nano, tmp_path):
    codec = load_codec(nano.codec)
    codec.save(tmp_path / "codec")
    config = json.loads((tmp_path / "codec" / "config.json").read_text())
    (tmp_path / "codec" / "config.json").write_text(json.dumps({**config, "num_groups": 5}))
    with pytest.raises(CheckpointError, match="has shape"):
        adapt.run(dataclasses.replace(nano, codec=str(tmp_path / "codec")), tmp_path)
    with pytest.raises(ModelError, match="no codec"):
        adapt.run(dataclasses.replace(nano, codec=str(tmp_path / "nowhere")), tmp_path)


def test_recipes_say_what_is_wrong_with_them(tmp_path):
    file = tmp_path / "recipe.toml"
    for text, message in (
        ('name = "x"\n[optimiser]\nrate = 1', "unknown key optimiser.rate"),
        ('name = "x"\n[optimiser]\nsteps = 0', "optimiser.steps is not positive"),
        ('name = "x"\n[loss]\nspectral = "loud"', "loss.spectral is 'loud'"),
        ('name = "x"\n[optimiser]\nsteps = 10', "discriminator_first leaves"),
        ("[loss]\nmel = 1.0", "name is missing"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            recipes.read(file)
    with pytest.raises(ValueError, match="no rows to train on"):
        adapt.run(Recipe("x"), tmp_path)


@pytest.mark.parametrize("file", sorted(Path("finetune/recipes").glob("codec-*.toml")))
def test_shipped_recipes_are_read_and_say_what_they_take(file):
    expected = recipes.read(file).expected
    assert expected.time and expected.memory and expected.result


# --- lines and crops


def made_line(frames: int, text: str = "", first: int = 0) -> Line:
    """Every sample and every code of a frame is that frame's number."""
    numbers = torch.arange(first, first + frames)
    return Line(text, "mara", numbers.expand(4, -1), numbers.repeat_interleave(6).float(), None)


def test_a_line_that_is_said_twice_is_on_one_side():
    lines = [made_line(5, f"Line {i % 20}.") for i in range(40)]
    parts = split(lines, 0.1, with_test=True)
    assert [len(part) for part in parts] == [32, 4, 4]
    texts = [{line.text for line in part} for part in parts]
    assert len(set.union(*texts)) == sum(map(len, texts)) == 20
    assert [len(part) for part in split(lines, 0.1, with_test=False)] == [36, 4, 0]
    with pytest.raises(ValueError, match="3 different lines; at least 4"):
        split(lines[:3], 0.1, with_test=True)


def test_a_crop_is_the_sound_of_its_frames_and_begins_as_in_its_line():
    crops = Crops([made_line(40, first=100)], 6, crop_frames=8, context_frames=5)
    seen = set()
    for seed in range(60):
        batch = crops.batch(np.random.default_rng(seed), 2)
        assert batch.codes_BKF.shape == (2, 4, 13) and batch.valid_BN.all()
        heard = cropped(batch.codes_BKF[:, 0], batch.first_B, 1, 8)
        assert torch.equal(heard.repeat_interleave(6, 1).float(), batch.samples_BN)
        # All of the context, or the line's own beginning.
        assert all(
            f == 5 or c == 100 for f, c in zip(batch.first_B, batch.codes_BKF[:, 0, 0], strict=True)
        )
        seen |= {int(frame) for frame in heard.flatten()}
    assert seen == set(range(100, 140))


def test_a_line_shorter_than_a_crop_is_silent_behind_its_end():
    lines = [made_line(3, first=50), made_line(9, first=70)]
    crops = Crops(lines, 6, crop_frames=8, context_frames=5)
    batch = crops.batch(np.random.default_rng(0), 16)
    short = batch.codes_BKF[:, 0, 0] < 60
    assert short.any()
    assert torch.equal(batch.valid_BN[short].sum(1), torch.full((int(short.sum()),), 18.0))
    assert not batch.samples_BN[short][:, 18:].any()
