"""Calls the operators of lib/ops with PyTorch and writes what they give to ops.json.

Run by hand: python test/golden/ops.py (torch 2.13.0). Each case is [name, arguments, results]; a tensor is
{"shape", "dtype", "data"}. Inputs come from a seeded generator.
"""
import json
import math
import pathlib

import torch

generator = torch.Generator().manual_seed(20)


def r(*shape, positive=False):
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    return ((values.abs() + 0.5 if positive else values) * 64).round() / 64


def i(*shape, high=5):
    return torch.randint(0, high, shape, generator=generator)


def b(*shape):
    return torch.randint(0, 2, shape, generator=generator).bool()


def plain(item):
    return item if math.isfinite(item) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(item)]


def encode(value):
    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "dtype": str(value.dtype)[6:], "data": [plain(item) for item in value.flatten().tolist()]}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


unary = "neg abs sign square exp expm1 sin cos tan atan sinh cosh tanh erf floor ceil round trunc frac isnan isinf isfinite " \
    "relu sigmoid gelu silu leaky_relu elu hardtanh softplus log_sigmoid mish hardswish sum mean prod std var min max argmin argmax " \
    "any all median count_nonzero cumsum_ norm".split()
positive = "sqrt rsqrt reciprocal log log1p log2 log10".split()
binary = "add sub mul div maximum minimum atan2 fmod remainder eq ne lt le gt ge".split()

cases = []
for name in unary:
    if hasattr(torch.ops.aten, name) and name not in ("cumsum_",):
        cases.append((name, [r(2, 3)]))
