#include "nn/xresnet.h"

#include <torch/nn/init.h>

#include <cmath>
#include <numeric>

namespace fastopt::nn {
namespace {

double as_option(int64_t value) { return static_cast<double>(value); }

LayerPtr relu() { return create("ReLU", Options().set("inplace", true)); }

LayerPtr conv(const ConvLayer::Settings& settings) { return std::make_shared<ConvLayer>(settings); }

LayerPtr sequential(const std::vector<LayerPtr>& layers) {
  return std::make_shared<Sequential>(layers);
}

std::vector<LayerPtr> conv_layers(const ConvLayer::Settings& settings) {
  std::vector<LayerPtr> layers{
      create("Conv2d", Options()
                           .set("inChannels", as_option(settings.in))
                           .set("outChannels", as_option(settings.out))
                           .set("kernelSize", as_option(settings.kernel))
                           .set("stride", as_option(settings.stride))
                           .set("padding", as_option((settings.kernel - 1) / 2))
                           .set("bias", false)),
      create("BatchNorm2d", Options().set("numFeatures", as_option(settings.out)))};
  // Overwritten by init_cnn: fastai draws these numbers too, so that a seed gives its weights.
  if (settings.act) torch::nn::init::kaiming_uniform_(layers[0]->named_parameters(false)["weight"]);
  if (settings.zero_norm) torch::nn::init::zeros_(layers[1]->named_parameters(false)["weight"]);
  if (settings.act) layers.push_back(relu());
  return layers;
}

LayerPtr conv_path(const ResBlock::Settings& settings) {
  const auto& [in, out, expansion, kernel, stride] = settings;
  const auto hidden = out / expansion;
  const ConvLayer::Settings middle{.in = hidden, .out = hidden, .kernel = kernel, .stride = stride};
  if (expansion == 1) {
    auto first = middle;
    first.in = in;
    return sequential(
        {conv(first),
         conv({.in = hidden, .out = out, .kernel = kernel, .act = false, .zero_norm = true})});
  }
  return sequential(
      {conv({.in = in, .out = hidden, .kernel = 1}), conv(middle),
       conv({.in = hidden, .out = out, .kernel = 1, .act = false, .zero_norm = true})});
}

LayerPtr id_path(const ResBlock::Settings& settings) {
  std::vector<LayerPtr> layers;
  if (settings.stride != 1) {
    layers.push_back(
        create("AvgPool2d",
               Options().set("kernelSize", as_option(settings.stride)).set("ceilMode", true)));
  }
  if (settings.in != settings.out) {
    layers.push_back(conv({.in = settings.in, .out = settings.out, .kernel = 1, .act = false}));
  }
  return sequential(layers);
}

// fastai's init_cnn: every bias 0, every weight of a convolution or linear layer from
// N(0, sqrt(2 / fan_in)), in the order of the modules. Norm weights stay as they are.
void init_cnn(Layer& layer) {
  auto parameters = layer.named_parameters(false);
  if (auto* bias = parameters.find("bias")) torch::nn::init::zeros_(*bias);
  if (auto* weight = parameters.find("weight"); weight != nullptr && weight->dim() > 1) {
    torch::nn::init::kaiming_normal_(*weight);
  }
  for (const auto& [name, child] : layer.layers()) init_cnn(*child);
}

// The channels of the stages before expansion, as fastai widens them.
std::vector<int64_t> stage_sizes(size_t count, double widen) {
  const std::vector<int64_t> first{64, 128, 256, 512};
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < count; ++i) {
    const auto size = i < first.size() ? first[i] : 256;
    sizes.push_back(static_cast<int64_t>(static_cast<double>(size) * widen));
  }
  return sizes;
}

class XResNet final : public Sequential {
 public:
  using Sequential::Sequential;

 protected:
  LayerPtr shallow_copy() const override { return std::make_shared<XResNet>(*this); }
};

}  // namespace

ConvLayer::ConvLayer(const Settings& settings) : Sequential(conv_layers(settings), "ConvLayer") {}

ResBlock::ResBlock(const Settings& settings) : Layer("ResBlock") {
  add("convpath", conv_path(settings));
  add("idpath", id_path(settings));
  add("act", relu());
}

Tensor ResBlock::forward(const Tensor& input) {
  const auto run = [this](size_t index, const Tensor& x) { return layers()[index].second->run(x); };
  return run(2, run(0, input) + run(1, input));
}

LayerPtr xresnet(Reader& read) {
  const auto layers = read.list("layers", 1).values;
  const auto expansion = read.size("expansion", 1);
  const auto in = read.size("cIn", 3);
  const auto out = read.size("nOut", 1000);
  const auto p = read.number("p", 0, 0, 1);
  const auto kernel = read.size("ks", 3);
  const auto stride = read.size("stride", 2);
  const auto stem = read.sizes("stemSizes", 3, 1, Sizes{{32, 32, 64}, false}).values;
  const auto widen = read.number("widen", 1, 1.0 / 64, 1024);
  read.finish();
  if (kernel % 2 == 0) read.refuse("ks", "an odd kernel size (kernel size has to be odd)");
  if (expansion > 1024) read.refuse("expansion", "an integer from 1 to 1024");
  if (std::accumulate(layers.begin(), layers.end(), int64_t{0}) > 10000) {
    read.refuse("layers", "at most 10000 blocks in all");
  }

  auto net = std::make_shared<XResNet>(std::vector<LayerPtr>{}, "XResNet");
  int64_t channels = in;
  for (size_t i = 0; i < stem.size(); ++i) {
    net->push(
        conv({.in = channels, .out = stem[i], .kernel = kernel, .stride = i == 0 ? stride : 1}));
    channels = stem[i];
  }
  net->push(create("MaxPool2d", Options()
                                    .set("kernelSize", as_option(kernel))
                                    .set("stride", as_option(stride))
                                    .set("padding", as_option(kernel / 2))));
  const auto sizes = stage_sizes(layers.size(), widen);
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    std::vector<LayerPtr> blocks;
    for (int64_t block = 0; block < layers[stage]; ++block) {
      const ResBlock::Settings settings{.in = channels,
                                        .out = sizes[stage] * expansion,
                                        .expansion = expansion,
                                        .kernel = kernel,
                                        .stride = stage > 0 && block == 0 ? stride : 1};
      blocks.push_back(std::make_shared<ResBlock>(settings));
      channels = settings.out;
    }
    net->push(sequential(blocks));
  }
  net->push(create("AdaptiveAvgPool2d", Options().set("outputSize", 1.0)));
  net->push(create("Flatten", {}));
  net->push(create("Dropout", Options().set("p", p)));
  net->push(
      create("Linear",
             Options().set("inFeatures", as_option(channels)).set("outFeatures", as_option(out))));
  init_cnn(*net);
  return net;
}

}  // namespace fastopt::nn
