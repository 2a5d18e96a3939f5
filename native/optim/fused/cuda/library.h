// A shared library that is looked for at run time.
#pragma once
#include <string>
#include <vector>

namespace fastopt::fused {

// The handle of the first of these names that can be opened, or null. Stays open.
void* open_library(const std::vector<std::string>& names);

// The same, but only of those that the process has open already.
void* find_open_library(const std::vector<std::string>& names);

void* find_symbol(void* library, const char* name);

// Where the library of a symbol lies; empty when that isn't known.
std::string folder_of(void* symbol);

}  // namespace fastopt::fused
