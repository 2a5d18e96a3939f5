"""The optimizer's kernels on a GPU (native/optim/fused/cuda) by ctypes, over tensors of PyTorch."""

import ctypes
import os
from pathlib import Path

import torch

from kernels import NADAM, Counters, Hypers, Tensor, options_of

LISTS = {
    "SGD": ["WEIGHT_DECAY", "SGD_STEP"],
    "momentum, L2": ["L2_REG", "AVERAGE_GRAD", "MOMENTUM_STEP"],
    "RMSProp": ["WEIGHT_DECAY", "AVERAGE_SQR_GRAD_DAMPENED", "RMS_PROP_STEP"],
    "RMSProp with momentum": ["L2_REG", "AVERAGE_SQR_GRAD", "AVERAGE_GRAD", "RMS_PROP_MOMENTUM_STEP"],
    "Adam": NADAM[:-1] + ["ADAM_STEP"],
    "NAdam": NADAM,
    "torch's NAdam": NADAM[:-1] + ["MU_PRODUCT", "TORCH_NADAM_STEP"],
    "RAdam": NADAM[:-1] + ["RADAM_STEP"],
    "QHAdam": NADAM[:-1] + ["QHADAM_STEP"],
    "Lion": ["WEIGHT_DECAY", "LION_STEP", "LION_AVERAGE"],
    "NAdam scaled and zeroed": ["SCALE_GRAD", *NADAM, "ZERO_GRAD"],
    "the same traffic": ["TRAFFIC"],
}

NAMES = {torch.float32: "FLOAT32", torch.float64: "FLOAT64", torch.bfloat16: "BFLOAT16", torch.float16: "FLOAT16"}
DEFAULTS = {"lr": 1e-3, "mom": 0.9, "sqr_mom": 0.99, "eps": 1e-8, "wd": 0.01, "nu_1": 0.7, "nu_2": 0.95}


class Where(ctypes.Structure):
    _fields_ = [("device", ctypes.c_int32), ("nvrtc", ctypes.c_char_p), ("cache", ctypes.c_char_p)]


def nvrtc_folders():
    """Where the NVRTC lies that came with this PyTorch."""
    packages = Path(torch.__file__).parents[1]
    places = [packages / "nvidia/cu13/lib", packages / "nvidia/cuda_nvrtc/lib", packages / "torch/lib"]
    return os.pathsep.join(map(str, places)).encode()


def check(problem):
    if problem:
        raise RuntimeError(ctypes.string_at(problem).decode())


def call(library, name, *arguments):
    function = getattr(library, f"fastopt_cuda_{name}")
    function.restype = ctypes.c_void_p
    check(function(*arguments))


def compile_list(library, callbacks, dtype, state_dtype, arch):
    """The bytes of machine code that NVRTC makes of a list, which needs no GPU."""
    options, size = options_of(callbacks, (), NAMES[dtype], NAMES[state_dtype]), ctypes.c_int64()
    call(library, "compile", ctypes.byref(options), arch, nvrtc_folders(), None, ctypes.byref(size))
    return size.value


class CudaPlan:
    """A step of one group of tensors on the current device, each list as long as `params`."""

    def __init__(self, library, callbacks, params, grads, grad_avgs, sqr_avgs, cache=None, **hypers):
        self.keep = (params, grads, grad_avgs, sqr_avgs)
        tensors = [
            Tensor(p.data_ptr(), g.data_ptr(), m.data_ptr(), v.data_ptr(), None, p.numel(), 0)
            for p, g, m, v in zip(*self.keep)
        ]
        options = options_of(callbacks, tensors, NAMES[params[0].dtype], NAMES[grad_avgs[0].dtype])
        where = Where(params[0].device.index, nvrtc_folders(), cache)
        self.library, self.plan = library, ctypes.c_void_p()
        self.hypers = Hypers(**{"momentum_decay": 4e-3, "grad_scale": 1, **DEFAULTS, **hypers})
        self.counters = (Counters * len(params))(*((0, 1, 1) for _ in params))
        call(library, "plan_create", ctypes.byref(options), ctypes.byref(where), ctypes.byref(self.plan))
        self.function = library.fastopt_cuda_plan_step
        self.function.restype = ctypes.c_void_p
        self.arguments = (self.plan, ctypes.byref(self.hypers), self.counters)
        self.found_inf = None

    def __del__(self):
        if self.plan:
            self.library.fastopt_cuda_plan_destroy(self.plan)

    @staticmethod
    def stream():
        return ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)

    def step(self):
        check(self.function(*self.arguments, self.found_inf, self.stream()))

    def hold_counters(self, found_inf=None):
        """The device counts from now on, but for steps where `found_inf` isn't 0."""
        self.found_inf = ctypes.c_void_p(found_inf.data_ptr()) if found_inf is not None else None
        call(self.library, "plan_hold_counters", self.plan, self.counters, self.stream())

    def set_hypers(self, **hypers):
        for name, value in hypers.items():
            setattr(self.hypers, name, value)
        call(self.library, "plan_set_hypers", self.plan, ctypes.byref(self.hypers), self.stream())

    def steps(self):
        """How many steps the device counted for each tensor."""
        call(self.library, "plan_read_counters", self.plan, self.counters, self.stream())
        return [n.step for n in self.counters]
