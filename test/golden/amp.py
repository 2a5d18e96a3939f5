"""Writes amp.json: autocast, GradScaler and mixed-precision training of PyTorch on the CPU.

Run by hand: python test/golden/amp.py (torch 2.13.0). Inputs come from a seeded generator and are multiples of 1/64.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(5)


def r(*shape):
    return (torch.randn(shape, generator=generator) * 64).round() / 64


def plain(item):
    return item if math.isfinite(item) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(item)]


def encode(value):
    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "dtype": str(value.dtype)[6:], "data": [plain(item) for item in value.flatten().tolist()]}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


CASES = {
    "matmul": [r(3, 4), r(4, 2)],
    "mm": [r(3, 4), r(4, 2)],
    "addmm": [r(2), r(3, 4), r(4, 2)],
    "bmm": [r(2, 3, 4), r(2, 4, 2)],
    "linear": [r(3, 4), r(2, 4), r(2)],
    "conv2d": [r(1, 2, 5, 5), r(3, 2, 3, 3)],
    "mse_loss": [r(3, 4), r(3, 4)],
    "cross_entropy_loss": [r(3, 4), torch.tensor([0, 3, 1])],
    "binary_cross_entropy_with_logits": [r(6), torch.tensor([0.0, 1, 1, 0, 1, 0])],
    "softmax": [r(3, 4), -1],
    "add": [r(3), r(3)],
    "relu": [r(5)],
    "sum": [r(3, 4)],
}


def autocast_cases():
    cases = []
    for dtype in (torch.bfloat16, torch.float16):
        for name, args in CASES.items():
            operator = getattr(torch.ops.aten, name)
            with torch.autocast("cpu", dtype=dtype):
                result = operator(*args)
            cases.append({"dtype": str(dtype)[6:], "op": name, "args": encode(args), "result": encode(result)})
    return cases


def scaler_trace():
    """Gradients of a loss `(w * x).sum() * blow`, which overflows at the steps where `blow` is infinite."""
    start = r(2, 3)
    w = torch.nn.Parameter(start.clone())
    opt = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_factor=3.0, backoff_factor=0.25, growth_interval=2)
    steps = []
    for step in range(10):
        x = r(2, 3)
        blow = {3: math.inf, 4: math.nan, 8: math.inf}.get(step, 1.0)
        scaler.scale((w * x).sum() * blow).backward()
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
        state = scaler.state_dict()
        steps.append(
            {
                "x": encode(x),
                "blow": plain(blow),
                "scale": state["scale"],
                "tracker": state["_growth_tracker"],
                "w": encode(w.detach()),
            }
        )
    return {"start": encode(start), "steps": steps, "state": scaler.state_dict()}


def training(dtype):
    """A loop with autocast and a scaler, whose loss overflows at the third batch."""
    weights = [r(8, 3), r(8), r(2, 8), r(2)]
    params = [torch.nn.Parameter(each.clone()) for each in weights]
    opt = torch.optim.SGD(params, lr=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3, enabled=dtype == torch.float16)
    x, y = r(32, 3), torch.arange(32) % 2
    losses, scales = [], []
    for batch in range(8):
        part = slice(4 * batch, 4 * batch + 4)
        with torch.autocast("cpu", dtype=dtype):
            pred = F.linear(F.linear(x[part], *params[:2]).relu(), *params[2:])
            loss = F.cross_entropy(pred.float(), y[part])
        losses.append(loss.item())
        scaler.scale(loss * (math.inf if batch == 2 and dtype == torch.float16 else 1)).backward()
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
        scales.append(scaler.get_scale())
    return {
        "start": encode(weights),
        "x": encode(x),
        "losses": losses,
        "scales": scales,
        "end": encode([p.detach() for p in params]),
    }


golden = {
    "torch": torch.__version__,
    "autocast": autocast_cases(),
    "scaler": scaler_trace(),
    "training": {str(dtype)[6:]: training(dtype) for dtype in (torch.bfloat16, torch.float16)},
}
path = pathlib.Path(__file__).with_name("amp.json")
path.write_text(",\n".join(f'"{key}": {json.dumps(value)}' for key, value in golden.items()).join(["{\n", "\n}\n"]))
