#include "core/driver.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <array>

namespace fastopt::driver {
namespace {

// From cuda.h.
constexpr int kSuccess = 0;
enum Attribute {
  kWarpSize = 10,
  kMultiprocessors = 16,
  kL2CacheSize = 38,
  kMaxThreadsPerMultiprocessor = 39,
  kMajor = 75,
  kMinor = 76,
  kSharedMemoryPerBlockOptin = 97,
};

// The library stays loaded, as the driver wants it.
void* find_function(const char* name) {
#if defined(_WIN32)
  static HMODULE library = LoadLibraryA("nvcuda.dll");
  return library ? reinterpret_cast<void*>(GetProcAddress(library, name)) : nullptr;
#else
  static void* library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  return library != nullptr ? dlsym(library, name) : nullptr;
#endif
}

// Calls a function of the driver; false where it is absent or fails.
template <class... Args>
bool call(const char* name, Args... args) {
  auto* function = reinterpret_cast<int (*)(Args...)>(find_function(name));
  return function != nullptr && function(args...) == kSuccess;
}

int attribute(int device, Attribute which) {
  int value = 0;
  return call("cuDeviceGetAttribute", &value, static_cast<int>(which), device) ? value : 0;
}

Gpu describe(int device) {
  std::array<char, 256> name{};
  size_t memory = 0;
  call("cuDeviceGetName", name.data(), static_cast<int>(name.size()) - 1, device);
  call("cuDeviceTotalMem_v2", &memory, device);
  return {.name = name.data(),
          .total_memory = static_cast<int64_t>(memory),
          .major = attribute(device, kMajor),
          .minor = attribute(device, kMinor),
          .multiprocessors = attribute(device, kMultiprocessors),
          .warp_size = attribute(device, kWarpSize),
          .max_threads_per_multiprocessor = attribute(device, kMaxThreadsPerMultiprocessor),
          .shared_memory_per_block = attribute(device, kSharedMemoryPerBlockOptin),
          .l2_cache_size = attribute(device, kL2CacheSize)};
}

}  // namespace

Driver find_driver() {
  Driver driver;
  int count = 0;
  if (!call("cuDriverGetVersion", &driver.cuda_version)) return driver;
  if (!call("cuInit", 0U) || !call("cuDeviceGetCount", &count)) return driver;
  for (int index = 0; index < count; ++index) {
    int device = 0;
    if (call("cuDeviceGet", &device, index)) driver.gpus.push_back(describe(device));
  }
  return driver;
}

}  // namespace fastopt::driver
