"""Lines that are remembered, and made ahead of play: through a real server, as a game sees it."""

import asyncio
import io
from contextlib import aclosing
from importlib import import_module

import numpy as np
import pytest
import soundfile

from kani_npc.client import ServiceError, line
from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.server import convert
from kani_npc.v1 import audio_pb2, lexicon_service_pb2
from kani_npc.v1 import npc_service_pb2 as npc_pb
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import voice_service_pb2 as voice_pb
from kani_npc.voices.builtin import BuiltinVoices
from tests.cache.test_checked import TakesThatFail
from tests.support.random_model import SPEAKER_DIM, SPEAKER_SPACE, random_model, random_voice
from tests.support.serving import SPACE, granted, make_npc, make_voice, said, serving, values
from tests.support.sine import SineSynthesizer, frequency_hz
from tests.support.voices import eventually

LINE = "Halt! Who goes there?"
OPUS = audio_pb2.AUDIO_ENCODING_OGG_OPUS


@pytest.fixture
def start(tmp_path):
    """`start(sine)`: a client of a server that keeps lines in memory."""

    def start(sine: SineSynthesizer | None = None, **settings):
        settings = {"cache": "16MB", **settings}
        return serving(str(tmp_path / "voices.db"), synthesizer=sine, **settings)

    return start


async def sound_of(client, text=LINE, **options) -> tuple[bytes, pb.SpeechEnd]:
    speech = client.synthesize(text, **{"pace": pb.PACE_UNPACED, **options})
    data = b"".join([audio.data async for audio in speech])
    return data, speech.end


async def prewarmed(client, *lines) -> list[pb.PrewarmResponse]:
    async with aclosing(client.prewarm(lines)) as answers:
        return sorted([answer async for answer in answers], key=lambda answer: answer.line)


async def test_a_line_that_was_said_is_said_again_without_the_engine_in_any_format(start):
    sine = SineSynthesizer()
    async with start(sine) as client:
        fresh, end = await sound_of(client)
        assert not end.cache_hit and end.attempts == 1
        again, end = await sound_of(client, pace=pb.PACE_REALTIME)
        assert end.cache_hit and end.compute_ms == 0 and again == fresh
        formats = [(encoding, rate) for encoding in (1, 2, 3) for rate in (0, 8000, 24000)]
        for encoding, rate in [*formats, (OPUS, 0)]:
            options = {"encoding": encoding, "sample_rate_hz": rate}
            kept, end = await sound_of(client, **options)
            assert end.cache_hit
            made, end = await sound_of(client, vary=True, **options)  # a sine, whatever its seed
            assert not end.cache_hit
            if encoding == OPUS:
                assert len(kept) == len(made)  # streams have serial numbers of their own
            else:
                assert kept == made
        assert len(sine.utterances) == 1 + len(formats) + 1


async def test_each_encoding_has_a_rate_of_its_own_and_is_what_it_says(start):
    async with start() as client:
        native, _ = await sound_of(client)
        seconds = len(native) / 2 / 22050
        for encoding, rate in ((audio_pb2.AUDIO_ENCODING_MULAW, 8000), (OPUS, 48_000)):
            speech = client.synthesize(LINE, encoding=encoding, pace=pb.PACE_UNPACED)
            pieces = [audio async for audio in speech]
            assert (speech.header.encoding, speech.header.sample_rate_hz) == (encoding, rate)
            assert speech.end.total_samples == pytest.approx(seconds * rate, abs=2)
            starts = [piece.first_sample for piece in pieces]
            assert starts == sorted(set(starts)) and starts[0] == 0 and len(starts) > 5
        ogg = b"".join(piece.data for piece in pieces)
        samples, rate = soundfile.read(io.BytesIO(ogg))
        assert (len(samples), rate) == (speech.end.total_samples, 48_000)
        pitch_hz = np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)
        assert pitch_hz == pytest.approx(frequency_hz("guard"), rel=0.01)


