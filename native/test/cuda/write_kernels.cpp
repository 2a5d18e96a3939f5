// Writes a source file for the host, at the path that is its argument, with the kernels of each
// case, to be compiled with on_host.h.
#include <fstream>
#include <iostream>

#include "cuda/cases.h"
#include "optim/fused/cuda/source.h"

using namespace fastopt::fused;

int main(int, char** arguments) {
  std::ofstream file(arguments[1]);
  file << "#include \"cuda/on_host.h\"\n#include \"optim/fused/cuda/device.h\"\n\n";
  std::string table;
  for (int number = 0; const auto& kernel_case : kernel_cases::kernel_cases()) {
    ListOfCallbacks list;
    const char* problem = kernel_cases::with_options(
        kernel_case, [&](const auto& options) { return list_callbacks(options, list); });
    if (problem) {
      std::cerr << kernel_case.name << ": " << problem << "\n";
      return 1;
    }
    const auto space = "case_" + std::to_string(number++);
    table += "  {\n";
    for (const auto& name : kernel_names(list)) {
      // As kernels have C linkage, each needs a name of its own.
      file << "#undef " << name << "\n#define " << name << " " << name << "_of_" << space << "\n";
      table +=
          "    {\"" + name + "\", " + space + "::fastopt::fused::" + name + "_of_" + space + "},\n";
    }
    table += "  },\n";
    file << "// " << kernel_case.name << "\nnamespace " << space
         << " {\nnamespace fastopt::fused {\nusing namespace ::fastopt::fused;\n}\n"
         << cuda_kernels(list) << "}\n\n";
  }
  file << "const std::vector<on_host::Kernels> on_host::kernels{\n" << table << "};\n";
  return file.flush() ? 0 : 1;
}
