"""Codec deltas: the tuned decoder comes back, streams stay exact, and a delta of something else is refused."""

import json
import resource
import zlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from kani_npc.codec import delta
from kani_npc.codec.nanocodec import NanoCodec
from kani_npc.codec.source_filter import SourceFilterCodec, SourceFilterConfig
from kani_npc.errors import CodecError
from tests.support.sound import distance

TOLERANCE = 1e-5  # of streams
HEARD = 2e-3  # of a delta in float16: 54 dB below full scale
PACKED = 0.06  # of what a delta changes in the sound: 24 dB below it. In the weights it is 29 dB, as in full size

SMALL = SourceFilterConfig(
    frame_channels=16,
    frame_blocks=1,
    hop_channels=16,
    hop_blocks=1,
    pitch_channels=8,
    pitch_blocks=1,
)


def tune(codec, seed: int = 1, amount: float = 0.02):
    """The same codec with every parameter of its decoder moved by some percent."""
    generator = torch.Generator().manual_seed(seed)
    tuned = delta.with_own_decoder(codec)
    with torch.no_grad():
        for parameter in tuned.decoder.parameters():
            noise = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
            parameter.add_(amount * parameter.std(correction=0) * noise)
    return tuned.eval()


@pytest.fixture(params=["nanocodec", "source_filter"], scope="module")
def base(request, tmp_path_factory):
    if request.param == "nanocodec":
        return request.getfixturevalue("small_codec")
    torch.manual_seed(0)
    SourceFilterCodec(SMALL).save(folder := tmp_path_factory.mktemp("codec"))
    return SourceFilterCodec.from_folder(folder)


@pytest.fixture(scope="module")
def tuned(base):
    return tune(base)


@pytest.fixture(scope="module")
def file(base, tuned, tmp_path_factory):
    path = tmp_path_factory.mktemp("delta") / "mara.safetensors"
    delta.save_delta(path, base, tuned)
    return path


@pytest.fixture(scope="module")
def packed_file(file, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "mara.safetensors"
    path.write_bytes(delta.pack(delta.load(file)).to_bytes())
    return path


def draw_codes(codec, frames: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, codec.codebook_size, (codec.num_codebooks, frames), generator=generator)


def test_base_and_delta_sound_like_the_tuned_and_the_base_stays_itself(base, tuned, file):
    codes = draw_codes(base, 12)
    before = base.decode(codes)
    made = delta.with_delta(base, delta.load(file))
    assert type(made) is type(base) and made.kind == base.kind
    assert not torch.allclose(made.decode(codes), before, atol=HEARD)
    assert (made.decode(codes) - tuned.decode(codes)).abs().max() < HEARD
    assert torch.equal(base.decode(codes), before)
    assert delta.decoder_hash(made) != delta.decoder_hash(base)


def test_a_packed_delta_sounds_like_the_whole_one_and_is_smaller(base, file, packed_file):
    codes = draw_codes(base, 40)
    whole = delta.with_delta(base, delta.load(file)).decode(codes)
    packed = delta.with_delta(base, delta.load(packed_file)).decode(codes)
    assert 0 < distance(packed, whole) < PACKED * distance(base.decode(codes), whole)
    # A third in full size; here names and headers are the rest.
    assert len(packed_file.read_bytes()) < 0.7 * len(file.read_bytes())
    # What was packed is not rounded again.
    again = delta.pack(delta.load(packed_file)).to_bytes()
    assert again == packed_file.read_bytes()


def test_a_row_s_rounding_is_a_small_part_of_the_row_however_large_its_largest_values(base):
    rows = torch.randn(4, 3, 200, generator=torch.Generator().manual_seed(0))
    rows[1] *= 1e-6
    rows[2] = 0.0
    rows[3, 0, 0] = 1000.0
    back = delta.PackedChange.of(rows).float()
    errors = (back - rows).flatten(1).norm(dim=1) / rows.flatten(1).norm(dim=1).clamp_min(1e-9)
    assert errors[[0, 1]].max() < 0.04 and errors[3] < 0.1 and errors[2] == 0.0
    assert back[3, 0, 0] == pytest.approx(1000.0)


@given(seed=st.integers(0, 999), cuts=st.lists(st.integers(1, 6), min_size=1, max_size=5))
@settings(max_examples=8, deadline=None)
@pytest.mark.parametrize("which", ["file", "packed_file"])
def test_any_cutting_gives_the_samples_of_one_whole_decode(base, which, request, seed, cuts):
    codec = delta.with_delta(base, delta.load(request.getfixturevalue(which)))
    codes = draw_codes(codec, sum(cuts), seed)
    stream = codec.streaming_decoder()
    state = stream.init_state(1)
    pieces = [stream(piece[None], state)[0] for piece in codes.split(cuts, dim=1)]
    assert (torch.cat(pieces) - codec.decode(codes)).abs().max() <= TOLERANCE


def test_a_delta_is_half_the_size_of_the_decoder_and_shares_the_rest(base, file):
    changed = delta.load(file)
    decoder = sum(4 * parameter.numel() for parameter in base.decoder.parameters())
    half = sum(change.nbytes for change in load_file(file).values())
    assert half == pytest.approx(decoder / 2, rel=0.03)
    made = delta.with_delta(base, changed)
    assert dict(made.named_children()).keys() == dict(base.named_children()).keys()
    for name, child in base.named_children():
        assert (dict(made.named_children())[name] is child) == (name != "decoder")


def test_what_did_not_change_is_not_stored(base, tmp_path):
    tuned = delta.with_own_decoder(base)
    name, parameter = next(iter(tuned.decoder.named_parameters()))
    with torch.no_grad():
        parameter += 0.5
    delta.save_delta(tmp_path / "delta", base, tuned)
    assert delta.load(tmp_path / "delta").changes.keys() == {name}


def test_a_change_that_float16_cannot_hold_is_stored_in_float32(base, tmp_path):
    tuned = tune(base, amount=0.0)
    with torch.no_grad():
        first, second, *_ = tuned.decoder.parameters()
        first += 3 * first.roll(1, 0)
        second += 1e-3 * second.std()
    delta.save_delta(tmp_path / "delta", base, tuned)
    changes = load_file(tmp_path / "delta")
    names = [name for name, _ in base.decoder.named_parameters()]
    assert changes[names[0]].dtype == torch.float32
    assert changes[names[1]].dtype == torch.float16


def test_bytes_and_file_are_the_same_delta(file, packed_file):
    for path in (file, packed_file):
        data = path.read_bytes()
        assert delta.load(path).to_bytes() == delta.load(data).to_bytes() == data


def test_the_same_delta_is_the_same_file(base, tuned, file, tmp_path):
    for number in range(4):
        delta.save_delta(tmp_path / f"{number}", base, tuned)
        assert (tmp_path / f"{number}").read_bytes() == file.read_bytes()


def test_a_delta_of_another_base_is_refused(base, tuned, file, packed_file):
    for path in (file, packed_file):
        with pytest.raises(CodecError, match="has other weights"):
            delta.with_delta(tuned, delta.load(path))


def test_a_delta_of_another_kind_or_of_other_dims_is_refused(
    base, file, packed_file, full_or_tiny, tmp_path
):
    for path in (file, packed_file):
        with pytest.raises(CodecError, match=r"is for a|has shape"):
            delta.with_delta(full_or_tiny, delta.load(path))
    with pytest.raises(CodecError, match="other dims than its base"):
        delta.save_delta(tmp_path / "delta", base, full_or_tiny)
    assert not list(tmp_path.iterdir())


@pytest.fixture(params=["other kind", "other dims"])
def full_or_tiny(request, base, miniature_codec):
    nano = isinstance(base, NanoCodec)
    if (request.param == "other kind") == nano:
        return SourceFilterCodec(SourceFilterConfig()).serve()
    return miniature_codec


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-5], "cut short"),
        (lambda data: b"", "cut short"),
        (lambda data: b"\xff" * 64, "cut short"),
    ],
)
def test_a_damaged_file_is_refused(file, damage, message):
    with pytest.raises(CodecError, match=message):
        delta.load(damage(file.read_bytes()))