async def test_opus_has_one_rate(start):
    async with start() as client:
        with pytest.raises(ServiceError) as refused:
            await sound_of(client, encoding=OPUS, sample_rate_hz=16_000)
        assert (refused.value.status, refused.value.field) == (
            "INVALID_ARGUMENT",
            "audio.sample_rate_hz",
        )


async def test_a_file_is_a_wav_or_the_ogg_that_it_is(start, tmp_path):
    async with start() as client:
        for encoding, kind in ((audio_pb2.AUDIO_ENCODING_MULAW, "ULAW"), (OPUS, "OPUS")):
            path = tmp_path / kind
            end = await client.say_to_wav(LINE, path, encoding=encoding)
            about = soundfile.info(path)
            assert (about.subtype, about.frames) == (kind, end.total_samples)


async def test_a_line_that_was_interrupted_is_not_remembered(start):
    async with start(SineSynthesizer(speed=2.0)) as client:
        speech = client.synthesize(LINE)
        async for _ in speech:
            speech.interrupt()
        assert not (await sound_of(client))[1].cache_hit


async def test_a_line_that_a_lower_turn_was_saying_is_not_remembered(start):
    async with start(SineSynthesizer(speed=1.0)) as client:
        await make_voice(client)
        await make_npc(client)
        first = asyncio.create_task(said(client, npc="gunnar", turn=1, pace=pb.PACE_REALTIME))
        await asyncio.sleep(0.3)
        await said(client, "Hm.", npc="gunnar", turn=2)
        assert (await first).end.finish_reason == pb.FINISH_REASON_SUPERSEDED
        assert not (await sound_of(client, npc="gunnar"))[1].cache_hit


async def test_seeds_that_are_drawn_are_new_takes_and_seeds_that_are_given_are_not(start):
    async with start() as client:
        await make_voice(client)
        await make_npc(client, "bard", seed_policy=npc_pb.SEED_POLICY_VARY)
        for options in ({"vary": True}, {"npc": "bard"}):
            for _ in range(2):
                assert not (await sound_of(client, **options))[1].cache_hit
        hits = [(await sound_of(client, npc="bard", seed=5))[1].cache_hit for _ in range(2)]
        assert hits == [False, True]


async def test_what_an_npc_changes_after_the_voice_does_not_matter_and_what_it_changes_before_does(
    start,
):
    async with start() as client:
        await make_voice(client)
        await make_npc(client)
        plain, _ = await sound_of(client, npc="gunnar")
        mask = {"paths": ["delivery"]}
        for delivery, is_hit in (({"gain_db": -6.0}, True), ({"pause_ms": 300}, False)):
            npc = npc_pb.Npc(id="gunnar", delivery=delivery)
            await client.npcs.UpdateNpc(npc_pb.UpdateNpcRequest(npc=npc, update_mask=mask))
            data, end = await sound_of(client, npc="gunnar")
            assert end.cache_hit == is_hit
            assert (data == plain) == (not is_hit)


async def test_a_lexicon_that_respells_a_word_makes_another_line(start):
    sine = SineSynthesizer()
    async with start(sine) as client:
        await sound_of(client, "An ork!")
        entries = {"ork": "awk"}
        lexicon = lexicon_service_pb2.Lexicon(id="default", entries=entries)
        request = lexicon_service_pb2.CreateLexiconRequest(lexicon=lexicon)
        await client.lexicons.CreateLexicon(request)
        assert not (await sound_of(client, "An ork!"))[1].cache_hit
        assert [u.text for u in sine.utterances] == ["An ork!", "An awk!"]
        assert (await sound_of(client, "A dwarf!"))[1].cache_hit is False
        assert (await sound_of(client, "A dwarf!"))[1].cache_hit is True


