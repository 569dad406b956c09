"""A voice as a file: what comes back is what went in, and nothing else gets in."""

import io
import json
import pickle
import struct
import zipfile
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.errors import BundleError, InvalidRecord
from kani_npc.voices.bundle import Bundle, part_names, read_bundle, read_pt, write_bundle
from kani_npc.voices.records import VoiceRecord, VoiceSource
from tests.support.voices import embedding, granted, voice

CLIP = b"RIFF a recording" * 100
CLIP_NAME = sha256(CLIP).hexdigest()
LORA = bytes(range(256)) * 16
LORA_NAME = sha256(LORA).hexdigest()


def a_bundle() -> Bundle:
    record = voice(
        display_name="Wächter",
        tag="en_scou",
        labels={"set": "城"},
        consent=granted(),
        clips=(CLIP_NAME,),
        lora=LORA_NAME,
        licence="CC0-1.0",
    )
    return Bundle(record, {LORA_NAME: LORA, CLIP_NAME: CLIP})


def test_a_voice_comes_back_without_its_consent() -> None:
    sent = a_bundle()
    got = read_bundle(write_bundle(sent))
    assert got.parts == sent.parts
    assert got.voice == replace(sent.voice, consent=None, source=VoiceSource.IMPORTED)


def test_a_voice_without_an_embedding_comes_back_too() -> None:
    assert read_bundle(write_bundle(Bundle(VoiceRecord(id="anon")))).voice.embedding is None


def test_recordings_travel_only_where_asked_for() -> None:
    record = a_bundle().voice
    assert part_names(record, with_clips=False) == (LORA_NAME,)
    data = write_bundle(Bundle(record, {LORA_NAME: LORA}))
    assert read_bundle(data).voice.clips == () and CLIP not in data


def test_any_safetensors_reader_finds_the_embedding() -> None:
    tensors = safetensors.numpy.load(write_bundle(a_bundle()))
    assert np.array_equal(tensors["embedding"], embedding(0).vector)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused(data: st.DataObject) -> None:
    whole = bytearray(write_bundle(a_bundle()))
    match data.draw(st.sampled_from(["cut", "flip", "insert"])):
        case "cut":
            del whole[data.draw(st.integers(0, len(whole) - 1)) :]
        case "flip":
            whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
        case "insert":
            whole.insert(data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 255)))
    try:
        read = read_bundle(bytes(whole))
    except BundleError:
        return
    # JSON may be spelled in two ways; what it says may not change.
    assert read == read_bundle(write_bundle(a_bundle()))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_anything_else_is_refused(data: bytes) -> None:
    for file in (data, struct.pack("<Q", len(data)) + data):
        with pytest.raises(BundleError):
            read_bundle(file)


@pytest.mark.parametrize("size", [2**63, 2**32, 10**7, 0])
def test_a_header_that_lies_about_its_length_is_refused(size: int) -> None:
    with pytest.raises(BundleError):
        read_bundle(struct.pack("<Q", size) + b"{}" * 100)


def test_a_tensor_that_claims_terabytes_is_refused() -> None:
    header = {
        "__metadata__": {"format": "kani-npc.voice.v1"},
        "embedding": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]},
    }
    text = json.dumps(header).encode()
    with pytest.raises(BundleError, match="damaged"):
        read_bundle(struct.pack("<Q", len(text)) + text + b"\0" * 64)


def test_a_part_under_a_false_name_is_refused() -> None:
    with pytest.raises(BundleError, match="not what it is called"):
        read_bundle(write_bundle(replace(a_bundle(), parts={LORA_NAME: CLIP, CLIP_NAME: CLIP})))


def test_a_voice_that_lacks_a_part_is_refused() -> None:
    with pytest.raises(BundleError, match="lacks 1"):
        read_bundle(write_bundle(replace(a_bundle(), parts={CLIP_NAME: CLIP})))


def pt(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize("shape", [(128,), (1, 128)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64, torch.bfloat16])
def test_a_published_pt_voice_is_read(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    record = read_pt(pt(tensor), id="anna", space="published")
    assert record.embedding is not None and record.embedding.space == "published"
    wanted = torch.nn.functional.normalize(tensor.double().flatten(), dim=0)
    np.testing.assert_allclose(record.embedding.vector, wanted, atol=1e-7)


class Attack:
    def __reduce__(self):
        return (print, ("this must not be printed",))


class Balloon:
    def __reduce__(self):
        return (bytearray, (10**12,))


@pytest.mark.parametrize(
    "value",
    [
        Attack(),
        Balloon(),
        [torch.ones(128)],
        {"voice": torch.ones(128)},
        torch.ones(128, dtype=torch.int64),
        torch.zeros(128),
        torch.full((128,), float("nan")),
        torch.ones(2, 128),
        torch.ones(1).expand(2**40),
        torch.ones(()),
        torch.ones(128).to_sparse(),
        torch.nn.Linear(2, 2),
        "text",
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_pt_file_of_anything_else_is_refused(value: object, capsys) -> None:
    with pytest.raises(BundleError):
        read_pt(pt(value), id="anna", space="s")
    assert capsys.readouterr().out == ""


def test_a_pt_file_that_is_not_the_zip_of_torch_save_is_refused() -> None:
    old = io.BytesIO()
    torch.save(torch.ones(128), old, _use_new_zipfile_serialization=False)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", pickle.dumps(0))
        file.writestr("archive/data/0", b"\0" * 10**8)
    whole = pt(torch.ones(128))
    for data in (old.getvalue(), bomb.getvalue(), b"", whole[:700], whole + b"\0" * 2**20):
        with pytest.raises(BundleError):
            read_pt(data, id="anna", space="s")
    with pytest.raises(InvalidRecord, match="id"):
        read_pt(whole, id="No", space="s")


def test_a_pt_file_that_claims_more_values_than_it_has_is_refused() -> None:
    """PyTorch itself would read whatever lies behind them in memory."""
    whole = pt(torch.ones(100))
    short, claim = b"K\x64", b"K\xff"
    assert whole.count(short) == 2  # of the storage and of the tensor
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        members = {m.filename: file.read(m) for m in file.infolist()}
    members["archive/data.pkl"] = members["archive/data.pkl"].replace(short, claim)
    lying = io.BytesIO()
    with zipfile.ZipFile(lying, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    with pytest.raises(BundleError, match="claims more values"):
        read_pt(lying.getvalue(), id="anna", space="s")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_pt_file_is_refused_or_still_a_voice(data: st.DataObject) -> None:
    whole = bytearray(pt(torch.ones(128)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        record = read_pt(bytes(whole), id="anna", space="s")
    except (BundleError, InvalidRecord):
        return
    assert record.embedding is not None and np.isfinite(record.embedding.vector).all()
