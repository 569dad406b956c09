"""SpeechService: the river from a request to its speech. Knows no model and no files.

The `finally` on the way down is the whole of cancellation: a client's cancel, a deadline and a shutdown arrive there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from time import perf_counter

import grpc

from kani_npc.engine.synthesizer import Synthesizer
from kani_npc.server import convert
from kani_npc.server.leash import Leash
from kani_npc.server.pacing import Pacer, unpaced
from kani_npc.server.resources import project_of
from kani_npc.speech import Finished, Pace, Utterance
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import speech_service_pb2_grpc as rpc
from kani_npc.voices.builtin import BuiltinVoices
from kani_npc.voices.meter import UsageMeter
from kani_npc.voices.registry import Cast, Registry
from kani_npc.voices.usage import Usage


class SpeechService(rpc.SpeechServiceServicer):
    """One for all calls; a call's state is in its own frame."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        voices: BuiltinVoices,
        registry: Registry,
        usage: UsageMeter,
    ) -> None:
        self._synthesizer = synthesizer
        self._voices = voices
        self._registry = registry
        self._usage = usage

    async def Synthesize(
        self, request: pb.SynthesizeRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.SynthesizeResponse]:
        started_s = perf_counter()
        info = self._synthesizer.info
        cast = await self._registry.cast(
            project_of(context), npc=request.npc, voice=request.voice, accent=request.accent
        )
        utterance = convert.to_utterance(request, cast, info)
        writer = convert.SpeechWriter(request.audio, utterance, cast, info)
        pacer = Pacer() if utterance.pace is Pace.REALTIME else unpaced()
        first_audio_ms = 0.0
        leash = Leash()
        with self._registry.speaking(cast, leash.stop), self._metered(cast, utterance, writer):
            async with aclosing(self._synthesizer.synthesize(utterance)) as events:
                event = await leash.wait(anext(events, None))
                # Not before: a line that finds no room fails without a header, and clients may simply ask again.
                yield writer.header()
                while event:
                    for response in writer.sound(event):
                        duration_s = writer.duration_s(response)
                        await leash.wait(asyncio.sleep(pacer.wait_s(duration_s, perf_counter())))
                        first_audio_ms = first_audio_ms or _since_ms(started_s)
                        yield response  # comes back when the transport has accepted it
                        pacer.sent(duration_s, perf_counter())
                    if isinstance(event, Finished):
                        yield writer.end(event, _since_ms(started_s), first_audio_ms)
                    event = await leash.wait(anext(events, None))

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetServerInfoResponse:
        return convert.server_info(self._synthesizer.info, self._voices, self._synthesizer.load)

    @contextmanager
    def _metered(
        self, cast: Cast, utterance: Utterance, writer: convert.SpeechWriter
    ) -> Iterator[None]:
        """What was sent goes into the ledger, however the line ends."""
        try:
            yield
        finally:
            if writer.total_samples:
                is_live = utterance.pace is Pace.REALTIME
                self._usage.add(cast, writer.sent_s, Usage.LIVE if is_live else Usage.RENDERED)


def _since_ms(started_s: float) -> float:
    return (perf_counter() - started_s) * 1000
