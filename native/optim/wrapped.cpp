#include "optim/wrapped.h"

#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "optim/wrapped_fields.h"

namespace fastopt::optim {
namespace {

struct ReadSettings {
  std::vector<std::pair<std::string, double>> found;
  template <class T>
  void operator()(const char* name, const T& field) {
    found.emplace_back(name, static_cast<double>(field));
  }
};

int64_t to_integer(const char* name, double value) {
  constexpr double kMaxSafe = 9007199254740991.0;
  if (std::trunc(value) == value && std::abs(value) <= kMaxSafe) return static_cast<int64_t>(value);
  throw WrappedError(std::string(name) + ": expected an integer, got " + std::to_string(value));
}

void assign(const char*, double& field, double value) { field = value; }
void assign(const char*, bool& field, double value) { field = value != 0; }
void assign(const char* name, int64_t& field, double value) { field = to_integer(name, value); }

struct WriteSettings {
  const double* next;
  template <class T>
  void operator()(const char* name, T& field) {
    assign(name, field, *next++);
  }
};

struct ReadState {
  State found;
  void operator()(const char* name, const Tensor& field) { found.emplace_back(name, field); }
  void operator()(const char* name, const std::deque<Tensor>& field) {
    found.emplace_back(name, std::vector<Tensor>(field.begin(), field.end()));
  }
  void operator()(const char* name, double field) { found.emplace_back(name, field); }
  void operator()(const char* name, int64_t field) { (*this)(name, static_cast<double>(field)); }
  void optional(const char* name, const Tensor& field) {
    if (field.defined()) (*this)(name, field);
  }
};

class WriteState {
 public:
  explicit WriteState(const State& state) : state_(state) {}

  template <class T>
  void operator()(const char* name, T& field) {
    if (!take(name, field)) throw WrappedError(std::string(name) + ": expected it, got nothing");
  }
  void optional(const char* name, Tensor& field) { take(name, field); }

  void finish() const {
    if (taken_ == state_.size()) return;
    std::string names;
    for (const auto& [name, value] : state_) names += (names.empty() ? "" : ", ") + name;
    throw WrappedError("expected the state of an optimizer of this kind, got " + names);
  }

 private:
  template <class T>
  bool take(const char* name, T& field) {
    for (const auto& [key, value] : state_) {
      if (key != name) continue;
      ++taken_;
      write(name, field, value);
      return true;
    }
    return false;
  }

  template <class T>
  static const T& typed(const char* name, const StateValue& value, const char* expected) {
    if (const auto* found = std::get_if<T>(&value)) return *found;
    throw WrappedError(std::string(name) + ": expected " + expected + ", got something else");
  }
  static void write(const char* name, Tensor& field, const StateValue& value) {
    field = typed<Tensor>(name, value, "a Tensor");
  }
  static void write(const char* name, std::deque<Tensor>& field, const StateValue& value) {
    const auto& list = typed<std::vector<Tensor>>(name, value, "a list of Tensors");
    field.assign(list.begin(), list.end());
  }
  static void write(const char* name, double& field, const StateValue& value) {
    field = typed<double>(name, value, "a number");
  }
  static void write(const char* name, int64_t& field, const StateValue& value) {
    field = to_integer(name, typed<double>(name, value, "a number"));
  }

  const State& state_;
  size_t taken_ = 0;
};

using torch::optim::LBFGS;
using torch::optim::OptimizerParamGroup;
using torch::optim::RMSprop;

struct Running {
  explicit Running(bool& flag) : flag(flag) { flag = true; }
  ~Running() { flag = false; }
  bool& flag;
};

template <class Optimizer>
class Adapter final : public Wrapped {
  using Its = Fields<Optimizer>;
  using Options = typename Its::Options;
  using ParamState = typename Its::ParamState;

 public:
  Adapter(const std::vector<Tensor>& params, const Options& options)
      : Wrapped(params), options_(options), optimizer_(make(params_)) {}

  void add(const std::vector<Tensor>& params) override {
    check_idle();
    Wrapped::add(params);
    auto more = make(params);  // Adagrad's states begin in its constructor
    for (auto& [key, state] : more->state()) optimizer_->state()[key] = std::move(state);
  }

  std::vector<std::pair<std::string, double>> settings() const override {
    auto options = options_;
    ReadSettings read;
    Its::settings(options, read);
    return read.found;
  }

  Tensor step(std::span<const int32_t> group_of, std::span<const double> values,
              const Closure& closure) override {
    check_idle();
    auto groups = grouped(group_of, values);
    if constexpr (std::is_same_v<Optimizer, LBFGS>) {
      if (groups.size() != 1) throw WrappedError("expected one group of parameters with LBFGS");
      // It sees all parameters as one vector: what it knows about another set is of no use.
      if (stepped_ && !same(groups[0].params(), optimizer_->param_groups()[0].params())) {
        clear_state();
      }
      stepped_ = true;
    }
    optimizer_->param_groups() = std::move(groups);
    if constexpr (std::is_same_v<Optimizer, RMSprop>) complete();
    if constexpr (std::is_same_v<Optimizer, LBFGS>) trim_history();
    const Running running(running_);
    return optimizer_->step(closure);
  }

  State state(size_t param) override {
    ReadState read;
    if (auto* found = find(param)) Its::state(*found, read);
    return read.found;
  }

