#pragma once
#include <c10/util/Exception.h>

#include <atomic>
#include <mutex>
#include <vector>

namespace fastopt {

// Collects what libtorch warns of in a thread and in those that work for it, in place of printing
// it: libtorch has a handler for each thread.
class WarningQueue final : public c10::WarningHandler {
 public:
  // For the thread that calls it.
  void install();
  // Gives the thread back the handler that it had before.
  void uninstall();

  // Any thread may warn.
  void process(const c10::Warning& warning) override;

  bool waiting() const { return waiting_.load(std::memory_order_relaxed); }
  std::vector<c10::Warning> take();
  // Leaves what waits to the handler before, which writes it to stderr.
  void print();

 private:
  c10::WarningHandler* before_ = nullptr;
  std::mutex mutex_;
  std::vector<c10::Warning> warnings_;
  std::atomic<bool> waiting_ = false;
};

}  // namespace fastopt
