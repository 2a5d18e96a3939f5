#include "optim/fused/cuda/driver.h"

#include <array>
#include <cstring>
#include <map>

#include "optim/fused/cuda/library.h"

namespace fastopt::fused {
namespace {

// ---- The driver's declarations, as in cuda.h ----

using Code = int;
using Device = int;
using Memory = unsigned long long;
using Context = struct OpaqueContext*;
using Module = struct OpaqueModule*;
using Function = struct OpaqueFunction*;
using Stream = struct OpaqueStream*;
using Event = struct OpaqueEvent*;

constexpr int kComputeMajor = 75, kComputeMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
constexpr unsigned kDisableTiming = 2;                 // CU_EVENT_DISABLE_TIMING
constexpr int kNotCapturing = 0;                       // CU_STREAM_CAPTURE_STATUS_NONE
constexpr int kRelaxed = 2;                            // CU_STREAM_CAPTURE_MODE_RELAXED

struct Driver {
  Code (*init)(unsigned);
  Code (*error_text)(Code, const char**);
  Code (*get_device)(Device*, int);
  Code (*attribute)(int*, int, Device);
  Code (*retain_context)(Context*, Device);
  Code (*release_context)(Device);
  Code (*push_context)(Context);
  Code (*pop_context)(Context*);
  Code (*load_module)(Module*, const void*);
  Code (*unload_module)(Module);
  Code (*get_function)(Function*, Module, const char*);
  Code (*launch)(Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                 Stream, void**, void**);
  Code (*allocate)(Memory*, size_t);
  Code (*free)(Memory);
  Code (*allocate_pinned)(void**, size_t, unsigned);
  Code (*free_pinned)(void*);
  Code (*to_device)(Memory, const void*, size_t, Stream);
  Code (*to_host)(void*, Memory, size_t, Stream);
  Code (*wait_for_stream)(Stream);
  Code (*capture_status)(Stream, int*);
  Code (*exchange_capture_mode)(int*);
  Code (*create_event)(Event*, unsigned);
  Code (*record_event)(Event, Stream);
  Code (*wait_for_event)(Event);
  Code (*destroy_event)(Event);
};

Driver open_driver() {
  void* library = open_library({"libcuda.so.1"});
  if (!library)
    throw Refused("no CUDA driver was found: libcuda.so.1 comes with the driver of an NVIDIA GPU");
  Driver found{};
  const auto bind = [&](auto& function, const char* name) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(find_symbol(library, name));
    if (!function) throw Refused(std::string("the CUDA driver is too old: it lacks ") + name);
  };
  bind(found.init, "cuInit");
  bind(found.error_text, "cuGetErrorString");
  bind(found.get_device, "cuDeviceGet");
  bind(found.attribute, "cuDeviceGetAttribute");
  bind(found.retain_context, "cuDevicePrimaryCtxRetain");
  bind(found.release_context, "cuDevicePrimaryCtxRelease_v2");
  bind(found.push_context, "cuCtxPushCurrent_v2");
  bind(found.pop_context, "cuCtxPopCurrent_v2");
  bind(found.load_module, "cuModuleLoadData");
  bind(found.unload_module, "cuModuleUnload");
  bind(found.get_function, "cuModuleGetFunction");
  bind(found.launch, "cuLaunchKernel");
  bind(found.allocate, "cuMemAlloc_v2");
  bind(found.free, "cuMemFree_v2");
  bind(found.allocate_pinned, "cuMemHostAlloc");
  bind(found.free_pinned, "cuMemFreeHost");
  bind(found.to_device, "cuMemcpyHtoDAsync_v2");
  bind(found.to_host, "cuMemcpyDtoHAsync_v2");
  bind(found.wait_for_stream, "cuStreamSynchronize");
  bind(found.capture_status, "cuStreamIsCapturing");
  bind(found.exchange_capture_mode, "cuThreadExchangeStreamCaptureMode");
  bind(found.create_event, "cuEventCreate");
  bind(found.record_event, "cuEventRecord");
  bind(found.wait_for_event, "cuEventSynchronize");
  bind(found.destroy_event, "cuEventDestroy_v2");
  return found;
}

}  // namespace

class CudaDevice {
 public:
  explicit CudaDevice(int32_t number) : driver_(open_driver()) {
    check(driver_.init(0), "starting the driver");
    check(driver_.get_device(&device_, number), "finding device " + std::to_string(number));
    check(driver_.retain_context(&context_, device_), "opening the device");
  }
  ~CudaDevice() {
    if (context_) driver_.release_context(device_);
  }
  CudaDevice(const CudaDevice&) = delete;

  const Driver* operator->() const { return &driver_; }

  void check(Code code, const std::string& doing) const {
    if (code == 0) return;
    const char* text = nullptr;
    driver_.error_text(code, &text);
    throw Refused("CUDA, " + doing + ": " + (text ? text : "error " + std::to_string(code)));
  }

  int attribute(int number) const {
    int value = 0;
    check(driver_.attribute(&value, number, device_), "asking for the compute capability");
    return value;
  }

  Context context() const { return context_; }

 private:
  Driver driver_;
  Device device_ = 0;
  Context context_ = nullptr;
};

namespace {

// Calls are for this device, and may allocate while the thread captures a graph. Where it can't be
// entered, as at the end of a process, the calls fail.
class Entered {
 public:
  explicit Entered(const CudaDevice& device)
      : device_(device), entered_(device->push_context(device.context()) == 0) {
    device_->exchange_capture_mode(&mode_);
  }
  ~Entered() {
    device_->exchange_capture_mode(&mode_);
    Context ignored = nullptr;
    if (entered_) device_->pop_context(&ignored);
  }
  Entered(const Entered&) = delete;

