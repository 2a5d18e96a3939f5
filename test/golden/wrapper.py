"""Writes wrapper.json: torch.optim on small problems, for test/optim/wrapper-golden.test.ts. Run it by hand."""

import json
import pathlib

import torch

SHAPES = [[2, 3], [4], [1]]
STEPS = 12
CASES = [
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.05)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True)),
    ("Adam", dict(lr=0.1)),
    ("Adam", dict(lr=0.05, betas=[0.8, 0.95], eps=1e-5, weight_decay=0.1, amsgrad=True)),
    ("AdamW", dict(lr=0.05, weight_decay=0.1)),
    ("AdamW", dict(lr=0.05, betas=[0.8, 0.95], amsgrad=True)),
    ("RMSprop", dict(lr=0.05)),
    ("RMSprop", dict(lr=0.05, alpha=0.9, eps=1e-4, momentum=0.5, weight_decay=0.01, centered=True)),
    ("Adagrad", dict(lr=0.1)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.01, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-6)),
]
LBFGS = [
    dict(lr=0.1, max_iter=4),
    dict(lr=1.0, max_iter=6, history_size=3, line_search_fn="strong_wolfe"),
]


def size(shape):
    return torch.Size(shape).numel()


def start(k, i):
    return (((5 * i + 3 * k) % 7) - 3) / 4


def gradient(step, k, i):
    return ((((7 * step + 5 * k + 3 * i) * (step + i + 1)) % 31) - 15) / 16


def filled(shape, value):
    return torch.tensor([value(i) for i in range(size(shape))], dtype=torch.float64).view(shape)


def parameters():
    return [
        filled(shape, lambda i, k=k: start(k, i)).requires_grad_() for k, shape in enumerate(SHAPES)
    ]


def values(tensors):
    return [t.detach().flatten().tolist() for t in tensors]


def run(name, options, groups):
    params = parameters()
    # The second group has its own learning rate, its last parameter no weight decay.
    lists = [params[:1], params[1:]] if groups else [params]
    opt = getattr(torch.optim, name)(
        [dict(params=p, lr=options["lr"] * (i + 1)) for i, p in enumerate(lists)], **options
    )
    for step in range(1, STEPS + 1):
        for k, p in enumerate(params):
            p.grad = None if (step + k) % 5 == 0 else filled(p.shape, lambda i: gradient(step, k, i))
        if step == 7:
            for group in opt.param_groups:
                group["lr"] /= 2
        opt.step()
    return values(params)


def rosenbrock(options):
    p = torch.tensor([-1.5, 2.0], dtype=torch.float64, requires_grad=True)
    opt = torch.optim.LBFGS([p], **options)
    losses = []

    def closure():
        opt.zero_grad()
        loss = (1 - p[0]) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    for _ in range(5):
        losses.append(opt.step(closure).item())
    return dict(options=options, losses=losses, p=p.tolist())


golden = {
    "torch": torch.__version__,
    "shapes": SHAPES,
    "steps": STEPS,
    "cases": [
        dict(opt=name, options=options, groups=groups, expected=run(name, options, groups))
        for name, options in CASES
        for groups in (False, True)
    ],
    "lbfgs": [rosenbrock(options) for options in LBFGS],
}
target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps(golden, indent=1) + "\n")
