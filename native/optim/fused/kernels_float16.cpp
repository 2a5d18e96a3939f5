#include "optim/fused/pipelines.h"

namespace fastopt::fused {

#if defined(__FLT16_MAX__)
Pipelines float16_pipelines(bool half_state) {
  return half_state ? Pipelines(pipelines<Float16, BFloat16>)
                    : Pipelines(pipelines<Float16, float>);
}
#else
Pipelines float16_pipelines(bool) { return {}; }
#endif

}  // namespace fastopt::fused
