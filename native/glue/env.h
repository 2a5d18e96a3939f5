#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/Exception.h>
#include <node_api.h>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hooks.h"
#include "core/op_table.h"
#include "core/warnings.h"

namespace fastopt {

// Which storages the live handles of an environment keep, and the bytes told to V8 for each.
class StorageLedger {
 public:
  // Both return the change to tell V8: nothing for all but the first and the last handle of a
  // storage.
  int64_t add(const void* storage, int64_t bytes);
  int64_t remove(const void* storage);

 private:
  struct Entry {
    int64_t handles = 0;
    int64_t bytes = 0;
  };
  std::unordered_map<const void*, Entry> entries_;
};

// Everything that belongs to one environment (the main thread, or a worker).
struct AddonData {
  OpTable ops;
  StorageLedger ledger;
  int64_t live_tensors = 0;
  int64_t last_hook = 0;
  // Where tensors are made of numbers, if not on the CPU.
  std::optional<at::Device> default_device;
  std::shared_ptr<DeadHooks> dead_hooks = std::make_shared<DeadHooks>();
  WarningQueue warnings;
  napi_ref on_warning = nullptr;  // weak: jest's realms come and go
};

// Refuses what a caller passed; `code` is one of those in lib/internal/errors.ts.
struct Refusal : std::exception {
  std::string message, code, op, received, backtrace;
  explicit Refusal(std::string message, std::string code = "ERR_TORCH_ARGUMENT")
      : message(std::move(message)), code(std::move(code)) {}
  // Adds which operator refused, and what it was given.
  Refusal of(const std::string& name, const std::string& what) const;
  const char* what() const noexcept override { return message.c_str(); }
};

// What libtorch refused, its message without the backtrace.
Refusal refusal_of(const c10::Error& error);

// A JavaScript exception is pending: unwind and touch nothing. Derives from std::exception because
// autograd's engine passes on no other.
struct PendingException : std::exception {};

// Throws for every status but napi_ok.
void check(napi_env env, napi_status status);

// One call from JavaScript.
class Call {
 public:
  Call(napi_env env, napi_callback_info info);
  napi_env env() const { return env_; }
  const std::shared_ptr<AddonData>& data() const { return *data_; }
  size_t count() const { return count_; }
  // Undefined past the last argument.
  napi_value operator[](size_t index) const { return index < count_ ? args_[index] : undefined_; }
  napi_value undefined() const { return undefined_; }

 private:
  static constexpr size_t kInline = 24;
  napi_env env_;
  std::shared_ptr<AddonData>* data_ = nullptr;
  napi_value undefined_ = nullptr;
  size_t count_ = kInline;
  std::array<napi_value, kInline> inline_{};
  std::vector<napi_value> more_;
  napi_value* args_ = inline_.data();
};

// Turns the exception in flight into a pending JavaScript error.
void throw_to_javascript(napi_env env) noexcept;

// Tells JavaScript what libtorch has warned of, also beside a pending error.
void deliver_warnings(napi_env env, AddonData& data) noexcept;

// The only catch between libtorch and Node.
template <napi_value (*body)(Call&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  napi_value result = nullptr;
  AddonData* data = nullptr;
  try {
    Call call(env, info);
    data = call.data().get();
    result = body(call);
  } catch (...) {
    throw_to_javascript(env);
  }
  if (data != nullptr && data->warnings.waiting()) deliver_warnings(env, *data);
  return result;
}

struct Function {
  const char* name;
  napi_callback callback;
};
using Functions = std::vector<Function>;

}  // namespace fastopt
