// What the conversions share.
#pragma once
#include <optional>
#include <string>

#include "glue/convert.h"

namespace fastopt {

// The beginning of a refusal's message, written only when there is one.
class Where {
 public:
  Where(const char* name) : name_(name) {}                        // NOLINT: implicit
  Where(const c10::Argument& argument) : argument_(&argument) {}  // NOLINT: implicit
  std::string text() const {
    return argument_ == nullptr ? name_ : "argument '" + argument_->name() + "'";
  }

 private:
  const char* name_ = "";
  const c10::Argument* argument_ = nullptr;
};

[[noreturn]] void refuse(const Call& call, napi_value value, Where where,
                         const std::string& expected);

napi_valuetype kind_of(const Call& call, napi_value value);

// Nothing where the value is of another kind.
const at::Tensor* try_tensor(const Call& call, napi_value value, Where where);
const at::Generator* try_generator(const Call& call, napi_value value);
std::optional<double> try_number(const Call& call, napi_value value);
std::optional<int64_t> try_bigint(const Call& call, napi_value value);
std::optional<int64_t> try_int(const Call& call, napi_value value);
std::optional<double> try_double(const Call& call, napi_value value);
std::optional<bool> try_bool(const Call& call, napi_value value);
std::optional<at::Scalar> try_scalar(const Call& call, napi_value value);
std::optional<std::string> try_string(const Call& call, napi_value value);

}  // namespace fastopt
