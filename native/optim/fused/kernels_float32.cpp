#include "optim/fused/pipelines.h"

namespace fastopt::fused {

Pipelines float32_pipelines(bool half_state) {
  return half_state ? Pipelines(pipelines<float, BFloat16>) : Pipelines(pipelines<float, float>);
}

}  // namespace fastopt::fused
