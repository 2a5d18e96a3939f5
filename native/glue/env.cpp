#include "glue/env.h"

#include <c10/util/Exception.h>

#include <new>
#include <stdexcept>

namespace fastopt {

int64_t StorageLedger::add(const void* storage, int64_t bytes) {
  if (storage == nullptr) return 0;
  auto& entry = entries_[storage];
  if (entry.handles++ > 0) return 0;
  return entry.bytes = bytes;
}

int64_t StorageLedger::remove(const void* storage) {
  const auto found = entries_.find(storage);
  if (found == entries_.end() || --found->second.handles > 0) return 0;
  const int64_t bytes = found->second.bytes;
  entries_.erase(found);
  return -bytes;
}

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw PendingException();
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw Refusal(info != nullptr && info->error_message != nullptr ? info->error_message
                                                                  : "a Node-API call failed",
                "ERR_TORCH_INTERNAL");
}

Call::Call(napi_env env, napi_callback_info info) : env_(env) {
  check(env, napi_get_undefined(env, &undefined_));
  check(env, napi_get_cb_info(env, info, &count_, args_, nullptr, nullptr));
  if (count_ > kInline) {
    more_.resize(count_);
    args_ = more_.data();
    check(env, napi_get_cb_info(env, info, &count_, args_, nullptr, nullptr));
  }
  void* data = nullptr;
  check(env, napi_get_instance_data(env, &data));
  data_ = static_cast<std::shared_ptr<AddonData>*>(data);
}

namespace {

void set_text(napi_env env, napi_value object, const char* key, const std::string& text) {
  if (text.empty()) return;
  napi_value value = nullptr;
  if (napi_create_string_utf8(env, text.data(), text.size(), &value) != napi_ok) return;
  napi_set_named_property(env, object, key, value);
}

void throw_error(napi_env env, const Refusal& refusal) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) return;
  napi_value message = nullptr;
  napi_value error = nullptr;
  napi_create_string_utf8(env, refusal.message.data(), refusal.message.size(), &message);
  napi_create_error(env, nullptr, message, &error);
  // lib/internal/binding.ts makes the typed error of the caller's own realm from these.
  set_text(env, error, "torch", refusal.code);
  set_text(env, error, "op", refusal.op);
  set_text(env, error, "received", refusal.received);
  set_text(env, error, "backtrace", refusal.backtrace);
  napi_throw(env, error);
}

}  // namespace

Refusal Refusal::of(const std::string& name, const std::string& what) const {
  Refusal refusal = *this;
  refusal.op = name;
  refusal.received = what;
  refusal.message = name + ": " + message + " (received " + what + ")";
  return refusal;
}

Refusal refusal_of(const c10::Error& error) {
  // Neither the CPU allocator nor CUDA's libraries have a class of their own for this.
  const std::string message = error.what_without_backtrace();
  const auto says = [&](const char* text) { return message.find(text) != std::string::npos; };
  const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
                      says("can't allocate memory") || says("not enough memory") ||
                      says("CUDA error: out of memory") || says("CUBLAS_STATUS_ALLOC_FAILED");
  Refusal refusal(message, memory ? "ERR_TORCH_OUT_OF_MEMORY" : "ERR_TORCH");
  refusal.backtrace = error.what();
  return refusal;
}

void throw_to_javascript(napi_env env) noexcept {
  try {
    throw;
  } catch (const PendingException&) {
  } catch (const Refusal& refusal) {
    throw_error(env, refusal);
  } catch (const c10::Error& error) {
    throw_error(env, refusal_of(error));
  } catch (const std::invalid_argument& error) {
    throw_error(env, Refusal(error.what(), "ERR_TORCH_ARGUMENT"));
  } catch (const std::bad_alloc&) {
    throw_error(env, Refusal("the system has no memory left for this", "ERR_TORCH_OUT_OF_MEMORY"));
  } catch (const std::exception& error) {
    throw_error(env, Refusal(error.what(), "ERR_TORCH"));
  } catch (...) {
    throw_error(env, Refusal("an unknown C++ exception", "ERR_TORCH_INTERNAL"));
  }
}

void deliver_warnings(napi_env env, AddonData& data) noexcept {
  napi_value error = nullptr, listener = nullptr, nothing = nullptr;
  bool failed = false;
  napi_is_exception_pending(env, &failed);
  if (failed) napi_get_and_clear_last_exception(env, &error);
  napi_get_undefined(env, &nothing);
  if (data.on_warning != nullptr) napi_get_reference_value(env, data.on_warning, &listener);
  if (listener == nullptr) {
    data.warnings.print();
  } else {
    for (const auto& warning : data.warnings.take()) {
      const auto& text = warning.msg();
      napi_value message = nullptr, unused = nullptr;
      napi_create_string_utf8(env, text.data(), text.size(), &message);
      napi_call_function(env, nothing, listener, 1, &message, nullptr);
      napi_get_and_clear_last_exception(env, &unused);
    }
  }
  if (failed) napi_throw(env, error);
}

}  // namespace fastopt
