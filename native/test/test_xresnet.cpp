#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <torch/utils.h>

#include <set>

#include "check.h"
#include "golden.h"
#include "nn/layer.h"

using namespace fastopt::nn;
using List = std::vector<int64_t>;

namespace {

Options arch(List layers, double expansion, double classes = 10) {
  return Options().set("layers", layers).set("expansion", expansion).set("nOut", classes);
}

Options xresnet34() { return arch({3, 4, 6, 3}, 1); }

int64_t count(const Layer& net) {
  int64_t total = 0;
  for (const auto& p : net.parameters()) total += p.numel();
  return total;
}

// What each parameter is multiplied with in golden_xresnet.py.
void fill(Layer& net) {
  const at::NoGradGuard no_grad;
  int64_t k = 0;
  for (auto& p : net.parameters()) {
    const auto values = wave(p.sizes(), static_cast<double>(k));
    if (p.dim() > 1) {
      p.copy_(values * std::sqrt(2.0 / static_cast<double>(p.select(0, 0).numel())));
    } else {
      p.copy_(values * 0.2 + (k % 3 == 1 ? 1 : 0));
    }
    ++k;
  }
}

at::Tensor norms(const std::vector<at::Tensor>& tensors) {
  std::vector<double> values;
  for (const auto& t : tensors) values.push_back(t.to(at::kDouble).norm().item<double>());
  return at::tensor(values, at::kDouble);
}

void parameter_counts_are_fastais() {
  const struct {
    const char* name;
    Options options;
    size_t tensors;
    int64_t parameters;
  } rows[] = {
      {"xresnet18", arch({2, 2, 2, 2}, 1, 1000), 68, 11'708'744},
      {"xresnet18", arch({2, 2, 2, 2}, 1), 68, 11'200'874},
      {"xresnet34", arch({3, 4, 6, 3}, 1, 1000), 116, 21'816'904},
      {"xresnet34", xresnet34(), 116, 21'309'034},
      {"xresnet50", arch({3, 4, 6, 3}, 4, 1000), 167, 25'576'264},
      {"xresnet50", arch({3, 4, 6, 3}, 4), 167, 23'547'754},
      {"xresnet101", arch({3, 4, 23, 3}, 4, 1000), 320, 44'568'392},
      {"xresnet101", arch({3, 4, 23, 3}, 4), 320, 42'539'882},
      {"xresnet152", arch({3, 8, 36, 3}, 4, 1000), 473, 60'212'040},
      {"xresnet152", arch({3, 8, 36, 3}, 4), 473, 58'183'530},
      {"xresnet18_deep", arch({2, 2, 2, 2, 1, 1}, 1), 83, 14'281'066},
      {"xresnet50_deeper", arch({3, 4, 6, 3, 1, 1, 1, 1}, 4), 206, 30'367'594},
      {"cIn 1", xresnet34().set("cIn", 1.0), 116, 21'308'458},
      {"widen 2", xresnet34().set("widen", 2.0), 119, 85'040'490},
      {"stemSizes", xresnet34().set("stemSizes", List{64, 64, 64}), 116, 21'356'106},
  };
  for (const auto& [name, options, tensors, parameters] : rows) {
    const auto net = create("XResNet", options);
    EXPECT_FOR(name, net->parameters().size() == tensors);
    EXPECT_FOR(name, count(*net) == parameters);
  }
}

void names_are_fastais() {
  const auto net = create("XResNet", xresnet34());
  const auto parameters = net->named_parameters();
  EXPECT(parameters[0].key() == "0.0.weight");
  EXPECT(parameters[0].value().sizes() == at::IntArrayRef({32, 3, 3, 3}));
  EXPECT(parameters["4.0.convpath.0.0.weight"].sizes() == at::IntArrayRef({64, 64, 3, 3}));
  EXPECT(parameters["5.0.convpath.0.0.weight"].sizes() == at::IntArrayRef({128, 64, 3, 3}));
  EXPECT(parameters["5.0.idpath.1.0.weight"].sizes() == at::IntArrayRef({128, 64, 1, 1}));
  EXPECT(parameters["7.2.convpath.1.1.bias"].sizes() == at::IntArrayRef({512}));
  EXPECT(parameters[114].key() == "11.weight" && parameters[115].key() == "11.bias");
  EXPECT(net->named_buffers().size() == 3 * 38);
  EXPECT(net->named_buffers()[2].key() == "0.1.num_batches_tracked");
  std::vector<std::string> kinds;
  for (const auto& [name, layer] : net->layers()) kinds.push_back(layer->kind());
  EXPECT(kinds == std::vector<std::string>{"ConvLayer", "ConvLayer", "ConvLayer", "MaxPool2d",
                                           "Sequential", "Sequential", "Sequential", "Sequential",
                                           "AdaptiveAvgPool2d", "Flatten", "Dropout", "Linear"});
  const auto block = net->layers()[5].second->layers()[0].second;
  EXPECT(block->kind() == "ResBlock");
  EXPECT(block->layers()[0].first == "convpath" && block->layers()[1].first == "idpath" &&
         block->layers()[2].first == "act");
  EXPECT(block->layers()[1].second->layers()[0].second->kind() == "AvgPool2d");
}

void initialisation_is_fastais() {
  torch::manual_seed(3);
  const auto net = create("XResNet", arch({2, 2, 2, 2}, 4));
  std::set<std::string> zero_weights;
  for (const auto& entry : net->named_parameters()) {
    const auto& [name, p] = std::pair(entry.key(), entry.value());
    if (name.ends_with("bias")) {
      EXPECT_FOR(name, p.abs().max().item<double>() == 0);
    } else if (p.dim() > 1) {
      const double std = std::sqrt(2.0 / static_cast<double>(p.select(0, 0).numel()));
      const double noise = 5 / std::sqrt(static_cast<double>(p.numel()));
      EXPECT_FOR(name, std::abs(p.std().item<double>() / std - 1) < noise);
      EXPECT_FOR(name, std::abs(p.mean().item<double>() / std) < noise);
    } else if (p.max().item<double>() == 0) {
      zero_weights.insert(name);
    } else {
      EXPECT_FOR(name, at::equal(p, at::ones_like(p)));
    }
  }
  EXPECT(zero_weights.size() == 8);
  EXPECT(zero_weights.contains("4.0.convpath.2.1.weight"));
  EXPECT(zero_weights.contains("7.1.convpath.2.1.weight"));

  torch::manual_seed(3);
  const auto same = create("XResNet", arch({2, 2, 2, 2}, 4));
  for (size_t i = 0; i < net->parameters().size(); ++i) {
    EXPECT(at::equal(net->parameters()[i], same->parameters()[i]));
  }
}

void a_seed_gives_fastais_weights() {
  const Golden golden("fastai.txt");
  const std::pair<std::string, Options> nets[] = {{"xresnet18", arch({2, 2, 2, 2}, 1)},
                                                  {"xresnet34", xresnet34()},
                                                  {"xresnet50", arch({3, 4, 6, 3}, 4)}};
  for (const auto& [name, options] : nets) {
    torch::manual_seed(5);
    const auto net = create("XResNet", options);
    std::vector<double> sums, sizes;
    for (const auto& p : net->parameters()) {
      sums.push_back(p.to(at::kDouble).sum().item<double>());
      sizes.push_back(p.to(at::kDouble).abs().sum().item<double>());
    }
    EXPECT_FOR(name, net->named_parameters().keys() == golden.list<std::string>(name + ".names"));
    EXPECT_FOR(name, net->named_buffers().keys() == golden.list<std::string>(name + ".buffers"));
    EXPECT_FOR(name, golden.matches(name + ".sums", at::tensor(sums, at::kDouble), 1e-8));
    EXPECT_FOR(name, golden.matches(name + ".sizes", at::tensor(sizes, at::kDouble), 1e-8));
  }
}

void results_are_pytorchs() {
  const Golden golden("xresnet.txt");
  const struct {
    std::string name;
    Options options;
    List shape;
  } nets[] = {
      {"basic", arch({2, 1, 1}, 1, 5), {2, 3, 33, 33}},
      {"bottleneck",
       arch({1, 2}, 4, 3)
           .set("cIn", 1.0)
           .set("stemSizes", List{8, 16, 64})
           .set("widen", 0.5)
           .set("ks", 5.0),
       {2, 1, 30, 30}},
  };
  for (const auto& [name, options, shape] : nets) {
    const auto net = create("XResNet", options);
    fill(*net);
    const auto x = wave(shape, 0.25).to(at::kFloat);
    net->eval();
    EXPECT_FOR(name, golden.matches(name + ".eval", net->run(x)));
    net->train();
    const auto logits = net->run(x);
    const auto loss = at::cross_entropy_loss(logits, at::tensor({0, 2}, at::kLong));
    loss.backward();
    EXPECT_FOR(name, golden.matches(name + ".train", logits));
    EXPECT_FOR(name, golden.matches(name + ".loss", loss));
    EXPECT_FOR(name, net->named_parameters().keys() == golden.list<std::string>(name + ".names"));
    std::vector<at::Tensor> gradients;
    for (const auto& p : net->parameters()) gradients.push_back(p.grad());
    EXPECT_FOR(name, golden.matches(name + ".grads", norms(gradients)));
    EXPECT_FOR(name, net->named_buffers().keys() == golden.list<std::string>(name + ".buffers"));
    EXPECT_FOR(name, golden.matches(name + ".stats", norms(net->buffers())));
  }
}

void any_size_goes_through() {
  const at::NoGradGuard no_grad;
  const auto net = create("XResNet", arch({2, 2, 2, 2}, 1));
  for (const List& shape : {List{2, 3, 65, 65}, List{1, 3, 32, 47}, List{2, 3, 224, 224}}) {
    net->eval();
    EXPECT(net->run(at::ones(shape)).sizes() == at::IntArrayRef({shape[0], 10}));
  }
  const auto x = wave({2, 3, 64, 64}, 0).to(at::kFloat);
  const auto last = x.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT(at::allclose(net->run(last), net->run(x), 1e-4, 1e-5));
  // Sizes that fastai's own network can't run: a stem that does not end in 64, and other strides.
  const auto odd =
      arch({1, 1}, 3).set("stemSizes", List{4, 8, 20}).set("stride", 3.0).set("ks", 1.0);
  EXPECT(create("XResNet", odd)->run(x).sizes() == at::IntArrayRef({2, 10}));
}

void a_copy_trains_on_its_own() {
  const auto net = create("XResNet", arch({1, 1}, 1));
  const auto copy = net->copy();
  EXPECT(copy->kind() == "XResNet");
  const auto x = wave({4, 3, 32, 32}, 0).to(at::kFloat);
  copy->run(x).sum().backward();
  EXPECT(!net->parameters()[0].grad().defined());
  EXPECT(net->named_buffers()["0.1.num_batches_tracked"].item<int64_t>() == 0);
  EXPECT(copy->named_buffers()["0.1.num_batches_tracked"].item<int64_t>() == 1);
  EXPECT(at::equal(net->run(x), copy->run(x)));
}

void bad_options_are_refused() {
  const auto refused = [](const Options& options, const char* part) {
    EXPECT_FOR(part, refuses<OptionError>(part, [&] { create("XResNet", options); }));
  };
  refused({}, "XResNet: layers: expected a list of integers of at least 1, got nothing");
  refused(xresnet34().set("ks", 4.0), "kernel size has to be odd");
  refused(xresnet34().set("layers", List{2, 0}), "got [2, 0]");
  refused(xresnet34().set("layers", List{1'000'000'000}), "at most 10000 blocks");
  refused(xresnet34().set("stemSizes", List{32, 64}), "a list of 3, got [32, 64]");
  refused(xresnet34().set("widen", 0.001), "widen");
  refused(xresnet34().set("p", -0.5), "p: expected a number from 0 to 1, got -0.5");
  refused(xresnet34().set("expansion", 0.0), "expansion");
  refused(xresnet34().set("n_out", 10.0),
          "unknown option 'n_out'; it takes layers, expansion, cIn, nOut");
}

}  // namespace

int main() {
  parameter_counts_are_fastais();
  names_are_fastais();
  initialisation_is_fastais();
  a_seed_gives_fastais_weights();
  results_are_pytorchs();
  any_size_goes_through();
  a_copy_trains_on_its_own();
  bad_options_are_refused();
  return exit_code();
}
