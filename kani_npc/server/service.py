"""SpeechService: the river from a request to its speech. Knows no model and no files.

The `finally` on the way down is the whole of cancellation: a client's cancel, a deadline and a shutdown arrive there.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import grpc

from kani_npc.engine.synthesizer import Synthesizer
from kani_npc.errors import InvalidUtterance, NoLineCache, TextForgotten
from kani_npc.server import convert
from kani_npc.server.live import LiveLine, LiveLines, Stopped
from kani_npc.server.pacing import MAX_LEAD_S, Pacer, unpaced
from kani_npc.server.prewarm import Prewarmer
from kani_npc.server.resources import project_of
from kani_npc.server.written import MAX_PAUSE_S, Fragment, WrittenText
from kani_npc.speech import Finished, Pace, SpeechEvent, Utterance
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import speech_service_pb2_grpc as rpc
from kani_npc.voices.builtin import BuiltinVoices
from kani_npc.voices.meter import UsageMeter
from kani_npc.voices.registry import Cast, Registry
from kani_npc.voices.usage import Usage


@dataclass(frozen=True, slots=True)
class Line:
    """A line that can be said. `text` is there while it is being written."""

    cast: Cast
    utterance: Utterance
    text: WrittenText | None
    events: AsyncGenerator[SpeechEvent]
    writer: convert.SpeechWriter
    live: LiveLine


class SpeechService(rpc.SpeechServiceServicer):
    """One for all calls; a call's state is in its own frame."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        voices: BuiltinVoices,
        registry: Registry,
        usage: UsageMeter,
        *,
        max_lead_s: float = MAX_LEAD_S,
        prewarmer: Prewarmer | None = None,
    ) -> None:
        """`prewarmer` is there where lines are kept."""
        self._synthesizer = synthesizer
        self._voices = voices
        self._registry = registry
        self._usage = usage
        self._live = LiveLines()
        self._max_lead_s = max_lead_s
        self._prewarmer = prewarmer

    async def Synthesize(
        self, request: pb.SynthesizeRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.SynthesizeResponse]:
        started_s = perf_counter()
        line = await self._line(request, project_of(context))
        async with aclosing(self._said(line, started_s)) as responses:
            async for response in responses:
                yield response

    async def StreamingSynthesize(
        self,
        requests: AsyncIterator[pb.StreamingSynthesizeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[pb.StreamingSynthesizeResponse]:
        started_s = perf_counter()
        config = await convert.to_config(requests)
        with convert.within("config"):
            line = await self._line(config, project_of(context))
        text, line.live.text = line.live.text, None  # written here, and nowhere else
        assert text is not None
        async with (
            _read(requests, text, line.live),
            aclosing(self._said(line, started_s)) as responses,
        ):
            async for response in responses:
                yield convert.to_streaming(response)

    async def AppendText(
        self, request: pb.AppendTextRequest, context: grpc.aio.ServicerContext
    ) -> pb.AppendTextResponse:
        text = self._live.open_text(project_of(context), request.utterance_id)
        fragment = convert.to_fragment(request.piece)
        next_sequence = text.append(fragment, request.sequence, field="piece.text")
        return pb.AppendTextResponse(next_sequence=next_sequence)

    async def Interrupt(
        self, request: pb.InterruptRequest, context: grpc.aio.ServicerContext
    ) -> pb.InterruptResponse:
        if not request.npc and not request.utterance_id:
            raise InvalidUtterance("name an npc or an utterance_id", field="target")
        lines = self._live.interrupt(
            project_of(context), npc=request.npc, utterance_id=request.utterance_id
        )
        return pb.InterruptResponse(
            lines=[
                pb.InterruptedLine(
                    utterance_id=line.utterance_id,
                    samples_sent=line.samples_sent,
                    sample_rate_hz=line.sample_rate_hz,
                )
                for line in lines
            ]
        )

    async def Prewarm(
        self, request: pb.PrewarmRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.PrewarmResponse]:
        if self._prewarmer is None:
            raise NoLineCache("this server keeps no lines; start it with --cache or --cache-store")
        answers = self._prewarmer.lines(project_of(context), request.lines)
        async with aclosing(answers) as responses:
            async for response in responses:
                yield response

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetServerInfoResponse:
        return convert.server_info(self._synthesizer.info, self._voices, self._synthesizer.load)

    async def _line(self, request: pb.SynthesizeRequest, project: str) -> Line:
        """What the request asks for, checked, and not begun."""
        info = self._synthesizer.info
        cast = await self._registry.cast(
            project, npc=request.npc, voice=request.voice, accent=request.accent
        )
        utterance, turn = convert.to_utterance(request, cast, info), convert.to_turn(request)
        writer = convert.SpeechWriter(request.audio, utterance, cast, info, visemes=request.visemes)
        text = None
        if request.open_text:
            respell = partial(convert.respelled, lexicon=cast.lexicon)
            text = WrittenText(utterance.language, info.max_piece_characters, respell)
            text.write(Fragment(request.text), field="text")
        events = self._synthesizer.synthesize(utterance, text.pieces() if text else None)
        live = LiveLine(
            project,
            utterance.id,
            npc=request.npc,
            turn=turn,
            text=text,
            sample_rate_hz=writer.sample_rate_hz,
            let_go=events.aclose,
        )
        return Line(cast, utterance, text, events, writer, live)

    async def _said(self, line: Line, started_s: float) -> AsyncGenerator[pb.SynthesizeResponse]:
        """The river: header, sound at the listener's pace, end."""
        live, writer, leash = line.live, line.writer, line.live.leash
        is_live = line.utterance.pace is Pace.REALTIME
        pacer = Pacer(max_lead_s=self._max_lead_s) if is_live else unpaced()
        first_audio_ms = 0.0
        has_header, event = False, None
        with self._registry.speaking(line.cast, live.stop), self._metered(line):
            try:
                async with aclosing(line.events) as events:
                    with self._live.speaking(live):
                        if line.text:  # who is to write needs its id
                            has_header = True
                            yield writer.header()
                        while not isinstance(event, Finished):
                            event = await leash.wait(anext(events))
                            if not has_header:
                                # Not before: a line that finds no room fails without one, and clients may simply
                                # ask again.
                                has_header = True
                                yield writer.header(event)
                            for response in writer.sound(event):
                                duration_s = writer.duration_s(response)
                                wait_s = pacer.wait_s(duration_s, perf_counter())
                                await leash.wait(asyncio.sleep(wait_s))
                                first_audio_ms = first_audio_ms or _since_ms(started_s)
                                live.samples_sent = writer.total_samples
                                yield response  # comes back when the transport has accepted it
                                pacer.sent(duration_s, perf_counter())
            except Stopped as stopped:
                event = Finished(stopped.reason, live.samples_sent, compute_ms=0.0)
            else:
                if line.text and line.text.is_forgotten:
                    raise TextForgotten(
                        f"no text came for {MAX_PAUSE_S:.0f} s; what had come was said: close a text that is whole"
                    )
            if not has_header:
                yield writer.header()
            yield writer.end(event, live.samples_sent, _since_ms(started_s), first_audio_ms)

    @contextmanager
    def _metered(self, line: Line) -> Iterator[None]:
        """What was sent goes into the ledger, however the line ends."""
        try:
            yield
        finally:
            if line.live.samples_sent:
                is_live = line.utterance.pace is Pace.REALTIME
                sent_s = line.live.samples_sent / line.writer.sample_rate_hz
                self._usage.add(line.cast, sent_s, Usage.LIVE if is_live else Usage.RENDERED)


@asynccontextmanager
async def _read(
    requests: AsyncIterator[pb.StreamingSynthesizeRequest], text: WrittenText, line: LiveLine
) -> AsyncIterator[None]:
    """Meanwhile, what the client writes goes into the text. What is wrong with it ends the line."""

    async def read() -> None:
        try:
            async for request in requests:
                fragment = convert.to_piece(request)
                text.write(fragment, field="piece.text")
                if fragment.close:
                    return
            text.write(Fragment("", close=True), field="piece.text")
        except Exception as wrong:
            line.stop(wrong)

    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


def _since_ms(started_s: float) -> float:
    return (perf_counter() - started_s) * 1000
