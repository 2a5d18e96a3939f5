#include <ATen/autocast_mode.h>

#include "bind/bind.h"
#include "core/names.h"
#include "glue/convert.h"

namespace fastopt {
namespace {

at::DeviceType device_type_of(const Call& call, napi_value value) {
  return parse_device(string_of(call, value, "autocast")).type();
}

napi_value autocast_dtype(Call& call) {
  const auto device = device_type_of(call, call[0]);
  if (!at::autocast::is_autocast_enabled(device)) return call.undefined();
  return js_string(call, dtype_name(at::autocast::get_autocast_dtype(device)));
}

// The dtype of a device stays what it was when its autocast is off: it is set anew with each
// region.
napi_value set_autocast(Call& call) {
  const auto device = device_type_of(call, call[0]);
  const bool on = !is_nullish(call, call[1]);
  if (on) {
    const auto name = string_of(call, call[1], "autocast");
    const auto dtype = parse_dtype(name);
    if (dtype != at::kHalf && dtype != at::kBFloat16)
      throw Refusal("autocast: expected 'float16' or 'bfloat16', got '" + name + "'");
    at::autocast::set_autocast_dtype(device, *dtype);
  }
  at::autocast::set_autocast_enabled(device, on);
  return call.undefined();
}

napi_value set_autocast_cache(Call& call) {
  const bool before = at::autocast::is_autocast_cache_enabled();
  at::autocast::set_autocast_cache_enabled(bool_of(call, call[0], "autocast"));
  return js_bool(call, before);
}

napi_value enter_autocast(Call& call) {
  at::autocast::increment_nesting();
  return call.undefined();
}

napi_value leave_autocast(Call& call) {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  return call.undefined();
}

}  // namespace

const Functions& autocast_functions() {
  static const Functions functions{
      {"autocastDtype", guarded<autocast_dtype>},        {"setAutocast", guarded<set_autocast>},
      {"setAutocastCache", guarded<set_autocast_cache>}, {"enterAutocast", guarded<enter_autocast>},
      {"leaveAutocast", guarded<leave_autocast>},
  };
  return functions;
}

}  // namespace fastopt
