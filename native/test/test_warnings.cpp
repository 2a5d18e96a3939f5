#include <c10/util/Exception.h>

#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/warnings.h"

using namespace fastopt;

namespace {

// Stands for the handler that prints.
struct Printer : c10::WarningHandler {
  std::vector<std::string> printed;
  void process(const c10::Warning& warning) override { printed.push_back(warning.msg()); }
};

void a_queue_collects_until_somebody_takes_or_prints() {
  Printer printer;
  const c10::WarningUtils::WarningHandlerGuard guard(&printer);
  WarningQueue queue;
  queue.install();
  EXPECT(!queue.waiting());
  TORCH_WARN("one");
  TORCH_WARN("two");
  EXPECT(queue.waiting());
  const auto taken = queue.take();
  EXPECT(taken.size() == 2 && taken[0].msg() == "one" && taken[1].msg() == "two");
  EXPECT(!queue.waiting() && queue.take().empty());

  TORCH_WARN("three");
  queue.uninstall();
  TORCH_WARN("four");
  queue.print();
  EXPECT(printer.printed == (std::vector<std::string>{"four", "three"}));
}

void another_handler_stays() {
  Printer first, second;
  const c10::WarningUtils::WarningHandlerGuard guard(&first);
  WarningQueue queue;
  queue.install();
  c10::WarningUtils::set_warning_handler(&second);
  queue.uninstall();
  EXPECT(c10::WarningUtils::get_warning_handler() == &second);
}

void many_threads_may_warn_at_once() {
  WarningQueue queue;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&queue] {
      const c10::WarningUtils::WarningHandlerGuard guard(&queue);
      for (int k = 0; k < 100; ++k) TORCH_WARN("again");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT(queue.take().size() == 400);
}

}  // namespace

int main() {
  a_queue_collects_until_somebody_takes_or_prints();
  another_handler_stays();
  many_threads_may_warn_at_once();
  return exit_code();
}
