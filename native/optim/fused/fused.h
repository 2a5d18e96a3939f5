// One optimizer step over many tensors in one pass over memory. Plain C: no libtorch, no Node, no
// threads but the caller's.
#pragma once
#include <stdint.h>

#if defined(__CUDACC_RTC__)
#define FASTOPT_API __device__  // the text of kernels has this file in it, and NVRTC knows no host
#elif defined(_WIN32)
#define FASTOPT_API __declspec(dllexport)
#else
#define FASTOPT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum fastopt_dtype { FASTOPT_FLOAT32, FASTOPT_FLOAT64, FASTOPT_BFLOAT16, FASTOPT_FLOAT16 };

enum fastopt_isa { FASTOPT_BEST, FASTOPT_PORTABLE, FASTOPT_AVX2, FASTOPT_AVX512 };

// The callbacks of an optimizer, applied in the order of the list.
enum fastopt_callback {
  FASTOPT_STEP_STAT,
  FASTOPT_MU_PRODUCT,
  FASTOPT_SCALE_GRAD,
  FASTOPT_WEIGHT_DECAY,
  FASTOPT_L2_REG,
  FASTOPT_AVERAGE_GRAD,
  FASTOPT_AVERAGE_GRAD_DAMPENED,
  FASTOPT_AVERAGE_SQR_GRAD,
  FASTOPT_AVERAGE_SQR_GRAD_DAMPENED,
  FASTOPT_SGD_STEP,
  FASTOPT_MOMENTUM_STEP,
  FASTOPT_RMS_PROP_STEP,
  FASTOPT_RMS_PROP_MOMENTUM_STEP,
  FASTOPT_ADAM_STEP,
  FASTOPT_NADAM_STEP,
  FASTOPT_TORCH_NADAM_STEP,
  FASTOPT_RADAM_STEP,
  FASTOPT_QHADAM_STEP,
  FASTOPT_LION_STEP,
  FASTOPT_LION_AVERAGE,
  FASTOPT_AVERAGE_WEIGHTS,
  FASTOPT_RESTORE_SLOW,
  FASTOPT_ZERO_GRAD,
  FASTOPT_TRAFFIC,  // changes nothing, but reads and writes what Adam does: a bench's ceiling
  FASTOPT_CALLBACKS
};

// How many arrays and hyper-parameters programs may have besides those that have a name here.
enum { FASTOPT_OWN_STATES = 8, FASTOPT_OWN_HYPERS = 16 };

// One contiguous tensor and its state; arrays that no callback of the list touches may be null, and
// none may overlap.
typedef struct {
  void* param;
  void* grad;  // null: the tensor has no gradient (or no element), and is left alone
  void* grad_avg;
  void* sqr_avg;
  void* slow;  // the averaged weights of Lookahead or EMA
  int64_t size;
  int64_t group;
  void* own[FASTOPT_OWN_STATES];  // of programs alone
} fastopt_tensor;

// The hyper-parameters of one group; those that no callback of the list reads are ignored.
typedef struct {
  double lr, mom, sqr_mom, eps, wd;
  double nu_1, nu_2;               // QHAdam
  double momentum_decay;           // torch's NAdam: psi
  double grad_scale;               // what gradients are multiplied by
  double slow_step;                // how far the averaged weights move towards the weights
  double own[FASTOPT_OWN_HYPERS];  // of programs alone
} fastopt_hypers;

// What differs between the tensors of a group.
typedef struct {
  double step;        // counted by FASTOPT_STEP_STAT where there is a gradient
  double do_wd;       // 0: no decay
  double mu_product;  // of torch's NAdam, by FASTOPT_MU_PRODUCT; starts at 1
} fastopt_counters;

// ---- Programs: callbacks whose maths is known at run time only ----

