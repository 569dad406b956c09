"""Long text through a real engine: at once and in fragments the same, and its first sound as early as a line's."""

import asyncio

import numpy as np

from kani_npc.text.pieces import PieceSplitter, split
from kani_npc.v1 import speech_service_pb2 as pb
from tests.server.test_leaving import until
from tests.server.test_with_engine import speaking

SENTENCES = "The miller of the old mill at the river went home late, and nobody saw him again. "
# Its first sentence has no clause mark, so that the text is cut at the same places however it comes.
TEXT = "The road to the old mill by the river is closed. " + SENTENCES * 6


async def sound(speech) -> np.ndarray:
    data = b"".join([audio.data async for audio in speech])
    assert speech.end.total_samples == len(data) // 2
    return np.frombuffer(data, "<i2")


async def fragments(text: str, length: int):
    for at in range(0, len(text), length):
        yield text[at : at + length]
        await asyncio.sleep(0.001)


async def test_a_text_in_fragments_sounds_bit_for_bit_as_at_once():
    how = {"voice": "voice-1", "seed": 7, "pace": pb.PACE_UNPACED}
    async with speaking(max_prompt_tokens=512) as (client, engine):
        most = engine.info.max_piece_characters
        splitter = PieceSplitter("en", most)
        pieces = [*splitter.feed(TEXT), *splitter.close()]
        assert pieces == split(TEXT.strip(), "en", most) and len(pieces) > 5
        at_once = await sound(client.synthesize(TEXT, **how))
        in_fragments = await sound(client.stream(fragments(TEXT, 7), **how))
    np.testing.assert_array_equal(at_once, in_fragments)


async def test_ten_thousand_characters_start_to_sound_when_their_first_piece_was_read(monkeypatch):
    text, read = SENTENCES * 125, []
    assert len(text) > 10_000
    async with speaking(max_prompt_tokens=512) as (client, engine):
        tokenizer = engine._engine.model.tokenizer
        encode = type(tokenizer).encode
        monkeypatch.setattr(
            type(tokenizer), "encode", lambda self, piece: read.append(piece) or encode(self, piece)
        )
        speech = client.synthesize(text, voice="voice-1")
        async for audio in speech:
            assert audio.first_sample == 0
            break
    assert 1 <= len(read) < 10  # of more than a hundred


async def test_hanging_up_while_the_text_is_written_frees_the_slot_and_stops_the_writer():
    written = 0

    async def endless():
        nonlocal written
        while True:
            written += 1
            yield SENTENCES
            await asyncio.sleep(0.01)

    async with speaking(num_slots=1, max_prompt_tokens=512) as (client, engine):
        async with client.stream(endless(), voice="voice-1") as speech:
            async for _ in speech:
                break
            assert engine.load.active == 1 and speech.end is None
        await until(lambda: engine.load.active == 0)
        stopped_at = written
        await asyncio.sleep(0.1)
        assert written <= stopped_at + 1
        assert len(await sound(client.synthesize("Halt!", pace=pb.PACE_UNPACED)))
