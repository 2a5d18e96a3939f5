#include "core/cuda.h"

#include "bind/bind.h"
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
  };
  return functions;
}

}  // namespace fastopt
