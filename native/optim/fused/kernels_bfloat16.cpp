#include "optim/fused/pipelines.h"

namespace fastopt::fused {

Pipelines bfloat16_pipelines(bool half_state) {
  return half_state ? Pipelines(pipelines<BFloat16, BFloat16>)
                    : Pipelines(pipelines<BFloat16, float>);
}

}  // namespace fastopt::fused
