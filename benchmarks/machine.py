"""What the figures were measured on: hardware, load, CPU seconds, and a calibrator to compare machines by.

Reads /proc where there is one and says null where there is none. Knows nothing of speech.
"""

import os
import platform
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


def hardware() -> dict[str, Any]:
    """The processor, memory and software of this machine."""
    model = None
    flags: set[str] = set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "model name":
                model = value
            elif key == "flags":
                flags = set(value.split())
    memory_gb = None
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        memory_gb = round(int(meminfo.read_text().split("MemTotal:")[1].split()[0]) / 2**20, 1)
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "cpu_extensions": sorted(
            flags & {"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"}
        ),
        "memory_gb": memory_gb,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
    }


def load_average() -> float | None:
    """Runnable processes over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def settle(limit_s: float, below: float = 0.5) -> float | None:
    """Wait, at most `limit_s`, until the load is below `below`; the load it is left at."""
    end = time.monotonic() + limit_s
    while (load := load_average()) is not None and load >= below and time.monotonic() < end:
        time.sleep(2)
    return load


def cpu_seconds(pid: int) -> float | None:
    """User and system time that a process and its threads have used so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float | None:
    """Resident memory of a process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)


@dataclass
class Timed:
    """What a block of code took. Filled in when the block ends."""

    wall_s: float = 0.0
    cpu_s: float = 0.0  # of this process, all threads


@contextmanager
def timed() -> Iterator[Timed]:
    """Wall and CPU seconds of a block."""
    taken, wall, cpu = Timed(), time.perf_counter(), time.process_time()
    try:
        yield taken
    finally:
        taken.wall_s, taken.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


def calibrate(num_gib: float = 1.0, rounds: int = 5) -> dict[str, float]:
    """Two rates of the bare machine, median of `rounds`: what a model's speed comes down to. A few seconds.

    `memory_read_gb_s`: a sum over `num_gib` GiB of float32, all threads. `matmul_1024_gflop_s`: one 1024 x 1024
    float32 product.
    """
    sweep = torch.ones(int(num_gib * 2**28))
    left, right = torch.rand(1024, 1024), torch.rand(1024, 1024)
    memory_rates: list[float] = []
    product_rates: list[float] = []
    with timed() as total:
        for _ in range(rounds + 1):
            with timed() as memory:
                sweep.sum().item()
            with timed() as product:
                torch.mm(left, right)
            memory_rates.append(sweep.nbytes / memory.wall_s / 1e9)
            product_rates.append(2 * 1024**3 / product.wall_s / 1e9)
    # The first round touches cold pages.
    return {
        "memory_read_gb_s": round(statistics.median(memory_rates[1:]), 1),
        "matmul_1024_gflop_s": round(statistics.median(product_rates[1:]), 1),
        "cpu_s": round(total.cpu_s, 2),
        "wall_s": round(total.wall_s, 2),
    }
