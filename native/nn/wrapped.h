#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/layer.h"

namespace fastopt::nn {

// One of torch::nn's own modules as a Layer: its forward, its defaults and its initialisation, with
// parameters and buffers registered in the layer itself (`weight`, not `body.weight`).
template <class Impl>
class Wrapped final : public Layer {
 public:
  template <class... ImplOptions>
  Wrapped(std::string kind, std::string repr, const ImplOptions&... options)
      : Layer(std::move(kind), std::move(repr)), body_(options...) {
    for (auto& entry : body_.named_parameters(false)) {
      register_parameter(entry.key(), entry.value(), entry.value().requires_grad());
    }
    for (auto& entry : body_.named_buffers(false)) register_buffer(entry.key(), entry.value());
    forget_registry();
  }

  Tensor forward(const Tensor& input) override { return body_.forward(input); }

  void train(bool on = true) override {
    Layer::train(on);
    body_.train(on);
  }

 protected:
  LayerPtr shallow_copy() const override { return std::make_shared<Wrapped>(*this); }

  void rebind() override {
    forget_registry();
    const auto parameters = named_parameters(false);
    const auto buffers = named_buffers(false);
    for (const auto& [name, member] : members()) {
      if (const auto* parameter = parameters.find(name)) *member = *parameter;
      if (const auto* buffer = buffers.find(name)) *member = *buffer;
    }
  }

 private:
  // The body computes with its members only; a second registry would keep old tensors alive.
  void forget_registry() { static_cast<torch::nn::Module&>(body_) = torch::nn::Module(); }

  std::vector<std::pair<const char*, Tensor*>> members() {
    std::vector<std::pair<const char*, Tensor*>> found;
    if constexpr (requires { body_.weight; }) found.emplace_back("weight", &body_.weight);
    if constexpr (requires { body_.bias; }) found.emplace_back("bias", &body_.bias);
    if constexpr (requires { body_.running_mean; }) {
      found.emplace_back("running_mean", &body_.running_mean);
      found.emplace_back("running_var", &body_.running_var);
      found.emplace_back("num_batches_tracked", &body_.num_batches_tracked);
    }
    return found;
  }

  Impl body_;
};

// Makes one from options that were all read; refuses those that are left over.
template <class Impl, class... ImplOptions>
LayerPtr wrap(const Reader& read, const Repr& repr, const ImplOptions&... options) {
  read.finish();
  return std::make_shared<Wrapped<Impl>>(read.kind(), repr.text(), options...);
}

}  // namespace fastopt::nn
