#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <mutex>

#include "bind/bind.h"
#include "core/allocator.h"
#include "core/cuda.h"
#include "glue/convert.h"

namespace fastopt {
namespace {

uint64_t seed_of(const Call& call, napi_value value) {
  uint64_t seed = 0;
  bool lossless = false;
  const auto status = napi_get_value_bigint_uint64(call.env(), value, &seed, &lossless);
  if (status != napi_ok || !lossless)
    throw Refusal("manualSeed: expected an integer from 0 to 2^64 - 1, got " +
                  describe(call, value));
  return seed;
}

napi_value info(Call& call) {
  return js_object(call, {{"napiVersion", js_number(call, NAPI_VERSION)},
                          {"libtorch", js_string(call, TORCH_VERSION)},
                          {"cuda", js_bool(call, at::globalContext().hasCUDA())}});
}

napi_value build_config(Call& call) { return js_string(call, at::show_config()); }

napi_value manual_seed(Call& call) {
  at::manual_seed(seed_of(call, call[0]));
  return call.undefined();
}

napi_value set_num_threads(Call& call) {
  const auto count = int_of(call, call[0], "setNumThreads");
  if (count < 1 || count > 4096) {
    throw Refusal("setNumThreads: expected an integer from 1 to 4096, got " +
                  describe(call, call[0]));
  }
  at::set_num_threads(static_cast<int>(count));
  return call.undefined();
}

napi_value num_threads(Call& call) { return js_number(call, at::get_num_threads()); }

napi_value set_default_device(Call& call) {
  std::optional<at::Device> device;
  if (!is_nullish(call, call[0])) device = device_of(string_of(call, call[0], "setDefaultDevice"));
  if (device && device->is_cpu()) device.reset();
  call.data()->default_device = device;
  return call.undefined();
}

napi_value default_device(Call& call) {
  const auto& device = call.data()->default_device;
  if (!device) return call.undefined();
  if (device->is_cuda() && !device->has_index())
    return js_string(call, "cuda:" + std::to_string(cuda::current_device()));
  return js_string(call, device->str());
}

napi_value set_deterministic(Call& call) {
  at::globalContext().setDeterministicAlgorithms(
      bool_of(call, call[0], "useDeterministicAlgorithms"),
      bool_of(call, call[1], "useDeterministicAlgorithms"));
  return call.undefined();
}

napi_value create_generator(Call& call) {
  const auto device = device_of(string_of(call, call[0], "Generator"));
  if (device.is_cuda()) return wrap_generator(call, cuda::new_generator(device.index()));
  if (!device.is_cpu())
    throw Refusal("Generator: expected the device 'cpu' or 'cuda', got '" + device.str() + "'");
  return wrap_generator(call, at::detail::createCPUGenerator());
}

napi_value default_generator(Call& call) {
  const auto device = device_of(string_of(call, call[0], "Generator"));
  return wrap_generator(call, at::globalContext().defaultGenerator(device));
}

napi_value generator_set_seed(Call& call) {
  auto& generator = generator_of(call, call[0], "Generator");
  const auto seed = seed_of(call, call[1]);
  const std::lock_guard lock(generator.mutex());
  generator.set_current_seed(seed);
  return call.undefined();
}

napi_value generator_state(Call& call) {
  auto& generator = generator_of(call, call[0], "Generator");
  at::Tensor state;
  {
    const std::lock_guard lock(generator.mutex());
    state = generator.get_state();
  }
  return wrap_tensor(call, state);
}

napi_value generator_set_state(Call& call) {
  auto& generator = generator_of(call, call[0], "Generator");
  const auto& state = tensor_of(call, call[1], "Generator.setState");
  const std::lock_guard lock(generator.mutex());
  generator.set_state(state);
  return call.undefined();
}

napi_value on_warning(Call& call) {
  auto& listener = call.data()->on_warning;
  napi_ref next = nullptr;
  check(call.env(), napi_create_reference(call.env(), call[0], 0, &next));
  if (listener != nullptr) napi_delete_reference(call.env(), listener);
  listener = next;
  return call.undefined();
}

napi_value memory(Call& call) {
  const auto view = typed_array_of(call, call[0], "memory");
  if (view.type != napi_float64_array || view.length < 2) {
    throw Refusal("memory: expected a Float64Array of 2");
  }
  auto* out = static_cast<double*>(view.data);
  out[0] = static_cast<double>(call.data()->live_tensors);
  out[1] = static_cast<double>(allocated_bytes());
  return call.undefined();
}

}  // namespace

const Functions& runtime_functions() {
  static const Functions functions{
      {"info", guarded<info>},
      {"buildConfig", guarded<build_config>},
      {"manualSeed", guarded<manual_seed>},
      {"setNumThreads", guarded<set_num_threads>},
      {"numThreads", guarded<num_threads>},
      {"setDeterministic", guarded<set_deterministic>},
      {"setDefaultDevice", guarded<set_default_device>},
      {"defaultDevice", guarded<default_device>},
      {"createGenerator", guarded<create_generator>},
      {"defaultGenerator", guarded<default_generator>},
      {"generatorSetSeed", guarded<generator_set_seed>},
      {"generatorState", guarded<generator_state>},
      {"generatorSetState", guarded<generator_set_state>},
      {"memory", guarded<memory>},
      {"onWarning", guarded<on_warning>},
  };
  return functions;
}

}  // namespace fastopt
