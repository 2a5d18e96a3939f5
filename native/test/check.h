#pragma once
#include <cstdio>
#include <string>

// The smallest test kit that says what failed: EXPECT in tests, `return exit_code()` in main.
inline int failures = 0;
inline int exit_code() { return failures == 0 ? 0 : 1; }

inline void expect(bool passed, const std::string& what, const char* file, int line) {
  if (passed) return;
  ++failures;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

#define EXPECT(...) expect((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define EXPECT_FOR(name, ...) \
  expect((__VA_ARGS__), std::string(name) + ": " #__VA_ARGS__, __FILE__, __LINE__)

// Whether `run` throws an Error whose message has `part` in it.
template <class Error, class Run>
bool refuses(const std::string& part, Run run) {
  try {
    run();
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.find(part) != std::string::npos) return true;
    std::fprintf(stderr, "  expected '%s', got '%s'\n", part.c_str(), message.c_str());
  }
  return false;
}
