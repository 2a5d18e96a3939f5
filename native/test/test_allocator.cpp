#include <ATen/ops/empty.h>

#include "check.h"
#include "core/allocator.h"

using fastopt::allocated_bytes;

int main() {
  const auto before_install = at::empty({1000}, at::kFloat);
  fastopt::install_counting_allocator();
  fastopt::install_counting_allocator();
  const auto start = allocated_bytes();

  auto tensor = at::empty({1 << 20}, at::kFloat);
  const auto held = allocated_bytes() - start;
  EXPECT(held >= 4 << 20);
  EXPECT(held < (4 << 20) + 8192);

  auto view = tensor.view({1024, 1024});
  EXPECT(allocated_bytes() - start == held);
  tensor.reset();
  EXPECT(allocated_bytes() - start == held);
  view.reset();
  EXPECT(allocated_bytes() == start);

  tensor = at::empty({0}, at::kFloat);
  EXPECT(allocated_bytes() == start);
  tensor.resize_({100});
  EXPECT(allocated_bytes() > start);
  tensor.resize_({10000});
  tensor.reset();
  EXPECT(allocated_bytes() == start);

  EXPECT(refuses<c10::Error>("", [] { at::empty({int64_t{1} << 60}, at::kFloat); }));
  EXPECT(allocated_bytes() == start);
  return exit_code();
}
