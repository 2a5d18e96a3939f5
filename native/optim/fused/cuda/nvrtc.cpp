#include "optim/fused/cuda/nvrtc.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <vector>

#include "optim/fused/cuda/cache.h"
#include "optim/fused/cuda/gpu.h"
#include "optim/fused/cuda/library.h"

namespace fastopt::fused {
namespace {

namespace fs = std::filesystem;

// ---- NVRTC, whose declarations these are ----

using Program = struct OpaqueProgram*;

struct Nvrtc {
  int (*version)(int* major, int* minor);
  int (*count_archs)(int* count);
  int (*archs)(int* archs);
  int (*create)(Program*, const char* source, const char* name, int headers,
                const char* const* header_texts, const char* const* header_names);
  int (*compile)(Program, int options, const char* const* option_texts);
  int (*log_size)(Program, size_t*);
  int (*log)(Program, char*);
  int (*cubin_size)(Program, size_t*);
  int (*cubin)(Program, char*);
  int (*ptx_size)(Program, size_t*);
  int (*ptx)(Program, char*);
  int (*destroy)(Program*);
  const char* (*error)(int);
};

std::vector<std::string> split(const char* folders) {
  std::vector<std::string> parts;
  std::istringstream stream(folders ? folders : "");
  for (std::string part; std::getline(stream, part, ':');)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

// The last is libtorch's, which knows where its own NVRTC is: that may have any name.
const std::vector<std::string> kNames{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
                                      "libcaffe2_nvrtc.so"};
const std::string kToolkit = "/usr/local/cuda/lib64";

void* open_nvrtc(const char* folders) {
  if (void* open = find_open_library(kNames)) return open;
  auto places = split(folders);
  places.push_back(kToolkit);
  std::vector<std::string> paths;
  for (const auto& folder : places)
    for (const auto& name : kNames) paths.push_back(folder + "/" + name);
  paths.insert(paths.end(), kNames.begin(), kNames.end());
  return open_library(paths);
}

// NVRTC opens this library by name, and finds it if it is open already.
void open_builtins(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("libnvrtc-builtins.so")) open_library({entry.path().string()});
  }
}

Nvrtc open_nvrtc_or_throw(const char* folders) {
  void* library = open_nvrtc(folders);
  if (!library) {
    throw Refused(
        "NVRTC was not found: libnvrtc.so.13 or .12 comes with a CUDA libtorch, the CUDA toolkit, "
        "and the Python package nvidia-cuda-nvrtc; nvcc is used by the build alone");
  }
  Nvrtc found{};
  const auto bind = [&](auto& function, const char* name) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(find_symbol(library, name));
    if (!function) throw Refused(std::string("NVRTC lacks ") + name);
  };
  bind(found.version, "nvrtcVersion");
  bind(found.count_archs, "nvrtcGetNumSupportedArchs");
  bind(found.archs, "nvrtcGetSupportedArchs");
  bind(found.create, "nvrtcCreateProgram");
  bind(found.compile, "nvrtcCompileProgram");
  bind(found.log_size, "nvrtcGetProgramLogSize");
  bind(found.log, "nvrtcGetProgramLog");
  bind(found.cubin_size, "nvrtcGetCUBINSize");
  bind(found.cubin, "nvrtcGetCUBIN");
  bind(found.ptx_size, "nvrtcGetPTXSize");
  bind(found.ptx, "nvrtcGetPTX");
  bind(found.destroy, "nvrtcDestroyProgram");
  bind(found.error, "nvrtcGetErrorString");
  open_builtins(folder_of(reinterpret_cast<void*>(found.version)));
  return found;
}

// The standard headers that our sources include.
constexpr const char* kHeaderNames[] = {"stdint.h", "string.h"};
constexpr const char* kHeaders[] = {
    "typedef signed char int8_t; typedef unsigned char uint8_t; typedef short int16_t;\n"
    "typedef unsigned short uint16_t; typedef int int32_t; typedef unsigned int uint32_t;\n"
    "typedef long long int64_t; typedef unsigned long long uint64_t;\n",
    ""};

std::string compile_with(const Nvrtc& nvrtc, const std::string& source, int arch) {
  const auto check = [&](int code) {
    if (code != 0) throw Refused(std::string("NVRTC: ") + nvrtc.error(code));
  };
  int count = 0;
  check(nvrtc.count_archs(&count));
  std::vector<int> archs(count);
  check(nvrtc.archs(archs.data()));
  const bool known = std::find(archs.begin(), archs.end(), arch) != archs.end();
  if (!known) {
    std::erase_if(archs, [&](int other) { return other > arch; });
    if (archs.empty()) throw Refused("NVRTC knows no GPU as old as this one");
    arch = *std::max_element(archs.begin(), archs.end());
  }
  const auto target =
      std::string("--gpu-architecture=") + (known ? "sm_" : "compute_") + std::to_string(arch);
  const char* options[] = {target.c_str(), "--std=c++20"};

  Program program{};
  check(nvrtc.create(&program, source.c_str(), "fastopt.cu", 2, kHeaders, kHeaderNames));
  struct Destroy {
    const Nvrtc& nvrtc;
    Program& program;
    ~Destroy() { nvrtc.destroy(&program); }
  } destroy{nvrtc, program};
  const int code = nvrtc.compile(program, 2, options);
  size_t size = 0;
  if (code != 0) {
    nvrtc.log_size(program, &size);
    std::string log(size, '\0');
    if (size > 0) nvrtc.log(program, log.data());
    throw Refused(std::string("NVRTC: ") + nvrtc.error(code) + "\n" + log);
  }
  check(known ? nvrtc.cubin_size(program, &size) : nvrtc.ptx_size(program, &size));
  std::string code_of_gpu(size, '\0');
  check(known ? nvrtc.cubin(program, code_of_gpu.data()) : nvrtc.ptx(program, code_of_gpu.data()));
  return code_of_gpu;
}

}  // namespace

std::string compile(const std::string& source, int arch, const NvrtcPlaces& places) {
  return compile_with(open_nvrtc_or_throw(places.folders), source, arch);
}

std::string compile_or_recall(const std::string& source, int arch, const NvrtcPlaces& places) {
  const auto nvrtc = open_nvrtc_or_throw(places.folders);
  int major = 0, minor = 0;
  nvrtc.version(&major, &minor);
  const Cached cached(places.cache, name_of(source) + "-sm_" + std::to_string(arch) + "-nvrtc-" +
                                        std::to_string(major) + "." + std::to_string(minor));
  if (auto kept = cached.read(); !kept.empty()) return kept;
  auto made = compile_with(nvrtc, source, arch);
  cached.write(made);
  return made;
}

}  // namespace fastopt::fused