// What a node of a program computes. `a`, `b` and `c` are numbers of nodes before it, and a truth
// is 1 or 0. What depends on no array is computed once for each tensor, in float64. A program has
// at most 1,024 nodes, and a state is a scalar to all programs of a list or to none.
enum fastopt_code {
  FASTOPT_CONSTANT,  // `value`
  FASTOPT_HYPER,     // the double at `index` of fastopt_hypers
  FASTOPT_COUNTER,   // the double at `index` of fastopt_counters, after this step was counted
  FASTOPT_SIZE,      // how many elements the tensor has
  FASTOPT_ELEMENT,   // an element of the array `index` (enum fastopt_array) before this program
  // The first element of the state `index`, which has one; or what a program before this one in the
  // list stores there, before it is rounded to how it is stored.
  FASTOPT_SCALAR,
  FASTOPT_NEG,
  FASTOPT_ABS,
  FASTOPT_SIGN,
  FASTOPT_SQRT,
  FASTOPT_RECIPROCAL,
  FASTOPT_EXP,
  FASTOPT_EXPM1,
  FASTOPT_LOG,
  FASTOPT_LOG1P,
  FASTOPT_TANH,
  FASTOPT_NOT,
  FASTOPT_ADD,
  FASTOPT_SUB,
  FASTOPT_MUL,
  FASTOPT_DIV,
  FASTOPT_POW,
  FASTOPT_MAXIMUM,  // NaN where either is
  FASTOPT_MINIMUM,
  FASTOPT_EQ,
  FASTOPT_NE,
  FASTOPT_LT,
  FASTOPT_LE,
  FASTOPT_AND,
  FASTOPT_OR,
  FASTOPT_WHERE,         // `b` where `a` is not 0, else `c`
  FASTOPT_SUM,           // of `a` over all elements of the tensor
  FASTOPT_STORE,         // writes `a` to the array `index`, after all nodes are computed
  FASTOPT_STORE_SCALAR,  // writes `a`, the same for all elements, to the first element of a state
  FASTOPT_CODES
};

// FASTOPT_OWN + i is `own[i]`.
enum fastopt_array {
  FASTOPT_PARAM,
  FASTOPT_GRAD,
  FASTOPT_GRAD_AVG,
  FASTOPT_SQR_AVG,
  FASTOPT_SLOW,
  FASTOPT_OWN
};

typedef struct {
  int32_t code, a, b, c, index;
  double value;
} fastopt_node;

typedef struct {
  const fastopt_node* nodes;
  int64_t count;
} fastopt_program;

// In a list of callbacks, FASTOPT_PROGRAM + i is the program i.
enum { FASTOPT_PROGRAM = 1000 };

// ---- Plans ----

typedef struct {
  enum fastopt_dtype dtype;  // of parameters and gradients
  // Of averages and of own states: float64 with float64 parameters, else float32 or bfloat16. Slow
  // weights and scalars are never bfloat16.
  enum fastopt_dtype state_dtype;
  enum fastopt_isa isa;
  const int32_t* callbacks;
  int64_t callback_count;
  const fastopt_program* programs;
  int64_t program_count;
  const fastopt_tensor* tensors;
  int64_t tensor_count;
} fastopt_plan_options;

typedef struct fastopt_plan fastopt_plan;

// Runs `task(context)` on each of a pool's threads at once, and returns when all are done.
typedef void (*fastopt_parallel)(void* pool, void (*task)(void* context), void* context);

// Makes a plan of the tensors, or returns why it can't. Copies what it is given.
FASTOPT_API const char* fastopt_plan_create(const fastopt_plan_options* options,
                                            fastopt_plan** plan);
FASTOPT_API void fastopt_plan_destroy(fastopt_plan* plan);

// How often a step passes over memory.
FASTOPT_API int32_t fastopt_plan_passes(const fastopt_plan* plan);

// The plan's own copy of its tensors: addresses may be changed between steps, sizes may not.
FASTOPT_API fastopt_tensor* fastopt_plan_tensors(fastopt_plan* plan);

// Steps all tensors: `hypers` by group, `counters` by tensor. Without `parallel`, on the caller's
// thread alone.
FASTOPT_API void fastopt_plan_step(fastopt_plan* plan, const fastopt_hypers* hypers,
                                   fastopt_counters* counters, fastopt_parallel parallel,
                                   void* pool);

// Threads for a process that has no pool of its own; `fastopt_pool_run` is a `fastopt_parallel`.
typedef struct fastopt_pool fastopt_pool;
FASTOPT_API fastopt_pool* fastopt_pool_create(int32_t threads);
FASTOPT_API void fastopt_pool_destroy(fastopt_pool* pool);
FASTOPT_API void fastopt_pool_run(void* pool, void (*task)(void* context), void* context);

#ifdef __cplusplus
}
#endif
