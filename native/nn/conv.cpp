#include "nn/conv.h"

#include <torch/nn/modules/conv.h>

#include "nn/wrapped.h"

namespace fastopt::nn {
namespace {

namespace tn = torch::nn;

void check_groups(const Reader& read, int64_t groups, int64_t in, int64_t out) {
  if (in % groups == 0 && out % groups == 0) return;
  read.refuse("groups", "a divisor of inChannels (" + std::to_string(in) + ") and outChannels (" +
                            std::to_string(out) + ")");
}

template <size_t D>
void pad_same(const Reader& read, tn::ConvOptions<D>& options, const std::string& mode) {
  const tn::ConvOptions<D>& given = options;
  std::vector<int64_t> sides;
  for (size_t i = 0; i < D; ++i) {
    if ((*given.stride())[i] != 1) read.refuse("stride", "1 where padding is 'same'");
    const auto both = (*given.dilation())[i] * ((*given.kernel_size())[i] - 1);
    if (mode != "zeros" && both % 2 != 0) {
      read.refuse("padding", "sizes, where the kernel is even and paddingMode is '" + mode + "'");
    }
    sides.push_back(both / 2);
  }
  if (mode == "zeros") {
    options.padding(torch::kSame);
  } else {  // libtorch's own `same` takes the dimensions in the wrong order here
    options.padding(torch::ExpandingArray<D>(sides));
  }
}

template <size_t D, class Impl>
LayerPtr conv(Reader& read) {
  const auto in = read.size("inChannels");
  const auto out = read.size("outChannels");
  const auto kernel = read.sizes("kernelSize", D, 1).values;
  const auto stride = read.sizes("stride", D, 1, Sizes{{1}}).values;
  const auto dilation = read.sizes("dilation", D, 1, Sizes{{1}});
  const auto groups = read.size("groups", 1);
  const bool bias = read.flag("bias", true);
  const auto mode = read.choice("paddingMode", {"zeros", "reflect", "replicate", "circular"});
  check_groups(read, groups, in, out);

  tn::ConvOptions<D> options(in, out, kernel);
  options.stride(stride).dilation(dilation.values).groups(groups).bias(bias);
  Repr repr;
  repr.add(in).add(out).add("kernel_size", kernel).add("stride", stride);
  if (read.is_text("padding")) {
    const auto padding = read.choice("padding", {"valid", "same"});
    if (padding == "valid") options.padding(torch::kValid);
    if (padding == "same") pad_same(read, options, mode);
    repr.add("padding", padding);
  } else {
    const auto padding = read.sizes("padding", D, 0, Sizes{{0}});
    options.padding(torch::ExpandingArray<D>(padding.values));
    if (!padding.all(0)) repr.add("padding", padding.values);
  }
  if (mode == "reflect") options.padding_mode(torch::kReflect);
  if (mode == "replicate") options.padding_mode(torch::kReplicate);
  if (mode == "circular") options.padding_mode(torch::kCircular);
  if (!dilation.all(1)) repr.add("dilation", dilation.values);
  if (groups != 1) repr.add("groups", groups);
  if (!bias) repr.add("bias", bias);
  if (mode != "zeros") repr.add("padding_mode", mode);
  return wrap<Impl>(read, repr, options);
}

}  // namespace

LayerPtr conv1d(Reader& read) { return conv<1, tn::Conv1dImpl>(read); }
LayerPtr conv2d(Reader& read) { return conv<2, tn::Conv2dImpl>(read); }
LayerPtr conv3d(Reader& read) { return conv<3, tn::Conv3dImpl>(read); }

LayerPtr conv_transpose2d(Reader& read) {
  const auto in = read.size("inChannels");
  const auto out = read.size("outChannels");
  const auto kernel = read.sizes("kernelSize", 2, 1).values;
  const auto stride = read.sizes("stride", 2, 1, Sizes{{1}}).values;
  const auto padding = read.sizes("padding", 2, 0, Sizes{{0}});
  const auto extra = read.sizes("outputPadding", 2, 0, Sizes{{0}});
  const auto dilation = read.sizes("dilation", 2, 1, Sizes{{1}});
  const auto groups = read.size("groups", 1);
  const bool bias = read.flag("bias", true);
  check_groups(read, groups, in, out);

  Repr repr;
  repr.add(in).add(out).add("kernel_size", kernel).add("stride", stride);
  if (!padding.all(0)) repr.add("padding", padding.values);
  if (!dilation.all(1)) repr.add("dilation", dilation.values);
  if (!extra.all(0)) repr.add("output_padding", extra.values);
  if (groups != 1) repr.add("groups", groups);
  if (!bias) repr.add("bias", bias);
  const auto options = tn::ConvTranspose2dOptions(in, out, kernel)
                           .stride(stride)
                           .padding(padding.values)
                           .output_padding(extra.values)
                           .dilation(dilation.values)
                           .groups(groups)
                           .bias(bias);
  return wrap<tn::ConvTranspose2dImpl>(read, repr, options);
}

}  // namespace fastopt::nn
