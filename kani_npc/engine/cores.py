"""How many cores the arithmetic may use, and when fewer are faster. Knows no model and no tensors."""

import asyncio
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

CPUS = Path("/sys/devices/system/cpu")
CGROUP_QUOTA = Path(
    "/sys/fs/cgroup/cpu.max"
)  # cgroup v2: "quota period" in microseconds, or "max period"


def physical_cores(cpus: Path = CPUS, quota: Path = CGROUP_QUOTA) -> int:
    """Cores this process may run on, hyper-threads of one core counted once, a container's quota respected.

    Two threads on one core fight over its vector units, and more threads than the quota grants are all stopped
    together when it is spent: both are slower than fewer threads.
    """
    if not hasattr(os, "sched_getaffinity"):  # not on Linux: the system decides
        return max(1, (os.cpu_count() or 2) // 2)
    allowed = os.sched_getaffinity(0)
    cores = {_core(cpus, cpu) for cpu in allowed}
    try:
        granted, period = quota.read_text().split()
        limit = math.inf if granted == "max" else int(granted) / int(period)
    except (OSError, ValueError):
        limit = math.inf
    return max(1, int(min(len(cores), limit)))


async def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Work for the CPU in a thread that ends with it, beside an engine.

    Each thread that computes has helpers for as long as it lives. As soon as all such threads of a process are more
    than there are cores, GNU's OpenMP lets none of them wait awake: a full-size model took 18 ms a token instead of 12.
    """
    worker = ThreadPoolExecutor(1)
    try:
        return await asyncio.wrap_future(worker.submit(work, *args, **kwargs))
    finally:
        worker.shutdown(wait=False)


def _core(cpus: Path, cpu: int) -> str:
    """What a CPU's hyper-threads have in common: the list of them."""
    try:
        return (cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


class FasterThreads:
    """All threads, or one alone: whichever makes a frame of codes sooner just now.

    Matrices that wait for memory gain from a second core while it is free: a full-size frame took 50 ms instead of 70
    on two quiet cores. Where another process has that core, all wait for the thread that does not get it, and one alone
    is up to twice as fast. So the other choice is tried now and then.
    """

    TRY_AFTER = 50  # frames
    TRY_FRAMES = 5  # in a row; the middle one counts, and of as many before
    BETTER = 0.93  # of the time is what the other must take, or noise would decide
    LOST = 1.4  # times as long, and a trial is over

    def __init__(self) -> None:
        self._alone = False
        self._left = (
            0  # frames until a trial; the first comes as soon as there is something to compare with
        )
        self._usual: list[float] = []
        self._tried: list[float] = []
        self._rows = 0

    def choose(self, most: int, rows: int) -> int:
        """How many threads the next frame of so many rows takes."""
        if rows != self._rows:  # frames are compared with those of as many rows
            self._rows = rows
            if self._tried:  # a trial that was cut off waits for its turn again
                self._left = self.TRY_AFTER
            self._usual.clear()
            self._tried.clear()
        return 1 if self._alone != self._is_trial else most

    def note(self, seconds: float) -> None:
        """How long that frame took."""
        if not self._is_trial:
            self._usual = [*self._usual, seconds][-self.TRY_FRAMES :]
            self._left -= 1
            return
        self._tried.append(seconds)
        usual = median(self._usual)
        if len(self._tried) == self.TRY_FRAMES or seconds > self.LOST * usual:
            if median(self._tried) < self.BETTER * usual:
                self._alone = not self._alone
            self._left = self.TRY_AFTER
            self._usual.clear()
            self._tried.clear()

    @property
    def _is_trial(self) -> bool:
        return self._left <= 0 and len(self._usual) == self.TRY_FRAMES
