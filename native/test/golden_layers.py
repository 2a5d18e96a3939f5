"""Writes golden/layers.txt: what PyTorch's own layers print, how they begin and what they compute.

For each case: `repr`; `init`, the sum of the absolute values of each parameter after `torch.manual_seed(7)`; and `out`,
the first values of the output in training mode after another `torch.manual_seed(7)`, for x_j = sin(0.7 j + 0.25).
Run: python native/test/golden_layers.py
"""
import math
from pathlib import Path

import torch
from torch import nn

IMAGE = (2, 4, 6, 7)
CASES = {
    'conv1d': (lambda: nn.Conv1d(4, 6, 3, padding=1), (2, 4, 9)),
    'conv2d': (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), IMAGE),
    'conv2d_reflect': (lambda: nn.Conv2d(4, 6, (3, 5), padding='same', groups=2, padding_mode='reflect'), IMAGE),
    'conv2d_dilated': (lambda: nn.Conv2d(4, 6, 2, padding=(2, 1), dilation=2, padding_mode='circular'), IMAGE),
    'conv3d': (lambda: nn.Conv3d(2, 3, 2, padding=1, padding_mode='replicate'), (1, 2, 3, 4, 5)),
    'conv_transpose2d': (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), IMAGE),
    'linear': (lambda: nn.Linear(7, 5), IMAGE),
    'linear_plain': (lambda: nn.Linear(7, 5, bias=False), IMAGE),
    'embedding': (lambda: nn.Embedding(10, 3, padding_idx=-1), None),
    'batch_norm1d': (lambda: nn.BatchNorm1d(4), (3, 4)),
    'batch_norm2d': (lambda: nn.BatchNorm2d(4, eps=1e-3, momentum=0.25), IMAGE),
    'batch_norm3d': (lambda: nn.BatchNorm3d(2, affine=False, track_running_stats=False), (2, 2, 3, 4, 5)),
    'instance_norm2d': (lambda: nn.InstanceNorm2d(4), IMAGE),
    'layer_norm': (lambda: nn.LayerNorm(7), IMAGE),
    'layer_norm_plain': (lambda: nn.LayerNorm((6, 7), eps=1e-6, elementwise_affine=False), IMAGE),
    'group_norm': (lambda: nn.GroupNorm(2, 4), IMAGE),
    'dropout': (lambda: nn.Dropout(0.25), IMAGE),
    'dropout2d': (lambda: nn.Dropout2d(), IMAGE),
    'max_pool2d': (lambda: nn.MaxPool2d((3, 2), padding=1, ceil_mode=True), IMAGE),
    'avg_pool2d': (lambda: nn.AvgPool2d(2, ceil_mode=True), IMAGE),
    'avg_pool2d_padded': (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    'adaptive_avg_pool2d': (lambda: nn.AdaptiveAvgPool2d(1), IMAGE),
    'adaptive_max_pool2d': (lambda: nn.AdaptiveMaxPool2d((2, 3)), IMAGE),
    'flatten': (lambda: nn.Flatten(), IMAGE),
    'identity': (lambda: nn.Identity(), IMAGE),
    'relu': (lambda: nn.ReLU(), IMAGE),
    'relu_inplace': (lambda: nn.ReLU(inplace=True), IMAGE),
    'leaky_relu': (lambda: nn.LeakyReLU(0.2), IMAGE),
    'gelu': (lambda: nn.GELU(), IMAGE),
    'gelu_tanh': (lambda: nn.GELU('tanh'), IMAGE),
    'silu': (lambda: nn.SiLU(), IMAGE),
    'sigmoid': (lambda: nn.Sigmoid(), IMAGE),
    'tanh': (lambda: nn.Tanh(), IMAGE),
    'softmax': (lambda: nn.Softmax(1), IMAGE),
    'log_softmax': (lambda: nn.LogSoftmax(-1), IMAGE),
    'upsample': (lambda: nn.Upsample(scale_factor=2), IMAGE),
    'upsample_size': (lambda: nn.Upsample(size=(3, 9)), IMAGE),
}


def wave(shape):
    count = math.prod(shape)
    return torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + 0.25).reshape(shape).float()


def text(values):
    return ' '.join(f'{v:.9g}' for v in values)


if __name__ == '__main__':
    torch.set_num_threads(1)
    path = Path(__file__).parent / 'golden' / 'layers.txt'
    with path.open('w') as out:
        print(f'# golden_layers.py, torch {torch.__version__}, seed 7', file=out)
        for name, (make, shape) in CASES.items():
            torch.manual_seed(7)
            layer = make()
            x = torch.tensor([[1, 0, 9]]) if shape is None else wave(shape)
            torch.manual_seed(7)
            y = layer(x)
            print(f'{name}.repr', layer.extra_repr(), file=out)
            print(f'{name}.init', text(p.double().abs().sum().item() for p in layer.parameters()), file=out)
            print(f'{name}.shape', *y.shape, file=out)
            print(f'{name}.out', text(y.flatten()[:12].tolist()), file=out)
