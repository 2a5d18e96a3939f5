"""Writes learner.json: schedules, smoothed losses and suggested learning rates, by PyTorch and numpy.

The formulas are those of the papers and of fastai's documentation; positions run through float32 tensors as there.
Run with torch 2.13 and numpy: python test/golden/learner.py
"""

import json
import math
import pathlib

import numpy as np
import torch


def cosine(start, end):
    return lambda pos: start + (1 + math.cos(math.pi * (1 - pos))) * (end - start) / 2


def combined(shares, schedules):
    bounds = torch.cumsum(torch.tensor([0.0, *shares]), 0)

    def value(pos):
        index = min(int((pos >= bounds).nonzero().max()), len(schedules) - 1)
        within = (pos - bounds[index]) / (bounds[index + 1] - bounds[index])
        return schedules[index](within.item())

    return value


def one_cycle(batches, epochs, lr):
    up = 0.25
    lrs = combined([up, 1 - up], [cosine(lr / 25, lr), cosine(lr, lr / 1e5)])
    moms = combined([up, 1 - up], [cosine(0.95, 0.85), cosine(0.85, 0.95)])
    points = []
    for epoch in range(epochs):
        pos = epoch / epochs
        for _ in range(batches):
            points.append([lrs(pos), moms(pos)])
            pos += 1 / (batches * epochs)
    return points


def smoothed(losses, beta=0.98):
    average = torch.tensor(0.0, dtype=torch.float64)
    values = []
    for count, loss in enumerate(losses, 1):
        average = torch.lerp(torch.tensor(loss, dtype=torch.float64), average, beta)
        values.append((average / (1 - beta**count)).item())
    return values


def longest_valley(losses):
    """The length and the first end of the longest falling subsequence, by trying them all backwards."""
    best = {}

    def length(end):
        if end not in best:
            best[end] = 1 + max((length(i) for i in range(end) if losses[i] > losses[end]), default=0)
        return best[end]

    lengths = [length(i) for i in range(len(losses))]
    return max(lengths), int(np.argmax(lengths))


def suggestions(lrs, losses):
    longest, end = longest_valley(losses)
    start = end - longest
    third = (end - start) / 3
    slopes = np.gradient(losses)
    left, right, slide = -16, -1, lrs[-16]
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > 0.005:
        slide = lrs[left]
        left, right = left - 1, right - 1
    return {
        "valley": lrs[start + int(third) + int(third / 2)],
        "minimum": lrs[int(np.argmin(losses))] / 10,
        "steep": lrs[int(np.argmin(np.diff(losses) / np.diff(np.log(lrs))))],
        "slide": slide,
    }


def curve(seed, count=85):
    rng = np.random.default_rng(seed)
    lrs = 1e-6 * 10 ** (np.arange(count) * 7 / 100)
    x = np.linspace(0, 1, count)
    losses = 2.3 - 1.5 / (1 + np.exp(-14 * (x - 0.6))) + 3 * np.clip(x - 0.85, 0, None) ** 2 * 30 + rng.normal(0, 0.01, count)
    return lrs.tolist(), losses.tolist()


losses = [2.0, 1.0, 4.0, 0.5, 0.25, 3.0]
curves = [curve(seed) for seed in range(4)]
golden = {
    "torch": torch.__version__,
    "numpy": np.__version__,
    "oneCycle": {"lr": 1e-3, "one": one_cycle(147, 1, 1e-3), "three": one_cycle(7, 3, 1e-3)},
    "thirds": [combined([1 / 3, 1 / 3, 1 / 3], [cosine(0, 1), cosine(1, -2), cosine(-2, 5)])(i / 50) for i in range(50)],
    "smooth": {"losses": losses, "values": smoothed(losses)},
    "suggestions": [{"lrs": lrs, "losses": ls, **suggestions(lrs, ls)} for lrs, ls in curves],
}
path = pathlib.Path(__file__).with_name("learner.json")
path.write_text(json.dumps(golden, indent=1) + "\n")
