"""Makes one layer of each kind with PyTorch after manual_seed(5) and writes weights and outputs to layers.json.

Run by hand: python test/golden/layers.py (torch 2.13.0). The same seed must give the same layers in TypeScript.
"""
import json
import pathlib

import torch
from torch import nn

def case(name, args, options, make, shape, integer=False):
    torch.manual_seed(5)
    layer = make()
    x = torch.randint(0, 4, shape) if integer else torch.randn(shape)
    y = layer(x)
    return {
        "name": name, "args": args, "options": options, "shape": list(shape), "integer": integer,
        "state": {key: value.flatten().tolist() for key, value in layer.state_dict().items()},
        "output": y.flatten().tolist(), "outputShape": list(y.shape),
    }


cases = [
    case("Conv1d", [2, 3, 3], {"padding": 1}, lambda: nn.Conv1d(2, 3, 3, padding=1), (1, 2, 5)),
    case("Conv2d", [2, 4, 3], {"stride": 2, "padding": [1, 0], "groups": 2, "bias": False}, lambda: nn.Conv2d(2, 4, 3, 2, (1, 0), groups=2, bias=False), (1, 2, 5, 5)),
    case("Conv2d", [1, 2, 3], {"padding": 1, "paddingMode": "reflect"}, lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), (1, 1, 4, 4)),
    case("Conv3d", [1, 1, 2], {}, lambda: nn.Conv3d(1, 1, 2), (1, 1, 3, 3, 3)),
    case("ConvTranspose2d", [2, 1, 2], {"stride": 2}, lambda: nn.ConvTranspose2d(2, 1, 2, 2), (1, 2, 2, 2)),
    case("Linear", [3, 2], {}, lambda: nn.Linear(3, 2), (4, 3)),
    case("Linear", [3, 2], {"bias": False}, lambda: nn.Linear(3, 2, bias=False), (4, 3)),
    case("Embedding", [4, 3], {}, lambda: nn.Embedding(4, 3), (2, 2), True),
    case("BatchNorm1d", [3], {"momentum": 0.3}, lambda: nn.BatchNorm1d(3, momentum=0.3), (5, 3)),
    case("BatchNorm2d", [2], {"affine": False}, lambda: nn.BatchNorm2d(2, affine=False), (2, 2, 3, 3)),
    case("BatchNorm3d", [2], {"trackRunningStats": False}, lambda: nn.BatchNorm3d(2, track_running_stats=False), (2, 2, 2, 2, 2)),
    case("InstanceNorm2d", [2], {"affine": True}, lambda: nn.InstanceNorm2d(2, affine=True), (1, 2, 3, 3)),
    case("LayerNorm", [[4]], {"eps": 1e-3}, lambda: nn.LayerNorm([4], eps=1e-3), (2, 4)),
    case("GroupNorm", [2, 4], {}, lambda: nn.GroupNorm(2, 4), (1, 4, 3)),
    case("MaxPool2d", [3], {"stride": 2, "padding": 1}, lambda: nn.MaxPool2d(3, 2, 1), (1, 1, 5, 5)),
    case("AvgPool2d", [2], {"ceilMode": True, "countIncludePad": False}, lambda: nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False), (1, 1, 5, 5)),
    case("AdaptiveAvgPool2d", [[2, 1]], {}, lambda: nn.AdaptiveAvgPool2d((2, 1)), (1, 1, 5, 5)),
    case("AdaptiveMaxPool2d", [2], {}, lambda: nn.AdaptiveMaxPool2d(2), (1, 1, 5, 5)),
    case("Flatten", [], {"startDim": 2}, lambda: nn.Flatten(2), (1, 2, 2, 2)),
    case("Upsample", [], {"scaleFactor": 2}, lambda: nn.Upsample(scale_factor=2), (1, 1, 2, 2)),
    case("Dropout", [0.4], {}, lambda: nn.Dropout(0.4), (3, 4)),
    case("Dropout2d", [0.5], {}, lambda: nn.Dropout2d(0.5), (2, 3, 2, 2)),
    case("ReLU", [], {}, nn.ReLU, (2, 3)),
    case("LeakyReLU", [], {"negativeSlope": 0.2}, lambda: nn.LeakyReLU(0.2), (2, 3)),
    case("GELU", [], {"approximate": "tanh"}, lambda: nn.GELU("tanh"), (2, 3)),
    case("SiLU", [], {}, nn.SiLU, (2, 3)),
    case("Sigmoid", [], {}, nn.Sigmoid, (2, 3)),
    case("Tanh", [], {}, nn.Tanh, (2, 3)),
    case("Identity", [], {}, nn.Identity, (2, 3)),
    case("Softmax", [1], {}, lambda: nn.Softmax(1), (2, 3)),
    case("LogSoftmax", [1], {}, lambda: nn.LogSoftmax(1), (2, 3)),
]
path = pathlib.Path(__file__).with_name("layers.json")
lines = ",\n".join(json.dumps(each) for each in cases)
path.write_text('{"torch": "%s", "seed": 5, "cases": [\n%s\n]}\n' % (torch.__version__, lines))
print(len(cases), "layers")
