#include <torch/nn/functional/upsampling.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/pooling.h>

#include <map>

#include "nn/conv.h"
#include "nn/wrapped.h"
#include "nn/xresnet.h"

namespace fastopt::nn {
namespace {

namespace tn = torch::nn;

LayerPtr linear(Reader& read) {
  const auto in = read.size("inFeatures");
  const auto out = read.size("outFeatures");
  const bool bias = read.flag("bias", true);
  const auto repr = Repr().add("in_features", in).add("out_features", out).add("bias", bias);
  return wrap<tn::LinearImpl>(read, repr, tn::LinearOptions(in, out).bias(bias));
}

LayerPtr embedding(Reader& read) {
  const auto count = read.size("numEmbeddings");
  const auto dim = read.size("embeddingDim");
  Repr repr;
  repr.add(count).add(dim);
  tn::EmbeddingOptions options(count, dim);
  if (read.has("paddingIdx")) {
    const auto index = read.integer("paddingIdx");
    if (index < -count || index >= count) {
      read.refuse("paddingIdx", "a row of the " + std::to_string(count) + " embeddings");
    }
    options.padding_idx(index < 0 ? index + count : index);
    repr.add("padding_idx", index < 0 ? index + count : index);
  }
  return wrap<tn::EmbeddingImpl>(read, repr, options);
}

template <class Impl, class ImplOptions>
LayerPtr running_norm(Reader& read, bool affine_default, bool track_default) {
  const auto features = read.size("numFeatures");
  const auto eps = read.number("eps", 1e-5, 0);
  const auto momentum = read.number("momentum", 0.1, 0, 1);
  const bool affine = read.flag("affine", affine_default);
  const bool track = read.flag("trackRunningStats", track_default);
  Repr repr;
  repr.add(features).add("eps", eps).add("momentum", momentum).add("affine", affine);
  repr.add("bias", affine).add("track_running_stats", track);
  const auto options =
      ImplOptions(features).eps(eps).momentum(momentum).affine(affine).track_running_stats(track);
  return wrap<Impl>(read, repr, options);
}

template <class Impl>
LayerPtr batch_norm(Reader& read) {
  return running_norm<Impl, tn::BatchNormOptions>(read, true, true);
}

LayerPtr instance_norm2d(Reader& read) {
  return running_norm<tn::InstanceNorm2dImpl, tn::InstanceNormOptions>(read, false, false);
}

LayerPtr layer_norm(Reader& read) {
  const auto shape = read.list("normalizedShape", 1).values;
  const auto eps = read.number("eps", 1e-5, 0);
  const bool affine = read.flag("elementwiseAffine", true);
  Repr repr;
  repr.add(shape).add("eps", eps).add("elementwise_affine", affine).add("bias", affine);
  return wrap<tn::LayerNormImpl>(read, repr,
                                 tn::LayerNormOptions(shape).eps(eps).elementwise_affine(affine));
}

LayerPtr group_norm(Reader& read) {
  const auto groups = read.size("numGroups");
  const auto channels = read.size("numChannels");
  const auto eps = read.number("eps", 1e-5, 0);
  const bool affine = read.flag("affine", true);
  if (channels % groups != 0) {
    read.refuse("numGroups", "a divisor of numChannels (" + std::to_string(channels) + ")");
  }
  Repr repr;
  repr.add(groups).add(channels).add("eps", eps).add("affine", affine).add("bias", affine);
  return wrap<tn::GroupNormImpl>(read, repr,
                                 tn::GroupNormOptions(groups, channels).eps(eps).affine(affine));
}

template <class Impl>
LayerPtr dropout(Reader& read) {
  const auto p = read.number("p", 0.5, 0, 1);
  const bool inplace = read.flag("inplace", false);
  return wrap<Impl>(read, Repr().add("p", p).add("inplace", inplace),
                    tn::DropoutOptions(p).inplace(inplace));
}

LayerPtr max_pool2d(Reader& read) {
  const auto kernel = read.sizes("kernelSize", 2, 1);
  const auto stride = read.sizes("stride", 2, 1, kernel);
  const auto padding = read.sizes("padding", 2, 0, Sizes{{0}});
  const auto dilation = read.sizes("dilation", 2, 1, Sizes{{1}});
  const bool ceil = read.flag("ceilMode", false);
  Repr repr;
  repr.add("kernel_size", kernel).add("stride", stride).add("padding", padding);
  repr.add("dilation", dilation).add("ceil_mode", ceil);
  const auto options = tn::MaxPool2dOptions(kernel.values)
                           .stride(stride.values)
                           .padding(padding.values)
                           .dilation(dilation.values)
                           .ceil_mode(ceil);
  return wrap<tn::MaxPool2dImpl>(read, repr, options);
}

LayerPtr avg_pool2d(Reader& read) {
  const auto kernel = read.sizes("kernelSize", 2, 1);
  const auto stride = read.sizes("stride", 2, 1, kernel);
  const auto padding = read.sizes("padding", 2, 0, Sizes{{0}});
  const bool ceil = read.flag("ceilMode", false);
  const bool count_padding = read.flag("countIncludePad", true);
  Repr repr;
  repr.add("kernel_size", kernel).add("stride", stride).add("padding", padding);
  const auto options = tn::AvgPool2dOptions(kernel.values)
                           .stride(stride.values)
                           .padding(padding.values)
                           .ceil_mode(ceil)
                           .count_include_pad(count_padding);
  return wrap<tn::AvgPool2dImpl>(read, repr, options);
}

template <class Impl, class ImplOptions>
LayerPtr adaptive_pool2d(Reader& read) {
  const auto size = read.sizes("outputSize", 2, 1);
  return wrap<Impl>(read, Repr().add("output_size", size), ImplOptions(size.values));
}

LayerPtr flatten(Reader& read) {
  const auto start = read.integer("startDim", 1);
  const auto end = read.integer("endDim", -1);
  return wrap<tn::FlattenImpl>(read, Repr().add("start_dim", start).add("end_dim", end),
                               tn::FlattenOptions().start_dim(start).end_dim(end));
}

template <class Impl>
LayerPtr plain(Reader& read) {
  return wrap<Impl>(read, Repr());
}

LayerPtr relu(Reader& read) {
  const bool inplace = read.flag("inplace", false);
  Repr repr;
  if (inplace) repr.add("inplace", inplace);
  return wrap<tn::ReLUImpl>(read, repr, tn::ReLUOptions(inplace));
}

LayerPtr leaky_relu(Reader& read) {
  const auto slope = read.number("negativeSlope", 0.01);
  const bool inplace = read.flag("inplace", false);
  Repr repr;
  repr.add("negative_slope", slope);
  if (inplace) repr.add("inplace", inplace);
  return wrap<tn::LeakyReLUImpl>(read, repr,
                                 tn::LeakyReLUOptions().negative_slope(slope).inplace(inplace));
}

LayerPtr gelu(Reader& read) {
  const auto approximate = read.choice("approximate", {"none", "tanh"});
  return wrap<tn::GELUImpl>(read, Repr().add("approximate", "'" + approximate + "'"),
                            tn::GELUOptions().approximate(approximate));
}

template <class Impl, class ImplOptions>
LayerPtr softmax(Reader& read) {
  const auto dim = read.integer("dim");
  return wrap<Impl>(read, Repr().add("dim", dim), ImplOptions(dim));
}

// torch::nn::Upsample wants one factor for each dimension, which only the input tells.
class Upsample final : public Layer {
 public:
  Upsample(std::string kind, std::string repr, std::optional<double> factor, Sizes size)
      : Layer(std::move(kind), std::move(repr)), factor_(factor), size_(std::move(size)) {}

