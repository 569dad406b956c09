"""Text that is said while it is being written, over one stream and by unary calls; and lines that are interrupted."""

import asyncio

import grpc
import numpy as np
import pytest

from kani_npc.client import Client, Methods, ServiceError, Speech
from kani_npc.server import written
from kani_npc.server.app import server
from kani_npc.text.limits import MAX_CHARACTERS
from kani_npc.v1 import lexicon_service_pb2 as lexicon_pb
from kani_npc.v1 import speech_service_pb2 as pb
from tests.server.conftest import SETTINGS
from tests.server.test_leaving import never_reading_call, until
from tests.support.serving import builtin_voices, make_npc, make_voice, refused, serving
from tests.support.sine import SAMPLES_PER_FRAME, SineSynthesizer

STORY = "The road is closed, I fear. Dr. Bell said so at 7:30 p.m. today. Go home, traveller!"
LONG = " ".join(f"This is sentence number {n} of a story." for n in range(40))
UNPACED = pb.PACE_UNPACED


@pytest.fixture
def sine() -> SineSynthesizer:
    return SineSynthesizer()


@pytest.fixture
async def client(tmp_path, sine):
    async with serving(str(tmp_path / "voices.db"), synthesizer=sine) as client:
        await make_voice(client)
        await make_npc(client)
        yield client


async def tokens(text: str, length: int = 4):
    for at in range(0, len(text), length):
        yield text[at : at + length]
        await asyncio.sleep(0)


async def samples(speech) -> np.ndarray:
    data = b"".join([audio.data async for audio in speech])
    assert speech.end.total_samples == len(data) // 2
    return np.frombuffer(data, "<i2")


# StreamingSynthesize


async def test_speech_starts_at_the_first_clause_while_the_text_is_being_written(client, sine):
    async with client.stream(voice="guard", pace=UNPACED) as speech:
        reading = asyncio.create_task(samples(speech))
        await speech.write("The road to the old mill, tra")
        await until(lambda: sine.frames_made == len("The road to the old mill,"))
        assert speech.header.voice == "guard" and speech.header.utterance_id
        assert sine.pieces == ["The road to the old mill,"]
        await speech.write("veller, is closed. Go")
        await speech.flush()
        await until(lambda: len(sine.pieces) == 2)
        await speech.write(" away")
        await speech.close()
        assert len(await reading) == sine.frames_made * SAMPLES_PER_FRAME
        assert sine.pieces[1:] == ["traveller, is closed. Go", "away"]
        assert speech.end.finish_reason == pb.FINISH_REASON_END_OF_SPEECH


@pytest.mark.parametrize("length", [1, 5, 1000])
async def test_the_sound_does_not_depend_on_the_fragments_and_is_that_of_the_same_pieces_at_once(
    client, sine, length
):
    speech = client.stream(tokens(STORY, length), npc="gunnar", pace=UNPACED)
    in_fragments = await samples(speech)
    assert speech.header.npc == "gunnar"
    assert sine.pieces == [
        "The road is closed, I fear.", "Dr. Bell said so at 7:30 p.m. today.", "Go home, traveller!"
    ]  # fmt: skip
    at_once = await samples(client.synthesize(STORY, npc="gunnar", pace=UNPACED))
    # The sine says a character as a frame: the two blanks between pieces are what it does not say.
    np.testing.assert_array_equal(in_fragments, at_once[: len(in_fragments)])
    assert len(at_once) - len(in_fragments) == 2 * SAMPLES_PER_FRAME


async def test_half_closing_the_stream_closes_the_text(client, sine):
    call = client._stub.StreamingSynthesize(timeout=10)
    config = pb.SynthesizeRequest(text="Halt, ", pace=UNPACED)
    await call.write(pb.StreamingSynthesizeRequest(config=config))
    await call.write(pb.StreamingSynthesizeRequest(piece=pb.TextPiece(text="stranger")))
    await call.done_writing()
    kinds = [response.WhichOneof("event") async for response in call]
    assert kinds == ["header", *["audio"] * len("Halt, stranger"), "end"]
    assert sine.pieces == ["Halt, stranger"]


async def test_a_text_of_nothing_is_a_line_without_sound(client):
    speech = client.stream(tokens(""), pace=UNPACED)
    assert len(await samples(speech)) == 0
    assert speech.end.finish_reason == pb.FINISH_REASON_END_OF_SPEECH


