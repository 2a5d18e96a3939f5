#pragma once
#include "nn/layer.h"

namespace fastopt::nn {

// A convolution without bias that keeps the size but for its stride, a batch norm, and a ReLU
// (where `act`): modules 0, 1, 2.
class ConvLayer final : public Sequential {
 public:
  struct Settings {
    int64_t in, out;
    int64_t kernel = 3;
    int64_t stride = 1;
    bool act = true;
    // fastai's BatchZero: the norm begins with weight 0, so that its block begins as the identity.
    bool zero_norm = false;
  };
  explicit ConvLayer(const Settings& settings);

 protected:
  LayerPtr shallow_copy() const override { return std::make_shared<ConvLayer>(*this); }
};

// `act(convpath(x) + idpath(x))`; with an expansion above 1 the convpath is a bottleneck.
class ResBlock final : public Layer {
 public:
  struct Settings {
    int64_t in, out;  // channels before and after, expansion included
    int64_t expansion = 1;
    int64_t kernel = 3;
    int64_t stride = 1;
  };
  explicit ResBlock(const Settings& settings);
  Tensor forward(const Tensor& input) override;

 protected:
  LayerPtr shallow_copy() const override { return std::make_shared<ResBlock>(*this); }
};

// fastai's XResNet, from the options layers, expansion, cIn, nOut, p, ks, stride, stemSizes, widen.
LayerPtr xresnet(Reader& read);

}  // namespace fastopt::nn
