#include "core/names.h"

#include <array>
#include <sstream>
#include <utility>

namespace fastopt {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 15> kDtypes{{
    {"float32", at::kFloat},
    {"float64", at::kDouble},
    {"float16", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"int8", at::kChar},
    {"uint8", at::kByte},
    {"int16", at::kShort},
    {"uint16", at::kUInt16},
    {"int32", at::kInt},
    {"uint32", at::kUInt32},
    {"int64", at::kLong},
    {"uint64", at::kUInt64},
    {"bool", at::kBool},
    {"complex64", at::kComplexFloat},
    {"complex128", at::kComplexDouble},
}};

}  // namespace

std::optional<at::ScalarType> parse_dtype(const std::string& name) {
  for (const auto& [known, type] : kDtypes) {
    if (name == known) return type;
  }
  return std::nullopt;
}

std::string dtype_name(at::ScalarType type) {
  for (const auto& [name, known] : kDtypes) {
    if (type == known) return name;
  }
  return c10::toString(type);
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  std::ostringstream out;
  out << dtype_name(tensor.scalar_type()) << tensor.sizes();
  if (!tensor.is_cpu()) out << " on " << tensor.device();
  return out.str();
}

}  // namespace fastopt
