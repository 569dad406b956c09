"""A `Synthesizer` without a model: every voice is a sine of its own pitch.

Runs the whole service on a CPU in milliseconds. It keeps the protocol's promises (slots, queue limit, cancel, close),
so what holds with it in the server holds with the engine behind.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np

from kani_npc.audio import to_int16
from kani_npc.engine.synthesizer import EngineLoad
from kani_npc.errors import AdapterUnfit, EngineClosed, EngineFailed, Overloaded
from kani_npc.speech import (
    Audio,
    Finished,
    FinishReason,
    ModelInfo,
    PcmChunk,
    Sampling,
    SpeechEvent,
    Utterance,
    Voice,
)

SAMPLE_RATE_HZ = 22050
SAMPLES_PER_FRAME = 1764


def frequency_hz(voice_id: str) -> float:
    """The pitch of a voice: between 200 and 1000 Hz, the same in every process."""
    return 200.0 + zlib.crc32(voice_id.encode()) % 800


def num_frames(text: str) -> int:
    """A line's length: one frame for each character."""
    return max(1, len(text))


async def _pieces(text: str, more: AsyncIterator[str] | None) -> AsyncIterator[str]:
    if text or more is None:
        yield text
    if more is not None:
        async for piece in more:
            yield piece


class SineSynthesizer:
    """`speed` is in times real time; infinite speed still lets other tasks run between frames.

    `max_waiting` bounds the queue; `fail_after_frames` ends every utterance with `EngineFailed` after that many.
    """

    def __init__(
        self,
        *,
        speed: float = float("inf"),
        num_slots: int = 8,
        max_waiting: int = 64,
        fail_after_frames: int | None = None,
        speaker_space: str = "sine",
    ) -> None:
        self.speed = speed
        self.fail_after_frames = fail_after_frames
        self.max_waiting = max_waiting
        self.prebuffer_s = 0.0  # what it recommends
        self.num_slots = num_slots
        self.active = 0
        self.waiting = 0
        self.frames_made = 0  # of all utterances ever: shows that a cancelled one stopped
        self.utterances: list[Utterance] = []  # all that were ever admitted, in order
        self.pieces: list[str] = []  # all that were ever said
        self._free = asyncio.Semaphore(num_slots)
        self._closed = False
        self.info = ModelInfo(
            name="sine",
            licence="Apache-2.0",
            sample_rate_hz=SAMPLE_RATE_HZ,
            samples_per_frame=SAMPLES_PER_FRAME,
            speaker_space=speaker_space,
            languages=("en_us", "en_glasg"),
            sampling=Sampling(greedy=True),
        )

    @property
    def load(self) -> EngineLoad:
        return EngineLoad(num_slots=self.num_slots, active=self.active, waiting=self.waiting)

    async def check_adapters(self, voice: Voice) -> None:
        """A sine has nothing to adapt."""
        if voice.is_adapted:
            raise AdapterUnfit("a sine speaks without adapters")

    async def synthesize(
        self, utterance: Utterance, more: AsyncIterator[str] | None = None
    ) -> AsyncGenerator[SpeechEvent]:
        self._check_open()
        submitted_s = time.perf_counter()
        if self._free.locked():
            if self.waiting >= self.max_waiting:
                raise Overloaded(
                    "every slot is taken and the queue is full; try again later", retry_after_s=1.0
                )
            self.waiting += 1
            try:
                await self._free.acquire()
            finally:
                self.waiting -= 1
        else:
            await self._free.acquire()
        self.active += 1
        try:
            started_s = time.perf_counter()
            self.utterances.append(utterance)
            frame, was_cut, first_audio_s = 0, False, 0.0
            async for piece in _pieces(utterance.text, more):
                self.pieces.append(piece)
                end = frame + min(num_frames(piece), utterance.sampling.max_frames)
                was_cut |= end < frame + num_frames(piece)
                while frame < end:
                    if frame == self.fail_after_frames:
                        raise EngineFailed("the engine failed while speaking; ask again")
                    await self._frame_time()
                    self._check_open()
                    self.frames_made += 1
                    first_audio_s = first_audio_s or time.perf_counter() - submitted_s
                    yield Audio(self._chunk(utterance.voice.id, frame), self.prebuffer_s)
                    frame += 1
            yield Finished(
                reason=FinishReason.MAX_FRAMES if was_cut else FinishReason.END_OF_SPEECH,
                total_samples=frame * SAMPLES_PER_FRAME,
                compute_ms=(time.perf_counter() - started_s) * 1000,
                queued_ms=(started_s - submitted_s) * 1000,
                first_audio_ms=first_audio_s * 1000,
            )
        finally:
            self.active -= 1
            self._free.release()

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosed("the engine is stopped")

    async def _frame_time(self) -> None:
        await asyncio.sleep(SAMPLES_PER_FRAME / SAMPLE_RATE_HZ / self.speed)

    def _chunk(self, voice_id: str, frame: int) -> PcmChunk:
        first = frame * SAMPLES_PER_FRAME
        n = np.arange(first, first + SAMPLES_PER_FRAME, dtype=np.float64)
        wave = 0.3 * np.sin(2 * np.pi * frequency_hz(voice_id) * n / SAMPLE_RATE_HZ)
        return PcmChunk(samples=to_int16(wave.astype(np.float32)), first_sample=first)
