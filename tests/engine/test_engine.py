"""Steps of the real engine with random weights: who hears what, and that neighbours do not matter."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kani_npc.engine.engine import Engine, EngineSettings
from kani_npc.engine.messages import Event, Failed
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.watchdog import WatchdogLimits
from kani_npc.errors import EngineFailed, InvalidUtterance, Overloaded
from kani_npc.lm.generate import generate
from kani_npc.prompt import build_prompt
from kani_npc.speech import (
    AccentPreset,
    Audio,
    Finished,
    FinishReason,
    Sampling,
    SpeakerEmbedding,
    Utterance,
)
from kani_npc.text.pieces import Pieces, split
from tests.support.random_model import SPEAKER_SPACE, echo_model, line, random_model

GREEDY = Sampling(greedy=True, repetition_penalty=1.3, min_frames=2, max_frames=14)
LOUD = Sampling(temperature=1.5, top_k=8, min_frames=2, max_frames=14)
LSB = 2  # rounding of neighbours' batched products may move a sample to the next int16, twice at a frame's seam


class Listener:
    """Collects what an engine says, by utterance."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.audio: dict[str, list[Audio]] = {}
        self.ends: dict[str, Finished | Failed] = {}

    def submit(self, utterance: Utterance, *pieces: str, is_open: bool = False) -> None:
        texts, submitted_s = pieces or [utterance.text], time.perf_counter()
        self.engine.submit(utterance, texts, is_open=is_open, submitted_s=submitted_s)

    def step(self) -> list[Event]:
        events = self.engine.step()
        for event in events:
            if isinstance(event.what, Audio):
                assert event.utterance_id not in self.ends, "nothing comes after the end"
                self.audio.setdefault(event.utterance_id, []).append(event.what)
            else:
                assert event.utterance_id not in self.ends, "an utterance ends once"
                self.ends[event.utterance_id] = event.what
        return events

    def to_end(self) -> "Listener":
        for _ in range(1000):
            if not self.engine.busy:
                return self
            self.step()
        raise AssertionError("it never ends")

    def samples(self, id: str) -> np.ndarray:
        chunks = [audio.chunk for audio in self.audio.get(id, [])]
        at = 0
        for chunk in chunks:
            assert chunk.first_sample == at, "sound without gaps"
            at = chunk.end_sample
        return (
            np.concatenate([chunk.samples for chunk in chunks]) if chunks else np.empty(0, np.int16)
        )

    def finished(self, id: str) -> Finished:
        end = self.ends[id]
        assert isinstance(end, Finished), end
        return end


def engine(model: SpeechModel | None = None, **changes: object) -> Engine:
    base = EngineSettings(
        num_slots=3,
        max_waiting=50,
        max_frames=20,
        max_prompt_tokens=100,
        max_lead_s=math.inf,
        watchdog=None,  # the random model babbles, and its codes are no sound
    )
    return Engine(model or echo_model(), replace(base, **changes))  # pyright: ignore[reportArgumentType]


def submit(to: Engine, utterance: Utterance) -> None:
    to.submit(utterance, [utterance.text], is_open=False, submitted_s=0.0)


def alone(utterance: Utterance, model: SpeechModel | None = None) -> Listener:
    listener = Listener(engine(model))
    listener.submit(utterance)
    return listener.to_end()


def lines(sampling: Sampling) -> list[Utterance]:
    texts = [
        "Halt!",
        "Who goes there?",
        "No.",
        "Fresh fish, two coins!",
        "Hi",
        "The bridge is out.",
    ]
    voices = [0, 1, None, 2, 1, None]
    return [
        line(f"u{i}", text, voice=voice, seed=i, sampling=sampling)
        for i, (text, voice) in enumerate(zip(texts, voices, strict=True))
    ]


@pytest.mark.parametrize("sampling", [GREEDY, LOUD], ids=["greedy", "sampled"])
@pytest.mark.parametrize("number", range(6))
def test_the_engine_says_the_codes_that_generate_says(number: int, sampling: Sampling):
    utterance = lines(sampling)[number]
    model = echo_model()
    embedding = utterance.voice.embedding
    prompt = build_prompt(
        model.lm.layout, model.tokenizer.encode, utterance.text, with_speaker=embedding is not None
    )
    speaker_D = None if embedding is None else torch.tensor(embedding.vector)
    expected = generate(model.lm, prompt, speaker_D, sampling, utterance.seed)
    assert expected.shape[1] >= 2
    samples = alone(utterance).samples(utterance.id)
    assert samples.reshape(-1, expected.shape[0]).T.tolist() == expected.tolist()


