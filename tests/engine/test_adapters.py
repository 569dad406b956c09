"""Voices with adapters among others: alone = together, fixed shapes = free ones; seats go round, lines wait."""

import asyncio
import copy
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from hashlib import sha256

import numpy as np
import pytest

from kani_npc.codec.delta import load as load_delta
from kani_npc.codec.delta import with_delta
from kani_npc.engine.adapters import Adaptation, AdaptedVoices, bytes_per_seat, default_seats
from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.model import SpeechModel
from kani_npc.engine.runner import Runner
from kani_npc.engine.scheduler import StepPlan
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.errors import AdapterUnfit, EngineClosed, Overloaded, StoreUnavailable, TooLate
from kani_npc.lm.adapters import Lora
from kani_npc.lm.independent import make_rows_independent
from kani_npc.prompt import build_prompt
from kani_npc.speech import Audio, Int16Array, Pace, Part, Priority, Sampling, Utterance
from tests.engine.test_runner import LSB, nanocodec_model
from tests.support.adapters import random_lora, write_delta
from tests.support.random_model import line, random_model

SAMPLED = Sampling(temperature=1.2, top_k=20, min_frames=6, max_frames=9)


@cache
def lora_file(seed: int) -> bytes:
    return random_lora(random_model().lm.config, seed=seed, rank=3 + seed, base="").to_bytes()


@pytest.fixture(scope="module")
def delta_file(tmp_path_factory):
    """Of the random model's codec, by seed."""

    @cache
    def written(seed: int) -> bytes:
        path = tmp_path_factory.mktemp("deltas") / "delta.safetensors"
        write_delta(path, random_model().codec, seed=seed)
        return path.read_bytes()

    return written


def part(data: bytes) -> Part:
    async def read() -> bytes:
        return data

    return Part(sha256(data).hexdigest(), read)


def adapted(utterance: Utterance, lora: bytes | None, delta: bytes | None = None) -> Utterance:
    voice = replace(utterance.voice, lora=lora and part(lora), codec_delta=delta and part(delta))
    return replace(utterance, voice=voice)


@cache
def independent() -> SpeechModel:
    model = random_model()
    return replace(model, lm=make_rows_independent(copy.deepcopy(model.lm)))


async def said(synthesizer: EngineSynthesizer, utterance: Utterance) -> Int16Array:
    async with aclosing(synthesizer.synthesize(utterance)) as events:
        return np.concatenate(
            [event.chunk.samples async for event in events if isinstance(event, Audio)]
        )


def lines(delta_file) -> list[Utterance]:
    plain = [
        replace(line(f"u{n}", "Halt! Who?", voice=1, seed=5, sampling=SAMPLED), pace=Pace.UNPACED)
        for n in range(6)
    ]
    return [
        plain[0],
        adapted(plain[1], lora_file(0)),
        adapted(plain[2], lora_file(1)),
        adapted(plain[3], lora_file(0), delta_file(0)),
        adapted(plain[4], None, delta_file(0)),
        adapted(plain[5], lora_file(1), delta_file(1)),
    ]


async def test_every_adapted_voice_sounds_alone_as_it_does_among_the_others(delta_file):
    synthesizer = EngineSynthesizer(independent(), EngineSettings(num_slots=6), num_threads=1)
    try:
        alone = [await said(synthesizer, utterance) for utterance in lines(delta_file)]
        together = await asyncio.gather(*(said(synthesizer, u) for u in lines(delta_file)))
    finally:
        await synthesizer.close()
    for one, among in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, among)
    assert len({sound.tobytes() for sound in alone}) == 6


async def test_with_one_seat_they_speak_one_after_the_other(delta_file):
    wide = EngineSynthesizer(independent(), EngineSettings(num_slots=6), num_threads=1)
    narrow = EngineSynthesizer(
        independent(), EngineSettings(num_slots=6, adapters=1), num_threads=1
    )
    try:
        expected = [await said(wide, utterance) for utterance in lines(delta_file)]
        sounds = await asyncio.gather(*(said(narrow, u) for u in lines(delta_file)))
    finally:
        await wide.close()
        await narrow.close()
    for one, other in zip(sounds, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [random_model, nanocodec_model])
