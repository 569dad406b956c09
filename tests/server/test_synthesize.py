"""A line in, sound out: what the stream of one Synthesize call holds."""

import asyncio

import numpy as np
import pytest
import soxr

from kani_npc.client import ServiceError
from kani_npc.server.convert import SAMPLE_RATES_HZ, derive_seed
from kani_npc.speech import MAX_SEED, Pace, Priority
from kani_npc.v1 import audio_pb2
from kani_npc.v1 import speech_service_pb2 as pb
from tests.support.sine import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, SineSynthesizer, frequency_hz

LINEAR16, FLOAT32 = audio_pb2.AUDIO_ENCODING_LINEAR16, audio_pb2.AUDIO_ENCODING_FLOAT32
LINE = "Halt! Who goes there?"  # 21 frames of sine


def request(text=LINE, **fields) -> pb.SynthesizeRequest:
    return pb.SynthesizeRequest(text=text, **{"pace": pb.PACE_UNPACED, **fields})


async def events_of(service, message) -> list[pb.SynthesizeResponse]:
    return [response async for response in service.stub.Synthesize(message, timeout=20)]


async def samples_of(service, **options) -> np.ndarray:
    speech = service.client.synthesize(LINE, pace=pb.PACE_UNPACED, **options)
    data = b"".join([audio.data async for audio in speech])
    samples = np.frombuffer(data, "<f4" if speech.header.encoding == FLOAT32 else "<i2")
    assert len(samples) == speech.end.total_samples
    return samples


async def test_a_stream_is_one_header_then_audio_then_one_end(service):
    events = await events_of(service, request())
    kinds = [e.WhichOneof("event") for e in events]
    assert kinds == ["header"] + ["audio"] * 21 + ["end"]
    assert events[-1].end.finish_reason == pb.FINISH_REASON_END_OF_SPEECH
    assert events[-1].end.total_samples == 21 * SAMPLES_PER_FRAME


async def test_the_header_says_who_speaks_and_that_it_is_synthetic(service):
    header = (await events_of(service, request(voice="smith")))[0].header
    assert (header.voice, header.voice_revision, header.accent) == ("smith", 1, "en-us")
    assert (header.model, header.sample_rate_hz, header.encoding) == ("sine", 22050, LINEAR16)
    assert header.synthetic
    assert header.utterance_id == service.sine.utterances[0].id


async def test_the_end_tells_the_times_apart(service):
    end = (await events_of(service, request()))[-1].end
    assert 0 < end.first_audio_ms <= end.elapsed_ms
    assert 0 < end.compute_ms <= end.elapsed_ms
    assert not end.cache_hit


async def test_the_sound_is_the_engines_bit_for_bit_at_the_native_rate(service):
    samples = await samples_of(service, voice="guard")
    n = np.arange(len(samples))
    sine = 0.3 * np.sin(2 * np.pi * frequency_hz("guard") * n / SAMPLE_RATE_HZ)
    np.testing.assert_array_equal(samples, np.rint(sine.astype(np.float32) * 32767))


@pytest.mark.parametrize("encoding", [LINEAR16, FLOAT32])
@pytest.mark.parametrize("rate", SAMPLE_RATES_HZ)
async def test_every_rate_and_encoding_is_the_whole_line_resampled_at_once(service, rate, encoding):
    native = await samples_of(service, encoding=FLOAT32)
    samples = await samples_of(service, encoding=encoding, sample_rate_hz=rate)
    whole = native if rate == SAMPLE_RATE_HZ else soxr.resample(native, SAMPLE_RATE_HZ, rate)
    assert len(samples) == len(whole)
    assert abs(len(whole) - len(native) * rate / SAMPLE_RATE_HZ) <= 1
    np.testing.assert_array_equal(
        samples, whole if encoding == FLOAT32 else np.clip(np.rint(whole * 32767), -32768, 32767)
    )


@pytest.mark.parametrize("rate", [8000, 48000])
async def test_first_sample_counts_output_samples_and_no_piece_is_empty(service, rate):
    audio = audio_pb2.AudioFormat(sample_rate_hz=rate, encoding=FLOAT32)
    pieces = [e.audio for e in (await events_of(service, request(audio=audio)))[1:-1]]
    at = 0
    for piece in pieces:
        assert piece.data and piece.first_sample == at
        at += len(piece.data) // 4
    assert at == pytest.approx(21 * SAMPLES_PER_FRAME * rate / SAMPLE_RATE_HZ, abs=1)


async def test_a_line_without_a_seed_always_has_the_same_one(service):
    seeds = {(await events_of(service, request()))[0].header.seed for _ in range(2)}
    assert seeds == {derive_seed(LINE, "guard", "en-glasg")}
    # Frozen: recorded lines must keep their sound.
    assert derive_seed("Halt!", "guard", "en-us") == 4965704803542361836
    other = (await events_of(service, request(voice="smith")))[0].header.seed
    assert other not in seeds


