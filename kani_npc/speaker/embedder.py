"""Enrols speakers for the service: each job in a `worker` process of its own, one at a time.

The event loop only waits. A worker that crashes, runs out of memory or takes too long costs its own job and nothing
else. Knows no wire and no store.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kani_npc.config import single_thread_environment
from kani_npc.errors import BadAudio, EnrollmentFailed, Overloaded
from kani_npc.speaker.enrollment import ClipReport, Enrolled
from kani_npc.speaker.load import encoder_space, weights_bytes
from kani_npc.speech import SpeakerEmbedding

# Python, torch and the clips; the weights come on top, twice while they are read, and what they compute with.
_BASE_BYTES = 1 << 30
_BYTES_A_WEIGHT_BYTE = 3
# One thread of little priority: a network of 1 GiB needs seconds for each second that it hears.
_BASE_S = 60.0
_SECONDS_A_GIB = 300.0
_BUSY = 4.0  # times as long by the clock, where others have the processor
MAX_WAITING = 8
_RETRY_AFTER_S = 5.0


class Embedder:
    """The speaker encoder of a folder. `space` is what its embeddings are of.

    Raises `ModelError` if the folder's config.json is no encoder's; its weights are read by the workers.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        time_limit_s: float | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        """Limits of one enrolment, the time being the processor's; by default they follow from the size of the
        weights."""
        self._folder = Path(folder)
        self.space = encoder_space(self._folder)
        size = weights_bytes(self._folder)
        self._time_limit_s = time_limit_s or _BASE_S + _SECONDS_A_GIB * size / (1 << 30)
        self._memory_bytes = memory_bytes or _BASE_BYTES + _BYTES_A_WEIGHT_BYTE * size
        self._turn = asyncio.Lock()
        self._jobs = 0

    async def enroll(self, clips: Sequence[bytes]) -> Enrolled:
        """The speaker of these clips, and what was found in each.

        Raises `BadAudio` for a clip that no voice can be made of, `EnrollmentFailed` if the worker was lost,
        `Overloaded` if too many wait. Cancelling ends the worker.
        """
        if self._jobs > MAX_WAITING:
            raise Overloaded(
                f"{self._jobs} enrolments are waiting; try again later",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._jobs += 1
        try:
            async with self._turn:
                answer = await self._ask(clips)
        finally:
            self._jobs -= 1
        if bad := answer.get("bad_audio"):
            raise BadAudio(bad["message"], reason=bad["reason"], field=bad["field"])
        enrolled = answer.get("enrolled")
        if enrolled is None:
            raise EnrollmentFailed(f"the recording could not be heard: {answer.get('failed')}")
        vector = np.array(enrolled["vector"], dtype=np.float32)
        clips_found = tuple(ClipReport(**clip) for clip in enrolled["clips"])
        return Enrolled(SpeakerEmbedding(vector, enrolled["space"]), clips_found)

    async def _ask(self, clips: Sequence[bytes]) -> dict[str, Any]:
        job = {
            "encoder": str(self._folder),
            "memory_bytes": self._memory_bytes,
            "time_limit_s": self._time_limit_s,
            "lengths": [len(clip) for clip in clips],
        }
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kani_npc.speaker.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=single_thread_environment(),
        )
        try:
            async with asyncio.timeout(_BUSY * self._time_limit_s):
                request = b"".join((json.dumps(job).encode(), b"\n", *clips))
                out, _ = await worker.communicate(request)
        except TimeoutError:
            raise EnrollmentFailed(
                f"the recordings took longer than {_BUSY * self._time_limit_s:.0f} s to hear; "
                "upload shorter ones, or when this machine is less busy"
            ) from None
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        try:
            answer = json.loads(out)
        except ValueError:
            raise EnrollmentFailed(
                f"the process that heard the recordings was lost (exit status {worker.returncode})"
            ) from None
        return answer
