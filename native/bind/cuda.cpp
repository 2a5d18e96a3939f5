#include "core/cuda.h"

#include <ATen/Context.h>

#include <algorithm>

#include "bind/bind.h"
#include "core/driver.h"
#include "core/graph.h"
#include "glue/convert.h"

namespace fastopt {
namespace {

// A device by its index.
c10::DeviceIndex index_of(const Call& call, napi_value value, const char* where) {
  return device_of("cuda:" + std::to_string(int_of(call, value, where))).index();
}

// A stream by the index of its device and its number there, two arguments.
c10::Stream stream_of(const Call& call, size_t first, const char* where) {
  return cuda::stream_of(index_of(call, call[first], where), int_of(call, call[first + 1], where));
}

napi_value is_built(Call& call) { return js_bool(call, cuda::is_built()); }
napi_value device_count(Call& call) {
  return js_number(call, static_cast<double>(cuda::device_count()));
}
napi_value current_device(Call& call) {
  device_of("cuda");
  return js_number(call, static_cast<double>(cuda::current_device()));
}
napi_value set_device(Call& call) {
  cuda::set_device(index_of(call, call[0], "cuda.setDevice"));
  return call.undefined();
}
napi_value synchronize(Call& call) {
  cuda::synchronize(index_of(call, call[0], "cuda.synchronize"));
  return call.undefined();
}

napi_value current_stream(Call& call) {
  return js_integer(call, cuda::current_stream(index_of(call, call[0], "cuda.currentStream")).id());
}
napi_value default_stream(Call& call) {
  return js_integer(call, cuda::default_stream(index_of(call, call[0], "cuda.defaultStream")).id());
}
napi_value pool_stream(Call& call) {
  const auto index = index_of(call, call[0], "cuda.Stream");
  return js_integer(call, cuda::pool_stream(index, bool_of(call, call[1], "cuda.Stream")).id());
}
napi_value exchange_stream(Call& call) {
  return js_integer(call, cuda::exchange_stream(stream_of(call, 0, "cuda.Stream.run")).id());
}
napi_value query_stream(Call& call) {
  return js_bool(call, stream_of(call, 0, "cuda.Stream.query").query());
}
napi_value synchronize_stream(Call& call) {
  stream_of(call, 0, "cuda.Stream.synchronize").synchronize();
  return call.undefined();
}
napi_value record_stream(Call& call) {
  tensor_of(call, call[0], "recordStream").record_stream(stream_of(call, 1, "recordStream"));
  return call.undefined();
}

napi_value create_event(Call& call) {
  device_of("cuda");
  // PyTorch's own default measures no time, which makes an event cheaper.
  const auto flag = bool_of(call, call[0], "cuda.Event") ? c10::EventFlag::BACKEND_DEFAULT
                                                         : c10::EventFlag::PYTORCH_DEFAULT;
  return wrap_event(call, std::make_shared<c10::Event>(c10::DeviceType::CUDA, flag));
}
napi_value record_event(Call& call) {
  event_of(call, call[0], "cuda.Event.record")->record(stream_of(call, 1, "cuda.Event.record"));
  return call.undefined();
}
napi_value wait_event(Call& call) {
  event_of(call, call[0], "cuda.Event.wait")->block(stream_of(call, 1, "cuda.Event.wait"));
  return call.undefined();
}
napi_value query_event(Call& call) {
  return js_bool(call, event_of(call, call[0], "cuda.Event.query")->query());
}
napi_value synchronize_event(Call& call) {
  event_of(call, call[0], "cuda.Event.synchronize")->synchronize();
  return call.undefined();
}
napi_value elapsed_time(Call& call) {
  const auto& start = event_of(call, call[0], "cuda.Event.elapsedTime");
  return js_number(call, start->elapsedTime(*event_of(call, call[1], "cuda.Event.elapsedTime")));
}

napi_value memory_stats(Call& call) {
  const auto stats = cuda::memory_stats(index_of(call, call[0], "cuda.memoryStats"));
  const auto number = [&](int64_t value) { return js_number(call, static_cast<double>(value)); };
  return js_object(call, {{"allocated", number(stats.allocated)},
                          {"maxAllocated", number(stats.max_allocated)},
                          {"reserved", number(stats.reserved)},
                          {"maxReserved", number(stats.max_reserved)},
                          {"active", number(stats.active)},
                          {"maxActive", number(stats.max_active)},
                          {"free", number(stats.free)},
                          {"total", number(stats.total)},
                          {"allocRetries", number(stats.alloc_retries)},
                          {"outOfMemory", number(stats.out_of_memory)}});
}
napi_value reset_peak_memory_stats(Call& call) {
  cuda::reset_peak_memory_stats(index_of(call, call[0], "cuda.resetPeakMemoryStats"));
  return call.undefined();
}
napi_value empty_cache(Call& call) {
  cuda::empty_cache();
  return call.undefined();
}

napi_value js_gpu(const Call& call, const driver::Gpu& gpu) {
  return js_object(
      call, {{"name", js_string(call, gpu.name)},
             {"major", js_number(call, gpu.major)},
             {"minor", js_number(call, gpu.minor)},
             {"totalMemory", js_number(call, static_cast<double>(gpu.total_memory))},
             {"multiProcessorCount", js_number(call, gpu.multiprocessors)},
             {"warpSize", js_number(call, gpu.warp_size)},
             {"maxThreadsPerMultiProcessor", js_number(call, gpu.max_threads_per_multiprocessor)},
             {"sharedMemoryPerBlock", js_number(call, gpu.shared_memory_per_block)},
             {"l2CacheSize", js_number(call, gpu.l2_cache_size)}});
}

napi_value find_driver(Call& call) {
  const auto found = driver::find_driver();
  napi_value gpus = js_array(call, found.gpus.size());
  for (size_t i = 0; i < found.gpus.size(); ++i)
    set_element(call, gpus, i, js_gpu(call, found.gpus[i]));
  return js_object(call, {{"cudaVersion", js_number(call, found.cuda_version)}, {"gpus", gpus}});
}

// libtorch's switches for NVIDIA's libraries: of the whole process, and there without them as well.
struct Switch {
  const char* name;
  bool (*get)(const at::Context& context);
  void (*set)(at::Context& context, bool on);
};

using Context = at::Context;
constexpr Switch kSwitches[] = {
    {"cudnn.enabled", [](const Context& context) { return context.userEnabledCuDNN(); },
     [](Context& context, bool on) { context.setUserEnabledCuDNN(on); }},
    {"cudnn.benchmark", [](const Context& context) { return context.benchmarkCuDNN(); },
     [](Context& context, bool on) { context.setBenchmarkCuDNN(on); }},
    {"cudnn.deterministic", [](const Context& context) { return context.deterministicCuDNN(); },
     [](Context& context, bool on) { context.setDeterministicCuDNN(on); }},
    {"cudnn.allowTf32", [](const Context& context) { return context.allowTF32CuDNN(); },
     [](Context& context, bool on) { context.setAllowTF32CuDNN(on); }},
    {"matmul.allowTf32", [](const Context& context) { return context.allowTF32CuBLAS(); },
     [](Context& context, bool on) { context.setAllowTF32CuBLAS(on); }},
};

const Switch& switch_of(const Call& call) {
  const auto name = string_of(call, call[0], "backends");
  const auto* found = std::find_if(std::begin(kSwitches), std::end(kSwitches),
                                   [&](const Switch& each) { return name == each.name; });
  if (found == std::end(kSwitches)) throw Refusal("backends: there is no switch '" + name + "'");
  return *found;
}

napi_value get_switch(Call& call) {
  return js_bool(call, switch_of(call).get(at::globalContext()));
}
napi_value set_switch(Call& call) {
  const auto& found = switch_of(call);
  found.set(at::globalContext(), bool_of(call, call[1], found.name));
  return call.undefined();
}

napi_value graphs_are_built(Call& call) { return js_bool(call, cuda::Graph::is_built()); }
napi_value create_graph(Call& call) {
  device_of("cuda");
  return wrap_graph(call, std::make_shared<cuda::Graph>());
}
napi_value begin_graph(Call& call) {
  graph_of(call, call[0], "cuda.Graph.capture")->begin();
  return call.undefined();
}
napi_value end_graph(Call& call) {
  graph_of(call, call[0], "cuda.Graph.capture")->end();
  return call.undefined();
}
napi_value replay_graph(Call& call) {
  graph_of(call, call[0], "cuda.Graph.replay")->replay();
  return call.undefined();
}
napi_value dispose_graph(Call& call) {
  fastopt::dispose_graph(call, call[0]);
  return call.undefined();
}

}  // namespace

const Functions& cuda_functions() {
  static const Functions functions{
      {"cudaIsBuilt", guarded<is_built>},
      {"cudaDeviceCount", guarded<device_count>},
      {"cudaCurrentDevice", guarded<current_device>},
      {"cudaSetDevice", guarded<set_device>},
      {"cudaSynchronize", guarded<synchronize>},
      {"cudaCurrentStream", guarded<current_stream>},
      {"cudaDefaultStream", guarded<default_stream>},
      {"cudaPoolStream", guarded<pool_stream>},
      {"cudaExchangeStream", guarded<exchange_stream>},
      {"cudaQueryStream", guarded<query_stream>},
      {"cudaSynchronizeStream", guarded<synchronize_stream>},
      {"cudaRecordStream", guarded<record_stream>},
      {"cudaCreateEvent", guarded<create_event>},
      {"cudaRecordEvent", guarded<record_event>},
      {"cudaWaitEvent", guarded<wait_event>},
      {"cudaQueryEvent", guarded<query_event>},
      {"cudaSynchronizeEvent", guarded<synchronize_event>},
      {"cudaElapsedTime", guarded<elapsed_time>},
      {"cudaMemoryStats", guarded<memory_stats>},
      {"cudaResetPeakMemoryStats", guarded<reset_peak_memory_stats>},
      {"cudaEmptyCache", guarded<empty_cache>},
      {"cudaDriver", guarded<find_driver>},
      {"backendSwitch", guarded<get_switch>},
      {"setBackendSwitch", guarded<set_switch>},
      {"cudaGraphsAreBuilt", guarded<graphs_are_built>},
      {"cudaCreateGraph", guarded<create_graph>},
      {"cudaBeginGraph", guarded<begin_graph>},
      {"cudaEndGraph", guarded<end_graph>},
      {"cudaReplayGraph", guarded<replay_graph>},
      {"cudaDisposeGraph", guarded<dispose_graph>},
  };
  return functions;
}

}  // namespace fastopt
