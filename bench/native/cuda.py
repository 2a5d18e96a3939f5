"""The fused step on a GPU: checked against the CPU's kernels and against PyTorch, then measured beside PyTorch's optimizers.

    cmake --build build/cmake --target fastopt_kernels
    python bench/native/cuda.py [--only xresnet34] [--output bench/results/gpu-optim.json]
    python bench/native/cuda.py --dry-run    compiles all kernels, also where there is no GPU
"""

import argparse
import copy
import datetime
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from contenders import BETAS, FOREACH, FUSED_OP, LOOP, OURS, TRAFFIC, xresnet34_sizes
from cuda_plan import DEFAULTS, LISTS, CudaPlan, compile_list
from kernels import ADAM, NADAM, ROOT, Plan, load

COPY = "copy of as many bytes"
GRAPH = "ours: NAdam in a graph"
CAPTURED = "torch NAdam(capturable=True) in a graph"
BYTES_A_PARAMETER = 28  # of an Adam in float32: reads p, g, m and v, writes p, m and v

SHAPES = {
    "xresnet34": xresnet34_sizes(),
    "one of 21,309,034": [sum(xresnet34_sizes())],
    "one of 268,435,456": [1 << 28],
    "1,000 of 64": [64] * 1000,
    "65,536 of 256": [256] * 65536,
}

DTYPES = [
    (torch.float32, torch.float32, 2e-6),
    (torch.float64, torch.float64, 1e-13),
    (torch.bfloat16, torch.float32, 1e-2),
    (torch.float16, torch.float32, 1e-3),
    (torch.float32, torch.bfloat16, 2e-2),
]


def dry_run(library):
    start = time.perf_counter()
    for arch in (80, 90):
        for callbacks in LISTS.values():
            for dtype, state_dtype, _ in DTYPES:
                assert compile_list(library, callbacks, dtype, state_dtype, arch) > 0
    count = 2 * len(LISTS) * len(DTYPES)
    print(f"{count} programs compiled for sm_80 and sm_90 in {time.perf_counter() - start:.0f} s; nothing was run")


# ---- Checks ----


