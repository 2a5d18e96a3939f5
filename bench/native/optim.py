"""The fused step beside PyTorch's optimizers, in one process: medians of interleaved rounds, and their ratios to ours.

    cmake --build build/cmake --target fastopt_kernels
    python bench/native/optim.py [--only xresnet34] [--threads 2] [--against "torch NAdam(foreach=False)"]

What an optimizer with temporaries costs depends on what the process did to its heap before: `--against` measures one contender beside
ours in a fresh process, and `--allocator keeps` lets glibc keep big blocks.
"""

import argparse
import ctypes
import datetime
import json
import os
import platform
import resource
import statistics
import time
from pathlib import Path

import torch

from kernels import ADAM, NADAM, ROOT, Plan, load

OURS = "ours: NAdam"
COMPILED = "torch.compile of NAdam"  # takes minutes to compile: only where it is asked for
HYPERS = {"lr": 1e-3, "mom": 0.9, "sqr_mom": 0.99, "eps": 1e-8, "wd": 0.01}
BETAS = {"lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.01}


def xresnet34_sizes():
    """The elements of each parameter of an xresnet34 with 10 outputs: 116 tensors."""
    sizes = []

    def conv_norm(n_in, n_out, kernel):
        sizes.extend([n_in * n_out * kernel * kernel, n_out, n_out])

    for n_in, n_out in [(3, 32), (32, 32), (32, 64)]:
        conv_norm(n_in, n_out, 3)
    n_in = 64
    for n_out, blocks in [(64, 3), (128, 4), (256, 6), (512, 3)]:
        for _ in range(blocks):
            conv_norm(n_in, n_out, 3)
            conv_norm(n_out, n_out, 3)
            if n_in != n_out:
                conv_norm(n_in, n_out, 1)
            n_in = n_out
    return [*sizes, 512 * 10, 10]


SHAPES = {
    "xresnet34": xresnet34_sizes(),
    "one of 21,309,034": [sum(xresnet34_sizes())],
    "one of 16,384": [16384],
    "1,000 of 64": [64] * 1000,
    "65,536 of 256": [256] * 65536,
}


def contenders(library, sizes, pool, names=None):
    """Functions of no arguments, each of which takes one step; all over the same parameters and gradients."""
    # Where the pages of a tensor happen to lie is worth some per cent: kernels share their state too.
    params, grads = ([torch.randn(n) for n in sizes] for _ in range(2))
    state = [[torch.zeros(n) for n in sizes] for _ in range(2)]

    def ours(callbacks):
        return Plan(library, callbacks, params, grads, *state, pool=pool, **HYPERS).step

    def theirs(make, **options):
        parameters = [torch.nn.Parameter(p) for p in params]
        for p, g in zip(parameters, grads):
            p.grad = g
        return make(parameters, **BETAS, **options).step

    def fused_op():
        steps = [torch.ones(()) for _ in sizes]
        options = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.01, "eps": 1e-8}
        return lambda: torch._fused_adamw_(
            params, grads, *state, [], steps, amsgrad=False, maximize=False, **options
        )

    decoupled = {"decoupled_weight_decay": True}
    makers = {
        OURS: lambda: ours(NADAM),
        "ours: Adam": lambda: ours(ADAM),
        "the same traffic, no arithmetic": lambda: ours(["TRAFFIC"]),
        "torch._fused_adamw_": fused_op,
        "torch AdamW(fused=True)": lambda: theirs(torch.optim.AdamW, fused=True),
        "torch NAdam(foreach=True)": lambda: theirs(torch.optim.NAdam, foreach=True, **decoupled),
        "torch NAdam(foreach=False)": lambda: theirs(torch.optim.NAdam, foreach=False, **decoupled),
        COMPILED: lambda: torch.compile(theirs(torch.optim.NAdam, **decoupled)),
    }
    return {name: makers[name]() for name in names or makers if names or name != COMPILED}


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


def measure(runs, rounds):
    """The median seconds of each, all measured in each round; short ones are repeated up to 5 ms."""
    times = {name: max(1, int(5e-3 / min(seconds(run, 1) for _ in range(2)))) for name, run in runs.items()}
    taken = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(seconds(run, times[name]))
    base = taken[OURS]
    return {
        name: {
            "page_faults": page_faults(runs[name]),
            "seconds": statistics.median(values),
            "ratio": statistics.median(value / ours for value, ours in zip(values, base)),
        }
        for name, values in taken.items()
    }


def keep_big_blocks():
    """Makes glibc keep freed memory: the allocator mode that is kindest to optimizers with temporaries."""
    libc = ctypes.CDLL(None)
    m_trim_threshold, m_mmap_threshold = -1, -3
    libc.mallopt(m_mmap_threshold, 1 << 30)
    libc.mallopt(m_trim_threshold, 2**31 - 1)


def show(title, results):
    print(f"\n{title}")
    for name, result in results.items():
        print(
            f"  {name:34}{result['seconds'] * 1e6:14,.1f} us{result['ratio']:9.3f} x ours"
            f"{result['page_faults']:10.1f} page faults"
        )


def machine():
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(": ")[1] for line in lines if line.startswith("model name")), cpu)
    return {"cpu": cpu, "python": platform.python_version(), "torch": torch.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=ROOT / "build/cmake/libfastopt_kernels.so")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", action="append", choices=SHAPES, help="this shape; may come several times")
    parser.add_argument("--against", action="append", help="this contender beside ours; may come several times")
    parser.add_argument("--allocator", choices=["default", "keeps"], default="default")
    parser.add_argument("--output", type=Path, help="the JSON file to which the results are added")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    library = load(options.library)
    pool = library.fastopt_pool_create(options.threads) if options.threads > 1 else None
    report = {
        "date": datetime.date.today().isoformat(),
        **machine(),
        "threads": options.threads,
        "allocator": options.allocator,
        "rounds": options.rounds,
        "load": os.getloadavg()[0],
        "results": {},
    }
    if options.allocator == "keeps":
        keep_big_blocks()
    names = [OURS, *options.against] if options.against else None
    for shape in options.only or SHAPES:
        results = measure(contenders(library, SHAPES[shape], pool, names), options.rounds)
        report["results"][shape] = results
        show(f"{shape}, {options.threads} thread(s), allocator: {options.allocator}", results)
    if options.output:
        earlier = json.loads(options.output.read_text()) if options.output.exists() else []
        options.output.write_text(json.dumps([*earlier, report], indent=2) + "\n")


if __name__ == "__main__":
    with torch.no_grad():
        main()
