"""The parts of the bench: each is a function that returns tables, `{title: {contender: numbers}}`."""

import statistics
from functools import partial

import torch

from contenders import (
    COMPILED,
    FOREACH,
    FUSED_OP,
    KERNELS,
    LOOP,
    NADAMS,
    OURS,
    TIMM,
    TRAFFIC,
    Arena,
    contender,
    make_arena,
    xresnet34_sizes,
)
from kernels import load
from measure import interleave, measure

IN_CACHE, SMALL, MANY = "one of 16,384", "1,000 of 64", "65,536 of 256"
NEAR_TIES = [OURS, TRAFFIC, FUSED_OP]


class Bench:
    """What the parts share: the kernels, and sizes and rounds, which are small when it is quick."""

    def __init__(self, library, rounds, quick):
        scale = 1000 if quick else 1
        self.rounds = 2 if quick else rounds
        self.library = load(library)
        xresnet34 = [max(1, n // scale) for n in xresnet34_sizes()]
        self.shapes = {
            "xresnet34": xresnet34,
            "one of 21,309,034": [sum(xresnet34)],
            IN_CACHE: [16384],
            SMALL: [64] * 1000,
            MANY: [256] * (65536 // scale),
        }
        self.growth = {f"{millions} M": millions * 1_000_000 // scale for millions in (21, 64, 128, 256, 500)}
        self.counts = [1 << exponent for exponent in (range(2, 7) if quick else range(10, 15))]

    def pool(self, threads):
        torch.set_num_threads(threads)
        return self.library.fastopt_pool_create(threads) if threads > 1 else None

    def contenders(self, names, arena, pool):
        return {name: contender(name, arena, self.library, pool) for name in names}


def shape_table(bench, shape, threads, names):
    """Contenders over one shape, in turn."""
    pool = bench.pool(threads)
    return {shape: measure(bench.contenders(names, make_arena(bench.shapes[shape]), pool), bench.rounds)}


def near_ties(bench):
    """The contenders that are close to each other, over the shapes that have a limit; on one thread."""
    tables = {}
    for shape in ("xresnet34", IN_CACHE, SMALL):
        tables |= shape_table(bench, shape, 1, NEAR_TIES)
    return tables


def growth(bench, threads):
    """One tensor, larger and larger, all in turn: the smaller ones are the beginnings of the largest."""
    pool, arena = bench.pool(threads), make_arena([max(bench.growth.values())])
    runs = {
        (name, label): contender(name, arena.cut([n]), bench.library, pool)
        for label, n in bench.growth.items()
        for name in NEAR_TIES
    }
    rows = measure(runs, bench.rounds)
    smallest = next(iter(bench.growth.values()))
    for (_, label), row in rows.items():
        row["ratio_a_parameter"] = row["ratio"] * smallest / bench.growth[label]
    return {f"{label} parameters": {name: rows[name, label] for name in NEAR_TIES} for label in bench.growth}


def per_tensor(bench, threads):
    """The same parameters in more and more tensors, all in turn: the slope is what each further one costs."""
    pool, total = bench.pool(threads), bench.counts[-1] * 64
    arena = make_arena([total])
    runs = {
        (name, count): contender(name, arena.cut([total // count] * count), bench.library, pool)
        for count in bench.counts
        for name in NEAR_TIES
    }
    taken = interleave(runs, bench.rounds)
    rows = {}
    for name in NEAR_TIES:
        rounds = zip(*(taken[name, count] for count in bench.counts))
        slopes = [statistics.linear_regression(bench.counts, seconds).slope for seconds in rounds]
        rows[name] = {"seconds_a_tensor": statistics.median(slopes)}
    return {f"{total:,} parameters in {bench.counts[0]:,} to {bench.counts[-1]:,} tensors": rows}


def oracle(bench, steps=50):
    """How far the weights are from those of timm's NAdamW, relative to the larger of 1 and the weight."""
    arena = make_arena(bench.shapes["xresnet34"])
    other = Arena([p.clone() for p in arena.params], arena.grads)
    runs = [contender(OURS, arena, bench.library), contender(TIMM, other, bench.library)]
    for _ in range(steps):
        for g in arena.grads:
            g.normal_()
        for run in runs:
            run()
    pairs = zip(arena.params, other.params)
    difference = max(((a - b).abs() / b.abs().clamp(min=1)).max().item() for a, b in pairs)
    return {f"after {steps} steps of xresnet34": {TIMM: {"difference": difference}}}


def alone(name, allocator):
    return f"{name} alone, allocator: {allocator}"


def threaded(name, threads):
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def parts(quick, compiled):
    """The parts by name; one whose name ends in `keeps` wants an allocator that keeps big blocks."""
    found = {"oracle": oracle}
    for threads in (1,) if quick else (1, 2):
        for shape in ("xresnet34", "one of 21,309,034", IN_CACHE, SMALL, MANY):
            # There a step of the NAdams takes seconds.
            names = KERNELS if shape == MANY and threads > 1 else KERNELS + NADAMS
            found[threaded(shape, threads)] = partial(shape_table, shape=shape, threads=threads, names=names)
    for name in (LOOP, FOREACH):
        for allocator in ("default", "keeps"):
            found[alone(name, allocator)] = partial(shape_table, shape="xresnet34", threads=1, names=[OURS, name])
    for process in range(1, 2 if quick else 6):
        found[f"near-ties, process {process}"] = near_ties
    for threads in (1, 2):
        found[threaded("growth", threads)] = partial(growth, threads=threads)
        found[threaded("per tensor", threads)] = partial(per_tensor, threads=threads)
    if compiled:
        found[COMPILED] = partial(shape_table, shape="xresnet34", threads=1, names=[OURS, COMPILED])
    return found