cases += [(name, [r(2, 3, positive=True)]) for name in positive]
cases += [(name, [r(2, 3), r(3)]) for name in binary]
cases += [(name, [r(2, 3), 2]) for name in ["add", "sub", "mul", "div", "pow", "fmod", "remainder", "eq", "lt"]]
cases += [
    ("acos", [r(2, 3).clamp(-1, 1)]), ("asin", [r(2, 3).clamp(-1, 1)]), ("erfinv", [r(2, 3).clamp(-0.9, 0.9)]),
    ("pow", [r(2, 3, positive=True), r(3)]), ("floor_divide", [r(2, 3), 0.75]), ("lerp", [r(3), r(3), 0.25]),
    ("clamp", [r(2, 3), -0.5, 0.5]), ("clamp_min", [r(3), 0]), ("clamp_max", [r(3), 0]),
    ("addcmul", [r(3), r(3), r(3)]), ("addcdiv", [r(3), r(3), r(3, positive=True)]),
    ("nan_to_num", [torch.tensor([1.0, float("nan"), float("inf")], dtype=torch.float64), 7.0, 8.0]),
    ("logical_and", [b(4), b(4)]), ("logical_or", [b(4), b(4)]), ("logical_xor", [b(4), b(4)]), ("logical_not", [b(4)]),
    ("bitwise_and", [i(4), i(4)]), ("bitwise_or", [i(4), 3]), ("bitwise_xor", [i(4), i(4)]), ("bitwise_not", [i(4)]),
    ("equal", [r(3), r(3)]), ("allclose", [torch.ones(2), torch.ones(2)]), ("isclose", [torch.ones(2), torch.ones(2)]),
    ("sum", [r(2, 3), [1], True]), ("sum", [r(2, 3, 2), [0, 2]]), ("mean", [r(2, 3), [0]]), ("prod", [r(2, 3), 1]),
    ("std", [r(2, 3), [1], False]), ("var", [r(2, 3), [1]]), ("min", [r(2, 3), 1]), ("max", [r(2, 3), 0, True]),
    ("max", [r(3), r(3)]), ("amin", [r(2, 3), [1]]), ("amax", [r(2, 3), [0]]), ("argmax", [r(2, 3), 1]), ("argmin", [r(2, 3), 0, True]),
    ("any", [b(2, 3), 1]), ("all", [b(2, 3), 0]), ("norm", [r(4), 1]), ("norm", [r(2, 3), 2, [1]]), ("logsumexp", [r(2, 3), [1]]),
    ("cumsum", [r(2, 3), 1]), ("cumprod", [r(2, 3), 0]), ("median", [r(2, 3), 1]), ("bincount", [i(6)]), ("histc", [r(8), 4, -2, 2]),
    ("matmul", [r(2, 3), r(3, 2)]), ("mm", [r(2, 3), r(3, 2)]), ("mv", [r(2, 3), r(3)]), ("bmm", [r(2, 2, 3), r(2, 3, 2)]),
    ("dot", [r(3), r(3)]), ("outer", [r(2), r(3)]), ("addmm", [r(2, 2), r(2, 3), r(3, 2)]), ("baddbmm", [r(2, 2, 2), r(2, 2, 3), r(2, 3, 2)]),
    ("diagonal", [r(3, 3)]), ("diag", [r(3)]), ("tril", [r(3, 3)]), ("triu", [r(3, 3), 1]), ("trace", [r(3, 3)]),
    ("inverse", [r(3, 3) + 4 * torch.eye(3)]), ("kron", [r(2, 2), r(2, 1)]),
    ("view", [r(2, 3), [3, 2]]), ("reshape", [r(2, 3), [-1]]), ("flatten", [r(2, 3, 2), 1]), ("unflatten", [r(6), 0, [2, 3]]),
    ("squeeze", [r(2, 1, 3)]), ("squeeze", [r(2, 1, 3), 1]), ("unsqueeze", [r(3), 0]), ("permute", [r(2, 3, 1), [2, 0, 1]]),
    ("transpose", [r(2, 3), 0, 1]), ("t", [r(2, 3)]), ("movedim", [r(2, 3, 1), 0, 2]), ("expand", [r(1, 3), [2, 3]]),
    ("expand_as", [r(1, 3), r(2, 3)]), ("view_as", [r(2, 3), r(6)]), ("repeat", [r(2), [2, 2]]), ("tile", [r(2), [2]]),
    ("clone", [r(3)]), ("contiguous", [r(2, 3).t()]), ("flip", [r(2, 3), [1]]), ("roll", [r(4), [1]]), ("rot90", [r(2, 3)]),
    ("split", [r(5), 2]), ("split", [r(5), [1, 4]]), ("chunk", [r(5), 2]), ("unbind", [r(2, 3)]), ("unfold", [r(5), 0, 2, 1]),
    ("select", [r(2, 3), 1, 0]), ("slice", [r(5), 0, 1, 4, 2]), ("narrow", [r(5), 0, 1, 3]), ("index_select", [r(4, 2), 0, i(3, high=4)]),
    ("index", [r(4, 3), [i(2, high=4)]]), ("masked_select", [r(4), b(4)]), ("masked_fill", [r(4), b(4), 9]), ("gather", [r(3, 4), 1, i(3, 2, high=4)]),
    ("scatter", [r(3, 4), 1, i(3, 2, high=4), 5.0]), ("scatter_add", [torch.zeros(3, 4, dtype=torch.float64), 0, i(2, 4, high=3), r(2, 4)]),
    ("index_add", [r(4, 2), 0, i(3, high=4), r(3, 2)]), ("index_put", [r(4), [torch.tensor([1])], r(1)]),
    ("take", [r(2, 3), i(4, high=6)]), ("take_along_dim", [r(2, 3), i(2, 3, high=3), 1]), ("nonzero", [b(2, 3)]),
    ("topk", [r(5), 2]), ("sort", [r(5), -1, True]), ("argsort", [r(5)]), ("zeros_like", [r(2)]), ("ones_like", [r(2)]), ("full_like", [r(2), 3]),
    ("new_zeros", [r(2), [2, 1]]), ("new_ones", [r(2), [2]]), ("new_full", [r(2), [2], 4]),
    ("softmax", [r(2, 3), 1]), ("log_softmax", [r(2, 3), 1]), ("leaky_relu", [r(4), 0.3]), ("elu", [r(4)]), ("hardtanh", [r(4)]),
    ("cat", [[r(2, 2), r(1, 2)]]), ("stack", [[r(2), r(2)], 1]), ("where", [b(4), r(4), r(4)]), ("where", [b(4), r(4), 0]),
    ("einsum", ["ij,jk->ik", [r(2, 3), r(3, 2)]]), ("one_hot", [i(4), 5]), ("searchsorted", [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.5])]),
    ("tensordot", [r(2, 3), r(3, 2), [1], [0]]), ("cdist", [r(2, 3), r(3, 3)]), ("broadcast_tensors", [[r(1, 3), r(2, 1)]]),
    ("conv1d", [r(1, 2, 5), r(3, 2, 3), r(3), 1, 1]), ("conv2d", [r(1, 2, 4, 4), r(3, 2, 3, 3), None, 2, [1, 1]]),
    ("conv3d", [r(1, 1, 3, 3, 3), r(1, 1, 2, 2, 2)]), ("conv_transpose1d", [r(1, 2, 3), r(2, 1, 2)]), ("conv_transpose2d", [r(1, 2, 3, 3), r(2, 1, 2, 2), r(1), 2]),
    ("linear", [r(2, 3), r(4, 3), r(4)]), ("bilinear", [r(2, 3), r(2, 2), r(1, 3, 2), None]), ("embedding", [r(5, 2), i(3)]),
    ("dropout", [r(4), 0.5, False]), ("prelu", [r(2, 3), r(3)]),
    ("batch_norm", [r(4, 2), r(2), r(2), None, None, True, 0.1, 1e-5, False]), ("layer_norm", [r(2, 3), [3], r(3), r(3)]),
    ("group_norm", [r(2, 4, 2), 2]), ("instance_norm", [r(2, 2, 4), None, None, None, None, True, 0.1, 1e-5, False]),
    ("pixel_shuffle", [r(1, 4, 2, 2), 2]), ("scaled_dot_product_attention", [r(1, 2, 3, 4), r(1, 2, 3, 4), r(1, 2, 3, 4)]),
    ("max_pool1d", [r(1, 1, 6), 2]), ("max_pool2d", [r(1, 1, 4, 4), 3, 2, 1]), ("max_pool3d", [r(1, 1, 2, 2, 2), 2]),
    ("avg_pool1d", [r(1, 1, 6), 2]), ("avg_pool2d", [r(1, 1, 5, 5), 2, 2, 0, True]), ("avg_pool3d", [r(1, 1, 2, 2, 2), 2]),
    ("adaptive_avg_pool1d", [r(1, 1, 6), 2]), ("adaptive_avg_pool2d", [r(1, 1, 4, 4), [2, 1]]), ("adaptive_max_pool2d", [r(1, 1, 4, 4), 2]),
    ("pad", [r(2, 2), [1, 0], "constant", 3.0]), ("constant_pad_nd", [r(2, 2), [1, 0], 2]), ("reflection_pad2d", [r(1, 1, 3, 3), 1]),
    ("replication_pad2d", [r(1, 1, 2, 2), [1, 0, 1, 0]]), ("upsample_nearest2d", [r(1, 1, 2, 2), [4, 4]]), ("upsample_bilinear2d", [r(1, 1, 2, 2), [3, 3], True]),
    ("cross_entropy_loss", [r(3, 4), i(3, high=4), None, 1, -100, 0.1]), ("nll_loss", [r(3, 4), i(3, high=4)]), ("mse_loss", [r(3), r(3), 2]),
    ("l1_loss", [r(3), r(3)]), ("smooth_l1_loss", [r(3), r(3)]), ("huber_loss", [r(3), r(3)]), ("binary_cross_entropy", [r(3).sigmoid(), b(3).double()]),
    ("binary_cross_entropy_with_logits", [r(3), b(3).double()]), ("kl_div", [r(3), r(3).sigmoid(), 2]), ("cosine_similarity", [r(2, 3), r(2, 3)]),
    ("margin_ranking_loss", [r(3), r(3), torch.ones(3, dtype=torch.float64)]), ("triplet_margin_loss", [r(2, 3), r(2, 3), r(2, 3)]),
    ("linalg_norm", [r(2, 3)]), ("linalg_vector_norm", [r(4), 3]), ("linalg_inv", [r(2, 2) + 3 * torch.eye(2)]), ("linalg_solve", [r(2, 2) + 3 * torch.eye(2), r(2)]),
    ("linalg_det", [r(3, 3)]), ("linalg_cholesky", [torch.eye(2, dtype=torch.float64) * 4]),
]