async def test_vary_draws_a_seed_and_reports_the_one_that_was_used(service):
    seeds = {(await events_of(service, request(vary=True)))[0].header.seed for _ in range(3)}
    assert len(seeds) == 3
    assert seeds == {u.seed for u in service.sine.utterances}


@pytest.mark.parametrize("seed", [0, 7, MAX_SEED])
async def test_a_given_seed_is_used_and_reported(service, seed):
    assert (await events_of(service, request(seed=seed)))[0].header.seed == seed
    assert service.sine.utterances[0].seed == seed


async def test_the_voices_own_accent_comes_before_the_default(service):
    for voice, accent, expected in [
        ("guard", "", "en_glasg"),
        ("smith", "", "en_us"),
        ("guard", "en-us", "en_us"),
        ("smith", "en_glasg", "en_glasg"),  # by its tag
    ]:
        await events_of(service, request(voice=voice, accent=accent))
        assert service.sine.utterances[-1].accent.tag == expected


async def test_what_the_request_sets_changes_the_models_sampling_and_nothing_else(service):
    message = request(priority=pb.PRIORITY_CRITICAL)
    message.sampling.temperature = 0.7
    message.sampling.greedy = False
    message.sampling.max_frames = 3
    end = (await events_of(service, message))[-1].end
    assert end.finish_reason == pb.FINISH_REASON_MAX_FRAMES
    assert end.total_samples == 3 * SAMPLES_PER_FRAME
    utterance = service.sine.utterances[0]
    expected = service.sine.info.sampling.but(temperature=0.7, greedy=False, max_frames=3)
    assert utterance.sampling == expected
    assert (utterance.priority, utterance.pace) == (Priority.CRITICAL, Pace.UNPACED)


async def test_what_the_request_leaves_out_is_dialogue_in_real_time(service):
    await events_of(service, pb.SynthesizeRequest(text="Oi"))
    utterance = service.sine.utterances[0]
    assert (utterance.priority, utterance.pace) == (Priority.DIALOGUE, Pace.REALTIME)
    assert utterance.sampling == service.sine.info.sampling


async def test_several_lines_at_once_do_not_mix(service):
    async def pitch(voice: str) -> float:
        samples = await samples_of(service, voice=voice)
        return float(np.argmax(np.abs(np.fft.rfft(samples))) * SAMPLE_RATE_HZ / len(samples))

    pitches = await asyncio.gather(*(pitch(v) for v in ["guard", "smith"] * 8))
    for voice, heard in zip(["guard", "smith"] * 8, pitches, strict=True):
        assert heard == pytest.approx(frequency_hz(voice), abs=1)


async def test_a_line_in_real_time_arrives_half_a_second_at_once_and_the_rest_in_time(start):
    service = await start(SineSynthesizer())
    clock = asyncio.get_running_loop().time
    arrived = []  # (time, seconds of sound so far)
    heard_s = 0.0
    async for audio in service.client.synthesize("x" * 20):  # 1.6 s, made at once
        heard_s += len(audio.data) / 2 / SAMPLE_RATE_HZ
        arrived.append((clock(), heard_s))
    first_s = arrived[0][0]
    burst_s = max(s for t, s in arrived if t < first_s + 0.05)
    assert 0.4 <= burst_s <= 0.65
    assert all(s - (t - first_s) <= min(0.5 + (t - first_s), 2.0) + 0.05 for t, s in arrived)
    assert 0.45 <= arrived[-1][0] - first_s <= 1.0  # twice real time after the burst: 0.55 s


async def test_an_engine_failure_in_the_middle_ends_the_stream_with_a_status(start):
    service = await start(SineSynthesizer(fail_after_frames=3))
    speech = service.client.synthesize(LINE)
    with pytest.raises(ServiceError) as caught:
        async for _ in speech:
            pass
    assert (caught.value.status, caught.value.reason) == ("INTERNAL", "ENGINE_FAILED")
    assert speech.end is None


async def test_a_full_queue_says_when_to_come_back(start):
    service = await start(SineSynthesizer(num_slots=1, max_waiting=0, speed=1.0))
    first = service.client.synthesize(LINE)
    async for _ in first:
        with pytest.raises(ServiceError) as caught:
            await samples_of(service)
        break
    assert (caught.value.status, caught.value.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
    assert caught.value.retry_after_s == 1.0


async def test_a_closed_engine_is_unavailable(start):
    service = await start()
    await service.sine.close()
    with pytest.raises(ServiceError) as caught:
        await samples_of(service)
    assert (caught.value.status, caught.value.reason) == ("UNAVAILABLE", "ENGINE_CLOSED")
    assert caught.value.retry_after_s is not None