def test_its_sound_is_the_codecs_sound_of_those_codes():
    for utterance in lines(GREEDY)[:2]:
        codes_KF = (
            torch.from_numpy(alone(utterance).samples(utterance.id).astype(np.int64))
            .reshape(-1, 4)
            .T
        )
        whole = random_model().codec.decode(codes_KF).numpy()
        heard = alone(utterance, random_model()).samples(utterance.id)
        assert len(heard) == 1764 * codes_KF.shape[1]
        assert np.abs(heard / 32767 - whole.clip(-1, 1)).max() < 1e-4


@st.composite
def bustle(draw: st.DrawFn) -> list[tuple[int, int, int | None]]:
    """(line, step it comes at, step it is cancelled at or None), the lines in any order."""
    order = draw(st.permutations(range(6)))
    return [
        (number, draw(st.integers(0, 12)), draw(st.none() | st.integers(1, 20)))
        for number in order[: draw(st.integers(2, 6))]
    ]


def among_neighbours(
    model: SpeechModel, traffic: list[tuple[int, int, int | None]], sampling: Sampling
) -> Listener:
    listener = Listener(engine(model))
    spoken = lines(sampling)
    for step in range(40):
        for number, comes, leaves in traffic:
            if comes == step:
                listener.submit(spoken[number])
            if leaves is not None and leaves == step:
                listener.engine.cancel(spoken[number].id)
        listener.step()
    return listener.to_end()


SOLO: dict[tuple[str, bool, str], Listener] = {}


def solo(utterance: Utterance, model: SpeechModel) -> Listener:
    key = (utterance.id, utterance.sampling.greedy, model.codec.kind)
    return SOLO.setdefault(key, SOLO.get(key) or alone(utterance, model))


@given(traffic=bustle())
@settings(max_examples=10, deadline=None)
def test_together_is_alone_token_for_token(traffic: list[tuple[int, int, int | None]]):
    for sampling in (GREEDY, LOUD):
        listener = among_neighbours(echo_model(), traffic, sampling)
        for number, comes, leaves in traffic:
            utterance = lines(sampling)[number]
            expected = solo(utterance, echo_model())
            if leaves is None or leaves < comes:
                assert (
                    listener.finished(utterance.id).reason == expected.finished(utterance.id).reason
                )
                assert (
                    listener.samples(utterance.id).tolist()
                    == expected.samples(utterance.id).tolist()
                )
            else:  # cut off, but no word of it wrong
                heard = listener.samples(utterance.id).tolist()
                assert heard == expected.samples(utterance.id).tolist()[: len(heard)]


@given(traffic=bustle())
@settings(max_examples=5, deadline=None)
def test_together_sounds_as_alone(traffic: list[tuple[int, int, int | None]]):
    listener = among_neighbours(random_model(), traffic, GREEDY)
    for number, _, _ in traffic:
        utterance = lines(GREEDY)[number]
        heard = listener.samples(utterance.id).astype(int)
        expected = solo(utterance, random_model()).samples(utterance.id).astype(int)[: len(heard)]
        assert np.abs(heard - expected).max(initial=0) <= LSB


def test_neighbours_change_logits_by_rounding_only(monkeypatch: pytest.MonkeyPatch):
    def logits_of(ids: list[int]) -> dict[int, Tensor]:
        """All logits of line 0, which sits in slot 0, by the order they came in."""
        listener = Listener(engine())
        seen: dict[int, Tensor] = {}
        sampler = listener.engine.runner._memory.sampler
        draw = sampler.draw

        def recording(logits_BN: Tensor, k: int, slots: tuple[int, ...]) -> Tensor:
            if 0 in slots:
                seen[len(seen)] = logits_BN[slots.index(0)].clone()
            return draw(logits_BN, k, slots)

        monkeypatch.setattr(sampler, "draw", recording)
        for number in ids:
            listener.submit(lines(GREEDY)[number])
        listener.step()
        while listener.engine.busy and "u0" not in listener.ends:
            listener.step()
        return seen

    single, crowded = logits_of([0]), logits_of([0, 3, 1])
    assert len(single) == len(crowded) >= 8
    for i, logits in single.items():
        assert (logits - crowded[i]).abs().max() < 1e-4 * logits.abs().max()


