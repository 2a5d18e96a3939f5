#include "nn/layer.h"

#include "core/hooks.h"

namespace fastopt::nn {

Tensor Layer::run(const Tensor& input) {
  Tensor output = forward(input);
  if (hooks_.empty()) return output;
  // A copy: a hook may remove itself, or add another.
  for (const auto hook : std::vector(hooks_)) {
    const auto replacement = HookRunner::current().on_output(hook, input, output);
    if (replacement.defined()) output = replacement;
  }
  return output;
}

LayerPtr Layer::copy(std::optional<at::Device> device) const {
  const auto copy_of = [&](const Tensor& tensor) {
    return tensor.detach().to(device.value_or(tensor.device()), tensor.scalar_type(), false, true);
  };
  auto copy = shallow_copy();
  static_cast<torch::nn::Module&>(*copy) = torch::nn::Module();
  copy->layers_.clear();
  copy->hooks_.clear();
  for (const auto& entry : named_parameters(false)) {
    const auto& tensor = entry.value();
    copy->register_parameter(entry.key(), copy_of(tensor), tensor.requires_grad());
  }
  for (const auto& entry : named_buffers(false)) {
    copy->register_buffer(entry.key(), copy_of(entry.value()));
  }
  copy->rebind();
  // Before the children are there: each of them has its own flag.
  copy->train(is_training());
  for (const auto& [name, layer] : layers_) copy->add(name, layer->copy(device));
  return copy;
}

void Layer::add(std::string name, LayerPtr layer) {
  register_module(name, layer);
  layers_.emplace_back(std::move(name), std::move(layer));
}

Sequential::Sequential(const std::vector<LayerPtr>& layers, std::string kind)
    : Layer(std::move(kind)) {
  for (const auto& layer : layers) push(layer);
}

Tensor Sequential::forward(const Tensor& input) {
  Tensor output = input;
  for (const auto& [name, layer] : layers()) output = layer->run(output);
  return output;
}

}  // namespace fastopt::nn
