"""Writes golden/fastai.txt: fastai's own xresnets as they are right after construction under a seed.

Needs fastai (2.8) beside torch. For each network: the names of its parameters and buffers, and for each parameter the
sum of its values and of their absolute values.
Run: python native/test/golden_fastai.py
"""
from pathlib import Path

import fastai
import torch
from fastai.vision.models.xresnet import xresnet18, xresnet34, xresnet50

SEED = 5


def text(values):
    return ' '.join(f'{v:.9g}' for v in values)


if __name__ == '__main__':
    path = Path(__file__).parent / 'golden' / 'fastai.txt'
    with path.open('w') as out:
        print(f'# golden_fastai.py, fastai {fastai.__version__}, torch {torch.__version__}, seed {SEED}', file=out)
        for make in (xresnet18, xresnet34, xresnet50):
            torch.manual_seed(SEED)
            model, name = make(n_out=10), make.__name__
            print(f'{name}.names', ' '.join(n for n, _ in model.named_parameters()), file=out)
            print(f'{name}.buffers', ' '.join(n for n, _ in model.named_buffers()), file=out)
            parameters = [p.detach().double() for p in model.parameters()]
            print(f'{name}.sums', text(p.sum().item() for p in parameters), file=out)
            print(f'{name}.sizes', text(p.abs().sum().item() for p in parameters), file=out)