def test_samples_come_in_whole_frames_and_the_total_says_how_many():
    for utterance in lines(GREEDY):
        listener = alone(utterance, random_model())
        samples = listener.samples(utterance.id)
        assert len(samples) % 1764 == 0
        assert listener.finished(utterance.id).total_samples == len(samples) >= 2 * 1764


def test_a_line_ends_by_its_last_word_or_by_its_limit_and_says_which():
    reasons = set()
    for utterance in lines(GREEDY) + lines(LOUD):
        listener = alone(utterance)
        frames = len(listener.samples(utterance.id)) // 4
        reason = listener.finished(utterance.id).reason
        reasons.add(reason)
        assert (frames == 14) == (reason is FinishReason.MAX_FRAMES)
    assert reasons == {FinishReason.END_OF_SPEECH, FinishReason.MAX_FRAMES}


def test_the_same_seed_says_the_same_and_another_seed_another():
    first, again = (alone(lines(LOUD)[0]).samples("u0").tolist() for _ in range(2))
    other = alone(replace(lines(LOUD)[0], seed=77)).samples("u0").tolist()
    assert first == again != other


def test_an_accent_is_read_before_the_text():
    tagged = replace(line("u", "Halt!"), accent=AccentPreset("glasgow", "en_glasg"))
    spelled = line("u", "en_glasg: Halt!")
    assert alone(tagged).samples("u").tolist() == alone(spelled).samples("u").tolist()


@pytest.mark.parametrize(
    ("tag", "said"), [("de", "Um sieben Uhr!"), ("es_mx", "Um siete Uhr!"), ("fr", "Um 7 Uhr!")]
)
def test_numbers_are_read_in_words_of_the_lines_language(tag: str, said: str):
    accent = AccentPreset("its-own", tag)
    written = replace(line("a", "Um 7 Uhr!", sampling=GREEDY), accent=accent)
    prompt = engine()._prompt(written, written.text)
    tokenizer = echo_model().tokenizer
    assert prompt == build_prompt(
        echo_model().lm.layout, tokenizer.encode, said, tag, with_speaker=True
    )


def test_an_aborted_utterance_frees_its_slot_before_the_next_step():
    listener = Listener(engine(num_slots=1))
    listener.submit(line("a", sampling=GREEDY))
    listener.submit(line("b", sampling=GREEDY))
    listener.step()
    listener.engine.cancel("a")
    events = listener.step()
    assert {event.utterance_id for event in events} == {"b"}
    assert listener.to_end().ends.keys() == {"b"}


def test_an_utterance_aborted_before_its_first_step_is_never_read():
    listener = Listener(engine(num_slots=2))
    for id in "abc":
        listener.submit(line(id))
    for id in "ac":
        listener.engine.cancel(id)
    listener.to_end()
    assert listener.ends.keys() == {"b"}


