"""SpeechService: the river from a request to its speech. Knows no model and no files.

The `finally` on the way down is the whole of cancellation: a client's cancel, a deadline and a shutdown arrive there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from time import perf_counter

import grpc

from kani_npc.engine.synthesizer import Synthesizer
from kani_npc.server import convert
from kani_npc.server.pacing import Pacer, unpaced
from kani_npc.speech import Finished, Pace
from kani_npc.v1 import speech_service_pb2 as pb
from kani_npc.v1 import speech_service_pb2_grpc as rpc
from kani_npc.voices.builtin import BuiltinVoices


class SpeechService(rpc.SpeechServiceServicer):
    """One for all calls; a call's state is in its own frame."""

    def __init__(self, synthesizer: Synthesizer, voices: BuiltinVoices) -> None:
        self._synthesizer = synthesizer
        self._voices = voices

    async def Synthesize(
        self, request: pb.SynthesizeRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.SynthesizeResponse]:
        started_s = perf_counter()
        info = self._synthesizer.info
        utterance = convert.to_utterance(request, self._voices, info)
        writer = convert.SpeechWriter(request.audio, utterance, info)
        pacer = Pacer() if utterance.pace is Pace.REALTIME else unpaced()
        first_audio_ms = 0.0
        yield writer.header()
        async with aclosing(self._synthesizer.synthesize(utterance)) as events:
            async for event in events:
                for response in writer.sound(event):
                    duration_s = writer.duration_s(response)
                    await asyncio.sleep(pacer.wait_s(duration_s, perf_counter()))
                    first_audio_ms = first_audio_ms or _since_ms(started_s)
                    yield response  # comes back when the transport has accepted it
                    pacer.sent(duration_s, perf_counter())
                if isinstance(event, Finished):
                    yield writer.end(event, _since_ms(started_s), first_audio_ms)

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetServerInfoResponse:
        return convert.server_info(self._synthesizer.info, self._voices, self._synthesizer.load)


def _since_ms(started_s: float) -> float:
    return (perf_counter() - started_s) * 1000
