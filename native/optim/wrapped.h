#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace fastopt::optim {

using at::Tensor;

// Numbers and switches alike, as JavaScript has one type for them: a switch is 0 or 1.
using Settings = std::map<std::string, double>;
using StateValue = std::variant<double, Tensor, std::vector<Tensor>>;
using State = std::vector<std::pair<std::string, StateValue>>;
using Closure = std::function<Tensor()>;

// What a caller gave doesn't fit; the message says what was expected.
struct WrappedError : std::invalid_argument {
  explicit WrappedError(const std::string& message)
      : std::invalid_argument("OptimWrapper: " + message) {}
};

// One of libtorch's own optimizers. Which parameter is in which group, and the settings of each
// group, come with every step, so that nothing here can differ from what the caller sees.
class Wrapped {
 public:
  virtual ~Wrapped() = default;

  const std::vector<Tensor>& params() const { return params_; }
  virtual void add(const std::vector<Tensor>& params);

  // In the order in which `step` takes their values.
  virtual std::vector<std::pair<std::string, double>> settings() const = 0;

  // `group_of` holds the group of each parameter, or -1 to leave it out; `values` the settings of
  // one group after the other. Returns the closure's loss, undefined without a closure.
  virtual Tensor step(std::span<const int32_t> group_of, std::span<const double> values,
                      const Closure& closure) = 0;

  // What the optimizer keeps for a parameter; empty before its first step.
  virtual State state(size_t param) = 0;
  // Takes over the tensors themselves. Throws WrappedError for a name that it doesn't know, a value
  // of another type, and where one is missing.
  virtual void set_state(size_t param, const State& state) = 0;
  virtual void clear_state() = 0;

 protected:
  explicit Wrapped(const std::vector<Tensor>& params);
  std::vector<Tensor> params_;
};

using WrappedPtr = std::shared_ptr<Wrapped>;

// `kind` is SGD, Adam, AdamW, RMSprop, Adagrad or LBFGS. Settings that aren't given have
// libtorch's values. Throws what libtorch's constructor refuses.
WrappedPtr create(const std::string& kind, const std::vector<Tensor>& params,
                  const Settings& settings);

}  // namespace fastopt::optim
