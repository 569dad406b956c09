"""The shipped model through the real server: joins, single words, and a voice that will not end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import numpy as np
import pytest

from kani_npc.audio import StreamResampler, to_float
from kani_npc.client import Client
from kani_npc.engine.engine import EngineSettings
from kani_npc.engine.model import SpeechModel, load_model
from kani_npc.engine.synthesizer import EngineSynthesizer
from kani_npc.models import resolve_model
from kani_npc.server.app import server
from kani_npc.speaker.load import load_speaker_encoder
from kani_npc.speech import Int16Array
from kani_npc.text.pieces import split
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.voices.builtin import load_voices
from tests.server.conftest import SETTINGS

FOLDER = resolve_model("tiny")
RATE_HZ, FRAME = 22_050, 1764
TEXT = (
    "The road to the old mill is closed. The miller saw three wolves near the river last night. "
    "Thank you, stranger, and good night to you."
)


@cache
def model() -> SpeechModel:
    return load_model(FOLDER)


@asynccontextmanager
async def speaking() -> AsyncIterator[Client]:
    info = model().info
    voices = load_voices(FOLDER, languages=info.languages, speaker_space=info.speaker_space)
    engine = EngineSynthesizer(model(), EngineSettings(num_slots=8), num_threads=1)
    try:
        async with server(engine, voices, SETTINGS) as at, Client(at, timeout_s=120) as client:
            yield client
    finally:
        await engine.close()


async def said(client: Client, text: str, **options) -> tuple[Int16Array, pb.SpeechEnd]:
    speech = client.synthesize(text, **{"pace": pb.PACE_UNPACED, **options})
    data = b"".join([audio.data async for audio in speech])
    assert speech.end is not None
    return np.frombuffer(data, "<i2"), speech.end


def loudness(samples: Int16Array, length: int) -> np.ndarray:
    """Root mean square of each stretch of so many samples, 1 being full scale."""
    stretches = to_float(samples[: len(samples) // length * length]).reshape(-1, length)
    return np.sqrt(np.square(stretches).mean(axis=1))


async def test_pieces_of_a_long_text_join_in_a_pause_without_a_click_and_in_one_voice():
    async with speaking() as client:
        pieces = split(TEXT, "en", model().info.max_piece_characters)
        assert len(pieces) == 3
        whole, end = await said(client, TEXT)
        alone = [(await said(client, piece))[0] for piece in pieces]
    assert end.finish_reason == pb.FINISH_REASON_END_OF_SPEECH
    assert sum(map(len, alone)) == len(whole)  # greedy: each piece is as long as it is alone
    joins = np.cumsum([len(piece) for piece in alone])[:-1]
    steps, near = np.abs(np.diff(whole.astype(int))), RATE_HZ // 20
    at_joins = np.zeros(len(steps), bool)
    for join in joins:
        at_joins[join - near : join + near] = True
    assert steps[at_joins].max() <= steps[~at_joins].max()
    for join in joins:
        # Of a tenth of a second on either side, at least a twentieth in one stretch is below -50 dBFS.
        around = loudness(whole[join - RATE_HZ // 10 : join + RATE_HZ // 10], RATE_HZ // 100)
        quiet = "".join("q" if level < 10 ** (-50 / 20) else "." for level in around)
        assert "q" * 5 in quiet
        assert (
            steps[join - 2 : join + 2].max() <= 0.002 * 32768
        )  # and nothing jumps at the very join
    encoder = load_speaker_encoder(FOLDER / "speaker")
    info = model().info
    known = load_voices(FOLDER, languages=info.languages, speaker_space=info.speaker_space)
    starts = [0, *joins]
    for start, piece in zip(starts, alone, strict=True):
        heard = whole[start : start + len(piece)]
        resampler = StreamResampler(RATE_HZ, encoder.sample_rate_hz)
        sound = np.concatenate((resampler(to_float(heard)), resampler.flush()))
        who = encoder.embed(sound)
        likeness = {v.id: float(v.embedding.vector @ who) for v in known.voices if v.embedding}
        assert max(likeness, key=lambda id: likeness[id]) == known.default_voice.id


@pytest.mark.parametrize(
    ("words", "accent"),
    [(("Hi!", "No.", "Go."), {}), (("¡Hola!", "No.", "Sí."), {"accent": "es-es"})],
    ids=["English", "Spanish"],
)
async def test_a_word_alone_ends_by_itself_in_every_voice(words, accent):
    async with speaking() as client:
        voices = [voice.id for voice in (await client.server_info()).voices]
        lines = [(text, voice) for voice in voices for text in words]
        heard = await asyncio.gather(
            *(said(client, text, voice=voice, **accent) for text, voice in lines)
        )
    assert len(voices) >= 12
    for line, (samples, end) in zip(lines, heard, strict=True):
        assert end.finish_reason == pb.FINISH_REASON_END_OF_SPEECH and end.attempts == 1, line
        assert 0.1 * RATE_HZ < len(samples) < 2 * RATE_HZ, line
        assert loudness(samples, FRAME).max() > 0.01, line  # and is heard


@pytest.mark.parametrize(
    ("options", "attempts"), [({"pace": pb.PACE_REALTIME}, 1), ({"hold_until_checked": True}, 3)]
)
async def test_a_voice_that_is_kept_from_ending_is_faded_out_and_the_end_says_so(options, attempts):
    async with speaking() as client:
        endless = {"min_frames": 400, "max_frames": 400}
        samples, end = await said(client, "Halt!", sampling=endless, **options)
    assert end.finish_reason == pb.FINISH_REASON_WATCHDOG and end.attempts == attempts
    assert len(samples) == end.total_samples < 60 * FRAME and len(samples) % FRAME == 0
    # Over the last frame the sound goes down to nothing, whatever it was.
    assert samples[-1] == 0
    tail = np.abs(samples[-FRAME:].astype(int))
    assert (tail <= 32767 * np.arange(FRAME)[::-1] / (FRAME - 1) + 1).all()