def tensors_on(device, sizes, dtype, state_dtype):
    """Every third tensor begins where no vector can be loaded. The same values wherever they are."""
    generator = torch.Generator().manual_seed(1)

    def make(i, n, scale, dtype):
        values = torch.randn(n + i % 3 // 2, generator=generator, dtype=torch.float64) * scale
        return values.to(dtype).to(device)[i % 3 // 2 :]

    scales = [(1, dtype), (1, dtype), (0, state_dtype), (0, state_dtype)]
    return [[make(i, n, scale, kind) for i, n in enumerate(sizes)] for scale, kind in scales]


def difference(ours, theirs):
    pairs = ((a.double().cpu(), b.double().cpu()) for a, b in zip(ours, theirs))
    return max(((a - b).abs() / (1 + b.abs())).max().item() for a, b in pairs)


def naive_nadam(params, grads, grad_avgs, sqr_avgs, step, lr, mom, sqr_mom, eps, wd, **_):
    """A step of the article's NAdam by PyTorch's operators."""
    for p, g, m, v in zip(params, grads, grad_avgs, sqr_avgs):
        p.mul_(1 - lr * wd)
        m.mul_(mom).add_(g, alpha=1 - mom)
        v.mul_(sqr_mom).addcmul_(g, g, value=1 - sqr_mom)
        denom = (v / (1 - sqr_mom**step)).sqrt_().add_(eps)
        p.addcdiv_(m * mom + g * (1 - mom), denom, value=-lr / (1 - mom**step))


def check_lists(library, device):
    """How far each list is from the CPU's kernels in float64, after some steps; NAdam in every way of storing it."""
    sizes = [1, 7, 64, 4096, 4097, 100_003, 5]
    found = {}
    for name, callbacks in LISTS.items():
        for dtype, state_dtype, tolerance in DTYPES if name == "NAdam" else DTYPES[:2]:
            ours = tensors_on(device, sizes, dtype, state_dtype)
            theirs = tensors_on("cpu", sizes, torch.float64, torch.float64)
            for there, here in zip(theirs, ours):
                for a, b in zip(there, here):
                    a.copy_(b)
            plan, twin = CudaPlan(library, callbacks, *ours), cpu_plan(library, callbacks, theirs)
            for _ in range(10 if dtype in (torch.float32, torch.float64) else 2):
                plan.step()
                twin.step()
            apart = difference(ours[0], theirs[0])
            key = f"{name}, {dtype}, state {state_dtype}".replace("torch.", "")
            found[key] = {"difference": apart, "tolerance": tolerance, "passed": apart <= tolerance}
    return found


def cpu_plan(library, callbacks, tensors):
    return Plan(library, callbacks, *tensors, dtype="FLOAT64", **DEFAULTS)


def check_torch(library, device):
    ours = tensors_on(device, [3, 4096, 70_001], torch.float64, torch.float64)
    theirs = copy.deepcopy(ours)
    plan = CudaPlan(library, NADAM, *ours)
    for step in range(1, 21):
        plan.step()
        naive_nadam(*theirs, step, **DEFAULTS)
    apart = difference(ours[0], theirs[0])
    return {"NAdam by PyTorch's operators": {"difference": apart, "tolerance": 1e-12, "passed": apart <= 1e-12}}


def capture(step):
    """A function that replays a step as a graph, and keeps alive what that works on: a graph alone does not.

    The step is taken once before, as PyTorch's guide says.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return lambda step=step: graph.replay()


def check_graph(library, device):
    """A captured step, with other learning rates at its replays and one that is skipped."""
    ours = tensors_on(device, [3, 4096, 70_001], torch.float64, torch.float64)
    theirs = copy.deepcopy(ours)
    found_inf = torch.zeros((), device=device)
    plan = CudaPlan(library, NADAM, *ours)
    plan.hold_counters(found_inf)
    replay = capture(plan.step)
    naive_nadam(*theirs, 1, **DEFAULTS)
    step = 1
    for i in range(6):
        lr = 1e-3 / (i + 1)
        plan.set_hypers(lr=lr)
        found_inf.fill_(float(i == 3))
        replay()
        if i != 3:
            step += 1
            naive_nadam(*theirs, step, **{**DEFAULTS, "lr": lr})
    apart = difference(ours[0], theirs[0])
    passed = apart <= 1e-12 and plan.steps() == [step] * 3
    return {"a graph, with a skipped step": {"difference": apart, "tolerance": 1e-12, "passed": passed}}


def launches(plan):
    """The kernels that one step launches."""
    plan.step()
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        plan.step()
        torch.cuda.synchronize()
    on_gpu = [event.name for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return [name for name in on_gpu if not name.startswith("Mem")]


# ---- Measurements ----


def contenders(library, device, sizes):
    params, grads = ([torch.randn(n, device=device) for n in sizes] for _ in range(2))
    state = [[torch.zeros(n, device=device) for n in sizes] for _ in range(2)]
    half = torch.empty(BYTES_A_PARAMETER * sum(sizes) // 2, dtype=torch.uint8, device=device)
    other = torch.empty_like(half)

    def ours(callbacks):
        return CudaPlan(library, callbacks, params, grads, *state)

    def theirs(**options):
        parameters = [torch.nn.Parameter(p.clone()) for p in params]
        for p, g in zip(parameters, grads):
            p.grad = g
        return torch.optim.NAdam(parameters, **BETAS, decoupled_weight_decay=True, **options)

    def fused_op():
        steps = [torch.ones((), device=device) for _ in sizes]
        options = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.01, "eps": 1e-8}
        return lambda: torch._fused_adamw_(params, grads, *state, [], steps, amsgrad=False, maximize=False, **options)

    def ours_in_a_graph():
        plan = ours(NADAM)
        plan.hold_counters()
        plan.set_hypers()
        return capture(plan.step)

    runs = {
        OURS: ours(NADAM).step,
        "ours: Adam": ours(ADAM).step,
        TRAFFIC: ours(["TRAFFIC"]).step,
        COPY: lambda: other.copy_(half),
        FUSED_OP: fused_op(),
        GRAPH: ours_in_a_graph(),
    }
    if len(sizes) <= 1000:
        runs[FOREACH] = theirs(foreach=True).step
        runs[LOOP] = theirs(foreach=False).step
        runs[CAPTURED] = capture(theirs(foreach=True, capturable=True).step)
    return runs


def seconds(run, times):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(times):
        run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / times


def measure(runs, rounds, count):
    """The median seconds of each, of interleaved rounds, and the medians of its ratios to ours and to the copy's."""
    times = {}
    for name, run in runs.items():
        seconds(run, 2)
        times[name] = max(1, min(200, int(2e-3 / seconds(run, 2))))
    taken = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(seconds(run, times[name]))
    ratio = lambda values, base: statistics.median(a / b for a, b in zip(values, taken[base]))
    return {
        name: {
            "seconds": statistics.median(values),
            "ratio": ratio(values, OURS),
            "of_copy": 1 / ratio(values, COPY),
            "bytes_a_second": BYTES_A_PARAMETER * count / statistics.median(values),
        }
        for name, values in taken.items()
    }


def show(title, rows):
    print(f"\n{title}")
    for name, row in rows.items():
        if "seconds" in row:
            print(f"  {name:42}{row['seconds'] * 1e6:12,.1f} us{row['ratio']:9.3f} x ours{row['of_copy']:8.3f} of the copy")
        else:
            print(f"  {name:62}{row['difference']:10.2e}  {'passed' if row['passed'] else 'FAILED'}")


def header(device):
    properties = torch.cuda.get_device_properties(device)
    return {
        "date": datetime.date.today().isoformat(),
        "gpu": f"{properties.name}, {properties.multi_processor_count} multiprocessors",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }


def first_plan(library, device):
    """The seconds to make a plan of a list that nvcc had no part in: with an empty cache of kernels, and with a full one."""
    tensors = tensors_on(device, [64], torch.float32, torch.float32)
    with tempfile.TemporaryDirectory() as cache:
        taken = []
        for _ in range(2):
            start = time.perf_counter()
            CudaPlan(library, LISTS["NAdam scaled and zeroed"], *tensors, cache=cache.encode())
            taken.append(time.perf_counter() - start)
    return dict(zip(["compiled", "recalled"], taken))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=ROOT / "build/cmake/libfastopt_kernels.so")
    parser.add_argument("--dry-run", action="store_true", help="compile all kernels, and run nothing")
    parser.add_argument("--only", action="append", choices=SHAPES, help="this shape; may come several times")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, help="the JSON file to write")
    return parser.parse_args()


