#pragma once
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/dispatch/OperatorEntry.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace fastopt {

// One overload, ready to be called with arguments in the caller's own order.
struct Op {
  c10::OperatorHandle handle;
  std::string name;  // "add.Tensor"
  // For each argument of the schema: which of the caller's it is, or -1 for the schema's default.
  std::vector<int> source;
  // For each returned value: the schema argument that it is (in-place and out variants), or -1.
  std::vector<int> returned_argument;
  // Whether it changes an argument, so that a call that failed half-way can't be made again.
  bool writes = false;
  // Of one that makes a tensor out of numbers: the argument that says on which device; else -1.
  int factory_device = -1;

  const c10::FunctionSchema& schema() const { return handle.schema(); }
};

// The overloads that an environment has asked for, by number.
class OpTable {
 public:
  // An empty name holds the place of an argument that the schema lacks. Throws c10::Error when
  // `arguments` has any other name that the schema lacks, or leaves out a required one.
  size_t add(c10::OperatorHandle handle, const std::vector<std::string>& arguments);
  const Op* get(size_t id) const { return id < ops_.size() ? &ops_[id] : nullptr; }

 private:
  std::deque<Op> ops_;  // a hook may add operators during a call: their addresses stay
};

std::optional<c10::OperatorHandle> find_operator(const std::string& name,
                                                 const std::string& overload);

// Schemas as libtorch prints them, sorted.
std::vector<std::string> aten_schemas();
std::vector<std::string> overload_schemas(const std::string& name);

}  // namespace fastopt
