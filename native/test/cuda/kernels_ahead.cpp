// Checks what nvcc has compiled of the lists that are its arguments.
#include <cstring>
#include <set>
#include <utility>

#include "check.h"
#include "optim/fused/cuda/ahead/lists.h"
#include "optim/fused/cuda/cache.h"

using namespace fastopt::fused;

namespace {

template <class T>
T at(const std::string& bytes, size_t place) {
  T value{};
  if (place + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + place, sizeof value);
  return value;
}

constexpr uint16_t kPtx = 1, kMachineCode = 2;

// What a fatbin holds code for: its kind and a compute capability. There is no documentation of
// the format: this is how nvcc 12 and 13 write it.
std::set<std::pair<uint16_t, uint32_t>> targets_of(const std::string& fatbin) {
  std::set<std::pair<uint16_t, uint32_t>> targets;
  if (at<uint32_t>(fatbin, 0) != 0xBA55ED50) return targets;
  for (size_t place = at<uint16_t>(fatbin, 6); place < fatbin.size();
       place += at<uint32_t>(fatbin, place + 4) + at<uint64_t>(fatbin, place + 8)) {
    const auto kind = at<uint16_t>(fatbin, place);
    if (kind == 0) break;
    targets.emplace(kind, at<uint32_t>(fatbin, place + 28));
  }
  return targets;
}

}  // namespace

int main(int count, char** lists) {
  std::set<std::string> names;
  for (int i = 1; i < count; ++i) {
    const auto source = source_of_list(lists[i]);
    const auto code = made_by_build(source, 90);
    EXPECT((targets_of(code) == std::set<std::pair<uint16_t, uint32_t>>{
                                    {kPtx, 90}, {kMachineCode, 80}, {kMachineCode, 90}}));
    EXPECT(made_by_build(source, 80) == code);
    EXPECT(made_by_build(source, 120) == code);
    // An older GPU can't run it, nor any GPU a text that differs.
    EXPECT(made_by_build(source, 75).empty());
    EXPECT(made_by_build(source + "\n", 90).empty());
    names.insert(name_of(source));
  }
  EXPECT(static_cast<int>(names.size()) == count - 1 && count > 1);
  return exit_code();
}
