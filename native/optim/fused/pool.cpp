#include <atomic>
#include <thread>
#include <vector>

#include "optim/fused/fused.h"

// One caller at a time; the caller is the first of the pool's threads.
struct fastopt_pool {
  std::vector<std::jthread> threads;
  void (*task)(void*) = nullptr;  // null: the threads end
  void* context = nullptr;
  std::atomic<uint32_t> round = 0;
  std::atomic<size_t> running = 0;

  explicit fastopt_pool(int32_t count) {
    for (int32_t i = 1; i < count; ++i) threads.emplace_back([this] { serve(); });
  }
  ~fastopt_pool() { start(nullptr, nullptr); }

  void start(void (*new_task)(void*), void* new_context) {
    task = new_task;
    context = new_context;
    running = threads.size();
    ++round;
    round.notify_all();
  }

  void serve() {
    for (uint32_t seen = 0;;) {
      round.wait(seen);
      seen = round;
      if (!task) return;
      task(context);
      if (--running == 0) running.notify_all();
    }
  }

  void wait() {
    for (size_t left; (left = running) != 0;) running.wait(left);
  }
};

fastopt_pool* fastopt_pool_create(int32_t threads) { return new fastopt_pool(threads); }

void fastopt_pool_destroy(fastopt_pool* pool) { delete pool; }

void fastopt_pool_run(void* pool, void (*task)(void* context), void* context) {
  auto& threads = *static_cast<fastopt_pool*>(pool);
  threads.start(task, context);
  task(context);
  threads.wait();
}