async def test_the_lexicon_respells_words_that_came_in_fragments(client, sine):
    lexicon = lexicon_pb.Lexicon(id="default", entries={"Bell": "Belle", "old mill": "ould mil"})
    await client.lexicons.CreateLexicon(lexicon_pb.CreateLexiconRequest(lexicon=lexicon))
    await samples(client.stream(tokens("Ask Dr. Bell at the old mill.", 3), pace=UNPACED))
    assert sine.pieces == ["Ask Dr. Belle at the ould mil."]


async def test_a_line_cancelled_in_the_middle_of_its_text_frees_its_slot(client, sine):
    async with client.stream(voice="guard", pace=UNPACED) as speech:
        await speech.write("The road to the old mill, traveller, ")
        async for _ in speech:
            break
        assert sine.active == 1
    await until(lambda: sine.active == 0)


async def test_a_writer_that_fails_ends_the_line_and_is_heard(client, sine):
    async def failing():
        yield "The road to the old mill, traveller, "
        await until(lambda: sine.pieces)
        raise ConnectionError("the language model is gone")

    with pytest.raises(ConnectionError, match="language model"):
        await samples(client.stream(failing(), pace=UNPACED))
    await until(lambda: sine.active == 0)


async def refusal(client: Client, *requests: pb.StreamingSynthesizeRequest) -> ServiceError:
    call = client._stub.StreamingSynthesize(iter(requests), timeout=10)

    async def read() -> None:
        async for _ in Speech(call):
            pass

    return await refused(read())


def config(**fields) -> pb.StreamingSynthesizeRequest:
    return pb.StreamingSynthesizeRequest(config=pb.SynthesizeRequest(pace=UNPACED, **fields))


def piece(text: str = "", **fields) -> pb.StreamingSynthesizeRequest:
    return pb.StreamingSynthesizeRequest(piece=pb.TextPiece(text=text, **fields))


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([], "config"),
        ([piece("Halt!")], "config"),
        ([pb.StreamingSynthesizeRequest()], "config"),
        ([config(), config()], "piece"),
        ([config(), pb.StreamingSynthesizeRequest()], "piece"),
        ([config(seed=-1)], "config.seed"),
        ([config(voice="No Name")], "config.voice"),
        ([config(text="a " * MAX_CHARACTERS)], "config.text"),
        ([config(), *[piece("word " * 1000)] * 5], "piece.text"),
    ],
)
async def test_what_is_wrong_with_a_stream_is_refused_with_its_field(client, sine, requests, field):
    error = await refusal(client, *requests)
    assert (error.status, error.field) == ("INVALID_ARGUMENT", field)
    await until(lambda: sine.active == 0)


async def test_bytes_that_are_no_request_end_the_stream(client, sine):
    method = "/kani_npc.v1.SpeechService/StreamingSynthesize"
    call = client._channel.stream_stream(method)(timeout=10)
    await call.write(config(text="Halt!").SerializeToString())
    await call.write(b"\xff" * 40)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await until(lambda: sine.active == 0)


async def test_what_follows_the_close_is_not_said(client, sine):
    call = client._stub.StreamingSynthesize(
        iter([config(), piece("Halt!", close=True), piece(" Who goes there?")]), timeout=10
    )
    assert [e.WhichOneof("event") async for e in call][-1] == "end"
    assert sine.pieces == ["Halt!"]


async def test_a_line_that_nobody_writes_on_is_said_as_far_as_it_came_and_ends_with_a_reason(
    client, sine, monkeypatch
):
    monkeypatch.setattr(written, "MAX_PAUSE_S", 0.2)
    async with client.stream(voice="guard", pace=UNPACED) as speech:
        await speech.write("The road to the old mill, traveller, is clo")
        error = await refused(samples(speech))
    assert (error.status, error.reason) == ("DEADLINE_EXCEEDED", "TEXT_FORGOTTEN")
    assert sine.pieces == ["The road to the old mill,"] and sine.active == 0


async def test_the_gap_between_two_fragments_may_be_long_as_long_as_it_is_not_too_long(
    client, sine, monkeypatch
):
    monkeypatch.setattr(written, "MAX_PAUSE_S", 0.6)
    async with client.stream(voice="guard", pace=UNPACED) as speech:
        reading = asyncio.create_task(samples(speech))
        for word in ("It ", "is ", "late, "):  # no piece comes of them
            await speech.write(word)
            await asyncio.sleep(0.35)
        await speech.close()
        assert len(await reading) == len("It is late,") * SAMPLES_PER_FRAME


# AppendText


