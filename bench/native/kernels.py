"""The optimizer's kernels (native/optim/fused) by ctypes, over tensors of PyTorch."""

import ctypes
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = (ROOT / "native/optim/fused/fused.h").read_text()


def names_of(enum):
    """The names of an enum of the header, in their order."""
    body = re.search(rf"enum {enum} {{(.*?)}};", HEADER, re.S).group(1)
    return re.findall(r"FASTOPT_(\w+)", re.sub(r"//.*", "", body))


CALLBACKS = {name: i for i, name in enumerate(names_of("fastopt_callback"))}
FIRST_PROGRAM = int(re.search(r"FASTOPT_PROGRAM = (\d+)", HEADER).group(1))
DTYPES = {name: i for i, name in enumerate(names_of("fastopt_dtype"))}

NADAM = ["WEIGHT_DECAY", "AVERAGE_GRAD_DAMPENED", "AVERAGE_SQR_GRAD_DAMPENED", "STEP_STAT", "NADAM_STEP"]
ADAM = NADAM[:-1] + ["ADAM_STEP"]


class Tensor(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("param", "grad", "grad_avg", "sqr_avg", "slow")] + [
        ("size", ctypes.c_int64),
        ("group", ctypes.c_int64),
        ("own", ctypes.c_void_p * 8),
    ]


class Hypers(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_double)
        for name in "lr mom sqr_mom eps wd nu_1 nu_2 momentum_decay grad_scale slow_step".split()
    ] + [("own", ctypes.c_double * 16)]


class Options(ctypes.Structure):
    _fields_ = [
        ("dtype", ctypes.c_int),
        ("state_dtype", ctypes.c_int),
        ("isa", ctypes.c_int),
        ("callbacks", ctypes.POINTER(ctypes.c_int32)),
        ("callback_count", ctypes.c_int64),
        ("programs", ctypes.c_void_p),
        ("program_count", ctypes.c_int64),
        ("tensors", ctypes.POINTER(Tensor)),
        ("tensor_count", ctypes.c_int64),
    ]


class Counters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("step", "do_wd", "mu_product")]


def load(path):
    library = ctypes.CDLL(str(path))
    library.fastopt_plan_create.restype = ctypes.c_char_p
    library.fastopt_pool_create.restype = ctypes.c_void_p
    return library


def options_of(callbacks, tensors=(), dtype="FLOAT32", state_dtype="FLOAT32", programs=()):
    """A plan's options: callbacks by their names, then programs."""
    numbers = [CALLBACKS[name] for name in callbacks] + [FIRST_PROGRAM + i for i in range(len(programs))]
    ids = (ctypes.c_int32 * len(numbers))(*numbers)
    listed = ctypes.cast((type(programs[0]) * len(programs))(*programs) if programs else None, ctypes.c_void_p)
    table = (Tensor * len(tensors))(*tensors)
    options = Options(
        DTYPES[dtype], DTYPES[state_dtype], 0, ids, len(numbers), listed, len(programs), table, len(tensors)
    )
    options.keep = listed, programs
    return options


class Plan:
    """A step of one group of tensors of one dtype, each list as long as `params`: by callbacks, then by programs."""

    def __init__(
        self,
        library,
        callbacks,
        params,
        grads,
        grad_avgs,
        sqr_avgs,
        pool=None,
        programs=(),
        dtype="FLOAT32",
        **hypers,
    ):
        count = len(params)
        tensors = [
            Tensor(p.data_ptr(), g.data_ptr(), m.data_ptr(), v.data_ptr(), None, p.numel(), 0)
            for p, g, m, v in zip(params, grads, grad_avgs, sqr_avgs)
        ]
        self.hypers = Hypers(**{"momentum_decay": 4e-3, "grad_scale": 1, "nu_1": 1, "nu_2": 1, **hypers})
        self.counters = (Counters * count)(*((0, 1, 1) for _ in params))
        plan = ctypes.c_void_p()
        options = options_of(callbacks, tensors, dtype, dtype, programs)
        problem = library.fastopt_plan_create(ctypes.byref(options), ctypes.byref(plan))
        if problem:
            raise ValueError(problem.decode())
        parallel = ctypes.cast(library.fastopt_pool_run, ctypes.c_void_p) if pool else None
        self.keep = (params, grads, grad_avgs, sqr_avgs)
        self.function = library.fastopt_plan_step
        self.arguments = (plan, ctypes.byref(self.hypers), self.counters, parallel, ctypes.c_void_p(pool))

    def step(self):
        self.function(*self.arguments)