inplace = [
    ("add_", [r(3), r(3)]), ("sub_", [r(3), 2]), ("mul_", [r(3), r(3)]), ("div_", [r(3), 2]), ("pow_", [r(3), 2]), ("neg_", [r(3)]), ("abs_", [r(3)]),
    ("sqrt_", [r(3, positive=True)]), ("rsqrt_", [r(3, positive=True)]), ("reciprocal_", [r(3, positive=True)]), ("exp_", [r(3)]),
    ("log_", [r(3, positive=True)]), ("lerp_", [r(3), r(3), 0.5]), ("sign_", [r(3)]), ("clamp_", [r(3), 0, 1]), ("clamp_min_", [r(3), 0]),
    ("clamp_max_", [r(3), 0]), ("addcmul_", [r(3), r(3), r(3)]), ("addcdiv_", [r(3), r(3), r(3, positive=True)]), ("floor_", [r(3)]),
    ("ceil_", [r(3)]), ("round_", [r(3)]), ("tanh_", [r(3)]), ("sigmoid_", [r(3)]), ("relu_", [r(3)]), ("zero_", [r(3)]), ("fill_", [r(3), 4]),
    ("copy_", [r(3), r(3)]), ("masked_fill_", [r(3), b(3), 2]), ("index_fill_", [r(3), 0, i(1, high=3), 2]), ("index_copy_", [r(3), 0, torch.tensor([1]), r(1)]),
    ("index_add_", [r(3), 0, torch.tensor([1]), r(1)]), ("index_put_", [r(3), [torch.tensor([1])], r(1)]), ("scatter_", [r(3), 0, torch.tensor([1]), r(1)]),
    ("scatter_add_", [r(3), 0, torch.tensor([1]), r(1)]),
]


def run(name, args):
    copies = [value.clone() if isinstance(value, torch.Tensor) else value for value in args]
    try:
        return getattr(torch.ops.aten, name)(*copies)
    except RuntimeError:  # the raw operator wants a list where one number stands for all places
        modules = (torch, torch._C._nn, torch.nn.functional)
        return next(getattr(module, name) for module in modules if hasattr(module, name))(*copies)


lines = [json.dumps([name, encode(args), encode(run(name, args))]) for name, args in cases + inplace]
path = pathlib.Path(__file__).with_name("ops.json")
path.write_text('{"torch": "%s", "seed": 20, "cases": [\n%s\n]}\n' % (torch.__version__, ",\n".join(lines)))
print(f"{len(lines)} cases of {len({line.split(',')[0] for line in lines})} operators")
