// Apart from the other tests, as libtorch decides at the first allocation of a process.
#include <ATen/ops/empty.h>

#include <cstdlib>
#if defined(__linux__)
#include <unistd.h>
#endif

#include "check.h"
#include "core/allocator.h"

int main() {
#if defined(__linux__)
  unsetenv("THP_MEM_ALLOC_ENABLE");
#endif
  fastopt::install_counting_allocator();
#if defined(__linux__)
  const auto big = at::empty({1 << 20}, at::kFloat);
  // libtorch puts what may lie on huge pages at the beginning of a page; else it doesn't.
  EXPECT(reinterpret_cast<uintptr_t>(big.data_ptr()) % sysconf(_SC_PAGESIZE) == 0);
  EXPECT(fastopt::allocated_bytes() < (4 << 20) + 8192);
#endif
  EXPECT(std::getenv("THP_MEM_ALLOC_ENABLE") == nullptr);
  return exit_code();
}
