#include "optim/fused/cuda/cache.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string_view>

#include "optim/fused/cuda/library.h"

namespace fastopt::fused {
namespace {

namespace fs = std::filesystem;

// The first GPUs that the build compiles for. Their successors have its PTX.
constexpr int kFirstOfBuild = 80;

// FNV-1a
uint64_t hash_of(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325) {
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

std::string hexadecimal(uint64_t number) {
  std::ostringstream digits;
  digits << std::hex << number;
  return digits.str();
}

fs::path cache_folder(const char* wanted) {
  if (wanted) return wanted;
  if (const char* caches = std::getenv("XDG_CACHE_HOME"); caches && *caches)
    return fs::path(caches) / "fastopt";
  if (const char* home = std::getenv("HOME"); home && *home)
    return fs::path(home) / ".cache" / "fastopt";
  return {};
}

std::string rest_of(std::ifstream& file) { return {std::istreambuf_iterator<char>(file), {}}; }

}  // namespace

std::string name_of(const std::string& source) {
  return hexadecimal(hash_of(source)) + hexadecimal(hash_of(source, 1));
}

std::string made_by_build(const std::string& source, int arch) {
  if (arch < kFirstOfBuild) return {};
  const auto own = fs::path(folder_of(reinterpret_cast<void*>(&made_by_build)));
  std::ifstream file(own / "kernels" / (name_of(source) + ".fatbin"), std::ios::binary);
  return rest_of(file);
}

Cached::Cached(const char* folder, const std::string& name) : path_(cache_folder(folder)) {
  if (!path_.empty()) path_ /= name + ".bin";
}

// The hash of the rest comes first.
std::string Cached::read() const {
  std::ifstream file(path_, std::ios::binary);
  uint64_t hash = 0;
  file.read(reinterpret_cast<char*>(&hash), sizeof hash);
  auto code = rest_of(file);
  return hash_of(code) == hash ? code : std::string();
}

void Cached::write(const std::string& code) const {
  if (path_.empty()) return;
  std::error_code failed;
  fs::create_directories(path_.parent_path(), failed);
  const fs::path part = path_.string() + "." + hexadecimal(std::random_device()());
  {
    std::ofstream file(part, std::ios::binary);
    const auto hash = hash_of(code);
    file.write(reinterpret_cast<const char*>(&hash), sizeof hash);
    file.write(code.data(), static_cast<std::streamsize>(code.size()));
    if (!file.flush()) failed = std::make_error_code(std::errc::io_error);
  }
  if (!failed) fs::rename(part, path_, failed);
  if (failed) fs::remove(part, failed);
}

}  // namespace fastopt::fused
