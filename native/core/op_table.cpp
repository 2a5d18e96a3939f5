#include "core/op_table.h"

#include <algorithm>
#include <sstream>

namespace fastopt {
namespace {

std::string qualified(const std::string& name) {
  return name.find("::") == std::string::npos ? "aten::" + name : name;
}

std::string text(const c10::FunctionSchema& schema) {
  std::ostringstream out;
  out << schema;
  return out.str();
}

int returned_argument(const c10::FunctionSchema& schema, const c10::Argument& value) {
  const auto* alias = value.alias_info();
  if (alias == nullptr || !alias->isWrite()) return -1;
  const auto& arguments = schema.arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto* other = arguments[i].alias_info();
    if (other != nullptr && other->isWrite() && other->beforeSets() == alias->beforeSets()) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

// Schemas don't say that running statistics are written.
bool writes(const c10::Argument& argument) {
  const auto* alias = argument.alias_info();
  return (alias != nullptr && alias->isWrite()) || argument.name().rfind("running_", 0) == 0;
}

int factory_device(const c10::FunctionSchema& schema) {
  for (const auto& argument : schema.arguments()) {
    if (argument.type()->str().find("Tensor") != std::string::npos) return -1;
  }
  const auto device = schema.argumentIndexWithName("device");
  // A file's contents come to the CPU.
  return device && schema.name() != "aten::from_file" ? *device : -1;
}

}  // namespace

std::optional<c10::OperatorHandle> find_operator(const std::string& name,
                                                 const std::string& overload) {
  return c10::Dispatcher::singleton().findSchema({qualified(name), overload});
}

template <class Wanted>
static std::vector<std::string> schemas_of(Wanted wanted) {
  auto& dispatcher = c10::Dispatcher::singleton();
  std::vector<std::string> schemas;
  for (const auto& name : dispatcher.getAllOpNames()) {
    if (!wanted(name.name)) continue;
    if (auto handle = dispatcher.findSchema(name)) schemas.push_back(text(handle->schema()));
  }
  std::sort(schemas.begin(), schemas.end());
  return schemas;
}

std::vector<std::string> aten_schemas() {
  return schemas_of([](const std::string& name) { return name.rfind("aten::", 0) == 0; });
}

std::vector<std::string> overload_schemas(const std::string& name) {
  return schemas_of(
      [wanted = qualified(name)](const std::string& other) { return other == wanted; });
}

size_t OpTable::add(c10::OperatorHandle handle, const std::vector<std::string>& arguments) {
  const auto& schema = handle.schema();
  Op op{handle, schema.name().substr(schema.name().find("::") + 2), {}, {}, {}};
  if (!schema.overload_name().empty()) op.name += "." + schema.overload_name();
  for (const auto& name : arguments) {
    if (name.empty()) continue;
    TORCH_CHECK(schema.argumentIndexWithName(name).has_value(), op.name,
                ": this libtorch has no argument '", name, "'; its schema is ", text(schema));
  }
  for (const auto& argument : schema.arguments()) {
    const auto found = std::find(arguments.begin(), arguments.end(), argument.name());
    const bool given = found != arguments.end();
    TORCH_CHECK(given || argument.default_value().has_value(), op.name, ": argument '",
                argument.name(), "' is required by this libtorch; its schema is ", text(schema));
    op.writes = op.writes || writes(argument);
    op.source.push_back(given ? static_cast<int>(found - arguments.begin()) : -1);
  }
  op.factory_device = factory_device(schema);
  for (const auto& value : schema.returns()) {
    op.returned_argument.push_back(returned_argument(schema, value));
  }
  ops_.push_back(std::move(op));
  return ops_.size() - 1;
}

}  // namespace fastopt
