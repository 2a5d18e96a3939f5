#include "core/allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#if defined(__APPLE__)
#include <malloc/malloc.h>
#elif defined(_WIN32)
#include <malloc.h>
#else
#include <malloc.h>
#endif

namespace fastopt {
namespace {

// libtorch knows one CPU allocator for each process and keeps a bare pointer to it, so these are
// the only statics of the addon; every environment that loads it shares them.
std::atomic<int64_t> given_out{0};
at::Allocator* system_allocator = nullptr;

int64_t block_size(void* block) {
#if defined(__APPLE__)
  return static_cast<int64_t>(malloc_size(block));
#elif defined(_WIN32)
  return static_cast<int64_t>(_aligned_msize(block, 64, 0));
#else
  return static_cast<int64_t>(malloc_usable_size(block));
#endif
}

void release(void* block) {
  if (block == nullptr) return;
  given_out.fetch_sub(block_size(block), std::memory_order_relaxed);
  system_allocator->raw_deallocate(block);
}

class CountingAllocator final : public at::Allocator {
 public:
  at::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, at::Device(at::DeviceType::CPU)};
    void* block = system_allocator->raw_allocate(bytes);
    given_out.fetch_add(block_size(block), std::memory_order_relaxed);
    return {block, block, &release, at::Device(at::DeviceType::CPU)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

// Lets libtorch put blocks of 2 MB and more on huge pages, unless the user has said. It asks at its
// first allocation, and this is that; the environment is left as it was.
void allow_huge_pages() {
#if defined(__linux__)
  constexpr auto kSwitch = "THP_MEM_ALLOC_ENABLE";
  if (std::getenv(kSwitch) != nullptr) return;
  setenv(kSwitch, "1", 0);
  system_allocator->raw_deallocate(system_allocator->raw_allocate(1));
  unsetenv(kSwitch);
#endif
}

}  // namespace

void install_counting_allocator() {
  static std::once_flag once;
  std::call_once(once, [] {
    system_allocator = c10::GetDefaultCPUAllocator();
    allow_huge_pages();
    // Priority 0 is that of libtorch's own; the object lives as long as the process.
    c10::SetCPUAllocator(new CountingAllocator(), 1);
  });
}

int64_t allocated_bytes() { return given_out.load(std::memory_order_relaxed); }

}  // namespace fastopt
