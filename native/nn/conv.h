#pragma once
#include "nn/layer.h"

namespace fastopt::nn {

LayerPtr conv1d(Reader& read);
LayerPtr conv2d(Reader& read);
LayerPtr conv3d(Reader& read);
LayerPtr conv_transpose2d(Reader& read);

}  // namespace fastopt::nn
