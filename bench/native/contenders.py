"""What is measured: functions that take one step over the same parameters, ours, PyTorch's and timm's."""

import functools
import importlib
import importlib.util
import sys
import types
from pathlib import Path

import torch

from kernels import ADAM, NADAM, Plan
from programs import nadam_programs

OURS = "ours: NAdam"
PROGRAMS = "ours: NAdam as programs"  # as a user's own callbacks would be
TRAFFIC = "the same traffic, no arithmetic"
FUSED_OP = "torch._fused_adamw_"
LOOP = "torch NAdam(foreach=False)"  # what torch.optim.NAdam does on a CPU when nothing is said
FOREACH = "torch NAdam(foreach=True)"
TIMM = "timm NAdamW"
COMPILED = "torch.compile of NAdam"

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


@functools.cache
def timm_optimizer(module, name):
    """timm imports torchvision, but its optimizers don't: their modules are loaded without the packages round them."""
    root = Path(importlib.util.find_spec("timm").origin).parent
    for package in ["timm", "timm.optim"]:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(root.joinpath(*package.split(".")[1:]))]
    return getattr(importlib.import_module(f"timm.optim.{module}"), name)


class Arena:
    """Parameters, gradients, and the two averages of each."""

    def __init__(self, params, grads, *state):
        self.params, self.grads, self.state = params, grads, state

    def cut(self, sizes):
        """The beginning of the first tensor of each, cut into tensors of these sizes."""
        blocks = (self.params, self.grads, *self.state)
        return Arena(*(list(block[0][: sum(sizes)].split(sizes)) for block in blocks))


def make_arena(sizes):
    return Arena(*([make(n) for n in sizes] for make in (torch.randn, torch.randn, torch.zeros, torch.zeros)))


def contender(name, arena, library, pool=None):
    """A function of no arguments that takes one step."""
    # Where the pages of a tensor happen to lie is worth some per cent: kernels share their state too.
    params, grads, state = arena.params, arena.grads, arena.state

    def ours(callbacks, programs=()):
        return Plan(library, callbacks, params, grads, *state, pool=pool, programs=programs, **HYPERS).step

    def theirs(make, **options):
        parameters = [torch.nn.Parameter(p) for p in params]
        for p, g in zip(parameters, grads):
            p.grad = g
        return make(parameters, **BETAS, **options).step

    def fused_op():
        steps = [torch.ones(()) for _ in params]
        options = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.01, "eps": 1e-8}
        return lambda: torch._fused_adamw_(
            params, grads, *state, [], steps, amsgrad=False, maximize=False, **options
        )

    decoupled = {"decoupled_weight_decay": True}
    makers = {
        OURS: lambda: ours(NADAM),
        "ours: Adam": lambda: ours(ADAM),
        PROGRAMS: lambda: ours(["STEP_STAT"], nadam_programs()),
        TRAFFIC: lambda: ours(["TRAFFIC"]),
        FUSED_OP: fused_op,
        "torch AdamW(fused=True)": lambda: theirs(torch.optim.AdamW, fused=True),
        FOREACH: lambda: theirs(torch.optim.NAdam, foreach=True, **decoupled),
        LOOP: lambda: theirs(torch.optim.NAdam, foreach=False, **decoupled),
        TIMM: lambda: theirs(timm_optimizer("nadamw", "NAdamW")),
        COMPILED: lambda: torch.compile(theirs(torch.optim.NAdam, **decoupled)),
    }
    return makers[name]()


KERNELS = [OURS, "ours: Adam", PROGRAMS, TRAFFIC, FUSED_OP, "torch AdamW(fused=True)"]
NADAMS = [FOREACH, LOOP, TIMM]