  void set_state(size_t param, const State& state) override {
    check_idle();
    auto fresh = std::make_unique<ParamState>();
    WriteState write(state);
    Its::state(*fresh, write);
    write.finish();
    if constexpr (std::is_same_v<Optimizer, LBFGS>) {
      const auto size = fresh->old_dirs().size();
      if (fresh->old_stps().size() != size || fresh->ro().size() != size) {
        throw WrappedError("expected old_dirs, old_stps and ro of one length");
      }
    }
    optimizer_->state()[key(param)] = std::move(fresh);
  }

  void clear_state() override {
    check_idle();
    optimizer_ = make(params_);
    stepped_ = false;
  }

 private:
  std::unique_ptr<Optimizer> make(const std::vector<Tensor>& params) const {
    std::vector<OptimizerParamGroup> groups{OptimizerParamGroup(params)};
    return std::make_unique<Optimizer>(groups, options_);
  }

  std::vector<OptimizerParamGroup> grouped(std::span<const int32_t> group_of,
                                           std::span<const double> values) const {
    const size_t width = settings().size();
    const size_t count = values.size() / width;
    if (group_of.size() != params_.size() || values.size() != count * width) {
      throw WrappedError("expected a group for each parameter and all settings of each group");
    }
    std::vector<std::vector<Tensor>> members(count);
    for (size_t i = 0; i < params_.size(); ++i) {
      if (group_of[i] < 0) continue;
      members.at(static_cast<size_t>(group_of[i])).push_back(params_[i]);
    }
    std::vector<OptimizerParamGroup> groups;
    for (size_t i = 0; i < count; ++i) {
      if (members[i].empty()) continue;
      auto options = std::make_unique<Options>(options_);
      Its::settings(*options, WriteSettings{values.data() + i * width});
      groups.emplace_back(std::move(members[i]), std::move(options));
    }
    return groups;
  }

  static bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Tensor& x, const Tensor& y) { return x.is_same(y); });
  }

  // libtorch makes these buffers in a parameter's first step only, even if momentum comes later.
  void complete() {
    for (auto& group : optimizer_->param_groups()) {
      if (static_cast<Options&>(group.options()).momentum() <= 0) continue;
      for (const auto& p : group.params()) {
        auto found = optimizer_->state().find(p.unsafeGetTensorImpl());
        if (found == optimizer_->state().end()) continue;
        auto& buffer = static_cast<ParamState&>(*found->second).momentum_buffer();
        if (!buffer.defined()) buffer = at::zeros_like(p);
      }
    }
  }

  // libtorch indexes its history by this setting, without a check.
  void trim_history() {
    for (auto& group : optimizer_->param_groups()) {
      const auto size = static_cast<Options&>(group.options()).history_size();
      if (size < 1) throw WrappedError("history_size: expected at least 1");
      for (auto& [key, state] : optimizer_->state()) {
        auto& its = static_cast<ParamState&>(*state);
        for (auto* list : {&its.old_dirs(), &its.old_stps(), &its.ro()}) {
          while (list->size() > static_cast<size_t>(size)) list->pop_front();
        }
        its.al(std::nullopt);
      }
    }
  }

  void check_idle() const {
    if (running_) throw WrappedError("expected the closure to leave the optimizer alone");
  }

  void* key(size_t param) const { return params_.at(param).unsafeGetTensorImpl(); }

  ParamState* find(size_t param) {
    const auto found = optimizer_->state().find(key(param));
    return found == optimizer_->state().end() ? nullptr
                                              : static_cast<ParamState*>(found->second.get());
  }

  Options options_;
  std::unique_ptr<Optimizer> optimizer_;
  bool stepped_ = false;
  bool running_ = false;
};

template <class Optimizer>
WrappedPtr make(const std::vector<Tensor>& params, const Settings& settings) {
  using Its = Fields<Optimizer>;
  auto options = Its::defaults();
  size_t used = 0;
  Its::settings(options, [&](const char* name, auto& field) {
    const auto found = settings.find(name);
    if (found == settings.end()) return;
    assign(name, field, found->second);
    ++used;
  });
  if constexpr (std::is_same_v<Optimizer, LBFGS>) {
    if (settings.count("max_eval") == 0) options.max_eval(options.max_iter() * 5 / 4);
  }
  if (used != settings.size()) throw WrappedError("expected settings that it has, got another");
  return std::make_shared<Adapter<Optimizer>>(params, options);
}

}  // namespace

Wrapped::Wrapped(const std::vector<Tensor>& params) { Wrapped::add(params); }

void Wrapped::add(const std::vector<Tensor>& params) {
  for (const auto& p : params) {
    if (!p.defined()) throw WrappedError("expected Tensors as parameters, got nothing");
  }
  params_.insert(params_.end(), params.begin(), params.end());
}

WrappedPtr create(const std::string& kind, const std::vector<Tensor>& params,
                  const Settings& settings) {
  if (kind == "SGD") return make<torch::optim::SGD>(params, settings);
  if (kind == "Adam") return make<torch::optim::Adam>(params, settings);
  if (kind == "AdamW") return make<torch::optim::AdamW>(params, settings);
  if (kind == "RMSprop") return make<RMSprop>(params, settings);
  if (kind == "Adagrad") return make<torch::optim::Adagrad>(params, settings);
  if (kind == "LBFGS") return make<LBFGS>(params, settings);
  throw WrappedError("expected SGD, Adam, AdamW, RMSprop, Adagrad or LBFGS, got " + kind);
}

}  // namespace fastopt::optim
