#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/generated/variable_factories.h>
#include <torch/utils.h>

#include "check.h"
#include "golden.h"
#include "nn/layer.h"

using namespace fastopt::nn;
using List = std::vector<int64_t>;

namespace {

struct Case {
  const char* name;
  const char* kind;
  Options options;
  List shape;
};

Options with(std::initializer_list<std::pair<const char*, Option>> values) {
  Options options;
  for (const auto& [name, value] : values) options.set(name, value);
  return options;
}

Option text(const char* value) { return std::string(value); }

Options conv(std::initializer_list<std::pair<const char*, Option>> more, double in = 4,
             double out = 6) {
  return with(more).set("inChannels", in).set("outChannels", out);
}

// The cases of golden_layers.py.
std::vector<Case> cases() {
  const List image{2, 4, 6, 7};
  return {
      {"conv1d", "Conv1d", conv({{"kernelSize", 3.0}, {"padding", 1.0}}), {2, 4, 9}},
      {"conv2d", "Conv2d",
       conv({{"kernelSize", 3.0}, {"stride", List{2, 2}}, {"padding", 1.0}, {"bias", false}}),
       image},
      {"conv2d_reflect", "Conv2d",
       conv({{"kernelSize", List{3, 5}},
             {"padding", text("same")},
             {"groups", 2.0},
             {"paddingMode", text("reflect")}}),
       image},
      {"conv2d_dilated", "Conv2d",
       conv({{"kernelSize", 2.0},
             {"padding", List{2, 1}},
             {"dilation", 2.0},
             {"paddingMode", text("circular")}}),
       image},
      {"conv3d",
       "Conv3d",
       conv({{"kernelSize", 2.0}, {"padding", 1.0}, {"paddingMode", text("replicate")}}, 2, 3),
       {1, 2, 3, 4, 5}},
      {"conv_transpose2d", "ConvTranspose2d",
       conv({{"kernelSize", 3.0}, {"stride", 2.0}, {"padding", 1.0}, {"outputPadding", 1.0}}),
       image},
      {"linear", "Linear", with({{"inFeatures", 7.0}, {"outFeatures", 5.0}}), image},
      {"linear_plain", "Linear", with({{"inFeatures", 7.0}, {"outFeatures", 5.0}, {"bias", false}}),
       image},
      {"embedding",
       "Embedding",
       with({{"numEmbeddings", 10.0}, {"embeddingDim", 3.0}, {"paddingIdx", -1.0}}),
       {}},
      {"batch_norm1d", "BatchNorm1d", with({{"numFeatures", 4.0}}), {3, 4}},
      {"batch_norm2d", "BatchNorm2d",
       with({{"numFeatures", 4.0}, {"eps", 1e-3}, {"momentum", 0.25}}), image},
      {"batch_norm3d",
       "BatchNorm3d",
       with({{"numFeatures", 2.0}, {"affine", false}, {"trackRunningStats", false}}),
       {2, 2, 3, 4, 5}},
      {"instance_norm2d", "InstanceNorm2d", with({{"numFeatures", 4.0}}), image},
      {"layer_norm", "LayerNorm", with({{"normalizedShape", 7.0}}), image},
      {"layer_norm_plain", "LayerNorm",
       with({{"normalizedShape", List{6, 7}}, {"eps", 1e-6}, {"elementwiseAffine", false}}), image},
      {"group_norm", "GroupNorm", with({{"numGroups", 2.0}, {"numChannels", 4.0}}), image},
      {"dropout", "Dropout", with({{"p", 0.25}}), image},
      {"dropout2d", "Dropout2d", {}, image},
      {"max_pool2d", "MaxPool2d",
       with({{"kernelSize", List{3, 2}}, {"padding", 1.0}, {"ceilMode", true}}), image},
      {"avg_pool2d", "AvgPool2d", with({{"kernelSize", 2.0}, {"ceilMode", true}}), image},
      {"avg_pool2d_padded", "AvgPool2d",
       with({{"kernelSize", 3.0}, {"stride", 2.0}, {"padding", 1.0}, {"countIncludePad", false}}),
       image},
      {"adaptive_avg_pool2d", "AdaptiveAvgPool2d", with({{"outputSize", 1.0}}), image},
      {"adaptive_max_pool2d", "AdaptiveMaxPool2d", with({{"outputSize", List{2, 3}}}), image},
      {"flatten", "Flatten", {}, image},
      {"identity", "Identity", {}, image},
      {"relu", "ReLU", {}, image},
      {"relu_inplace", "ReLU", with({{"inplace", true}}), image},
      {"leaky_relu", "LeakyReLU", with({{"negativeSlope", 0.2}}), image},
      {"gelu", "GELU", {}, image},
      {"gelu_tanh", "GELU", with({{"approximate", text("tanh")}}), image},
      {"silu", "SiLU", {}, image},
      {"sigmoid", "Sigmoid", {}, image},
      {"tanh", "Tanh", {}, image},
      {"softmax", "Softmax", with({{"dim", 1.0}}), image},
      {"log_softmax", "LogSoftmax", with({{"dim", -1.0}}), image},
      {"upsample", "Upsample", with({{"scaleFactor", 2.0}}), image},
      {"upsample_size", "Upsample", with({{"size", List{3, 9}}}), image},
  };
}

void layers_print_begin_and_compute_as_in_pytorch() {
  const Golden golden("layers.txt");
  for (const auto& [name, kind, options, shape] : cases()) {
    const std::string key = name;
    torch::manual_seed(7);
    const auto layer = create(kind, options);
    EXPECT_FOR(key, layer->kind() == kind);
    EXPECT_FOR(key, layer->repr() == golden.text(key + ".repr"));
    std::vector<double> sums;
    for (const auto& p : layer->parameters())
      sums.push_back(p.to(at::kDouble).abs().sum().item<double>());
    EXPECT_FOR(key, golden.matches(key + ".init", at::tensor(sums, at::kDouble), 1e-6));
    const auto x = shape.empty() ? at::tensor({1, 0, 9}, at::kLong).unsqueeze(0)
                                 : wave(shape, 0.25).to(at::kFloat);
    const auto copy = layer->copy();
    torch::manual_seed(7);
    const auto y = layer->run(x.clone());
    EXPECT_FOR(key, y.sizes() == at::IntArrayRef(golden.list<int64_t>(key + ".shape")));
    EXPECT_FOR(key, golden.matches(key + ".out", y.flatten().slice(0, 0, 12), 1e-5));
    torch::manual_seed(7);
    EXPECT_FOR(key, at::equal(copy->run(x.clone()), y));
    EXPECT_FOR(key, copy->repr() == layer->repr() && copy->kind() == kind);
  }
}

void batch_norm_counts_in_training_only() {
  const auto norm = create("BatchNorm2d", with({{"numFeatures", 3.0}}));
  const auto buffers = norm->named_buffers();
  EXPECT(buffers.keys() ==
         std::vector<std::string>{"running_mean", "running_var", "num_batches_tracked"});
  EXPECT(buffers["num_batches_tracked"].scalar_type() == at::kLong);
  EXPECT(buffers["num_batches_tracked"].dim() == 0);
  const auto x = wave({2, 3, 4, 4}, 1).to(at::kFloat) + 5;
  norm->run(x);
  EXPECT(buffers["num_batches_tracked"].item<int64_t>() == 1);
  EXPECT(at::allclose(buffers["running_mean"], 0.1 * x.mean({0, 2, 3})));
  EXPECT(at::allclose(buffers["running_var"], 0.9 + 0.1 * x.var({0, 2, 3}, true)));
  norm->eval();
  const auto mean = buffers["running_mean"].clone();
  norm->run(x);
  EXPECT(buffers["num_batches_tracked"].item<int64_t>() == 1);
  EXPECT(at::equal(buffers["running_mean"], mean));
}

void a_copy_shares_nothing() {
  Sequential net({create("Linear", with({{"inFeatures", 3.0}, {"outFeatures", 4.0}})),
                  create("BatchNorm1d", with({{"numFeatures", 4.0}}))});
  net.register_buffer("scale", at::ones({2}));
  net.layers()[1].second->eval();
  net.parameters()[0].set_requires_grad(false);
  const auto rng = at::globalContext().defaultGenerator(at::kCPU).get_state().clone();
  const auto copy = net.copy();
  EXPECT(at::equal(rng, at::globalContext().defaultGenerator(at::kCPU).get_state()));
  EXPECT(copy->is_training() && !copy->layers()[1].second->is_training());
  EXPECT(copy->named_parameters().keys() == net.named_parameters().keys());
  EXPECT(copy->named_buffers().keys() == net.named_buffers().keys());
  EXPECT(!copy->parameters()[0].requires_grad() && copy->parameters()[1].requires_grad());

  const auto x = wave({5, 3}, 0).to(at::kFloat);
  const auto before = net.run(x);
  EXPECT(at::equal(copy->run(x), before));
  copy->layers()[1].second->train();
  copy->run(x);
  {
    const at::NoGradGuard no_grad;
    for (auto& p : copy->parameters()) p.zero_();
    for (auto& b : copy->buffers()) b.zero_();
  }
  EXPECT(at::equal(net.run(x), before));
  EXPECT(copy->eval(), copy->run(x).abs().max().item<double>() == 0);

  const std::weak_ptr<Layer> child = net.layers()[0].second;
  EXPECT(child.use_count() == 2);
}

void new_data_under_a_parameter_is_what_forward_uses() {
  const auto linear = create("Linear", with({{"inFeatures", 3.0}, {"outFeatures", 4.0}}));
  linear->to(at::kDouble);
  for (auto& p : linear->parameters()) p.set_data(at::ones_like(p));
  EXPECT(linear->run(at::ones({1, 3}, at::kDouble)).min().item<double>() == 4);
}

void bad_options_are_refused() {
  const auto refused = [](const char* kind, const Options& options, const char* part) {
    EXPECT_FOR(part, refuses<OptionError>(part, [&] { create(kind, options); }));
  };
  refused("Conv7d", {}, "there is no native layer 'Conv7d'");
  refused("Linear", with({{"inFeatures", 3.0}}),
          "Linear: outFeatures: expected an integer from 1 to 2147483647, got nothing");
  refused("Linear", with({{"inFeatures", 3.0}, {"outFeatures", 3.0}, {"biass", true}}),
          "Linear: unknown option 'biass'; it takes inFeatures, outFeatures, bias");
  refused("Sigmoid", with({{"inplace", true}}), "Sigmoid: unknown option 'inplace'; it takes none");
  refused("Linear", with({{"inFeatures", 0.0}, {"outFeatures", 3.0}}), "got 0");
  refused("Linear", with({{"inFeatures", 1.5}, {"outFeatures", 3.0}}), "got 1.5");
  refused("Linear", with({{"inFeatures", NAN}, {"outFeatures", 3.0}}), "got nan");
  refused("Linear", with({{"inFeatures", 1e300}, {"outFeatures", 3.0}}), "got 1e+300");
  refused("Linear", with({{"inFeatures", true}, {"outFeatures", 3.0}}), "got true");
  refused("Linear", with({{"inFeatures", 3.0}, {"outFeatures", 3.0}, {"bias", 1.0}}),
          "Linear: bias: expected true or false, got 1");
  refused("Conv2d", conv({}),
          "kernelSize: expected an integer of at least 1, or a list of 2, got nothing");
  refused("Conv2d", conv({{"kernelSize", List{3, 3, 3}}}), "got [3, 3, 3]");
  refused("Conv2d", conv({{"kernelSize", List{3, 0}}}), "got [3, 0]");
  refused("Conv2d", conv({{"kernelSize", List{}}}), "got []");
  refused("Conv2d", conv({{"kernelSize", 3.0}, {"groups", 3.0}}),
          "groups: expected a divisor of inChannels (4) and outChannels (6), got 3");
  refused("Conv2d", conv({{"kernelSize", 3.0}, {"padding", -1.0}}),
          "padding: expected an integer of at least 0, or a list of 2, got -1");
  refused("Conv2d", conv({{"kernelSize", 3.0}, {"padding", text("full")}}),
          "padding: expected 'valid' or 'same', got 'full'");
  refused("Conv2d", conv({{"kernelSize", 3.0}, {"padding", text("same")}, {"stride", 2.0}}),
          "stride: expected 1 where padding is 'same', got 2");
  refused(
      "Conv2d",
      conv({{"kernelSize", 2.0}, {"padding", text("same")}, {"paddingMode", text("reflect")}}),
      "padding: expected sizes, where the kernel is even and paddingMode is 'reflect', got 'same'");
  refused("Conv2d", conv({{"kernelSize", 3.0}, {"paddingMode", text("wrap")}}),
          "expected 'zeros' or 'reflect'");
  refused("Conv2d", conv({{"kernelSize", 3.0}, {"stride", 0.0}}), "stride");
  refused("Dropout", with({{"p", 1.5}}), "Dropout: p: expected a number from 0 to 1, got 1.5");
  refused("Dropout", with({{"p", NAN}}), "got nan");
  refused("GroupNorm", with({{"numGroups", 3.0}, {"numChannels", 4.0}}),
          "a divisor of numChannels (4), got 3");
  refused("Embedding", with({{"numEmbeddings", 3.0}, {"embeddingDim", 4.0}, {"paddingIdx", 3.0}}),
          "a row of the 3 embeddings, got 3");
  refused("Softmax", {}, "dim: expected an integer, got nothing");
  refused("Upsample", {}, "either size or scaleFactor");
  refused("LayerNorm", with({{"normalizedShape", List{}}}), "got []");
}

void what_libtorch_refuses_is_an_error_too() {
  const auto conv3 = create("Conv2d", conv({{"kernelSize", 3.0}}));
  EXPECT(refuses<c10::Error>("", [&] { conv3->run(at::ones({2, 3, 8, 8})); }));
  EXPECT(refuses<c10::Error>("", [&] { conv3->run(at::ones({4, 2, 2})); }));
  EXPECT(refuses<c10::Error>("", [&] { conv3->run(at::Tensor()); }));
  const auto rows = create("Embedding", with({{"numEmbeddings", 3.0}, {"embeddingDim", 4.0}}));
  EXPECT(refuses<c10::Error>("", [&] { rows->run(at::tensor({3}, at::kLong)); }));
  EXPECT(refuses<c10::Error>("", [] {
    create("Linear", with({{"inFeatures", 2147483647.0}, {"outFeatures", 2147483647.0}}));
  }));
}

}  // namespace

int main() {
  layers_print_begin_and_compute_as_in_pytorch();
  batch_norm_counts_in_training_only();
  a_copy_shares_nothing();
  new_data_under_a_parameter_is_what_forward_uses();
  bad_options_are_refused();
  what_libtorch_refuses_is_an_error_too();
  return exit_code();
}