def test_fixed_shapes_say_what_free_shapes_say(make, tmp_path):
    model = make()
    write_delta(tmp_path / "d", model.codec, size=0.05)
    decoder = with_delta(model.codec, load_delta(tmp_path / "d")).streaming_decoder()
    loras = [random_lora(model.lm.config, seed=seed, rank=3 + seed) for seed in range(3)]
    adaptations = [
        None,
        Adaptation(2, loras[0], None),
        Adaptation(1, loras[1], decoder),
        Adaptation(3, None, decoder),
    ]
    adaptations.append(adaptations[1])  # two lines of one voice
    free, fixed = (a_runner(model, adaptations, static) for static in (False, True))
    plain = a_runner(model, [None] * 5, False)
    for slots in ((0, 1, 2, 3, 4), (2,), (0, 3), (1, 4), (0, 1, 2, 3, 4)):
        plan = StepPlan(slots, tuple((slot, 1) for slot in slots))
        expected, got, without = free.run(plan), fixed.run(plan), plain.run(plan)
        assert got.codes == expected.codes
        for slot in slots:
            difference = got.samples[slot].astype(int) - expected.samples[slot].astype(int)
            assert np.abs(difference).max() <= LSB
            is_plain = np.array_equal(expected.samples[slot], without.samples[slot])
            assert is_plain == (adaptations[slot] is None)


def a_runner(model: SpeechModel, adaptations: Sequence[Adaptation | None], static: bool) -> Runner:
    runner = Runner(
        model, num_slots=5, max_prompt_tokens=64, max_frames=60, num_adapters=3, static=static
    )
    sampling = Sampling(temperature=1.2, top_k=40, min_frames=40, max_frames=60)
    for slot, adaptation in enumerate(adaptations):
        utterance = line(f"u{slot}", "Halt!" * (1 + slot), voice=slot, sampling=sampling, seed=slot)
        prompt = build_prompt(
            model.lm.layout, model.tokenizer.encode, utterance.text, "en_us", with_speaker=True
        )
        runner.admit(slot, adaptation)
        runner.begin(slot, utterance, prompt, piece=0)
        while not runner.read(slot):
            pass
    return runner


def test_a_slot_s_next_guest_has_nothing_of_the_last_one_s_adapters(tmp_path):
    model = random_model()
    lora = random_lora(model.lm.config)
    used = a_runner(model, [Adaptation(1, lora, None), None, None, None, None], False)
    fresh = a_runner(model, [None] * 5, False)
    for runner in (used, fresh):
        utterance = line("next", "No.", voice=2, sampling=SAMPLED)
        ids = build_prompt(model.lm.layout, model.tokenizer.encode, "No.", None, with_speaker=True)
        runner.admit(0)
        runner.begin(0, utterance, ids, piece=0)
        while not runner.read(0):
            pass
    plan = StepPlan((0,), ((0, 1),))
    for _ in range(3):
        np.testing.assert_array_equal(used.run(plan).samples[0], fresh.run(plan).samples[0])


# --- seats


def pool(num_seats: int, max_waiting: int = 8) -> AdaptedVoices:
    return AdaptedVoices(random_model(), num_seats, max_waiting)


def who(seed: int, **changes) -> Utterance:
    return replace(adapted(line(f"u{seed}", "Halt!"), lora_file(seed)), **changes)


async def hold(voices: AdaptedVoices, utterance: Utterance, until: asyncio.Event) -> int:
    async with voices.held(utterance) as adaptation:
        assert adaptation is not None
        await until.wait()
        return adaptation.seat


async def test_the_voice_that_was_needed_longest_ago_gives_way():
    voices, seats = pool(2), {}
    now = asyncio.Event()
    now.set()
    for seed in (0, 1, 0, 2):  # the third asks for the first again: the second is older
        seats[seed] = await hold(voices, who(seed), now)
    assert seats[2] == seats[1] != seats[0]
    async with voices.held(who(0)) as first:
        assert first is not None and first.seat == seats[0]


async def test_a_voice_is_read_once_for_all_its_lines():
    reads = 0

    async def read() -> bytes:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return lora_file(0)

    voices, now = pool(1), asyncio.Event()
    utterance = who(0)
    voice = replace(utterance.voice, lora=Part("name", read))
    now.set()
    for _ in range(2):
        await asyncio.gather(
            *(hold(voices, replace(utterance, voice=voice), now) for _ in range(3))
        )
    assert reads == 1


