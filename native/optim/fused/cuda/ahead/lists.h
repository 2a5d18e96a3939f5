// Lists of callbacks as native/build.json has them.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "optim/fused/cuda/source.h"

namespace fastopt::fused {

// The text of the kernels of a list such as "3,6,8,0,14".
inline std::string source_of_list(const std::string& numbers) {
  std::vector<int32_t> callbacks;
  std::istringstream stream(numbers);
  for (std::string number; std::getline(stream, number, ',');)
    callbacks.push_back(std::stoi(number));
  fastopt_plan_options options{};
  options.callbacks = callbacks.data();
  options.callback_count = static_cast<int64_t>(callbacks.size());
  ListOfCallbacks list;
  if (const char* problem = list_callbacks(options, list))
    throw std::invalid_argument(numbers + ": " + problem);
  return cuda_source(list);
}

}  // namespace fastopt::fused
