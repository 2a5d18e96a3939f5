"""How it is measured: medians of interleaved rounds."""

import ctypes
import os
import platform
import resource
import statistics
import time
from pathlib import Path


def seconds(run, times):
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def page_faults(run, times=3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / times


def settle():
    """Waits until OpenMP's threads, which spin for some milliseconds after their work, leave the cores to the next contender.
    Awake: after a sleep the core is slow at first."""
    end = time.perf_counter() + 0.01
    while time.perf_counter() < end:
        pass


def interleave(runs, rounds):
    """The seconds of each in each round; short ones are repeated up to 5 ms."""
    times = {name: max(1, int(5e-3 / min(seconds(run, 1) for _ in range(2)))) for name, run in runs.items()}
    taken = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            settle()
            if times[name] > 1:
                run()  # alone finds the caches and threads as another left them
            taken[name].append(seconds(run, times[name]))
    return taken


def measure(runs, rounds):
    """The median seconds of each, and the median of its ratios to the first, round by round."""
    taken = interleave(runs, rounds)
    base = next(iter(taken.values()))
    return {
        name: {
            "seconds": statistics.median(values),
            "ratio": statistics.median(value / first for value, first in zip(values, base)),
            "page_faults": page_faults(runs[name]),
        }
        for name, values in taken.items()
    }


def keep_big_blocks():
    """Makes glibc keep freed memory: the allocator mode that is kindest to optimizers with temporaries."""
    libc = ctypes.CDLL(None)
    m_trim_threshold, m_mmap_threshold = -1, -3
    libc.mallopt(m_mmap_threshold, 1 << 30)
    libc.mallopt(m_trim_threshold, 2**31 - 1)


def cpu_name():
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.split(": ")[1] for line in lines if line.startswith("model name"))
    return f"{os.cpu_count()} x {next(names, platform.processor())}"