async def opened(client: Client, text: str = "", **options):
    """A line whose text is open, and its id, which is there before its text is."""
    speech = client.synthesize(text, open_text=True, pace=UNPACED, **options)
    reading = asyncio.create_task(samples(speech))
    await until(lambda: speech.header is not None)
    return speech, reading, speech.header.utterance_id


async def test_appended_text_is_said_as_if_it_had_been_streamed(client, sine):
    _, reading, id = await opened(client, "The road is clo", npc="gunnar")
    assert await client.append(id, "sed, I fear. Dr. Bell said so ", 0) == 1
    assert await client.append(id, "at 7:30 p.m. today. Go home, traveller!", 1, close=True) == 2
    appended = await reading
    streamed = await samples(client.stream(tokens(STORY), npc="gunnar", pace=UNPACED))
    np.testing.assert_array_equal(appended, streamed)
    assert sine.pieces[:3] == sine.pieces[3:]


async def test_a_repeated_fragment_is_not_taken_twice_and_a_gap_is_refused(client, sine):
    _, reading, id = await opened(client)
    assert await client.append(id, "One. ", 0) == 1
    assert await client.append(id, "One. ", 0) == 1
    error = await refused(client.append(id, "Three. ", 2))
    assert (error.status, error.reason) == ("FAILED_PRECONDITION", "OUT_OF_SEQUENCE")
    assert error.metadata["next_sequence"] == "1"
    assert await client.append(id, "Two. ", 1) == 2
    assert await client.append(id, "Three. ", 2, close=True) == 3
    await reading
    assert " ".join(sine.pieces) == "One. Two. Three."


async def test_ids_that_take_no_text_are_not_found(client, tmp_path):
    async with client.stream(voice="guard", pace=UNPACED) as streamed:
        await streamed.write("The road to the old mill, traveller, ")
        async for _ in streamed:
            break
        assert (
            await refused(client.append(streamed.header.utterance_id, "", 0))
        ).status == "NOT_FOUND"
    assert (await refused(client.append("nobody", "", 0))).reason == "LINE_NOT_FOUND"
    _, reading, id = await opened(client)
    assert (
        await refused(_of_project(client, "other").AppendText(append(id, 0)))
    ).status == "NOT_FOUND"
    await client.append(id, "Halt!", 0, close=True)
    await reading
    assert (await refused(client.append(id, "More", 1))).status == "NOT_FOUND"


async def test_text_over_the_limit_is_refused_and_the_line_goes_on(client, sine):
    _, reading, id = await opened(client)
    error = await refused(client.append(id, "a" * (MAX_CHARACTERS + 1), 0))
    assert (error.status, error.field) == ("INVALID_ARGUMENT", "piece.text")
    assert await client.append(id, "Halt!", 0, close=True) == 1
    await reading
    assert sine.pieces == ["Halt!"]


# Interrupt


def _of_project(client: Client, project: str):
    """The unary methods, called for another project."""
    return Methods(client._stub, {"timeout": 10, "metadata": (("kani-project", project),)})


def append(id: str, sequence: int) -> pb.AppendTextRequest:
    return pb.AppendTextRequest(utterance_id=id, sequence=sequence)


