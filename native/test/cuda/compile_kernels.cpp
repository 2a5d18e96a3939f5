// Compiles the kernels of each case with NVRTC, for the GPUs that are named:
//
//     compile_kernels <folders of NVRTC> 80 90
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "check.h"
#include "cuda/cases.h"
#include "optim/fused/cuda/fused_cuda.h"
#include "optim/fused/cuda/gpu.h"
#include "optim/fused/cuda/nvrtc.h"

namespace fs = std::filesystem;
using namespace fastopt::fused;

namespace {

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void what_was_compiled_is_kept_and_mended(const char* nvrtc) {
  const auto folder = fs::temp_directory_path() / ("fastopt-cache-" + std::to_string(getpid()));
  const auto name = folder.string();
  const NvrtcPlaces places{nvrtc, name.c_str()};
  const std::string source = "extern \"C\" __global__ void nothing() {}\n";
  const auto code = compile_or_recall(source, 90, places);
  EXPECT(!code.empty() && code == compile(source, 90, places));
  const fs::directory_iterator files(folder);
  EXPECT(std::distance(begin(files), end(files)) == 1);
  const auto path = fs::directory_iterator(folder)->path();
  const auto kept = read(path);
  EXPECT(kept.ends_with(code));
  std::ofstream(path, std::ios::binary) << kept.substr(0, kept.size() / 2);
  EXPECT(compile_or_recall(source, 90, places) == code);
  EXPECT(read(path) == kept);
  // What is there is used: it isn't compiled again.
  fs::last_write_time(path, fs::file_time_type{});
  EXPECT(compile_or_recall(source, 90, places) == code);
  EXPECT(fs::last_write_time(path) == fs::file_time_type{});
  EXPECT(compile_or_recall(source, 80, places) != code);
  EXPECT(refuses<Refused>(
      "undefined", [&] { compile("extern \"C\" __global__ void bad() { x = 1; }", 90, places); }));
  fs::remove_all(folder);
}

}  // namespace

int main(int count, char** arguments) {
  int compiled = 0;
  for (const auto& kernel_case : kernel_cases::kernel_cases()) {
    for (int i = 2; i < count; ++i) {
      int64_t size = 0;
      const char* problem = kernel_cases::with_options(kernel_case, [&](const auto& options) {
        return fastopt_cuda_compile(&options, std::atoi(arguments[i]), arguments[1], nullptr,
                                    &size);
      });
      if (problem || size == 0) {
        std::fprintf(stderr, "%s, dtype %d, state %d, sm_%s: %s\n", kernel_case.name.c_str(),
                     kernel_case.dtype, kernel_case.state_dtype, arguments[i],
                     problem ? problem : "nothing was made");
        return 1;
      }
      ++compiled;
    }
  }
  std::printf("%d programs compiled\n", compiled);
  EXPECT(compiled > 0);
  what_was_compiled_is_kept_and_mended(arguments[1]);
  return exit_code();
}
