"""Several clips become one speaker, if they are of one."""

import numpy as np
import pytest

from kani_npc.errors import BadAudio
from kani_npc.speaker.enrollment import MAX_CLIPS, enroll, least_likeness, unit
from tests.support.clips import SpectrumEncoder, encoded, speechlike, wav

ENCODER = SpectrumEncoder()
HIGH = {"pitch_hz": 210.0, "bright": 4.0}


def refusal(*clips: bytes) -> tuple[str, str]:
    with pytest.raises(BadAudio) as caught:
        enroll(clips, ENCODER)
    return caught.value.reason, caught.value.field


def test_one_clip_gives_its_embedding():
    enrolled = enroll([wav(speechlike(), subtype="FLOAT")], ENCODER)
    np.testing.assert_allclose(enrolled.embedding.vector, ENCODER.embed(speechlike()), atol=1e-6)
    assert enrolled.embedding.space == "spectrum"


def test_clips_average_into_one_embedding_of_unit_length():
    sounds = [speechlike(2 + i, pitch_hz=120 + 3 * i, seed=i) for i in range(3)]
    enrolled = enroll([wav(sound, subtype="FLOAT") for sound in sounds], ENCODER)
    mean = np.mean([ENCODER.embed(sound) for sound in sounds], axis=0)
    np.testing.assert_allclose(enrolled.embedding.vector, unit(mean), atol=1e-6)
    assert np.linalg.norm(enrolled.embedding.vector) == pytest.approx(1, abs=1e-6)


def test_clips_may_be_of_different_formats():
    clips = [
        encoded(speechlike(2.0, rate_hz=rate), rate, kind)
        for rate, kind in ((16_000, "WAV"), (44_100, "FLAC"), (22_050, "MP3"), (48_000, "OGG"))
    ]
    enrolled = enroll(clips, ENCODER)
    assert [clip.file_format for clip in enrolled.clips] == ["WAV", "FLAC", "MP3", "OGG"]
    assert [clip.sample_rate_hz for clip in enrolled.clips] == [16_000, 44_100, 22_050, 48_000]
    assert all(clip.likeness > 0.9 for clip in enrolled.clips)
    assert all(0.98 < clip.steadiness <= 1 for clip in enrolled.clips)


def test_a_second_speaker_within_a_clip_is_refused():
    two = np.concatenate([speechlike(4.0), speechlike(4.0, **HIGH)])
    assert refusal(wav(speechlike()), wav(two)) == ("several_speakers", "clips[1]")


def test_a_short_word_of_another_in_between_is_found():
    three = np.concatenate([speechlike(4.0), speechlike(3.0, **HIGH), speechlike(4.0)])
    assert refusal(wav(three)) == ("several_speakers", "clips[0]")


def test_a_long_clip_of_one_speaker_is_not_refused():
    assert enroll([wav(speechlike(60.0))], ENCODER).clips[0].steadiness > 0.9


def test_a_clip_of_another_speaker_than_the_others_is_named():
    clips = [wav(speechlike(seed=i)) for i in range(3)]
    clips.insert(1, wav(speechlike(**HIGH)))
    assert refusal(*clips) == ("several_speakers", "clips[1]")


def test_the_clip_that_is_unfit_is_named():
    assert refusal(wav(speechlike()), b"RIFF", wav(speechlike())) == ("truncated", "clips[1]")


def test_no_clip_and_too_many_are_refused():
    assert refusal() == ("too_little_speech", "clips")
    assert refusal(*[wav(speechlike(1.5))] * (MAX_CLIPS + 1)) == ("too_large", "clips")
    assert refusal(*[bytes(20 << 20)] * 2) == ("too_large", "clips")


def test_likeness_looks_across_every_place_and_not_within_overlapping_windows():
    same, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    starts = [0, 1, 2, 3, 4, 5]
    assert least_likeness(np.array([same] * 6), starts, 2) == pytest.approx(1)
    assert least_likeness(np.array([same] * 3 + [other] * 3), starts, 2) == pytest.approx(0)
    assert least_likeness(np.array([same, other]), [0, 1], 2) == 1
