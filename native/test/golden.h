#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A file of golden/: one line for each value, its name before the first space.
class Golden {
 public:
  explicit Golden(const std::string& file) {
    std::ifstream in(std::string(FASTOPT_GOLDEN_DIR) + "/" + file);
    if (!in) throw std::runtime_error("there is no " FASTOPT_GOLDEN_DIR "/" + file);
    for (std::string line; std::getline(in, line);) {
      const auto space = line.find(' ');
      lines_[line.substr(0, space)] = space == std::string::npos ? "" : line.substr(space + 1);
    }
  }

  const std::string& text(const std::string& name) const { return lines_.at(name); }

  template <class T>
  std::vector<T> list(const std::string& name) const {
    std::istringstream in(text(name));
    std::vector<T> values;
    for (T value; in >> value;) values.push_back(value);
    return values;
  }

  // Equal in number, and in value to `tolerance` relative to the largest of them.
  bool matches(const std::string& name, const at::Tensor& values, double tolerance = 1e-4) const {
    const auto expected = at::tensor(list<double>(name), at::kDouble);
    const auto got = values.detach().flatten().to(at::kDouble);
    if (got.numel() != expected.numel()) return false;
    if (got.numel() == 0) return true;
    return at::allclose(got, expected, tolerance, tolerance * expected.abs().max().item<double>());
  }

 private:
  std::map<std::string, std::string> lines_;
};

// sin(0.7 j + phase) for element j, in float64: what the scripts fill tensors with.
inline at::Tensor wave(at::IntArrayRef shape, double phase) {
  int64_t count = 1;
  for (const auto size : shape) count *= size;
  return (0.7 * at::arange(count, at::kDouble) + phase).sin().reshape(shape);
}
