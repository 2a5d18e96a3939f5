#pragma once
#include <cstdint>

namespace fastopt {

// Puts a counting allocator in front of libtorch's CPU allocator, once for the whole process.
void install_counting_allocator();

// Bytes that libtorch's CPU allocator has given out and not yet got back, in the whole process.
int64_t allocated_bytes();

}  // namespace fastopt