@pytest.mark.parametrize(("word", "times"), [("dragon", 1), ("ork", 2)])
async def test_a_long_text_is_cleaned_once_and_again_only_where_the_lexicon_changed_it(
    start, monkeypatch, word, times
):
    """Its name in the cache is of the whole of it, so its first sound waits for all that is done to it."""
    text, plain, cleaned = "An ork is on the bridge. " * 390, convert.plain, []
    for module in (import_module("kani_npc.text.clean"), convert):
        monkeypatch.setattr(
            module, "plain", lambda part: cleaned.append(len(part) > 9000) or plain(part)
        )
    async with start() as client:
        lexicon = lexicon_service_pb2.Lexicon(id="default", entries={word: "awk"})
        await client.lexicons.CreateLexicon(
            lexicon_service_pb2.CreateLexiconRequest(lexicon=lexicon)
        )
        async for _ in client.synthesize(text):
            break
    assert sum(cleaned) == times


async def test_a_new_revision_is_not_spoken_with_the_old_sound_and_a_roll_back_finds_it(start):
    sine = SineSynthesizer()
    async with start(sine) as client:
        await make_voice(client, seed=1)
        await sound_of(client, voice="troll")
        embedding = voice_pb.Embedding(space=SPACE, values=values(2))
        change = voice_pb.Voice(id="troll", embedding=embedding)
        request = voice_pb.UpdateVoiceRequest(voice=change, update_mask={"paths": ["embedding"]})
        await client.voices.UpdateVoice(request)
        assert not (await sound_of(client, voice="troll"))[1].cache_hit
        assert (await sound_of(client, voice="troll@1"))[1].cache_hit
        request = voice_pb.RollBackVoiceRequest(id="troll", revision=1)
        await client.voices.RollBackVoice(request)
        assert (await sound_of(client, voice="troll"))[1].cache_hit
        heard = [u.voice.embedding.vector.tolist() for u in sine.utterances]
        assert heard == [pytest.approx(values(1)), pytest.approx(values(2))]


async def test_after_a_roll_back_nothing_of_the_later_revision_is_heard(start):
    """With a real engine: its sound depends on who speaks."""
    voices = BuiltinVoices([random_voice(0)], [], default_voice="voice-0", default_accent=None)
    settings = EngineSettings(num_slots=2, max_prompt_tokens=64)
    engine = EngineSynthesizer(random_model(), settings, num_threads=1)
    first, second = (
        voice_pb.Embedding(space=SPEAKER_SPACE, values=values(seed, SPEAKER_DIM)) for seed in (0, 5)
    )
    # Long enough and drawn: greedy, the random model says the same few frames whoever speaks.
    take = {"voice": "troll", "sampling": {"greedy": False, "min_frames": 6, "max_frames": 400}}
    try:
        async with start(engine, voices=voices) as client:
            await make_voice(client, embedding=first)
            before, _ = await sound_of(client, **take)
            change = voice_pb.Voice(id="troll", embedding=second)
            mask = {"paths": ["embedding"]}
            await client.voices.UpdateVoice(
                voice_pb.UpdateVoiceRequest(voice=change, update_mask=mask)
            )
            later, end = await sound_of(client, **take)
            assert later != before and not end.cache_hit
            assert (await sound_of(client, **take))[1].cache_hit
            await client.voices.RollBackVoice(voice_pb.RollBackVoiceRequest(id="troll", revision=1))
            heard, end = await sound_of(client, **take)
            assert heard == before and end.cache_hit
    finally:
        await engine.close()


async def test_a_revoked_voice_does_not_speak_from_memory_and_stops_in_the_middle(start):
    async with start() as client:
        await make_voice(client, consent=granted())
        text = "x" * 60  # 4.8 s, of which two may be ahead
        await sound_of(client, text, voice="troll")
        speech = client.synthesize(text, voice="troll")
        heard = 0

        async def listen() -> None:
            nonlocal heard
            async for _ in speech:
                heard += 1
                if heard == 3:
                    request = voice_pb.RevokeConsentRequest(id="troll")
                    await client.voices.RevokeConsent(request)

        with pytest.raises(ServiceError) as stopped:
            await listen()
        assert stopped.value.reason == "CONSENT_REVOKED"
        assert heard < 50 and speech.end is None
        for voice in ("troll", "troll@1"):
            with pytest.raises(ServiceError) as refused:
                await sound_of(client, text, voice=voice)
            assert refused.value.reason == "CONSENT_REVOKED"
        [answer] = await prewarmed(client, line(text, voice="troll"))
        assert answer.reason == "CONSENT_REVOKED"


