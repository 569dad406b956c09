"""Any common file becomes mono sound at the encoder's rate; what no voice can be made of is refused by name."""

import struct
import tracemalloc
import zipfile
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kani_npc.errors import BadAudio
from kani_npc.speaker.recording import MAX_CLIP_BYTES, MAX_CLIP_S, Recording, read
from tests.support.clips import encoded, speechlike, wav

RATE = 16_000
HOURS_10 = 36_000


def heard(data: bytes) -> Recording:
    return read(data, RATE, field="clips[0]")


def reason(data: bytes) -> str:
    with pytest.raises(BadAudio) as caught:
        heard(data)
    assert caught.value.field == "clips[0]"
    assert "\n" not in str(caught.value)
    return caught.value.reason


# --- what can be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("file_format", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "PCM_U8"),
        ("WAV", "FLOAT"),
        ("WAV", "ULAW"),
        ("FLAC", None),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", None),
    ],
)
def test_any_common_file_is_heard_as_the_same_sound(
    file_format: str, subtype: str | None, channels: int, rate_hz: int
):
    if subtype == "OPUS" and rate_hz in (22_050, 44_100):
        pytest.skip("Opus has no such rate")
    samples = speechlike(2.0, rate_hz=rate_hz)
    whole = np.stack([samples] * channels, axis=1)
    recording = heard(encoded(whole, rate_hz, file_format, subtype))
    assert recording.samples.dtype == np.float32
    assert recording.samples.ndim == 1
    assert (recording.file_rate_hz, recording.channels) == (rate_hz, channels)
    assert recording.file_format.startswith(file_format)
    assert recording.duration_s == pytest.approx(2.0, abs=0.12)
    ours = heard(wav(samples, rate_hz)).samples
    spectrum, theirs = (
        np.abs(np.fft.rfft(x[: int(1.9 * RATE)])) for x in (recording.samples, ours)
    )
    assert np.corrcoef(spectrum, theirs)[0, 1] > 0.95


def test_stereo_is_mixed_and_not_taken_apart():
    left, right = speechlike(pitch_hz=100), speechlike(pitch_hz=170, seed=1)
    mixed = heard(wav(np.stack([left, right], axis=1), subtype="FLOAT")).samples
    np.testing.assert_allclose(mixed, (left + right) / 2, atol=1e-6)


def test_sound_at_the_encoders_rate_is_not_touched():
    samples = speechlike()
    np.testing.assert_array_equal(heard(wav(samples, subtype="FLOAT")).samples, samples)


def test_a_minute_is_heard_and_a_second_more_is_not():
    assert heard(wav(speechlike(60.0))).duration_s == 60
    assert reason(wav(speechlike(61.0))) == "too_long"


def test_wav_written_to_a_pipe_has_no_length_and_is_read():
    data = bytearray(wav(speechlike()))
    at = data.index(b"data") + 4
    for unknown in (0x7FFFF000, 0xFFFFFFFF):
        data[4:8] = struct.pack("<I", min(unknown + 36, 0xFFFFFFFF))
        data[at : at + 4] = struct.pack("<I", unknown)
        assert heard(bytes(data)).duration_s == pytest.approx(3.0)


def test_what_was_found_is_reported():
    recording = heard(wav(np.concatenate([speechlike(2.0), np.zeros(16_000, np.float32)])))
    assert recording.duration_s == 3.0
    assert 1.0 < recording.speech_s < 2.0
    assert -20 < recording.level_dbfs < 0
    assert recording.clipped_share == 0


# --- what no voice can be made of --------------------------------------------------------------------------------


def quiet_noise() -> np.ndarray:
    return 1e-4 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)


def with_bad(value: float) -> np.ndarray:
    samples = speechlike()
    samples[20_000] = value
    return samples


