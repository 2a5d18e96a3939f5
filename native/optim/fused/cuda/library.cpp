#include "optim/fused/cuda/library.h"

#include <filesystem>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace fastopt::fused {

#if defined(__unix__) || defined(__APPLE__)

namespace {
void* open_with(const std::vector<std::string>& names, int flags) {
  for (const auto& name : names)
    if (void* library = dlopen(name.c_str(), flags)) return library;
  return nullptr;
}
}  // namespace

void* open_library(const std::vector<std::string>& names) {
  return open_with(names, RTLD_NOW | RTLD_LOCAL);
}

void* find_open_library(const std::vector<std::string>& names) {
  return open_with(names, RTLD_NOW | RTLD_NOLOAD);
}

void* find_symbol(void* library, const char* name) { return dlsym(library, name); }

std::string folder_of(void* symbol) {
  Dl_info info{};
  if (!dladdr(symbol, &info) || !info.dli_fname) return {};
  std::error_code ignored;
  return std::filesystem::canonical(info.dli_fname, ignored).parent_path().string();
}

#else

void* open_library(const std::vector<std::string>&) { return nullptr; }
void* find_open_library(const std::vector<std::string>&) { return nullptr; }
void* find_symbol(void*, const char*) { return nullptr; }
std::string folder_of(void*) { return {}; }

#endif

}  // namespace fastopt::fused
