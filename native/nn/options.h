#pragma once
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace fastopt::nn {

// Numbers come as doubles because JavaScript has no others.
using Option = std::variant<bool, double, std::string, std::vector<int64_t>>;

// The settings of a layer, by name, as a caller gave them.
class Options {
 public:
  Options& set(const std::string& name, Option value) {
    values_.insert_or_assign(name, std::move(value));
    return *this;
  }
  const Option* find(const std::string& name) const;
  const std::map<std::string, Option>& all() const { return values_; }

 private:
  std::map<std::string, Option> values_;
};

// A layer can't be made from these options; the message says which, and what was expected.
struct OptionError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// One size for each dimension; `single` when one number was given for all of them.
struct Sizes {
  std::vector<int64_t> values;
  bool single = true;
  bool all(int64_t value) const;
};

// Reads and checks the options of one layer. What was asked for is what the layer takes, so that
// `finish` can name both.
class Reader {
 public:
  Reader(std::string kind, const Options& options) : kind_(std::move(kind)), options_(options) {}
  const std::string& kind() const { return kind_; }

  bool flag(const char* name, bool fallback);
  // From `low` to `high`, both included.
  double number(const char* name, double fallback, double low = kLowest, double high = kHighest);
  // At least 1. Required where there is no fallback.
  int64_t size(const char* name, std::optional<int64_t> fallback = {});
  // Any integer. Required where there is no fallback.
  int64_t integer(const char* name, std::optional<int64_t> fallback = {});
  // A number for all `dims`, or a list of as many. Required where there is no fallback.
  Sizes sizes(const char* name, size_t dims, int64_t least, std::optional<Sizes> fallback = {});
  // A list of any length but 0, or one number.
  Sizes list(const char* name, int64_t least);
  // The first choice is the default.
  std::string choice(const char* name, std::initializer_list<const char*> choices);

  bool has(const char* name);
  bool is_text(const char* name);

  // Refuses options that nobody asked for.
  void finish() const;
  // Throws `Conv2d: padding: expected ..., got ...`.
  [[noreturn]] void refuse(const char* name, const std::string& expected) const;

 private:
  static constexpr double kLowest = std::numeric_limits<double>::lowest();
  static constexpr double kHighest = std::numeric_limits<double>::max();

  // Null where the option is absent.
  const Option* find(const char* name);
  const Option* find_or_refuse(const char* name, bool required, const char* expected);
  int64_t integer_in(const char* name, std::optional<int64_t> fallback, int64_t low,
                     const char* expected);

  std::string kind_;
  const Options& options_;
  std::vector<std::string> asked_;
};

// Writes settings as PyTorch's `extra_repr` does: `3, 32, kernel_size=(3, 3), bias=False`.
class Repr {
 public:
  template <class T>
  Repr& add(const T& value) {
    return add_text(show(value));
  }
  template <class T>
  Repr& add(const char* name, const T& value) {
    return add_text(std::string(name) + "=" + show(value));
  }
  const std::string& text() const { return text_; }

 private:
  static std::string show(bool value) { return value ? "True" : "False"; }
  static std::string show(int64_t value) { return std::to_string(value); }
  static std::string show(double value);
  static std::string show(const std::string& value) { return value; }
  static std::string show(const std::vector<int64_t>& values);
  static std::string show(const Sizes& sizes);
  Repr& add_text(const std::string& text);

  std::string text_;
};

}  // namespace fastopt::nn
