"""Writes optim.json: what real fastai's optimizers, PyTorch's and timm's make of small parameters in 20 steps.

    python test/golden/optim.py > test/golden/optim.json

Needs torch and numpy, fastai (`pip install --no-deps fastai`) and what `fastai.optimizer` imports: fastcore, fasttransform,
"plum-dispatch<2.10", beartype, rich, fastprogress, matplotlib, pandas, scipy, requests, pyyaml, pillow, packaging; and timm
(`pip install --no-deps timm`). fastai has no NAdam: its callbacks and the article's formula make one here.
"""
import importlib
import importlib.metadata
import importlib.util
import json
import sys
import types
from functools import partial
from pathlib import Path

import torch
from fastai import optimizer as fastai
from fastai.optimizer import Optimizer, average_grad, average_sqr_grad, debias, l2_reg, step_stat, weight_decay

SHAPES = [[[2], [1, 2]], [[3]], [[1], [1]]]  # three groups
STEPS = 20
EARLY = 3  # the parameters are recorded after this step, too


def nadam_step(p, lr, mom, step, sqr_mom, grad_avg, sqr_avg, eps, **kwargs):
    d1, d2 = debias(mom, 1 - mom, step), debias(sqr_mom, 1 - sqr_mom, step)
    num = mom * grad_avg + (1 - mom) * p.grad
    p.data -= lr / d1 * num / ((sqr_avg / d2).sqrt() + eps)


def Nadam(params, lr, mom=0.9, sqr_mom=0.99, eps=1e-8, wd=0.01, decouple_wd=True):
    cbs = [weight_decay if decouple_wd else l2_reg, partial(average_grad, dampening=True), average_sqr_grad, step_stat, nadam_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd)


def Lookahead(params, k=6, alpha=0.5, **options):
    return fastai.Lookahead(fastai.Adam(params, **options), k=k, alpha=alpha)


FASTAI = {name: getattr(fastai, name) for name in ["SGD", "RMSProp", "Adam", "RAdam", "QHAdam", "Larc", "Lamb"]}
FASTAI |= {"Nadam": Nadam, "Lookahead": Lookahead, "Ranger": fastai.ranger}

# Each optimizer in each of the settings, the options of both together.
MAIN = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "mom": 0.9}),
    ("RMSProp", {"lr": 0.01}),
    ("RMSProp", {"lr": 0.01, "mom": 0.9}),
    ("Adam", {"lr": 0.01}),
    ("Nadam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01}),
    ("QHAdam", {"lr": 0.01}),
    ("Larc", {"lr": 0.1}),
    ("Lamb", {"lr": 0.01}),
    ("Lookahead", {"lr": 0.01}),
    ("Ranger", {"lr": 0.01, "k": 3}),
]
SPREAD = {"lr": {"slice": [1e-3, 1e-1]}}
SETTINGS = [
    {},
    {"options": {"wd": 0.1, **SPREAD}, "grouped": True},
    {"options": {"wd": 0.1, "decouple_wd": False}, "missing": True},
    {"options": {"wd": [0.1, 0.0, 0.2], "lr": {"slice": [None, 0.1]}}, "grouped": True, "no_decay": [1, 3], "clear_at": 8},
    {"options": SPREAD, "grouped": True, "freeze_to": -1, "force_train": [1], "unfreeze_at": 9},
    {"options": {"wd": 0.1, **SPREAD}, "grouped": True, "freeze_to": 1, "force_train": [0, 4], "missing": True, "scheduled": True},
]
MORE = [
    ("RAdam", {"lr": 0.01, "beta": 20.0}, {}),
    ("Larc", {"lr": 0.1, "mom": 0.0, "wd": 0.1}, {"missing": True}),
    ("Larc", {"lr": 1.0, "clip": False, "trust_coeff": 0.1}, {}),
    ("Larc", {"lr": 1e-3, "trust_coeff": 1.0}, {}),
    ("Lamb", {"lr": 0.01, "wd": 0.1}, {"zero": True}),
    ("QHAdam", {"lr": 0.01, "nu_1": 0.5, "nu_2": 0.5}, {}),
    ("Nadam", {"lr": 0.05, "mom": 0.0, "wd": 0.0}, {}),
    ("Lookahead", {"lr": 0.01, "k": 4, "alpha": 0.8, "wd": 0.1, "decouple_wd": False}, {"grouped": True, "no_decay": [0]}),
]

# (ours, options, the oracle, its options): where the maths of two optimizers is the same.
ORACLES = [
    ("SGD", {"lr": 0.1, "wd": 0.1, "decouple_wd": False}, "torch.optim.SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "mom": 0.9}, "torch.optim.SGD", {"lr": 0.1, "momentum": 0.9}),
    ("RMSProp", {"lr": 0.01, "eps": 1e-3}, "torch.optim.RMSprop", {"lr": 0.01, "eps": 1e-3}),
    ("Adam", {"lr": 0.01, "sqr_mom": 0.999, "eps": 1e-8, "wd": 0.1, "decouple_wd": False}, "torch.optim.Adam", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01}, "torch.optim.AdamW", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "eps": 0.0}, "torch.optim.RAdam", {"lr": 0.01, "betas": [0.9, 0.99], "eps": 0.0}),
    ("TorchNadam", {"lr": 0.01}, "torch.optim.NAdam", {"lr": 0.01}),
    ("TorchNadam", {"lr": 0.01, "wd": 0.1, "momentum_decay": 0.1}, "torch.optim.NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("TorchNadam", {"lr": 0.01, "wd": 0.1, "decouple_wd": True}, "torch.optim.NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Nadam", {"lr": 0.01, "wd": 0.1}, "timm.optim.nadamw.NAdamW", {"lr": 0.01, "betas": [0.9, 0.99], "weight_decay": 0.1}),
    ("Lion", {"lr": 0.01, "wd": 0.1}, "timm.optim.lion.Lion", {"lr": 0.01, "weight_decay": 0.1}),
    ("Adan", {"lr": 0.01, "wd": 0.1}, "timm.optim.adan.Adan", {"lr": 0.01, "weight_decay": 0.1, "no_prox": True}),
    ("StableAdam", {"lr": 0.01, "wd": 0.1}, "timm.optim.adamw.AdamWLegacy", {"lr": 0.01, "betas": [0.9, 0.99], "weight_decay": 0.1, "clipping_threshold": 1.0}),
]


