// Writes the CUDA C++ of lists of callbacks, each to a file with the name of its text:
//
//     write_sources <folder> 3,6,8,0,14 ...
//
// A list has the numbers of `enum fastopt_callback`; parameters and states are of float32.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "optim/fused/cuda/ahead/lists.h"
#include "optim/fused/cuda/cache.h"

using namespace fastopt::fused;

int main(int count, char** arguments) {
  for (int i = 2; i < count; ++i) {
    const auto source = source_of_list(arguments[i]);
    const auto name = name_of(source) + ".cu";
    std::ofstream file(std::filesystem::path(arguments[1]) / name);
    if (file << source << std::flush) continue;
    std::cerr << name << " can't be written in " << arguments[1] << "\n";
    return 1;
  }
}