 private:
  const CudaDevice& device_;
  bool entered_;
  int mode_ = kRelaxed;
};

// Memory of the host that the device reads from.
class Pinned {
 public:
  explicit Pinned(const CudaDevice& device) : device_(device) {}
  ~Pinned() {
    if (memory_) device_->free_pinned(memory_);
  }
  Pinned(const Pinned&) = delete;

  const void* copy(const void* from, size_t bytes) {
    if (bytes > size_) {
      if (memory_) device_->free_pinned(memory_);
      memory_ = nullptr;
      size_ = 0;
      device_.check(device_->allocate_pinned(&memory_, bytes, 0), "allocating pinned memory");
      size_ = bytes;
    }
    std::memcpy(memory_, from, bytes);
    return memory_;
  }

 private:
  const CudaDevice& device_;
  void* memory_ = nullptr;
  size_t size_ = 0;
};

// A place for an upload under way, free again when its event has come to pass.
class Slot {
 public:
  explicit Slot(const CudaDevice& device) : device_(device), pinned_(device) {
    device_.check(device_->create_event(&event_, kDisableTiming), "making an event");
  }
  ~Slot() { device_->destroy_event(event_); }

  void upload(Memory to, const void* from, size_t bytes, Stream stream) {
    // An event that was never recorded has come to pass.
    device_.check(device_->wait_for_event(event_), "waiting for an upload");
    const void* copy = pinned_.copy(from, bytes);
    device_.check(device_->to_device(to, copy, bytes, stream), "uploading");
    device_.check(device_->record_event(event_, stream), "recording an event");
  }

 private:
  const CudaDevice& device_;
  Pinned pinned_;
  Event event_ = nullptr;
};

Memory address(const void* memory) { return reinterpret_cast<Memory>(memory); }

class CudaGpu : public Gpu {
 public:
  CudaGpu(CudaDevicePtr device, const std::string& code, const std::vector<std::string>& kernels)
      : device_(std::move(device)) {
    const Entered entered(*device_);
    device_->check(driver()->load_module(&module_, code.data()), "loading the kernels");
    for (const auto& kernel : kernels) {
      device_->check(driver()->get_function(&functions_[kernel], module_, kernel.c_str()),
                     "finding " + kernel);
    }
    for (auto& slot : ring_) slot = std::make_unique<Slot>(*device_);
  }
  ~CudaGpu() override {
    const Entered entered(*device_);
    for (auto& slot : ring_) slot.reset();
    of_graphs_.clear();
    driver()->unload_module(module_);
  }

  void* allocate(size_t bytes) override {
    if (bytes == 0) return nullptr;
    const Entered entered(*device_);
    Memory memory = 0;
    device_->check(driver()->allocate(&memory, bytes),
                   "allocating " + std::to_string(bytes) + " bytes");
    return reinterpret_cast<void*>(memory);
  }

  void free(void* memory) override {
    if (!memory) return;
    const Entered entered(*device_);
    driver()->free(address(memory));
  }

  void upload(void* to, const void* from, size_t bytes, void* stream) override {
    const Entered entered(*device_);
    const auto on = static_cast<Stream>(stream);
    if (!is_capturing(on))
      return ring_[next_++ % ring_.size()]->upload(address(to), from, bytes, on);
    // The graph copies it at each replay: nothing else may ever be there.
    of_graphs_.push_back(std::make_unique<Pinned>(*device_));
    const void* copy = of_graphs_.back()->copy(from, bytes);
    device_->check(driver()->to_device(address(to), copy, bytes, on), "uploading in a graph");
  }

  void download(void* to, const void* from, size_t bytes, void* stream) override {
    const Entered entered(*device_);
    const auto on = static_cast<Stream>(stream);
    device_->check(driver()->to_host(to, address(from), bytes, on), "downloading");
    device_->check(driver()->wait_for_stream(on), "downloading");
  }

  void launch(const std::string& kernel, int64_t blocks, int32_t threads, const Args& args,
              void* stream) override {
    if (blocks == 0) return;
    const Entered entered(*device_);
    Args copy = args;
    void* arguments[] = {&copy};
    device_->check(driver()->launch(functions_.at(kernel), static_cast<unsigned>(blocks), 1, 1,
                                    static_cast<unsigned>(threads), 1, 1, 0,
                                    static_cast<Stream>(stream), arguments, nullptr),
                   "launching " + kernel);
  }

  bool captures(void* stream) override {
    const Entered entered(*device_);
    return is_capturing(static_cast<Stream>(stream));
  }

 private:
  const CudaDevice& driver() const { return *device_; }

  bool is_capturing(Stream stream) const {
    int status = kNotCapturing;
    device_->check(driver()->capture_status(stream, &status), "asking whether a graph is captured");
    return status != kNotCapturing;
  }

  CudaDevicePtr device_;
  Module module_ = nullptr;
  std::map<std::string, Function> functions_;
  std::array<std::unique_ptr<Slot>, 8> ring_;
  size_t next_ = 0;
  std::vector<std::unique_ptr<Pinned>> of_graphs_;
};

}  // namespace

CudaDevicePtr open_device(int32_t number) { return std::make_shared<const CudaDevice>(number); }

int arch_of(const CudaDevice& device) {
  return 10 * device.attribute(kComputeMajor) + device.attribute(kComputeMinor);
}

std::unique_ptr<Gpu> make_gpu(CudaDevicePtr device, const std::string& code,
                              const std::vector<std::string>& kernels) {
  return std::make_unique<CudaGpu>(std::move(device), code, kernels);
}

}  // namespace fastopt::fused
