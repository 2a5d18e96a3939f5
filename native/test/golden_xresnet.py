"""Writes golden/xresnet.txt: two small xresnets built from plain torch.nn, with weights that a formula fills.

Run: python native/test/golden_xresnet.py
"""
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

NETS = {
    'basic': dict(layers=[2, 1, 1], expansion=1, c_in=3, n_out=5, stem=(32, 32, 64), widen=1.0, ks=3, size=33),
    'bottleneck': dict(layers=[1, 2], expansion=4, c_in=1, n_out=3, stem=(8, 16, 64), widen=0.5, ks=5, size=30),
}


def conv_layer(c_in, c_out, ks=3, stride=1, act=True):
    layers = [nn.Conv2d(c_in, c_out, ks, stride, padding=ks // 2, bias=False), nn.BatchNorm2d(c_out)]
    return nn.Sequential(*layers, *([nn.ReLU()] if act else []))


class Block(nn.Module):
    def __init__(self, c_in, c_out, expansion, ks, stride):
        super().__init__()
        hidden = c_out // expansion
        if expansion == 1:
            path = [conv_layer(c_in, hidden, ks, stride), conv_layer(hidden, c_out, ks, act=False)]
        else:
            path = [
                conv_layer(c_in, hidden, 1),
                conv_layer(hidden, hidden, ks, stride),
                conv_layer(hidden, c_out, 1, act=False),
            ]
        shortcut = [nn.AvgPool2d(stride, ceil_mode=True)] if stride > 1 else []
        if c_in != c_out:
            shortcut.append(conv_layer(c_in, c_out, 1, act=False))
        self.convpath = nn.Sequential(*path)
        self.idpath = nn.Sequential(*shortcut)

    def forward(self, x):
        return F.relu(self.convpath(x) + self.idpath(x))


def xresnet(layers, expansion, c_in, n_out, stem, widen, ks, **_):
    parts, channels = [], c_in
    for i, width in enumerate(stem):
        parts.append(conv_layer(channels, width, ks, stride=2 if i == 0 else 1))
        channels = width
    parts.append(nn.MaxPool2d(ks, 2, ks // 2))
    for stage, count in enumerate(layers):
        blocks, width = [], int([64, 128, 256, 512][stage] * widen) * expansion
        for i in range(count):
            blocks.append(Block(channels, width, expansion, ks, 2 if stage > 0 and i == 0 else 1))
            channels = width
        parts.append(nn.Sequential(*blocks))
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.0), nn.Linear(channels, n_out)]
    return nn.Sequential(*parts, *head)


def wave(shape, phase):
    """sin(0.7 j + phase) for element j, in float64."""
    count = math.prod(shape)
    return torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + phase).reshape(shape)


def fill(model):
    for k, p in enumerate(model.parameters()):
        values = wave(p.shape, k)
        if p.dim() > 1:
            values *= math.sqrt(2 / p[0].numel())
        else:
            values = 0.2 * values + (1 if k % 3 == 1 else 0)
        p.data.copy_(values)


def text(values):
    return ' '.join(f'{v:.9g}' for v in values)


def write(name, net, out):
    model = xresnet(**net)
    fill(model)
    x = wave((2, net['c_in'], net['size'], net['size']), 0.25).float()
    model.eval()
    with torch.no_grad():
        print(f'{name}.eval', text(model(x).flatten().tolist()), file=out)
    model.train()
    logits = model(x)
    loss = F.cross_entropy(logits, torch.tensor([0, 2]))
    loss.backward()
    print(f'{name}.train', text(logits.flatten().tolist()), file=out)
    print(f'{name}.loss', text([loss.item()]), file=out)
    print(f'{name}.names', ' '.join(n for n, _ in model.named_parameters()), file=out)
    print(f'{name}.grads', text(p.grad.double().norm().item() for p in model.parameters()), file=out)
    print(f'{name}.buffers', ' '.join(n for n, _ in model.named_buffers()), file=out)
    print(f'{name}.stats', text(b.double().norm().item() for b in model.buffers()), file=out)


if __name__ == '__main__':
    torch.set_num_threads(1)
    path = Path(__file__).parent / 'golden' / 'xresnet.txt'
    with path.open('w') as out:
        print(f'# golden_xresnet.py, torch {torch.__version__}, no random numbers', file=out)
        for name, net in NETS.items():
            write(name, net, out)
