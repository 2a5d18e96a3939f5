"""Writes elementwise.json: what PyTorch's AMSGrad and centred RMSprop make of two parameters in 20 steps, in float64.

    python test/golden/elementwise.py > test/golden/elementwise.json
"""
import json

import torch

SHAPES = [[2, 2], [3]]
STEPS = 20


def random(step, k, i):
    x = 1 + 10007 * step + 101 * k + i
    for _ in range(3):
        x = (x * (48271 + (x % 1009))) % 2147483647
    return ((x % 4096) - 2048) / 1024


def filled(step, k, shape):
    count = torch.Size(shape).numel()
    return torch.tensor([random(step, k, i) for i in range(count)], dtype=torch.float64).reshape(shape)


def run(make):
    params = [filled(0, k, shape).requires_grad_() for k, shape in enumerate(SHAPES)]
    opt = make(params)
    for step in range(1, STEPS + 1):
        for k, p in enumerate(params):
            p.grad = filled(step, k, p.shape)
        opt.step()
    return [p.flatten().tolist() for p in params]


print(json.dumps({
    "torch": torch.__version__,
    "shapes": SHAPES,
    "steps": STEPS,
    "AMSGrad": run(lambda ps: torch.optim.Adam(ps, lr=0.01, betas=(0.9, 0.99), eps=1e-5, amsgrad=True)),
    "centred RMSProp": run(lambda ps: torch.optim.RMSprop(ps, lr=0.01, alpha=0.9, eps=1e-5, centered=True)),
}))
