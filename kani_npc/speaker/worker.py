"""The process that listens to uploads: one enrolment, then it ends. `python -m kani_npc.speaker.worker`.

What comes from outside is decoded here and nowhere else, with little priority, one thread, and limits on memory and
time that the kernel keeps: whatever a file does to the decoder, it does it to this process. `embedder` starts it.

Standard input: a line of JSON {"encoder": folder, "memory_bytes", "time_limit_s", "lengths": of the clips}, then the
clips. Standard output: one JSON object with `enrolled`, `bad_audio` or `failed`.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kani_npc.errors import BadAudio, KaniError

NICENESS = 10


def main() -> None:
    """Reads the job, says what came of it."""
    # Whatever a library prints goes to stderr; the answer alone to where stdout was.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        job = json.loads(sys.stdin.buffer.readline())
        _limit(job["memory_bytes"], job["time_limit_s"])
        try:
            answer = _enroll(job)
        except BadAudio as error:
            bad = {"message": str(error), "reason": error.reason, "field": error.field}
            answer = {"bad_audio": bad}
        except (
            KaniError
        ) as error:  # the encoder's own: its message names files, never what is in a recording
            answer = {"failed": str(error)}
        except MemoryError:
            answer = {"failed": "it ran out of memory"}
        except RuntimeError as error:  # torch's way of saying so
            out_of_memory = "memory" in str(error)
            answer = {"failed": "it ran out of memory" if out_of_memory else type(error).__name__}
        except Exception as error:  # of a library: its name is all that may be told
            answer = {"failed": type(error).__name__}
        json.dump(answer, out)


def _enroll(job: Mapping[str, Any]) -> dict[str, Any]:
    # After the limits, so that they hold for what these bring along.
    import torch

    from kani_npc.speaker.enrollment import enroll
    from kani_npc.speaker.load import load_speaker_encoder

    torch.set_num_threads(1)
    _forbid_files()
    clips = [sys.stdin.buffer.read(length) for length in job["lengths"]]
    enrolled = enroll(clips, load_speaker_encoder(job["encoder"]))
    return {
        "enrolled": {
            "space": enrolled.embedding.space,
            "vector": enrolled.embedding.vector.tolist(),
            "clips": [asdict(clip) for clip in enrolled.clips],
        }
    }


def _limit(memory_bytes: int, time_limit_s: float) -> None:
    if sys.platform == "win32":
        return  # neither is known there; `embedder` still keeps the time
    import resource

    os.nice(NICENESS)
    # What the process writes to, not what it maps: a library's code is shared, and torch maps gigabytes of it.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    cpu_s = max(1, round(time_limit_s))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))  # also if the service is gone
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _forbid_files() -> None:
    """Nothing that listens has any business with writing. Imports may have: dill, which torch takes where it finds it,
    looks for a folder that it can write to."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    main()
