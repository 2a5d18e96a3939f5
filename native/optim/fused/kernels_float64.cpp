#include "optim/fused/pipelines.h"

namespace fastopt::fused {

Pipelines float64_pipelines() { return pipelines<double, double>; }

}  // namespace fastopt::fused