async def begun(client: Client, text: str = LONG, **options):
    """A line of which some was heard, and the rest of which is being read."""
    speech = client.synthesize(text, **{"npc": "gunnar", **options})
    heard = aiter(speech)
    first = len((await anext(heard)).data) // 2

    async def read() -> int:
        return first + sum([len(audio.data) // 2 async for audio in heard])

    return speech, asyncio.create_task(read())


@pytest.mark.parametrize("by", ["npc", "utterance_id"])
@pytest.mark.parametrize("speed", [2.0, float("inf")])  # the line waits for sound, or its listener
async def test_an_interrupted_line_ends_at_once_and_what_was_sent_is_known(client, sine, by, speed):
    sine.speed = speed
    speech, reading = await begun(client)
    target = {"npc": "gunnar"} if by == "npc" else {"utterance_id": speech.header.utterance_id}
    (line,) = await client.interrupt(**target)
    await until(lambda: sine.active == 0)
    heard = await reading
    assert sine.frames_made <= heard / SAMPLES_PER_FRAME + 2  # what was in hand, and what was begun
    assert speech.end.finish_reason == pb.FINISH_REASON_INTERRUPTED
    assert line.utterance_id == speech.header.utterance_id and line.sample_rate_hz == 22050
    assert line.samples_sent == speech.end.total_samples == heard
    assert await client.interrupt(**target) == []


async def test_a_line_in_the_queue_and_one_that_waits_for_text_can_be_interrupted(tmp_path):
    sine = SineSynthesizer(num_slots=1, speed=1.0)
    async with serving(str(tmp_path / "voices.db"), synthesizer=sine) as client:
        await make_voice(client)
        await make_npc(client)
        open_, reading, _ = await opened(client, npc="gunnar")
        queued = client.synthesize("Halt!", npc="gunnar")
        waiting = asyncio.create_task(samples(queued))
        await until(lambda: sine.waiting == 1)
        lines = await client.interrupt(npc="gunnar")
        assert [line.samples_sent for line in lines] == [0, 0]
        for speech, task in ((open_, reading), (queued, waiting)):
            assert len(await task) == 0 and speech.header.npc == "gunnar"
            assert speech.end.finish_reason == pb.FINISH_REASON_INTERRUPTED
        assert (sine.active, sine.waiting) == (0, 0)


async def test_nobody_speaking_is_no_error_and_no_target_is_one(client):
    assert await client.interrupt(npc="nobody") == []
    assert await client.interrupt(utterance_id="nothing") == []
    error = await refused(client.interrupt())
    assert (error.status, error.field) == ("INVALID_ARGUMENT", "target")


async def test_another_projects_line_is_out_of_reach(client, sine):
    sine.speed = 2.0
    speech, reading = await begun(client)
    other = _of_project(client, "other")
    for target in ({"npc": "gunnar"}, {"utterance_id": speech.header.utterance_id}):
        assert not (await other.Interrupt(pb.InterruptRequest(**target))).lines
    assert not reading.done()
    await client.interrupt(npc="gunnar")
    await reading


async def test_a_newer_turn_supersedes_the_older_line_and_an_older_turn_that_comes_late(
    client, sine
):
    sine.speed = 2.0
    older, reading = await begun(client, turn=1)
    newer, listening = await begun(client, turn=2)
    await reading
    assert older.end.finish_reason == pb.FINISH_REASON_SUPERSEDED
    late = client.synthesize("Halt!", npc="gunnar", turn=1)
    assert len(await samples(late)) == 0 and late.header.npc == "gunnar"
    assert late.end.finish_reason == pb.FINISH_REASON_SUPERSEDED
    assert not listening.done() and len(sine.utterances) == 2
    await client.interrupt(npc="gunnar")
    await listening
    assert newer.end.finish_reason == pb.FINISH_REASON_INTERRUPTED


async def test_of_many_turns_at_once_the_newest_is_heard(client, sine):
    lines = [client.synthesize("Halt! Who goes there?", npc="gunnar", turn=n) for n in range(1, 21)]
    heard = await asyncio.gather(*map(samples, lines))
    ends = [line.end.finish_reason for line in lines]
    assert ends[-1] == pb.FINISH_REASON_END_OF_SPEECH and len(heard[-1]) == 21 * SAMPLES_PER_FRAME
    assert set(ends) <= {pb.FINISH_REASON_END_OF_SPEECH, pb.FINISH_REASON_SUPERSEDED}
    await until(lambda: sine.active == 0)


async def test_a_line_whose_listener_does_not_read_is_freed_as_fast(client, sine):
    host, port = client.address.split(":")
    request = pb.SynthesizeRequest(npc="gunnar", text=LONG)
    reader, writer = await never_reading_call(host, int(port), request)
    await until(lambda: sine.active == 1)
    await asyncio.sleep(1.0)  # by then more was made than HTTP/2's window takes
    (line,) = await client.interrupt(npc="gunnar")
    assert line.samples_sent > 0
    made = sine.frames_made
    await until(lambda: sine.active == 0)
    assert sine.frames_made == made
    writer.close()
    del reader


async def test_open_lines_end_in_good_order_while_the_server_drains(sine):
    running = server(sine, builtin_voices(), SETTINGS)
    async with Client(await running.__aenter__(), timeout_s=10) as client:
        _, reading, id = await opened(client)
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        while (error := await refused(client.append("nobody", "", 0))) and not await is_draining(
            client
        ):
            assert error.status == "NOT_FOUND"
        assert await client.append(id, "Halt!", 0, close=True) == 1
        assert len(await reading) == len("Halt!") * SAMPLES_PER_FRAME
        await asyncio.wait_for(stopping, 5.0)


async def is_draining(client: Client) -> bool:
    try:
        await client.server_info()
    except ServiceError as error:
        assert error.status == "UNAVAILABLE"
        return True
    return False
