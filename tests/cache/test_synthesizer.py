"""A line that was said before is said from the cache, as it was, and only where it is the same line."""

from contextlib import aclosing
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from kani_npc import __version__
from kani_npc.cache.key import line_key
from kani_npc.cache.lines import LineCache
from kani_npc.cache.synthesizer import CachedSynthesizer
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.errors import EngineFailed
from kani_npc.speech import (
    AccentPreset,
    Audio,
    FinishReason,
    Pace,
    Part,
    Priority,
    Sampling,
    SpeakerEmbedding,
    Utterance,
    Voice,
)
from tests.support.random_model import line as random_line
from tests.support.random_model import random_model
from tests.support.sine import SineSynthesizer

EMBEDDING = SpeakerEmbedding(np.eye(1, 16, dtype=np.float32)[0], "sine")
INFO = SineSynthesizer().info
LINE = Utterance(
    "u", "Halt!", Voice("guard", "Guard", EMBEDDING, "en_us"), None, Sampling(greedy=True), seed=7
)


async def no_part() -> bytes:
    raise AssertionError("a key needs no more than a part's name")


async def said(synthesizer, utterance=LINE):
    events = [event async for event in synthesizer.synthesize(utterance)]
    sound = [event.chunk.samples for event in events if isinstance(event, Audio)]
    return np.concatenate(sound), events[-1]


def cached(inner=None, cache=None) -> CachedSynthesizer:
    return CachedSynthesizer(inner or SineSynthesizer(), cache or LineCache(10**7))


async def test_the_second_time_nothing_is_generated_and_it_sounds_the_same():
    sine = SineSynthesizer()
    synthesizer = cached(sine)
    first, end = await said(synthesizer)
    assert not end.cache_hit
    again, end = await said(synthesizer, replace(LINE, id="another"))
    assert end.cache_hit and end.compute_ms == 0 and end.reason is FinishReason.END_OF_SPEECH
    np.testing.assert_array_equal(first, again)
    assert end.total_samples == len(first) and len(sine.utterances) == 1


async def test_a_kept_line_comes_frame_by_frame_with_no_gaps():
    synthesizer = cached()
    await said(synthesizer)
    events = [event async for event in synthesizer.synthesize(LINE)]
    chunks = [event.chunk for event in events[:-1]]
    assert len(chunks) == 5 and chunks[0].first_sample == 0
    assert all(b.first_sample == a.end_sample for a, b in pairwise(chunks))


async def test_the_engines_lines_are_kept_bit_for_bit():
    engine = EngineSynthesizer(random_model(), num_threads=1)
    synthesizer = cached(engine)
    sampling = random_model().sampling.but(max_frames=400, min_frames=0)
    ended = 0
    for n in range(8):
        utterance = random_line(f"u{n}", f"Halt {n}!", seed=n, sampling=sampling)
        first, end = await said(synthesizer, utterance)
        again, end_again = await said(synthesizer, utterance)
        assert end_again.cache_hit == (end.reason is FinishReason.END_OF_SPEECH)
        if end_again.cache_hit:
            ended += 1
            np.testing.assert_array_equal(first, again)
    await synthesizer.close()
    assert ended  # some of them


async def test_a_line_that_somebody_left_is_not_kept():
    sine = SineSynthesizer()
    synthesizer = cached(sine)
    async with aclosing(synthesizer.synthesize(LINE)) as events:
        for _ in range(4):
            await anext(events)
    assert sine.active == 0
    _, end = await said(synthesizer)
    assert not end.cache_hit


@pytest.mark.parametrize("sine", [SineSynthesizer(fail_after_frames=2), None])
async def test_a_line_that_was_cut_or_failed_is_not_kept(sine):
    utterance = replace(LINE, sampling=LINE.sampling.but(max_frames=3)) if sine is None else LINE
    synthesizer = cached(sine)
    for _ in range(2):
        if sine is None:
            assert not (await said(synthesizer, utterance))[1].cache_hit
        else:
            with pytest.raises(EngineFailed):
                await said(synthesizer, utterance)