def test_a_line_cancelled_in_the_middle_of_its_prompt_leaves_nothing_of_it_in_the_slot(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("kani_npc.engine.runner.CPU_PORTION", 5)
    listener = Listener(engine(num_slots=1))
    runner = listener.engine.runner
    read, reads = runner.read, []
    monkeypatch.setattr(runner, "read", lambda slot: reads.append(slot) or read(slot))
    monkeypatch.setattr("kani_npc.engine.scheduler.READINGS", 1)
    left, stays = lines(LOUD)[5], lines(LOUD)[3]
    listener.submit(left)
    listener.submit(stays)
    listener.step()
    listener.step()
    assert len(reads) == 2 and runner._reading[0] is not None, "in the middle"
    listener.engine.cancel(left.id)
    assert listener.engine.scheduler.active == 0
    listener.to_end()
    expected = solo(stays, echo_model()).samples(stays.id)
    assert listener.samples(stays.id).tolist() == expected.tolist()
    assert listener.ends.keys() == {stays.id}


def test_a_slots_new_guest_does_not_hear_the_last_one():
    listener = Listener(engine(num_slots=1))
    for utterance in lines(LOUD):
        listener.submit(utterance)
    listener.to_end()
    for utterance in lines(LOUD):
        expected = solo(utterance, echo_model()).samples(utterance.id)
        assert listener.samples(utterance.id).tolist() == expected.tolist()


def test_a_full_queue_is_said_at_once():
    busy = engine(num_slots=1, max_waiting=1)
    for id in "ab":
        submit(busy, line(id))
    with pytest.raises(Overloaded):
        submit(busy, line("c"))


@pytest.mark.parametrize(
    ("utterance", "field"),
    [
        (line("u", "a" * 200), "text"),
        (line("u", sampling=Sampling(max_frames=21)), "sampling.max_frames"),
        (
            replace(
                line("u"),
                voice=replace(
                    line("u").voice,
                    embedding=SpeakerEmbedding(np.ones(5, np.float32), SPEAKER_SPACE),
                ),
            ),
            "voice",
        ),
        (
            replace(
                line("u"),
                voice=replace(
                    line("u").voice, embedding=SpeakerEmbedding(np.ones(8, np.float32), "elsewhere")
                ),
            ),
            "voice",
        ),
    ],
    ids=["too long", "too many frames", "a voice of another width", "a voice of another space"],
)
def test_what_this_model_cannot_say_is_refused_by_field(utterance: Utterance, field: str):
    with pytest.raises(InvalidUtterance) as error:
        submit(engine(), utterance)
    assert error.value.field == field
    assert utterance.text not in str(error.value)


@pytest.mark.parametrize("marker", [echo_model().lm.layout.end_of_speech, 1, 2])
def test_text_that_spells_a_marker_is_refused(marker: int):
    class Spelling:
        vocab_size = 400

        def encode(self, text: str) -> list[int]:
            return [1, marker]

    model = replace(echo_model(), tokenizer=Spelling())
    with pytest.raises(InvalidUtterance, match="markers"):
        submit(engine(model), line("u"))


def test_a_models_own_default_length_is_always_allowed():
    model = echo_model()
    info = replace(model.info, sampling=model.sampling.but(max_frames=30, min_frames=30))
    listener = Listener(engine(replace(model, info=info)))
    listener.submit(line("u", sampling=info.sampling))
    assert listener.to_end().finished("u").total_samples == 30 * 4


def breaks(times: list[int], method: Callable) -> Callable:
    """The same function, but its call number n raises, for each n in `times`."""
    calls = 0

    def broken(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls - 1 in times:
            raise RuntimeError("out of something")
        return method(*args, **kwargs)

    return broken


def test_a_prompt_that_fails_fails_alone(monkeypatch: pytest.MonkeyPatch):
    listener = Listener(engine())
    runner = listener.engine.runner
    monkeypatch.setattr(runner, "begin", breaks([1], runner.begin))
    for utterance in lines(GREEDY)[:3]:
        listener.submit(utterance)
    listener.to_end()
    assert failure(listener, "u1") is EngineFailed
    for id in ("u0", "u2"):
        expected = solo(lines(GREEDY)[int(id[1])], echo_model()).samples(id)
        assert listener.samples(id).tolist() == expected.tolist()


def failure(listener: Listener, id: str) -> type[Exception]:
    end = listener.ends[id]
    assert isinstance(end, Failed), end
    return type(end.error)


def test_a_step_that_fails_takes_its_streams_and_the_next_lines_are_spoken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    listener = Listener(engine(num_slots=2))
    runner = listener.engine.runner
    monkeypatch.setattr(runner._memory, "decoder", breaks([1], runner._memory.decoder))
    for utterance in lines(GREEDY)[:4]:
        listener.submit(utterance)
    listener.to_end()
    assert failure(listener, "u0") is failure(listener, "u1") is EngineFailed
    for number in (2, 3):
        expected = solo(lines(GREEDY)[number], echo_model()).samples(f"u{number}")
        assert listener.samples(f"u{number}").tolist() == expected.tolist()
    assert "Fresh fish" not in caplog.text, "no player text in a log"


def test_a_voice_of_no_numbers_fails_alone():
    good, bad = lines(GREEDY)[0], line("bad", sampling=GREEDY)
    nan = SpeakerEmbedding(np.full(8, np.nan, np.float32), SPEAKER_SPACE)
    bad = replace(bad, voice=replace(bad.voice, embedding=nan))
    listener = Listener(engine())
    listener.submit(bad)
    listener.submit(good)
    listener.to_end()
    assert failure(listener, "bad") is EngineFailed
    assert listener.samples("bad").size == 0
    assert listener.samples("u0").tolist() == solo(good, echo_model()).samples("u0").tolist()


def test_times_add_up():
    listener = Listener(engine(random_model(), num_slots=2))
    started_s = time.perf_counter()
    for utterance in lines(GREEDY):
        listener.submit(utterance)
    listener.to_end()
    elapsed_ms = (time.perf_counter() - started_s) * 1000
    ends = [listener.finished(utterance.id) for utterance in lines(GREEDY)]
    assert 0.5 * elapsed_ms < sum(end.compute_ms for end in ends) <= elapsed_ms
    for end in ends:
        assert 0 <= end.queued_ms < end.first_audio_ms <= elapsed_ms
    assert ends[-1].queued_ms > ends[0].queued_ms


def test_warming_up_leaves_nothing_behind():
    fresh, warm = engine(), engine()
    warm.warm_up()
    assert not warm.busy
    for each in (fresh, warm):
        submit(each, lines(LOUD)[1])
    heard = [Listener(each).to_end().samples("u1").tolist() for each in (fresh, warm)]
    assert heard[0] == heard[1]


PIECES = ("The bridge is out.", "Go round by the mill.", "No.", "The bridge is out.")


def codes_of(samples: np.ndarray) -> list[list[int]]:
    return samples.reshape(-1, 4).tolist()


def test_a_line_of_pieces_says_each_as_it_is_said_alone():
    listener = Listener(engine())
    listener.submit(line("long", sampling=GREEDY), *PIECES)
    listener.to_end()
    expected: list[list[int]] = []
    for text in PIECES:
        expected += codes_of(alone(line("a", text, sampling=GREEDY)).samples("a"))
    assert codes_of(listener.samples("long")) == expected


def test_its_sound_goes_on_from_piece_to_piece_as_of_one_decoding():
    spoken = Listener(engine())
    spoken.submit(line("long", sampling=GREEDY), *PIECES)
    codes_KF = torch.tensor(codes_of(spoken.to_end().samples("long"))).T
    whole = random_model().codec.decode(codes_KF).numpy()
    listener = Listener(engine(random_model()))
    listener.submit(line("long", sampling=GREEDY), *PIECES)
    heard = listener.to_end().samples("long")
    assert np.abs(heard / 32767 - whole.clip(-1, 1)).max() < 1e-4


def test_each_piece_draws_its_own_random_numbers_and_each_attempt_too():
    listener = Listener(engine())
    listener.submit(line("long", sampling=LOUD.but(min_frames=14)), *["Halt!"] * 2)
    first, second = listener.to_end().samples("long").reshape(2, -1).tolist()
    again = replace(line("a", "Halt!", sampling=LOUD.but(min_frames=14)), attempt=1)
    assert first == alone(replace(again, attempt=0)).samples("a").tolist()
    assert len({tuple(first), tuple(second), tuple(alone(again).samples("a").tolist())}) == 3


def test_text_that_comes_later_is_said_as_if_it_had_been_there():
    expected = Listener(engine())
    expected.submit(line("long", sampling=LOUD), *PIECES)
    listener = Listener(engine())
    listener.submit(line("long", sampling=LOUD), PIECES[0], is_open=True)
    for step in range(200):
        if step in (3, 60):
            listener.engine.append("long", PIECES[1:2] if step == 3 else PIECES[2:], is_last=False)
        if step == 61:
            listener.engine.append("long", [], is_last=True)
        listener.step()
    wanted = expected.to_end().samples("long").tolist()
    assert listener.to_end().samples("long").tolist() == wanted


LONG = " ".join(PIECES * 160)


def test_of_ten_thousand_characters_no_more_is_cut_than_is_said_next():
    rest, heard = Pieces(LONG, "en", 40), []
    assert len(LONG) > 10_000
    listener = Listener(engine())
    utterance = line("long", LONG, sampling=GREEDY.but(max_frames=4))
    listener.engine.submit(utterance, [next(rest)], is_open=False, submitted_s=0.0, rest=rest)
    while not heard:
        heard = [event for event in listener.step() if isinstance(event.what, Audio)]
    left = rest.characters
    assert len(LONG) - left < 3 * 40, "at the first sound"
    texts = split(LONG, "en", 40)
    assert left == len(" ".join(texts[2:])), "one piece is said, and one known"
    state = listener.engine.scheduler._slots[0]
    assert state is not None and state.line.characters == len(texts[1]) + left
    while state.index < 9 or not state.speaks:
        listener.step()
    assert rest.characters == len(" ".join(texts[11:]))


def test_a_text_that_is_cut_as_it_is_said_says_what_its_pieces_say():
    text = " ".join(PIECES)
    whole, lazy = Listener(engine()), Listener(engine())
    whole.submit(line("long", sampling=LOUD), *split(text, "en", 30))
    rest = Pieces(text, "en", 30)
    lazy.engine.submit(
        line("long", sampling=LOUD), [next(rest)], is_open=False, submitted_s=0.0, rest=rest
    )
    expected = whole.to_end().samples("long").tolist()
    assert lazy.to_end().samples("long").tolist() == expected


def test_what_is_appended_follows_on_all_of_a_text_that_is_not_cut_yet():
    whole, later = Listener(engine()), Listener(engine())
    whole.submit(line("long", sampling=LOUD), *split(" ".join(PIECES), "en", 30), "Halt!")
    rest = Pieces(" ".join(PIECES), "en", 30)
    later.engine.submit(
        line("long", sampling=LOUD), [next(rest)], is_open=True, submitted_s=0.0, rest=rest
    )
    later.step()
    later.engine.append("long", ["Halt!"], is_last=True)
    expected = whole.to_end().samples("long").tolist()
    assert later.to_end().samples("long").tolist() == expected


def test_a_text_that_cannot_be_cut_fails_alone(monkeypatch: pytest.MonkeyPatch):
    rest = Pieces(LONG, "en", 40)
    first = next(rest)
    listener = Listener(engine())
    monkeypatch.setattr(Pieces, "__next__", breaks([0], Pieces.__next__))
    listener.engine.submit(
        line("long", LONG, sampling=GREEDY), [first], is_open=False, submitted_s=0.0, rest=rest
    )
    listener.submit(lines(GREEDY)[0])
    listener.to_end()
    assert failure(listener, "long") is EngineFailed
    assert (
        listener.samples("u0").tolist()
        == solo(lines(GREEDY)[0], echo_model()).samples("u0").tolist()
    )


def test_a_piece_that_cannot_be_said_ends_its_line_there():
    listener = Listener(engine())
    listener.submit(line("long", sampling=GREEDY), "Halt!", "a" * 200, "Halt!")
    listener.submit(lines(GREEDY)[3])
    listener.to_end()
    assert failure(listener, "long") is InvalidUtterance
    heard = alone(line("a", "Halt!", sampling=GREEDY)).samples("a")
    assert listener.samples("long").tolist() == heard.tolist()
    assert listener.finished("u3")


def test_a_long_prompt_is_read_in_portions_and_says_the_same(monkeypatch: pytest.MonkeyPatch):
    whole = alone(lines(LOUD)[3]).samples("u3").tolist()
    monkeypatch.setattr("kani_npc.engine.runner.CPU_PORTION", 5)
    listener = Listener(engine())
    readings = 0
    read = listener.engine.runner.read

    def counting(slot: int) -> bool:
        nonlocal readings
        readings += 1
        return read(slot)

    monkeypatch.setattr(listener.engine.runner, "read", counting)
    listener.submit(lines(LOUD)[3])
    assert listener.to_end().samples("u3").tolist() == whole
    assert readings > 4


def test_more_slots_than_rows_say_the_same():
    listener = Listener(engine(num_slots=6, max_rows=2))
    for utterance in lines(LOUD):
        listener.submit(utterance)
    listener.to_end()
    for utterance in lines(LOUD):
        expected = solo(utterance, echo_model()).samples(utterance.id)
        assert listener.samples(utterance.id).tolist() == expected.tolist()


def test_the_watchdog_hears_codes_and_sound():
    limits = WatchdogLimits(base_frames=4, frames_per_letter=0.0)
    for model in (echo_model(), random_model()):
        listener = Listener(engine(model, watchdog=limits))
        listener.submit(line("a", sampling=GREEDY.but(min_frames=14)))
        finished = listener.to_end().finished("a")
        assert finished.reason is FinishReason.WATCHDOG
        assert finished.total_samples == 5 * model.codec.samples_per_frame
        heard = listener.samples("a")
        assert heard[-1] == 0
    quiet = WatchdogLimits(silent_frames=6, silent_level=2.0)
    listener = Listener(engine(random_model(), watchdog=quiet))
    listener.submit(line("a", sampling=GREEDY.but(min_frames=14)))
    finished = listener.to_end().finished("a")
    assert finished.reason is FinishReason.WATCHDOG
    assert 7 * 1764 <= finished.total_samples < 14 * 1764
