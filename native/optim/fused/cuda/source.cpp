#include "optim/fused/cuda/source.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string_view>

#include "optim/fused/kernels.h"

namespace fastopt::fused {
namespace {

// The files of `device_sources` in native/build.json, written by the build.
constexpr char kDeviceText[] =
#include "device_text.inc"
    ;

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

// One file has no use for what its parts include of each other.
std::string without_includes(std::string_view files) {
  std::string kept;
  while (!files.empty()) {
    const auto end = files.find('\n') + 1;
    const auto line = files.substr(0, end);
    if (!line.starts_with("#include \"") && !line.starts_with("#pragma once")) kept += line;
    files.remove_prefix(end);
  }
  return kept;
}

std::string callback_type(int32_t callback) {
#define FASTOPT_TEXT_OF(...) #__VA_ARGS__
#define FASTOPT_TEXT(...) FASTOPT_TEXT_OF(__VA_ARGS__)
  std::istringstream types(FASTOPT_TEXT(FASTOPT_CALLBACK_TYPES));
#undef FASTOPT_TEXT
#undef FASTOPT_TEXT_OF
  std::string type;
  for (int32_t i = 0; i <= callback; ++i) std::getline(types >> std::ws, type, ',');
  return type;
}

const char* type_of(fastopt_dtype dtype) {
  switch (dtype) {
    case FASTOPT_FLOAT32:
      return "float";
    case FASTOPT_FLOAT64:
      return "double";
    case FASTOPT_BFLOAT16:
      return "BFloat16";
    case FASTOPT_FLOAT16:
      return "Float16";
  }
  return nullptr;
}

// An operation on `a`, `b` and `c`.
const char* formula(int32_t code) {
  switch (code) {
    case FASTOPT_NEG:
      return "-a";
    case FASTOPT_ABS:
      return "fabs(a)";
    case FASTOPT_SIGN:
      return "(a > 0) - (a < 0)";
    case FASTOPT_SQRT:
      return "sqrt(a)";
    case FASTOPT_RECIPROCAL:
      return "1 / a";
    case FASTOPT_EXP:
      return "exp(a)";
    case FASTOPT_EXPM1:
      return "expm1(a)";
    case FASTOPT_LOG:
      return "log(a)";
    case FASTOPT_LOG1P:
      return "log1p(a)";
    case FASTOPT_TANH:
      return "tanh(a)";
    case FASTOPT_NOT:
      return "a == 0";
    case FASTOPT_ADD:
      return "a + b";
    case FASTOPT_SUB:
      return "a - b";
    case FASTOPT_MUL:
      return "a * b";
    case FASTOPT_DIV:
      return "a / b";
    case FASTOPT_POW:
      return "pow(a, b)";
    case FASTOPT_MAXIMUM:
      return "b > a || b != b ? b : a";
    case FASTOPT_MINIMUM:
      return "b < a || b != b ? b : a";
    case FASTOPT_EQ:
      return "a == b";
    case FASTOPT_NE:
      return "a != b";
    case FASTOPT_LT:
      return "a < b";
    case FASTOPT_LE:
      return "a <= b";
    case FASTOPT_AND:
      return "a != 0 && b != 0";
    case FASTOPT_OR:
      return "a != 0 || b != 0";
    case FASTOPT_WHERE:
      return "a != 0 ? b : c";
    default:
      return nullptr;
  }
}

// Puts operands in the places of the letters of a formula.
std::string operation(int32_t code, const std::string (&operands)[3]) {
  const std::string_view pattern = formula(code);
  const auto is_word = [&](size_t i) {
    return i < pattern.size() && std::isalnum(static_cast<unsigned char>(pattern[i]));
  };
  std::string filled;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool single = std::isalpha(static_cast<unsigned char>(pattern[i])) && !is_word(i + 1) &&
                        (i == 0 || !is_word(i - 1));
    if (single)
      filled += operands[pattern[i] - 'a'];
    else
      filled += pattern[i];
  }
  return filled;
}

std::string constant(double value) {
  if (!std::isfinite(value)) {
    return text("number_of_bits(", std::bit_cast<uint64_t>(value), "ull)");
  }
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.17g", value);
  const std::string_view written = digits;
  return text(written, written.find_first_of(".e") == written.npos ? ".0" : "");
}

std::string element_of(int32_t array) {
  static constexpr const char* names[] = {"e.p", "e.g", "e.grad_avg", "e.sqr_avg", "e.slow"};
  return array < FASTOPT_OWN ? names[array] : text("e.own[", array - FASTOPT_OWN, "]");
}

// ---- The kernel that steps ----

class StageText {
 public:
  StageText(const ListOfCallbacks& list, size_t number)
      : list_(list), number_(number), stage_(list.stages.stages[number]) {
    for (const auto& item : stage_.items) {
      if (item.callback >= 0)
        add_callback(item.callback);
      else
        add_part(item.part);
    }
  }

