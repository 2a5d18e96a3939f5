#pragma once
#include <vector>

#include "optim/fused/fused.h"

// The lists of callbacks that users run, and hyper-parameters of two groups.
namespace fused_cases {

inline const std::vector<fastopt_hypers> kHypers{{.lr = 1e-2,
                                                  .mom = 0.9,
                                                  .sqr_mom = 0.99,
                                                  .eps = 1e-8,
                                                  .wd = 0.01,
                                                  .nu_1 = 0.7,
                                                  .nu_2 = 0.95,
                                                  .momentum_decay = 4e-3,
                                                  .grad_scale = 0.5,
                                                  .slow_step = 0.25,
                                                  .own = {0.01, 0, 0.8}},
                                                 {.lr = 1e-3,
                                                  .mom = 0.8,
                                                  .sqr_mom = 0.999,
                                                  .eps = 1e-5,
                                                  .wd = 0,
                                                  .nu_1 = 1,
                                                  .nu_2 = 1,
                                                  .momentum_decay = 1e-2,
                                                  .grad_scale = 2,
                                                  .slow_step = 1,
                                                  .own = {0.02, 0, 0.7}}};

struct Case {
  const char* name;
  std::vector<int32_t> callbacks;
};

inline const std::vector<Case> kCases{
    {"nothing", {}},
    {"counting alone", {FASTOPT_STEP_STAT}},
    {"SGD", {FASTOPT_WEIGHT_DECAY, FASTOPT_SGD_STEP}},
    {"momentum, L2", {FASTOPT_L2_REG, FASTOPT_AVERAGE_GRAD, FASTOPT_MOMENTUM_STEP}},
    {"momentum", {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD, FASTOPT_MOMENTUM_STEP}},
    {"RMSProp", {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED, FASTOPT_RMS_PROP_STEP}},
    {"RMSProp with momentum",
     {FASTOPT_L2_REG, FASTOPT_AVERAGE_SQR_GRAD, FASTOPT_AVERAGE_GRAD,
      FASTOPT_RMS_PROP_MOMENTUM_STEP}},
    {"Adam",
     {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
      FASTOPT_STEP_STAT, FASTOPT_ADAM_STEP}},
    {"NAdam",
     {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
      FASTOPT_STEP_STAT, FASTOPT_NADAM_STEP}},
    {"NAdam without decay",
     {FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED, FASTOPT_STEP_STAT,
      FASTOPT_NADAM_STEP}},
    {"NAdam scaled and zeroed",
     {FASTOPT_SCALE_GRAD, FASTOPT_L2_REG, FASTOPT_AVERAGE_GRAD_DAMPENED,
      FASTOPT_AVERAGE_SQR_GRAD_DAMPENED, FASTOPT_STEP_STAT, FASTOPT_NADAM_STEP, FASTOPT_ZERO_GRAD}},
    {"torch's NAdam",
     {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
      FASTOPT_STEP_STAT, FASTOPT_MU_PRODUCT, FASTOPT_TORCH_NADAM_STEP}},
    {"RAdam",
     {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
      FASTOPT_STEP_STAT, FASTOPT_RADAM_STEP}},
    {"QHAdam",
     {FASTOPT_WEIGHT_DECAY, FASTOPT_AVERAGE_GRAD_DAMPENED, FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
      FASTOPT_STEP_STAT, FASTOPT_QHADAM_STEP}},
    {"Lion", {FASTOPT_WEIGHT_DECAY, FASTOPT_LION_STEP, FASTOPT_LION_AVERAGE}},
    {"Lookahead over SGD", {FASTOPT_SGD_STEP, FASTOPT_AVERAGE_WEIGHTS, FASTOPT_RESTORE_SLOW}},
};

}  // namespace fused_cases