  Tensor forward(const Tensor& input) override {
    TORCH_CHECK(input.dim() >= 3 && input.dim() <= 5,
                "Upsample: expected [batch, channels, length...] with 3 to 5 dimensions, got ",
                input.sizes());
    const size_t dims = input.dim() - 2;
    auto options = tn::functional::InterpolateFuncOptions().mode(torch::kNearest);
    if (factor_) {
      options.scale_factor(std::vector<double>(dims, *factor_));
    } else {
      options.size(size_.single ? std::vector<int64_t>(dims, size_.values[0]) : size_.values);
    }
    return tn::functional::interpolate(input, options);
  }

 protected:
  LayerPtr shallow_copy() const override { return std::make_shared<Upsample>(*this); }

 private:
  std::optional<double> factor_;
  Sizes size_;
};

LayerPtr upsample(Reader& read) {
  std::optional<double> factor;
  Sizes size;
  Repr repr;
  read.choice("mode", {"nearest"});
  if (read.has("scaleFactor") == read.has("size"))
    read.refuse("size", "either size or scaleFactor");
  if (read.has("scaleFactor")) {
    factor = read.number("scaleFactor", 1, 1e-6, 1e6);
    repr.add("scale_factor", *factor);
  } else {
    size = read.list("size", 1);
    repr.add("size", size);
  }
  repr.add("mode", std::string("'nearest'"));
  read.finish();
  return std::make_shared<Upsample>(read.kind(), repr.text(), factor, size);
}

using Builder = LayerPtr (*)(Reader&);

const std::map<std::string, Builder>& builders() {
  static const std::map<std::string, Builder> table{
      {"Conv1d", conv1d},
      {"Conv2d", conv2d},
      {"Conv3d", conv3d},
      {"ConvTranspose2d", conv_transpose2d},
      {"Linear", linear},
      {"Embedding", embedding},
      {"BatchNorm1d", batch_norm<tn::BatchNorm1dImpl>},
      {"BatchNorm2d", batch_norm<tn::BatchNorm2dImpl>},
      {"BatchNorm3d", batch_norm<tn::BatchNorm3dImpl>},
      {"InstanceNorm2d", instance_norm2d},
      {"LayerNorm", layer_norm},
      {"GroupNorm", group_norm},
      {"Dropout", dropout<tn::DropoutImpl>},
      {"Dropout2d", dropout<tn::Dropout2dImpl>},
      {"MaxPool2d", max_pool2d},
      {"AvgPool2d", avg_pool2d},
      {"AdaptiveAvgPool2d",
       adaptive_pool2d<tn::AdaptiveAvgPool2dImpl, tn::AdaptiveAvgPool2dOptions>},
      {"AdaptiveMaxPool2d",
       adaptive_pool2d<tn::AdaptiveMaxPool2dImpl, tn::AdaptiveMaxPool2dOptions>},
      {"Flatten", flatten},
      {"Upsample", upsample},
      {"Identity", plain<tn::IdentityImpl>},
      {"ReLU", relu},
      {"LeakyReLU", leaky_relu},
      {"GELU", gelu},
      {"SiLU", plain<tn::SiLUImpl>},
      {"Sigmoid", plain<tn::SigmoidImpl>},
      {"Tanh", plain<tn::TanhImpl>},
      {"Softmax", softmax<tn::SoftmaxImpl, tn::SoftmaxOptions>},
      {"LogSoftmax", softmax<tn::LogSoftmaxImpl, tn::LogSoftmaxOptions>},
      {"XResNet", xresnet},
  };
  return table;
}

}  // namespace

LayerPtr create(const std::string& kind, const Options& options) {
  const auto found = builders().find(kind);
  if (found == builders().end()) throw OptionError("there is no native layer '" + kind + "'");
  Reader read(kind, options);
  return found->second(read);
}

}  // namespace fastopt::nn