  std::string written() const {
    return text("struct Stage", number_, " {\n",                                                 //
                "  using Stored = ", type_of(list_.dtype), ";\n",                                //
                "  using State = ", type_of(list_.state_dtype), ";\n",                           //
                "  using Real = ComputedIn<Stored>::Real;\n",                                    //
                "  static constexpr int row_size = ", row_size(list_), ";\n",                    //
                "  static constexpr unsigned reads = ", reads_, ";\n",                           //
                "  static constexpr unsigned writes = ", writes_, ";\n",                         //
                "  Real c[kScalars];\n", members_,                                               //
                "  __device__ explicit Stage", number_, "(const double* row) {\n",               //
                "#pragma unroll\n",                                                              //
                "    for (int k = 0; k < kScalars; ++k) c[k] = static_cast<Real>(row[k]);\n",    //
                starts_, "  }\n",                                                                //
                "  __device__ __forceinline__ void apply(Values<Real>& e) {\n", body_, "  }\n",  //
                "  __device__ void add_up(const Args& args) const {\n", sums_, "  }\n};\n",      //
                "extern \"C\" __global__ void __launch_bounds__(kBlockThreads) ",                //
                step_kernel(number_), "(const Args args) {\n",                                   //
                "  step_block<Stage", number_, ">(args);\n}\n\n");
  }

 private:
  void add_callback(int32_t callback) {
    const auto op = text(callback_type(callback), "::Op::");
    reads_ += text(" | ", op, "reads");
    writes_ += text(" | ", op, "writes");
    if (callback == FASTOPT_AVERAGE_WEIGHTS) body_ += rounded("e.p");
    body_ += text("    ", op, "apply(e, c);\n");
    if (callback == FASTOPT_SCALE_GRAD || callback == FASTOPT_L2_REG) body_ += rounded("e.g");
  }

  void add_part(const Part& part) {
    for (const auto uniform : uniforms_passed_to(part)) add_uniform(uniform);
    unsigned reads = 0, writes = 0;
    body_ += "    {\n";
    for (size_t i = 0; i < part.nodes.size(); ++i) {
      const auto& node = part.nodes[i];
      const bool element = node.code == FASTOPT_ELEMENT;
      if (element) reads |= 1u << node.index;
      const std::string operands[] = {value(node.operands[0]), value(node.operands[1]),
                                      value(node.operands[2])};
      body_ += text("      const Real n", i, " = ",
                    element ? element_of(node.index) : operation(node.code, operands), ";\n");
    }
    for (const auto& sum : part.sums) {
      members_ += text("  double s", sum.number, " = 0;\n");
      body_ += text("      s", sum.number, " += n", sum.node, ";\n");
      sums_ += text("    add_up_block<", list_.stages.sum_count, ">(args, ", sum.number, ", s",
                    sum.number, ");\n");
    }
    for (const auto& store : part.stores) {
      writes |= 1u << store.array;
      body_ += text("      ", element_of(store.array), " = ", value(store.value), ";\n");
      if (store.array == FASTOPT_GRAD) body_ += rounded("e.g");
    }
    body_ += "    }\n";
    reads_ += text(" | ", reads, "u");
    writes_ += text(" | ", writes, "u");
  }

  void add_uniform(int32_t number) {
    const auto member = text("  Real u", number, ";\n");
    if (members_.find(member) != members_.npos) return;
    members_ += member;
    starts_ += text("    u", number, " = static_cast<Real>(row[kScalars + ", number, "]);\n");
  }

  // To how it is stored, since on the CPU and by callbacks it is read from there.
  static std::string rounded(const char* element) {
    return text("    ", element, " = static_cast<Stored>(", element, ");\n");
  }

  static std::string value(Value of) {
    return of.number < 0 ? "" : text(of.uniform ? "u" : "n", of.number);
  }

