/**
 * The operators that get typed functions and methods. To widen the package, add a name: every overload that takes and
 * gives what TypeScript can hold is generated. All others are at `ops.aten.<name>`.
 */

/** Methods of Tensor, in order of subject; each is also a function of `ops`. An in-place form has its own name. */
export const methods: readonly string[] = [
  // arithmetic
  ...['add', 'sub', 'mul', 'div', 'pow', 'remainder', 'fmod', 'floor_divide', 'maximum', 'minimum', 'atan2', 'lerp'],
  ...['neg', 'abs', 'sign', 'sqrt', 'rsqrt', 'square', 'reciprocal', 'exp', 'expm1', 'log', 'log1p', 'log2', 'log10'],
  ...['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'erf', 'erfinv', 'floor', 'ceil', 'round', 'trunc', 'frac'],
  ...['clamp', 'clamp_min', 'clamp_max', 'addcmul', 'addcdiv', 'nan_to_num'],
  // arithmetic in place
  ...['add_', 'sub_', 'mul_', 'div_', 'pow_', 'neg_', 'abs_', 'sqrt_', 'rsqrt_', 'reciprocal_', 'exp_', 'log_', 'lerp_', 'sign_'],
  ...['clamp_', 'clamp_min_', 'clamp_max_', 'addcmul_', 'addcdiv_', 'floor_', 'ceil_', 'round_', 'tanh_', 'sigmoid_', 'relu_'],
  // filling in place
  ...['zero_', 'fill_', 'copy_', 'normal_', 'uniform_', 'bernoulli_', 'random_', 'exponential_', 'masked_fill_', 'index_fill_'],
  ...['index_copy_', 'index_add_', 'index_put_', 'scatter_', 'scatter_add_', 'resize_', 'detach_'],
  // comparison and logic
  ...['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'equal', 'allclose', 'isclose', 'isnan', 'isinf', 'isfinite'],
  ...['logical_and', 'logical_or', 'logical_not', 'logical_xor', 'bitwise_and', 'bitwise_or', 'bitwise_not', 'bitwise_xor'],
  // reduction
  ...['sum', 'mean', 'prod', 'std', 'var', 'min', 'max', 'amin', 'amax', 'argmin', 'argmax', 'any', 'all', 'norm', 'median'],
  ...['logsumexp', 'cumsum', 'cumprod', 'count_nonzero', 'bincount', 'histc'],
  // matrices
  ...['matmul', 'mm', 'mv', 'bmm', 'dot', 'outer', 'addmm', 'baddbmm', 'diagonal', 'diag', 'tril', 'triu', 'trace', 'inverse', 'kron'],
  // shape
  ...['view', 'reshape', 'flatten', 'unflatten', 'squeeze', 'unsqueeze', 'permute', 'transpose', 't', 'movedim', 'expand', 'expand_as'],
  ...['view_as', 'repeat', 'tile', 'contiguous', 'clone', 'detach', 'flip', 'roll', 'rot90', 'split', 'chunk', 'unbind', 'unfold'],
  // indexing
  ...['select', 'slice', 'narrow', 'index', 'index_select', 'index_put', 'index_add', 'masked_select', 'masked_fill', 'gather'],
  ...['scatter', 'scatter_add', 'take', 'take_along_dim', 'nonzero', 'topk', 'sort', 'argsort', 'unique_consecutive', 'multinomial'],
  ...['zeros_like', 'ones_like', 'empty_like', 'full_like', 'rand_like', 'randn_like', 'new_zeros', 'new_ones', 'new_empty', 'new_full'],
  // activations
  ...['relu', 'sigmoid', 'softmax', 'log_softmax', 'gelu', 'silu', 'leaky_relu', 'elu', 'hardtanh', 'softplus', 'log_sigmoid', 'mish', 'hardswish'],
  ...['view_as_real', 'type_as', 'is_pinned', 'pin_memory'],
];

/** Functions of `ops` only. */
export const functions: readonly string[] = [
  // joining and choosing
  ...['cat', 'stack', 'where', 'einsum', 'meshgrid', 'one_hot', 'searchsorted', 'tensordot', 'cdist', 'broadcast_tensors'],
  // convolution, linear layers, embeddings
  ...['conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', 'linear', 'bilinear', 'embedding', 'dropout', 'prelu'],
  // normalisation
  ...['batch_norm', 'layer_norm', 'group_norm', 'instance_norm', 'pixel_shuffle', 'scaled_dot_product_attention'],
  // pooling and resampling
  ...['max_pool1d', 'max_pool2d', 'max_pool3d', 'avg_pool1d', 'avg_pool2d', 'avg_pool3d', 'adaptive_avg_pool1d', 'adaptive_avg_pool2d'],
  ...['adaptive_max_pool2d', 'pad', 'constant_pad_nd', 'reflection_pad2d', 'replication_pad2d', 'upsample_nearest2d', 'upsample_bilinear2d'],
  // losses
  ...['cross_entropy_loss', 'nll_loss', 'mse_loss', 'l1_loss', 'smooth_l1_loss', 'huber_loss', 'binary_cross_entropy'],
  ...['binary_cross_entropy_with_logits', 'kl_div', 'cosine_similarity', 'margin_ranking_loss', 'triplet_margin_loss'],
  // linear algebra
  ...['linalg_norm', 'linalg_vector_norm', 'linalg_inv', 'linalg_solve', 'linalg_svd', 'linalg_qr', 'linalg_eigh', 'linalg_cholesky', 'linalg_det'],
];
