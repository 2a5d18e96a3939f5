#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

namespace fastopt {

// PyTorch's names of dtypes without the `torch.`: "float32", "bfloat16", "bool", ...
std::optional<at::ScalarType> parse_dtype(const std::string& name);
std::string dtype_name(at::ScalarType type);

// "float32[2, 3]", with " on cuda:0" where it is not the CPU; "undefined" for no tensor.
std::string describe(const at::Tensor& tensor);

}  // namespace fastopt