async def test_who_waits_for_a_seat_gets_it_by_urgency():
    voices, end = pool(1), asyncio.Event()
    order: list[int] = []

    async def speak(utterance: Utterance, seed: int) -> None:
        async with voices.held(utterance):
            order.append(seed)
            await end.wait()

    tasks = [asyncio.create_task(speak(who(0), 0))]
    await asyncio.sleep(0.01)
    for seed, priority in ((1, Priority.AMBIENT), (2, Priority.CRITICAL), (3, Priority.BARK)):
        tasks.append(asyncio.create_task(speak(who(seed, priority=priority), seed)))
    await asyncio.sleep(0.01)
    assert voices.waiting == 3
    end.set()
    await asyncio.gather(*tasks)
    assert order == [0, 2, 3, 1] and voices.waiting == 0


async def test_what_nobody_waits_for_leaves_a_seat_to_others():
    voices, end = pool(2), asyncio.Event()
    idle = [asyncio.create_task(hold(voices, who(n, priority=Priority.IDLE), end)) for n in (0, 1)]
    await asyncio.sleep(0.05)
    assert voices.waiting == 1
    async with asyncio.timeout(20), voices.held(who(2)):
        pass
    end.set()
    await asyncio.gather(*idle)


async def test_where_no_seat_is_free_a_line_is_told_when_it_is_too_late_or_too_many_wait():
    voices, end = pool(1, max_waiting=1), asyncio.Event()
    speaking = asyncio.create_task(hold(voices, who(0), end))
    await asyncio.sleep(0.01)
    with pytest.raises(TooLate):
        async with voices.held(who(1, start_within_s=0.02)):
            pass
    waiting = asyncio.create_task(hold(voices, who(1), end))
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        async with voices.held(who(2)):
            pass
    waiting.cancel()  # a listener who leaves
    with pytest.raises(asyncio.CancelledError):
        await waiting
    waiting = asyncio.create_task(hold(voices, who(2), end))
    await asyncio.sleep(0.01)
    voices.close()
    with pytest.raises(EngineClosed):
        await waiting
    end.set()
    await speaking


async def test_what_cannot_be_read_fails_its_line_and_is_tried_again_for_the_next():
    answers: list[Exception] = [StoreUnavailable("away"), StoreUnavailable("away")]

    async def read() -> bytes:
        if answers:
            raise answers.pop()
        return lora_file(0)

    voices, utterance = pool(1), who(0)
    utterance = replace(utterance, voice=replace(utterance.voice, lora=Part("name", read)))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            async with voices.held(utterance):
                pass
    async with voices.held(utterance) as adaptation:
        assert adaptation is not None


@pytest.mark.parametrize(
    "data", [b"", lora_file(0)[:500], random_lora(random_model().lm.config).to_bytes()]
)
async def test_an_adapter_that_does_not_fit_is_named_with_its_voice(data: bytes):
    with pytest.raises(AdapterUnfit, match="voice 'voice-0' cannot speak with this model"):
        await pool(1).check(adapted(line("u"), data).voice)


async def test_a_delta_of_another_codec_is_refused(tmp_path):
    write_delta(tmp_path / "d", nanocodec_model().codec)
    with pytest.raises(AdapterUnfit, match="the delta is for a nanocodec codec"):
        await pool(1).check(adapted(line("u"), None, (tmp_path / "d").read_bytes()).voice)


def test_seats_go_by_the_memory():
    model = random_model()
    per_seat = bytes_per_seat(model)
    assert per_seat > 2 * 32 * 4 * sum(map(len, lora_of(model).matrices.values()))
    assert default_seats(model, 0) == 1
    assert default_seats(model, 8 * 3 * per_seat) == 3
    assert default_seats(model, 2**40) == 16 and 1 <= default_seats(model) <= 16


def lora_of(model: SpeechModel) -> Lora:
    return random_lora(model.lm.config)


def test_no_adapter_leaves_the_model_s_modules_as_they_are():
    model = random_model()
    before = [type(module) for module in model.lm.modules()]
    runner = a_runner(model, [Adaptation(1, lora_of(model), None), *[None] * 4], False)
    runner.run(StepPlan((0, 1), ()))
    assert [type(module) for module in model.lm.modules()] == before
