"""How many cores the arithmetic may use."""

import math
import os
from pathlib import Path

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


def _core(cpus: Path, cpu: int) -> str:
    """What a CPU's hyper-threads have in common: the list of them."""
    try:
        return (cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)
