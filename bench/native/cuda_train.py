"""Training steps of xresnet34 from TypeScript beside PyTorch's, on one GPU: medians of interleaved rounds, and their ratios to ours.

    node scripts/bootstrap.mjs --programs
    python bench/native/cuda_train.py [--node node] [--output FILE]

The two are processes of their own, of which only one works at a time. They fill the network by the same formula, and must find the
same loss. `--device cpu` shows that everything runs, at sizes that say nothing.
"""

import argparse
import datetime
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from contenders import BETAS
from kernels import ROOT

sys.path.append(str(ROOT / "native/test"))
from golden_xresnet import fill, wave, xresnet  # noqa: E402

OURS = "ours"
OURS_IN_GRAPH = "ours, by a Learner in a graph"
NADAM, ADAMW = "PyTorch, NAdam foreach", "PyTorch, AdamW fused"
NADAM_IN_GRAPH, ADAMW_IN_GRAPH = "PyTorch, NAdam in a graph", "PyTorch, AdamW in a graph"
XRESNET34 = dict(layers=[3, 4, 6, 3], expansion=1, c_in=3, n_out=10, stem=(32, 32, 64), widen=1.0, ks=3)
PARAMETERS = 21_309_034
ROUND_MS = 60  # what a round of one contender takes, about


def nadam(parameters, capturable):
    options = dict(decoupled_weight_decay=True, foreach=True, capturable=capturable)
    return torch.optim.NAdam(parameters, **BETAS, **options)


def adamw(parameters, capturable):
    fused = torch.cuda.is_available()
    return torch.optim.AdamW(parameters, **BETAS, fused=fused, capturable=capturable)


class Ours:
    """The program bench/train.ts."""

    def __init__(self, node, device):
        program = [node, "--expose-gc", str(ROOT / "build/programs/bench/train.js"), device]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.count = 0

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench/train.ts ended with status {self.process.wait()}")
        return json.loads(answer)

    def prepare(self, how, *alike):
        first = self.ask("prepare", how, *alike)
        number = self.count
        self.count += 1

        def run(steps):
            answer = self.ask("run", number, steps)
            first["explain"] = answer["explain"]
            return answer["ms"]

        return first, run


def measured(step, device):
    """A function that returns the milliseconds of one of `steps` steps."""

    def run(steps):
        if device == "cpu":
            start = time.perf_counter()
            for _ in range(steps):
                step()
            return (time.perf_counter() - start) * 1e3 / steps
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(steps):
            step()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / steps

    return run


