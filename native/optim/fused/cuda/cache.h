// Kernels that were compiled before: by the build, or on this machine.
#pragma once
#include <filesystem>
#include <string>

namespace fastopt::fused {

// A name for the text of kernels that no other text has.
std::string name_of(const std::string& source);

// What nvcc made of `source` when this library was built, for a compute capability such as 90; it
// lies beside the library, in kernels/. Empty where there is none.
std::string made_by_build(const std::string& source, int arch);

// A file of the cache, which is in `folder`, or in the user's where that is null.
class Cached {
 public:
  Cached(const char* folder, const std::string& name);

  // Empty where there is no such file, or not the whole of it.
  std::string read() const;
  // Others may read or write it at the same time: it appears as a whole. A cache that can't be
  // written is no problem.
  void write(const std::string& code) const;

 private:
  std::filesystem::path path_;  // empty without a cache
};

}  // namespace fastopt::fused