def random(step, k, i):
    """A number from -2 to 2, exact in float32, the same in test/optim/golden.test.ts."""
    x = 1 + 10007 * step + 101 * k + i
    for _ in range(3):
        x = x * (48271 + x % 1009) % 2147483647
    return (x % 4096 - 2048) / 1024


def filled(shape, dtype, value):
    count = torch.Size(shape).numel()
    return torch.tensor([value(i) for i in range(count)], dtype=dtype).reshape(shape)


def start(dtype, zero=False):
    """The parameters; their values are the random numbers of step 0."""
    flat = [shape for group in SHAPES for shape in group]
    params = [filled(shape, dtype, partial(random, 0, k)) for k, shape in enumerate(flat)]
    return [(p * 0 if zero else p).requires_grad_() for p in params]


def set_grads(params, step, missing):
    for k, p in enumerate(params):
        absent = missing and (step + k) % 3 == 0
        p.grad = None if absent or not p.requires_grad else filled(p.shape, p.dtype, partial(random, step, k))


def hyper(value):
    return slice(*value["slice"]) if isinstance(value, dict) else value


def make_fastai(case, params):
    ends = [0, 2, 3, 5]
    groups = [params[a:b] for a, b in zip(ends, ends[1:])] if case.get("grouped") else params
    opt = FASTAI[case["opt"]](groups, **{name: hyper(value) for name, value in case["options"].items()})
    for k in case.get("no_decay", []):
        opt.state[params[k]]["do_wd"] = False
    for k in case.get("force_train", []):
        opt.state[params[k]]["force_train"] = True
    if "freeze_to" in case:
        opt.freeze_to(case["freeze_to"])
    return opt


def state_of(opt, p, k):
    state = dict(opt.state[p])
    if hasattr(opt, "slow_weights"):
        state |= {"slow_weights": [p for pg in opt.slow_weights for p in pg][k], "count": opt.count}
    return {key: plain(value) for key, value in state.items()}


def run(case, dtype):
    torch.set_default_dtype(dtype)  # the dtype of the scalars that PyTorch's NAdam keeps
    params = start(dtype, case.get("zero"))
    opt = make_oracle(case, params) if "oracle" in case else make_fastai(case, params)
    for step in range(1, STEPS + 1):
        if step == case.get("unfreeze_at"):
            opt.unfreeze()
        if step == case.get("clear_at"):
            opt.clear_state()
        if case.get("scheduled"):
            opt.set_hypers(lr=0.01 * step, **({"mom": 0.95 - step / 100} if case["options"].get("mom") != 0 else {}))
        set_grads(params, step, case.get("missing"))
        opt.step()
        if step == EARLY:
            early = [plain(p) for p in params]
    result = {"early": early, "params": [plain(p) for p in params]}
    if "oracle" in case:
        return result
    return result | {
        "state": [state_of(opt, p, k) for k, p in enumerate(params)],
        "hypers": [dict(h) for h in opt.hypers],
    }


def import_timm():
    """timm imports torchvision, but its optimizers don't: their modules are loaded without the packages round them."""
    root = Path(importlib.util.find_spec("timm").origin).parent
    for name in ["timm", "timm.optim"]:
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package


def make_oracle(case, params):
    module, name = case["oracle"].rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(params, **case["oracle_options"])


def plain(value):
    return value.detach().flatten().tolist() if torch.is_tensor(value) else value


def rounded(value, digits):
    if isinstance(value, dict):
        return {key: rounded(each, digits) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each, digits) for each in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def cases():
    for setting in SETTINGS:
        for name, options in MAIN:
            yield {**setting, "opt": name, "options": {**options, **setting.get("options", {})}}
    for name, options, setting in MORE:
        yield {"opt": name, "options": options, **setting}
    for name, options, oracle, oracle_options in ORACLES:
        yield {"opt": name, "options": options, "oracle": oracle, "oracle_options": oracle_options}


def main():
    import_timm()
    versions = {name: importlib.metadata.version(name) for name in ["torch", "fastai", "fastcore", "timm"]}
    head = json.dumps({"script": "test/golden/optim.py", "versions": versions, "shapes": SHAPES, "steps": STEPS, "early": EARLY})
    rows = []
    for case in cases():
        wide, narrow = run(case, torch.float64), run(case, torch.float32)
        expected = {"float64": rounded(wide, 15), "float32": rounded({"params": narrow["params"]}, 9)}
        rows.append(json.dumps({**case, "expected": expected}))
    body = ",\n".join(rows)
    print(f'{head[:-1]}, "cases": [\n{body}\n]}}')


main()
