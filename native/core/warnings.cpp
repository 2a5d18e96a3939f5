#include "core/warnings.h"

#include <utility>

namespace fastopt {

void WarningQueue::install() {
  before_ = c10::WarningUtils::get_warning_handler();
  c10::WarningUtils::set_warning_handler(this);
}

void WarningQueue::uninstall() {
  if (c10::WarningUtils::get_warning_handler() == this)
    c10::WarningUtils::set_warning_handler(before_);
}

void WarningQueue::process(const c10::Warning& warning) {
  const std::lock_guard lock(mutex_);
  warnings_.push_back(warning);
  waiting_.store(true, std::memory_order_relaxed);
}

std::vector<c10::Warning> WarningQueue::take() {
  const std::lock_guard lock(mutex_);
  waiting_.store(false, std::memory_order_relaxed);
  return std::exchange(warnings_, {});
}

void WarningQueue::print() {
  for (const auto& warning : take()) before_->process(warning);
}

}  // namespace fastopt
