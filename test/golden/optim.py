"""Writes optim.json: what real fastai's optimizers make of small parameters in 20 steps.

    python test/golden/optim.py > test/golden/optim.json

Needs torch, and fastai with fastcore (`pip install --no-deps fastai fastcore`) and what `fastai.optimizer` imports.
fastai has no NAdam: its callbacks and the article's formula make one here.
"""
import json
from functools import partial

import fastai
import fastcore
import torch
from fastai.optimizer import SGD, Adam, Optimizer, average_grad, average_sqr_grad, debias, l2_reg, step_stat, weight_decay

SHAPES = [[[3], [2, 2]], [[4]], [[2], [1]]]  # three groups
STEPS = 20


def nadam_step(p, lr, mom, step, sqr_mom, grad_avg, sqr_avg, eps, **kwargs):
    d1, d2 = debias(mom, 1 - mom, step), debias(sqr_mom, 1 - sqr_mom, step)
    num = mom * grad_avg + (1 - mom) * p.grad
    p.data -= lr / d1 * num / ((sqr_avg / d2).sqrt() + eps)


def Nadam(params, lr, mom=0.9, sqr_mom=0.99, eps=1e-8, wd=0.01, decouple_wd=True):
    cbs = [weight_decay if decouple_wd else l2_reg, partial(average_grad, dampening=True), average_sqr_grad, step_stat, nadam_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd)


OPTIMIZERS = {"SGD": SGD, "Adam": Adam, "Nadam": Nadam}
SPREAD = {"lr": {"slice": [1e-3, 1e-1]}}
CASES = [
    {"opt": "SGD", "options": {"lr": 0.1}},
    {"opt": "SGD", "options": {"lr": 0.1, "mom": 0.9, "wd": 0.1}},
    {"opt": "SGD", "options": {"lr": 0.1, "mom": 0.9, "wd": 0.1, "decouple_wd": False}},
    {"opt": "Adam", "options": {"lr": 0.01}},
    {"opt": "Adam", "options": {"lr": 0.01, "wd": 0.1, "decouple_wd": False}},
    {"opt": "Adam", "options": {"lr": {"slice": [None, 0.1]}, "sqr_mom": 0.999, "eps": 1e-3}, "grouped": True},
    {"opt": "Nadam", "options": {"lr": 0.01}},
    {"opt": "Nadam", "options": {"lr": 0.01, "wd": 0.1, "decouple_wd": False}},
    {"opt": "Nadam", "options": {"lr": 0.05, "mom": 0.0, "wd": 0.0}},
    {"opt": "Nadam", "options": {"wd": 0.1, **SPREAD}, "grouped": True},
    {"opt": "Nadam", "options": {"wd": [0.1, 0.0, 0.2], **SPREAD}, "grouped": True, "no_decay": [1, 3]},
    {"opt": "Nadam", "options": SPREAD, "grouped": True, "freeze_to": -1, "force_train": [1]},
    {"opt": "Nadam", "options": SPREAD, "grouped": True, "freeze_to": 1, "force_train": [0, 4], "unfreeze_at": 9},
    {"opt": "Nadam", "options": {"lr": 0.01}, "missing": True},
    {"opt": "Nadam", "options": {"lr": 0.01}, "clear_at": 8, "no_decay": [0], "grouped": True},
    {"opt": "Nadam", "options": SPREAD, "grouped": True, "scheduled": True},
    {"opt": "Adam", "options": {"lr": 0.01}, "scheduled": True, "missing": True},
    {"opt": "SGD", "options": {"lr": 0.01, "mom": 0.9}, "scheduled": True, "missing": True},
]


def start(k, i):
    """Element i of parameter k at the start: exact in float32."""
    return ((5 * i + 3 * k) % 7 - 3) / 4


def gradient(step, k, i):
    """Element i of the gradient of parameter k in a step: exact in float32."""
    return ((7 * step + 5 * k + 3 * i) * (step + i + 1) % 31 - 15) / 16


def filled(shape, dtype, value):
    count = torch.Size(shape).numel()
    return torch.tensor([value(i) for i in range(count)], dtype=dtype).reshape(shape)


def hyper(value):
    return slice(*value["slice"]) if isinstance(value, dict) else value


def run(case, dtype):
    flat = [shape for group in SHAPES for shape in group]
    params = [filled(shape, dtype, partial(start, k)).requires_grad_() for k, shape in enumerate(flat)]
    ends = [0, 2, 3, 5]
    groups = [params[a:b] for a, b in zip(ends, ends[1:])] if case.get("grouped") else params
    opt = OPTIMIZERS[case["opt"]](groups, **{name: hyper(value) for name, value in case["options"].items()})
    for k in case.get("no_decay", []):
        opt.state[params[k]]["do_wd"] = False
    for k in case.get("force_train", []):
        opt.state[params[k]]["force_train"] = True
    if "freeze_to" in case:
        opt.freeze_to(case["freeze_to"])
    for step in range(1, STEPS + 1):
        if step == case.get("unfreeze_at"):
            opt.unfreeze()
        if step == case.get("clear_at"):
            opt.clear_state()
        if case.get("scheduled"):
            opt.set_hypers(lr=0.01 * step, mom=0.95 - step / 100)
        for k, p in enumerate(params):
            absent = case.get("missing") and (step + k) % 3 == 0
            p.grad = None if absent or not p.requires_grad else filled(p.shape, dtype, partial(gradient, step, k))
        opt.step()
    states = [{key: plain(value) for key, value in opt.state[p].items()} for p in params]
    return {"params": [plain(p.data) for p in params], "state": states, "hypers": [dict(h) for h in opt.hypers]}


def plain(value):
    return value.flatten().tolist() if torch.is_tensor(value) else value


def main():
    versions = {"torch": torch.__version__, "fastai": fastai.__version__, "fastcore": fastcore.__version__}
    dtypes = {"float32": torch.float32, "float64": torch.float64}
    cases = [{**case, "expected": {name: run(case, dtype) for name, dtype in dtypes.items()}} for case in CASES]
    head = json.dumps({"script": "test/golden/optim.py", "versions": versions, "shapes": SHAPES, "steps": STEPS})
    rows = ",\n".join(json.dumps(case) for case in cases)
    print(f'{head[:-1]}, "cases": [\n{rows}\n]}}')


main()