def main():
    options = parse()
    library = load(options.library)
    if options.dry_run:
        dry_run(library)
        return
    if not torch.cuda.is_available():
        sys.exit("cuda.py: there is no GPU that this PyTorch can use; --dry-run compiles the kernels without one")
    device = torch.device("cuda", torch.cuda.current_device())
    checks = {**check_lists(library, device), **check_torch(library, device), **check_graph(library, device)}
    show("differences, relative", checks)
    report = {**header(device), "rounds": options.rounds, "checks": checks, "plan": first_plan(library, device), "results": {}}
    print(f"\na plan takes {report['plan']} s")

    def write():
        if options.output:
            options.output.write_text(json.dumps(report, indent=2) + "\n")

    for shape in options.only or SHAPES:
        sizes = SHAPES[shape]
        results = measure(contenders(library, device, sizes), options.rounds, sum(sizes))
        report["results"][shape] = results
        show(f"{shape} on {report['gpu']}", results)
        write()
    # Last, as what the profiler leaves behind makes each launch slower.
    plan = CudaPlan(library, NADAM, *tensors_on(device, [64, 5000], torch.float32, torch.float32))
    report["launches"] = launches(plan)
    print(f"\none step launches {report['launches']}")
    write()
    failed = [name for name, row in checks.items() if not row["passed"]]
    if failed:
        sys.exit(f"cuda.py: differ too much: {'; '.join(failed)}")


if __name__ == "__main__":
    with torch.no_grad():
        main()