async def test_lines_outlive_the_server_in_a_folder(start, tmp_path):
    store = str(tmp_path / "lines")
    for sine, hit in ((SineSynthesizer(), False), (SineSynthesizer(), True)):
        async with start(sine, cache="off", cache_store=store) as client:
            data, end = await sound_of(client)
            assert end.cache_hit == hit
            assert len(sine.utterances) == (not hit) and len(np.frombuffer(data, "<i2"))


@pytest.mark.redis
async def test_what_one_server_said_another_remembers_and_neither_needs_redis(start, redis_server):
    async with (
        start(cache_store=redis_server.url) as one,
        start(cache_store=redis_server.url) as two,
    ):
        await sound_of(one)
        await asyncio.sleep(0.2)
        assert (await sound_of(two))[1].cache_hit
        redis_server.kill()
        assert (await sound_of(two))[1].cache_hit
        assert not (await sound_of(two, "Now?"))[1].cache_hit
        assert (await sound_of(two, "Now?"))[1].cache_hit


async def test_prewarmed_lines_are_there_when_they_are_asked_for(start):
    sine = SineSynthesizer()
    async with start(sine) as client:
        await make_voice(client)
        await make_npc(client)
        lines = [line(f"Line {n}.", npc="gunnar", priority=pb.PRIORITY_CRITICAL) for n in range(20)]
        answers = await prewarmed(client, *lines)
        assert [answer.line for answer in answers] == list(range(20))
        assert {answer.outcome for answer in answers} == {pb.PREWARM_OUTCOME_MADE}
        assert all(answer.total_samples > 0 for answer in answers)
        assert all(u.priority == 0 for u in sine.utterances)  # below everybody who asks for sound
        for n in range(20):
            assert (await sound_of(client, f"Line {n}.", npc="gunnar"))[1].cache_hit
        assert len(sine.utterances) == 20
        answers = await prewarmed(client, *lines)
        assert {answer.outcome for answer in answers} == {pb.PREWARM_OUTCOME_CACHED}


async def test_lines_that_fail_say_why_and_the_others_go_on(start):
    async with start() as client:
        await make_voice(client)
        await make_npc(client, "bard", seed_policy=npc_pb.SEED_POLICY_VARY)
        answers = await prewarmed(
            client,
            line("Halt!"),
            line("Halt!", voice="nobody"),
            line("..."),
            line("Halt!", vary=True),
            line("Halt!", npc="bard"),
            line("Halt! Who goes there?", sampling={"max_frames": 3}),
            line("Halt!", open_text=True),
            line("Go!"),
        )
        made, failed = pb.PREWARM_OUTCOME_MADE, pb.PREWARM_OUTCOME_FAILED
        assert [answer.outcome for answer in answers] == [made, *[failed] * 6, made]
        assert [answer.reason for answer in answers] == [
            "",
            "VOICE_NOT_FOUND",
            "INVALID_UTTERANCE",
            "LINE_NOT_KEPT",
            "LINE_NOT_KEPT",
            "LINE_NOT_KEPT",
            "INVALID_UTTERANCE",
            "",
        ]
        assert all(answer.message for answer in answers[1:7])