def captured(step):
    """A function that replays the step as a CUDA graph, and keeps alive what that works on: a graph alone does not."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return lambda step=step: graph.replay()


def theirs(make, precision, batch, size, device, graph=False):
    layout = torch.channels_last if precision == "bfloat16" else torch.contiguous_format
    with torch.device(device):
        model = xresnet(**XRESNET34).to(memory_format=layout)
        fill(model)
        x = wave((batch, 3, size, size), 0.25).float().to(memory_format=layout)
        y = torch.arange(batch) % 10

    def loss():
        # Within a graph, a cast that is kept from one step to the next would go stale.
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=not graph):
            return F.cross_entropy(model(x), y)

    parameters = sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        first = {"parameters": parameters, "loss": loss().item()}
    optimizer = make(list(model.parameters()), capturable=graph)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return first, measured(captured(step) if graph else step, device)


def contenders(ours, precision, batch, size, device):
    """For each, what it found first, and a function that measures some of its steps."""
    alike = (precision, batch, size)
    all = {
        OURS: ours.prepare("loop", *alike),
        "ours, by a Learner": ours.prepare("learner", *alike),
        OURS_IN_GRAPH: ours.prepare("graph", *alike),
        NADAM: theirs(nadam, *alike, device),
        ADAMW: theirs(adamw, *alike, device),
    }
    if device == "cuda":
        all[NADAM_IN_GRAPH] = theirs(nadam, *alike, device, graph=True)
        all[ADAMW_IN_GRAPH] = theirs(adamw, *alike, device, graph=True)
    return all


def check_alike(firsts, precision, device):
    """The same network and images, whatever algorithm cuDNN took: in bfloat16 alone the loss is 10% off, and TF32 has two bits more."""
    tolerance = 0.15 if precision == "bfloat16" else 0.05 if device == "cuda" else 1e-4
    for name, first in firsts.items():
        if first["parameters"] != PARAMETERS:
            sys.exit(f"{name}: expected {PARAMETERS:,} parameters, got {first['parameters']:,}")
        if abs(first["loss"] / firsts[OURS]["loss"] - 1) > tolerance:
            sys.exit(f"{name}: expected the loss of ours, {firsts[OURS]['loss']}, got {first['loss']}")


def measure(runs, rounds, batch, device):
    """The median milliseconds of each, all measured in each round."""
    steps = dict.fromkeys(runs, 1)
    if device == "cuda":
        for name, run in runs.items():
            run(5)
            steps[name] = max(1, round(ROUND_MS / run(5)))
    taken = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(run(steps[name]))
    base = taken[OURS]
    return {
        name: {
            "ms": statistics.median(values),
            "images_per_second": batch * 1e3 / statistics.median(values),
            "ratio": statistics.median(value / ours for value, ours in zip(values, base)),
        }
        for name, values in taken.items()
    }


def compare(ours, precision, batch, size, device, rounds):
    all = contenders(ours, precision, batch, size, device)
    firsts = {name: first for name, (first, _) in all.items()}
    check_alike(firsts, precision, device)
    results = measure({name: run for name, (_, run) in all.items()}, rounds, batch, device)
    for name, first in firsts.items():
        results[name] |= {key: first[key] for key in ("loss", "explain") if key in first}
    return results


def show(title, results):
    print(f"\n{title}")
    for name, result in results.items():
        print(
            f"  {name:28}{result['ms']:10.2f} ms a step{result['images_per_second']:12,.0f} images/s"
            f"{result['ratio']:8.3f} x ours",
            flush=True,
        )
    print(f"  {OURS_IN_GRAPH}: {results[OURS_IN_GRAPH]['explain']}", flush=True)


def figures(results):
    """What is to be reached, beside the faster of PyTorch's two optimizers."""

    def beside(name, theirs, at_least):
        value = min(results[each]["ms"] for each in theirs) / results[OURS_IN_GRAPH]["ms"]
        unit = "times as long as ours in a graph"
        return {"name": name, "unit": unit, "value": value, "at_least": at_least, "reached": value >= at_least}

    return [
        beside("PyTorch, eager", [NADAM, ADAMW], 1.4),
        beside("PyTorch, in a graph", [NADAM_IN_GRAPH, ADAMW_IN_GRAPH], 1),
    ]


def machine(device):
    gpu = torch.cuda.get_device_name() if device == "cuda" else None
    versions = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return {"gpu": gpu, "python": platform.python_version(), **versions}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--node", default="node")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--output", type=Path, help="the JSON file to write")
    options = parser.parse_args()
    device = options.device
    batches, size, rounds = ([64, 256], 128, 15) if device == "cuda" else ([2], 32, 1)
    torch.backends.cudnn.benchmark = True

    ours = Ours(options.node, device)
    report = {"date": datetime.date.today().isoformat(), **machine(device), "size": size, "rounds": rounds, "results": {}}
    for batch in batches:
        for precision in ("bfloat16", "float32"):
            results = compare(ours, precision, batch, size, device, rounds)
            layout = ", channels last" if precision == "bfloat16" else ""
            title = f"{batch} images of {size} px, {precision}{layout}"
            report["results"][title] = results
            show(title, results)
            if device == "cuda" and (batch, precision) == (64, "bfloat16"):
                report["figures"] = figures(results)
            if options.output:
                options.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
