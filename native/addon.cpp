#include "bind/bind.h"
#include "core/allocator.h"

namespace fastopt {

static void define(napi_env env, napi_value exports, const Functions& functions) {
  for (const auto& [name, callback] : functions) {
    napi_value function = nullptr;
    check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
    check(env, napi_set_named_property(env, exports, name, function));
  }
}

}  // namespace fastopt

NAPI_MODULE_INIT() {
  using namespace fastopt;
  install_counting_allocator();
  auto* data = new std::shared_ptr<AddonData>(std::make_shared<AddonData>());
  (*data)->warnings.install();
  const auto free_data = [](napi_env, void* pointer, void*) {
    const std::unique_ptr<std::shared_ptr<AddonData>> held(
        static_cast<std::shared_ptr<AddonData>*>(pointer));
    (*held)->warnings.uninstall();
    (*held)->warnings.print();
  };
  if (napi_set_instance_data(env, data, free_data, nullptr) != napi_ok) return nullptr;
  try {
    for (const auto* functions : {&op_functions(), &tensor_functions(), &autograd_functions(),
                                  &autocast_functions(), &runtime_functions(), &module_functions(),
                                  &optimizer_functions(), &fused_functions(), &cuda_functions()}) {
      define(env, exports, *functions);
    }
  } catch (...) {
    throw_to_javascript(env);
  }
  return exports;
}