@pytest.mark.parametrize(
    ("cut_after", "takes", "outcome"),
    [
        ({0: 3}, 2, pb.PREWARM_OUTCOME_MADE),
        ({0: 3, 1: 0}, 3, pb.PREWARM_OUTCOME_MADE),
        ({0: 3, 1: 2, 2: 4}, 3, pb.PREWARM_OUTCOME_FAILED),
    ],
)
async def test_a_prewarmed_line_has_two_more_takes_and_a_bad_one_is_not_kept(
    start, cut_after, takes, outcome
):
    sine = TakesThatFail(cut_after)
    async with start(sine) as client:
        [answer] = await prewarmed(client, line("Halt!"))
        assert answer.outcome == outcome and len(sine.utterances) == takes
        kept, end = await sound_of(client, "Halt!")
        assert end.cache_hit == (outcome == pb.PREWARM_OUTCOME_MADE)
        if end.cache_hit:
            assert set(np.frombuffer(kept, "<i2").tolist()) == {takes - 1}, "the take that was good"


async def test_prewarming_never_takes_more_than_half_of_the_slots_and_waits_for_room(start):
    sine = SineSynthesizer(num_slots=4, max_waiting=0, speed=20.0)
    async with start(sine) as client:
        highest = 0

        async def watch() -> None:
            nonlocal highest
            while True:
                highest = max(highest, sine.active)
                await asyncio.sleep(0.001)

        watching = asyncio.create_task(watch())
        batches = [[line(f"{batch} {n}") for n in range(6)] for batch in range(3)]
        answers = await asyncio.gather(*(prewarmed(client, *lines) for lines in batches))
        watching.cancel()
        assert highest == 2
        assert {a.outcome for some in answers for a in some} == {pb.PREWARM_OUTCOME_MADE}


async def test_a_full_queue_does_not_fail_what_nobody_waits_for(start):
    sine = SineSynthesizer(num_slots=1, max_waiting=0, speed=10.0)
    async with start(sine) as client:
        speaking = asyncio.create_task(sound_of(client, "x" * 20))
        await eventually(lambda: sine.active)
        [answer] = await prewarmed(client, line("Halt!"))
        assert answer.outcome == pb.PREWARM_OUTCOME_MADE
        await speaking


async def test_who_cancels_prewarming_stops_it(start):
    sine = SineSynthesizer(speed=5.0)
    async with start(sine) as client:
        answers = client.prewarm([line("x" * 10 + str(n)) for n in range(100)])
        await anext(answers)
        await answers.aclose()
        await eventually(lambda: sine.active == 0)
        made = len(sine.utterances)
        await asyncio.sleep(0.2)
        assert len(sine.utterances) == made < 100


async def test_many_lines_go_as_several_requests_and_count_on(start):
    async with start() as client:
        lines = [line("a" * 400, voice="nobody") for n in range(400)]
        lines[7] = lines[393] = line("Halt!")
        answers = await prewarmed(client, *lines)
        assert [answer.line for answer in answers] == list(range(400))
        good = [answer.line for answer in answers if answer.outcome != pb.PREWARM_OUTCOME_FAILED]
        assert good == [7, 393]


async def test_a_server_that_keeps_no_lines_says_so(start):
    async with start(cache="off") as client:
        with pytest.raises(ServiceError) as refused:
            await prewarmed(client, line("Halt!"))
        assert (refused.value.status, refused.value.reason) == (
            "FAILED_PRECONDITION",
            "NO_LINE_CACHE",
        )
        assert not any([(await sound_of(client))[1].cache_hit for _ in range(2)])


async def test_a_server_that_stops_ends_prewarming_with_a_reason(start):
    async with start(SineSynthesizer(speed=20.0)) as client:
        answers = client.prewarm([line("x" * 10 + str(n)) for n in range(1000)])
        await anext(answers)
        rest = asyncio.create_task(_ends(answers))
    assert (await rest).status == "UNAVAILABLE"


async def _ends(answers) -> ServiceError:
    with pytest.raises(ServiceError) as ended:
        async for _ in answers:
            pass
    return ended.value


async def test_a_held_line_is_not_for_text_that_is_being_written(start):
    async with start() as client:
        with pytest.raises(ServiceError) as refused:
            await said(client, "Halt!", open_text=True, hold_until_checked=True)
        assert "hold_until_checked" in refused.value.field