def test_other_safetensors_and_what_is_no_number_are_refused(file, tmp_path):
    changes = load_file(file)
    save_file(changes, tmp_path / "plain")
    with pytest.raises(CodecError, match="is no codec delta"):
        delta.load(tmp_path / "plain")
    metadata = {"format": delta.FORMAT, "kind": "nanocodec", "base": ""}
    name = next(iter(changes))
    changes[name].fill_(torch.nan)
    save_file(changes, tmp_path / "nan", metadata)
    with pytest.raises(CodecError, match="not finite"):
        delta.load(tmp_path / "nan")
    with pytest.raises(CodecError, match="could not be read: No such file"):
        delta.load(tmp_path / "nowhere")


def deflated(num_bytes: int) -> torch.Tensor:
    return torch.frombuffer(bytearray(zlib.compress(bytes(num_bytes))), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("lies", "message"),
    [
        ({"columns": 10**12}, "has shape"),
        ({"shape": [10**30, 2]}, "packed otherwise"),
        ({"shape": [-1, 2]}, "packed otherwise"),
        ({"shape": "many"}, "packed otherwise"),
        ({"shape": []}, "packed otherwise"),
        ({"step": torch.ones(999)}, "packed otherwise"),
        ({"step": None}, "packed otherwise"),
        ({"data": torch.ones(3)}, "packed otherwise"),
        ({"data": None}, "packed otherwise"),
        ({"step": torch.nan}, "not finite"),
        ({"step": 1e38}, "not finite"),
        ({"data": deflated(100 * 2**20)}, "not of shape"),
        ({"data": deflated(5)}, "not of shape"),
        ({"data": torch.zeros(50, dtype=torch.uint8)}, "not of shape"),
        ({"data": torch.zeros(0, dtype=torch.uint8)}, "not of shape"),
    ],
)
def test_a_packed_file_that_lies_is_refused_before_it_takes_any_memory(
    base, packed_file, tmp_path, lies, message
):
    tensors, about = load_file(packed_file), header(packed_file)
    shapes = json.loads(about["shapes"])
    name, shape = next(iter(shapes.items()))
    step = lies.get("step", tensors[f"{name}.step"])
    told = {
        name: lies.get("data", tensors[name]),
        f"{name}.step": torch.full(shape[:1], step) if isinstance(step, float) else step,
    }
    tensors = {key: value for key, value in (tensors | told).items() if value is not None}
    if "columns" in lies:
        shape = [shape[0], lies["columns"]]
    about["shapes"] = json.dumps(shapes | {name: lies.get("shape", shape)})
    save_file(tensors, tmp_path / "lies", about)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CodecError, match=message):
        delta.with_delta(base, delta.load(tmp_path / "lies"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before_kb + 50_000


def test_packed_shapes_that_are_no_table_are_refused(packed_file, tmp_path):
    for shapes in ("", "[1]", "null", "[" * 100_000):
        about = header(packed_file) | {"shapes": shapes}
        save_file(load_file(packed_file), tmp_path / "lies", about)
        with pytest.raises(CodecError, match="packed otherwise"):
            delta.load(tmp_path / "lies")


def header(path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()
