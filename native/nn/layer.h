#pragma once
#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/options.h"

namespace fastopt::nn {

using torch::Tensor;

class Layer;
using LayerPtr = std::shared_ptr<Layer>;
using NamedLayers = std::vector<std::pair<std::string, LayerPtr>>;

// What every native module is: torch::nn::Module knows parameters and children, but has no virtual
// `forward`, and its `clone` draws random numbers.
class Layer : public torch::nn::Module {
 public:
  // `kind` is the name in TypeScript, `repr` the settings as PyTorch prints them.
  explicit Layer(std::string kind, std::string repr = {})
      : kind_(std::move(kind)), repr_(std::move(repr)) {}

  virtual Tensor forward(const Tensor& input) = 0;

  // `forward`, and then the forward hooks through the current HookRunner.
  Tensor run(const Tensor& input);

  const std::string& kind() const { return kind_; }
  const std::string& repr() const { return repr_; }
  // The direct children, in order.
  const NamedLayers& layers() const { return layers_; }
  std::vector<int64_t>& hooks() { return hooks_; }

  // A deep copy: its own parameters, buffers and children, the same training flags and
  // requires_grad, no gradients and no hooks. On the same devices where none is given.
  LayerPtr copy(std::optional<at::Device> device = {}) const;

 protected:
  void add(std::string name, LayerPtr layer);

  // A copy that still shares tensors and children with this.
  virtual LayerPtr shallow_copy() const = 0;
  // Points at the registered tensors whatever the layer keeps beside the registry.
  virtual void rebind() {}

 private:
  std::string kind_;
  std::string repr_;
  NamedLayers layers_;
  std::vector<int64_t> hooks_;
};

// Runs its layers one after the other; they are called 0, 1, 2, ... None at all is the identity.
class Sequential : public Layer {
 public:
  explicit Sequential(const std::vector<LayerPtr>& layers = {}, std::string kind = "Sequential");
  Tensor forward(const Tensor& input) override;
  void push(LayerPtr layer) { add(std::to_string(layers().size()), std::move(layer)); }

 protected:
  LayerPtr shallow_copy() const override { return std::make_shared<Sequential>(*this); }
};

// Makes a layer by its name in TypeScript ("Conv2d", "XResNet", ...). Throws OptionError.
LayerPtr create(const std::string& kind, const Options& options);

}  // namespace fastopt::nn
