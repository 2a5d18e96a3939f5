#include "nn/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace fastopt::nn {
namespace {

// Beyond this the product of two sizes would overflow before libtorch could refuse it.
constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

std::string number_text(double value) {
  if (std::isfinite(value) && value == std::trunc(value) && std::abs(value) < 1e15) {
    return std::to_string(static_cast<int64_t>(value));
  }
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

std::string joined(const std::vector<int64_t>& values) {
  std::string text;
  for (const auto value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}

struct Describe {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(double value) const { return number_text(value); }
  std::string operator()(const std::string& value) const { return "'" + value + "'"; }
  std::string operator()(const std::vector<int64_t>& value) const {
    return "[" + joined(value) + "]";
  }
};

std::optional<int64_t> as_integer(const Option& option, int64_t low) {
  const auto* number = std::get_if<double>(&option);
  if (number == nullptr || *number != std::trunc(*number)) return {};
  if (*number < static_cast<double>(low) || *number > static_cast<double>(kLargest)) return {};
  return static_cast<int64_t>(*number);
}

bool within(const std::vector<int64_t>& values, int64_t low) {
  return std::all_of(values.begin(), values.end(),
                     [low](int64_t value) { return value >= low && value <= kLargest; });
}

}  // namespace

const Option* Options::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

bool Sizes::all(int64_t value) const {
  return std::all_of(values.begin(), values.end(), [value](int64_t v) { return v == value; });
}

const Option* Reader::find(const char* name) {
  if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) asked_.emplace_back(name);
  return options_.find(name);
}

const Option* Reader::find_or_refuse(const char* name, bool required, const char* expected) {
  const auto* option = find(name);
  if (option == nullptr && required) refuse(name, expected);
  return option;
}

bool Reader::has(const char* name) { return find(name) != nullptr; }

bool Reader::is_text(const char* name) {
  const auto* option = find(name);
  return option != nullptr && std::holds_alternative<std::string>(*option);
}

bool Reader::flag(const char* name, bool fallback) {
  const auto* option = find(name);
  if (option == nullptr) return fallback;
  if (const auto* value = std::get_if<bool>(option)) return *value;
  refuse(name, "true or false");
}

double Reader::number(const char* name, double fallback, double low, double high) {
  const auto* option = find(name);
  if (option == nullptr) return fallback;
  const auto* value = std::get_if<double>(option);
  if (value != nullptr && *value >= low && *value <= high) return *value;
  if (low == kLowest && high == kHighest) refuse(name, "a finite number");
  if (high == kHighest) refuse(name, "a finite number of at least " + number_text(low));
  refuse(name, "a number from " + number_text(low) + " to " + number_text(high));
}

int64_t Reader::integer_in(const char* name, std::optional<int64_t> fallback, int64_t low,
                           const char* expected) {
  const auto* option = find_or_refuse(name, !fallback, expected);
  if (option == nullptr) return *fallback;
  if (const auto value = as_integer(*option, low)) return *value;
  refuse(name, expected);
}

int64_t Reader::size(const char* name, std::optional<int64_t> fallback) {
  return integer_in(name, fallback, 1, "an integer from 1 to 2147483647");
}

int64_t Reader::integer(const char* name, std::optional<int64_t> fallback) {
  return integer_in(name, fallback, -kLargest, "an integer");
}

Sizes Reader::sizes(const char* name, size_t dims, int64_t least, std::optional<Sizes> fallback) {
  const std::string expected =
      "an integer of at least " + std::to_string(least) + ", or a list of " + std::to_string(dims);
  const auto* option = find_or_refuse(name, !fallback, expected.c_str());
  if (option == nullptr) {
    if (fallback->single) fallback->values.assign(dims, fallback->values.at(0));
    return *fallback;
  }
  if (const auto value = as_integer(*option, least)) {
    return {std::vector<int64_t>(dims, *value), true};
  }
  const auto* values = std::get_if<std::vector<int64_t>>(option);
  if (values == nullptr || values->size() != dims || !within(*values, least))
    refuse(name, expected);
  return {*values, false};
}

Sizes Reader::list(const char* name, int64_t least) {
  const std::string expected = "a list of integers of at least " + std::to_string(least);
  const auto* option = find_or_refuse(name, true, expected.c_str());
  if (const auto value = as_integer(*option, least)) return {{*value}, true};
  const auto* values = std::get_if<std::vector<int64_t>>(option);
  if (values == nullptr || values->empty() || !within(*values, least)) refuse(name, expected);
  return {*values, false};
}

std::string Reader::choice(const char* name, std::initializer_list<const char*> choices) {
  const auto* option = find(name);
  if (option == nullptr) return *choices.begin();
  std::string expected;
  for (const auto* choice : choices) {
    const auto* value = std::get_if<std::string>(option);
    if (value != nullptr && *value == choice) return *value;
    expected += (expected.empty() ? "'" : " or '") + std::string(choice) + "'";
  }
  refuse(name, expected);
}

void Reader::finish() const {
  for (const auto& [name, value] : options_.all()) {
    if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
    std::string known;
    for (const auto& other : asked_) known += (known.empty() ? "" : ", ") + other;
    throw OptionError(kind_ + ": unknown option '" + name + "'; " +
                      (known.empty() ? "it takes none" : "it takes " + known));
  }
}

void Reader::refuse(const char* name, const std::string& expected) const {
  const auto* option = options_.find(name);
  throw OptionError(kind_ + ": " + name + ": expected " + expected + ", got " +
                    (option == nullptr ? "nothing" : std::visit(Describe(), *option)));
}

Repr& Repr::add_text(const std::string& text) {
  text_ += (text_.empty() ? "" : ", ") + text;
  return *this;
}

// Python's shortest form: an exponent below 1e-4 and from 1e16 on, and always a point or an
// exponent.
std::string Repr::show(double value) {
  const double size = std::abs(value);
  const bool exponent = size != 0 && (size < 1e-4 || size >= 1e16);
  std::array<char, 64> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed)
          .ptr;
  const std::string text(buffer.data(), end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string Repr::show(const std::vector<int64_t>& values) {
  return "(" + joined(values) + (values.size() == 1 ? ",)" : ")");
}

std::string Repr::show(const Sizes& sizes) {
  return sizes.single ? show(sizes.values.at(0)) : show(sizes.values);
}

}  // namespace fastopt::nn