  const ListOfCallbacks& list_;
  size_t number_;
  const Stage& stage_;
  std::string reads_ = "0", writes_ = "0", members_, starts_, body_, sums_;
};

// ---- The kernel of rows ----

std::string uniform_value(const Uniform& uniform) {
  const auto operand = [&](int k) { return text("u", uniform.operands[k]); };
  const auto index = uniform.index;
  switch (uniform.code) {
    case FASTOPT_CONSTANT:
      return constant(uniform.value);
    case FASTOPT_HYPER:
      return text("reinterpret_cast<const double*>(&h)[", index, "]");
    case FASTOPT_COUNTER:
      return text("reinterpret_cast<const double*>(&n)[", index, "]");
    case FASTOPT_SIZE:
      return "static_cast<double>(t.size)";
    case FASTOPT_SCALAR:
      return text("scalar_of<Real>(t, ", index, ")");
    case FASTOPT_SUM:
      return text("sums[", index, "]");
    default:
      return operation(uniform.code, {operand(0), operand(1), operand(2)});
  }
}

// Before stage `number`; after the last stage, for the scalars of programs.
std::string row_text(const ListOfCallbacks& list, size_t number) {
  const auto& stages = list.stages;
  const bool first = number == 0, last = number == stages.stages.size();
  std::string sums, counts, fills;
  if (!first) {
    for (const auto& item : stages.stages[number - 1].items) {
      for (const auto& sum : item.part.sums) {
        sums += text("    const double s", sum.number, " = add_up_tensor<", stages.sum_count,
                     ">(args, t, ", sum.number, ");\n", "    if (threadIdx.x == 0) sums[",
                     sum.number, "] = s", sum.number, ";\n");
      }
    }
  }
  if (first) {
    for (const auto callback : list.callbacks) {
      counts += text("    ", callback_type(callback), "::count(h, n);\n");
      fills += text("    ", callback_type(callback), "::scalars(h, n, row);\n");
    }
  }
  for (const auto i : last ? stages.last_uniforms : stages.stages[number].uniforms) {
    fills += text("    const double u", i, " = ", uniform_value(stages.uniforms[i]), ";\n",
                  "    row[kScalars + ", i, "] = u", i, ";\n");
  }
  if (last) {
    for (const auto& scalar : stages.scalars)
      fills += text("    store_scalar<Real>(t, ", scalar.array, ", u", scalar.uniform, ");\n");
  }
  return text("struct Row", number, " {\n",                                                 //
              "  using Real = ComputedIn<", type_of(list.dtype), ">::Real;\n",              //
              "  static constexpr int row_size = ", row_size(list), ";\n",                  //
              "  static constexpr int sums = ", stages.sum_count, ";\n",                    //
              "  static __device__ void add_up(const Args& args, const DeviceTensor& t, ",  //
              "double* sums) {\n", sums, "  }\n",                                           //
              "  static __device__ void count(const Hypers& h, Counters& n) {\n", counts,   //
              "  }\n",                                                                      //
              "  static __device__ void fill(const Hypers& h, const Counters& n, ",         //
              "const DeviceTensor& t, const double* sums, double* row) {\n", fills,         //
              "  }\n};\n",                                                                  //
              "extern \"C\" __global__ void __launch_bounds__(kRowThreads) ",               //
              row_kernel(number), "(const Args args) {\n  fill_row<Row", number, ">(args);\n}\n\n");
}

}  // namespace

const char* list_callbacks(const fastopt_plan_options& options, ListOfCallbacks& list) {
  list.dtype = options.dtype;
  list.state_dtype = options.state_dtype;
  const bool wide = options.dtype == FASTOPT_FLOAT64;
  if (!type_of(options.dtype)) return "there are no kernels for the dtype";
  if (wide ? options.state_dtype != FASTOPT_FLOAT64
           : options.state_dtype != FASTOPT_FLOAT32 && options.state_dtype != FASTOPT_BFLOAT16)
    return "there are no kernels for the dtype of the state";
  for (const auto callback : std::span(options.callbacks, options.callback_count))
    if (find_callback(callback)) list.callbacks.push_back(callback);
  return make_stages(options, list.stages);
}

std::string cuda_source(const ListOfCallbacks& list) {
  return without_includes(kDeviceText) + cuda_kernels(list);
}

std::string cuda_kernels(const ListOfCallbacks& list) {
  std::string kernels = "namespace fastopt::fused {\n\n";
  for (size_t i = 0; i < list.stages.stages.size(); ++i)
    kernels += row_text(list, i) + StageText(list, i).written();
  return kernels + row_text(list, list.stages.stages.size()) + "}  // namespace fastopt::fused\n";
}

std::vector<std::string> kernel_names(const ListOfCallbacks& list) {
  const auto stages = list.stages.stages.size();
  std::vector<std::string> names{row_kernel(stages)};
  for (size_t i = 0; i < stages; ++i) {
    names.push_back(row_kernel(i));
    names.push_back(step_kernel(i));
  }
  return names;
}

}  // namespace fastopt::fused