UNFIT = {
    "digital silence": (wav(np.zeros(3 * RATE, np.float32)), "silence"),
    "quiet noise": (wav(quiet_noise(), subtype="FLOAT"), "silence"),
    "stereo that cancels": (
        wav(np.stack([speechlike(), -speechlike()], axis=1), subtype="FLOAT"),
        "silence",
    ),
    "driven into clipping": (wav(np.clip(speechlike(peak=3.0), -1, 1)), "clipping"),
    "float beyond full scale": (wav(speechlike(peak=3.0), subtype="FLOAT"), "clipping"),
    "half a second": (wav(speechlike(0.5)), "too_little_speech"),
    "a word in a long pause": (
        wav(np.concatenate([speechlike(0.6), np.zeros(5 * RATE, np.float32)])),
        "too_little_speech",
    ),
    "a tone": (
        wav((0.3 * np.sin(np.arange(3 * RATE) * 0.2)).astype(np.float32)),
        "too_little_speech",
    ),
    "a fan": (wav(1000 * quiet_noise() / 2), "too_little_speech"),
    "a sample that is no number": (wav(with_bad(np.nan), subtype="FLOAT"), "non_finite"),
    "an infinite sample": (wav(with_bad(np.inf), subtype="FLOAT"), "non_finite"),
    "six channels": (wav(np.stack([speechlike()] * 6, axis=1)), "unsupported"),
    "400 samples a second": (wav(speechlike(), rate_hz=400), "unsupported"),
    "a million samples a second": (wav(speechlike(), rate_hz=1_000_000), "unsupported"),
    "AIFF": (encoded(speechlike(), RATE, "AIFF"), "unreadable"),
    "nothing": (b"", "unreadable"),
    "text": (b"once upon a time there was no sound", "unreadable"),
    "a picture's beginning": (b"\x89PNG\r\n\x1a\n" + bytes(2000), "unreadable"),
    "RIFF and no more": (b"RIFF", "truncated"),
    "fLaC and no more": (b"fLaC", "unreadable"),
    "OggS and no more": (b"OggS", "truncated"),
    "ID3 and no more": (b"ID3", "unreadable"),
    "a WAV without sound": (wav(np.zeros(0, np.float32)), "truncated"),
    "more than 32 MiB": (wav(speechlike()) + bytes(MAX_CLIP_BYTES), "too_large"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_sound_is_refused_by_name(name: str):
    data, expected = UNFIT[name]
    assert reason(data) == expected


def test_a_zip_of_a_good_clip_is_refused():
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(10_000_000))
    assert reason(file.getvalue()) == "unreadable"


@pytest.mark.parametrize("file_format", ["WAV", "FLAC", "OGG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_breaks_off_is_refused(file_format: str, share: float):
    data = encoded(speechlike(4.0), RATE, file_format)
    assert reason(data[: int(share * len(data))]) in {"truncated", "unreadable"}


def test_a_wav_header_that_claims_ten_hours_is_refused():
    data = bytearray(wav(speechlike()))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", HOURS_10 * RATE * 2)
    assert reason(bytes(data)) == "too_long"


def flac_claiming(samples: np.ndarray, total: int) -> bytes:
    """A FLAC whose STREAMINFO says so many samples: 36 bits at the end of its 18th byte."""
    data = bytearray(encoded(samples, RATE, "FLAC"))
    assert data[4] & 0x7F == 0
    info = 8
    data[info + 13] = data[info + 13] & 0xF0 | total >> 32
    data[info + 14 : info + 18] = struct.pack(">I", total & 0xFFFFFFFF)
    return bytes(data)


def test_a_flac_header_that_claims_ten_hours_is_refused():
    assert reason(flac_claiming(speechlike(), HOURS_10 * RATE)) == "too_long"


def test_a_flac_that_claims_little_and_unfolds_into_ten_minutes_is_cut_off_with_memory_bounded():
    # Ten minutes of silence are some kilobytes of FLAC.
    data = flac_claiming(np.zeros(600 * RATE, np.float32), 3 * RATE)
    assert len(data) < 200_000
    tracemalloc.start()
    refused = reason(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused in {"too_long", "truncated", "unreadable", "silence"}
    assert peak < 20 << 20


def test_memory_is_bounded_by_the_length_at_the_encoders_rate_and_not_by_the_files():
    samples = np.stack([speechlike(MAX_CLIP_S, rate_hz=192_000)] * 2, axis=1)
    data = encoded(samples, 192_000, "FLAC")
    del samples
    tracemalloc.start()
    heard(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20  # 92 MB of float32 if it were decoded whole


GOOD = [
    encoded(speechlike(1.6, rate_hz=rate), rate, kind, subtype)
    for rate, kind, subtype in (
        (16_000, "WAV", "PCM_16"),
        (22_050, "WAV", "FLOAT"),
        (16_000, "FLAC", None),
        (16_000, "OGG", "VORBIS"),
        (48_000, "OGG", "OPUS"),
        (22_050, "MP3", None),
    )
]


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_uploads_are_heard_or_refused_and_nothing_else(data):
    upload = bytearray(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 6))):
        # Headers are where lies pay.
        if not upload:
            break
        at = data.draw(st.integers(0, 120) | st.integers(0, len(upload) - 1))
        at = min(at, len(upload) - 1)
        kind = data.draw(st.sampled_from(["write", "cut", "insert", "drop"]))
        junk = data.draw(
            st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 4, bytes(4)])
        )
        if kind == "write":
            upload[at : at + len(junk)] = junk
        elif kind == "cut":
            del upload[max(at, 1) :]
        elif kind == "insert":
            upload[at:at] = junk
        else:
            del upload[at : at + len(junk)]
    try:
        recording = heard(bytes(upload))
    except BadAudio:
        return
    assert np.isfinite(recording.samples).all()
    assert recording.duration_s <= MAX_CLIP_S + 0.2
