#include <ATen/core/Tensor.h>

#include "check.h"
#include "core/op_table.h"

using namespace fastopt;

int main() {
  EXPECT(!find_operator("no_such_operator", ""));
  EXPECT(!find_operator("add", "NoSuchOverload"));
  EXPECT(!find_operator("", ""));
  const auto add = find_operator("add", "Tensor");
  EXPECT(add.has_value());
  EXPECT(find_operator("aten::add", "Tensor").has_value());

  OpTable table;
  EXPECT(table.get(0) == nullptr);
  const auto id = table.add(*add, {"other", "self"});
  const auto* op = table.get(id);
  EXPECT(op != nullptr);
  EXPECT(op->name == "add.Tensor");
  EXPECT(op->source == std::vector<int>{1, 0, -1});
  EXPECT(op->returned_argument == std::vector<int>{-1});
  EXPECT(table.get(id + 1) == nullptr);
  EXPECT(table.get(static_cast<size_t>(-1)) == nullptr);

  EXPECT(refuses<c10::Error>("no argument 'gamma'",
                             [&] { table.add(*add, {"self", "other", "gamma"}); }));
  EXPECT(refuses<c10::Error>("'other' is required", [&] { table.add(*add, {"self"}); }));
  EXPECT(table.get(id + 1) == nullptr);

  const auto in_place = table.add(*find_operator("add_", "Tensor"), {"self", "other"});
  EXPECT(table.get(in_place)->returned_argument == std::vector<int>{0});
  const auto out = table.add(*find_operator("sort", "values"), {"self", "values", "indices"});
  const auto& schema = table.get(out)->schema();
  const std::vector<int> written{*schema.argumentIndexWithName("values"),
                                 *schema.argumentIndexWithName("indices")};
  EXPECT(table.get(out)->returned_argument == written);
  return exit_code();
}
