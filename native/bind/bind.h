#pragma once
#include "glue/env.h"

namespace fastopt {

// The functions of lib/internal/native.ts, by subject.
const Functions& op_functions();
const Functions& tensor_functions();
const Functions& autograd_functions();
const Functions& autocast_functions();
const Functions& runtime_functions();
const Functions& module_functions();
const Functions& optimizer_functions();
const Functions& fused_functions();
const Functions& cuda_functions();

}  // namespace fastopt