async def test_a_line_whose_seed_was_drawn_is_neither_kept_nor_looked_for():
    sine, cache = SineSynthesizer(), LineCache(10**7)
    synthesizer = cached(sine, cache)
    await said(synthesizer, replace(LINE, remember=False))
    assert cache.used_bytes == 0
    await said(synthesizer)
    assert not (await said(synthesizer, replace(LINE, remember=False)))[1].cache_hit


async def test_text_that_is_being_written_passes_by():
    sine, cache = SineSynthesizer(), LineCache(10**7)

    async def written():
        yield "Halt!"

    for _ in range(2):
        events = [
            e async for e in cached(sine, cache).synthesize(replace(LINE, text=""), written())
        ]
        assert not events[-1].cache_hit
    assert cache.used_bytes == 0


CHANGES = {
    "text": {"text": "halt!"},
    "embedding": {
        "voice": replace(
            LINE.voice, embedding=SpeakerEmbedding(np.eye(2, 16, dtype=np.float32)[1], "sine")
        )
    },
    "space": {"voice": replace(LINE.voice, embedding=replace(EMBEDDING, space="other"))},
    "no embedding": {"voice": replace(LINE.voice, embedding=None)},
    "accent": {"accent": AccentPreset("glasgow", "en_glasg")},
    "tag": {"voice": replace(LINE.voice, tag="en_glasg")},
    "adapter": {"voice": replace(LINE.voice, lora=Part("a", read=no_part))},
    "another adapter": {"voice": replace(LINE.voice, lora=Part("b", read=no_part))},
    "codec delta": {"voice": replace(LINE.voice, codec_delta=Part("a", read=no_part))},
    "seed": {"seed": 8},
    "pause": {"pause_s": 0.2},
} | {
    f.name: {"sampling": LINE.sampling.but(**{f.name: value})}
    for f, value in zip(fields(Sampling), (0.9, 49, 0.94, 1.2, False, 2, 499), strict=True)
}


def test_no_two_of_these_changes_are_one_line():
    keys = {line_key(replace(LINE, **change), INFO) for change in CHANGES.values()}
    assert len(keys) == len(CHANGES) - 1  # a tag and an accent of the same language are one


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_sound_is_another_line(change):
    assert line_key(replace(LINE, **CHANGES[change]), INFO) != line_key(LINE, INFO)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"sampler_version": "other"},
        {"content_hash": "other"},
        {"max_piece_characters": 90},
    ],
)
def test_another_model_has_other_lines(change):
    assert line_key(LINE, replace(INFO, **change)) != line_key(LINE, INFO)


def test_another_version_of_the_software_has_other_lines(monkeypatch):
    before = line_key(LINE, INFO)
    monkeypatch.setattr("kani_npc.cache.key.__version__", __version__ + ".1")
    assert line_key(LINE, INFO) != before


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"priority": Priority.CRITICAL},
        {"pace": Pace.UNPACED},
        {"attempt": 1},
        {"hold_until_checked": True},
        {"start_within_s": 1.0},
        {"voice": replace(LINE.voice, id="other", display_name="Other", revision=5, licence="x")},
        {"accent": AccentPreset("american", "en_us")},
    ],
    ids=str,
)
def test_who_asks_and_how_fast_is_the_same_line(change):
    assert line_key(replace(LINE, **change), INFO) == line_key(LINE, INFO)


def test_the_field_list_of_an_utterance_is_one_that_the_key_knows():
    # A new field must be put into the key, or into the list above.
    known = "id text voice accent sampling seed priority pace start_within_s pause_s attempt"
    known += " hold_until_checked remember"
    assert [f.name for f in fields(Utterance)] == known.split()
    assert [
        f.name for f in fields(Voice)
    ] == "id display_name embedding tag licence revision lora codec_delta".split()
