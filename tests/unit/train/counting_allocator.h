// Counts what passes through LibTorch's allocator.
#ifndef THINWIRE_TESTS_UNIT_TRAIN_COUNTING_ALLOCATOR_H_
#define THINWIRE_TESTS_UNIT_TRAIN_COUNTING_ALLOCATOR_H_

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <mutex>

namespace thinwire {

// Bytes that tensors on the CPU take. Install with c10::SetCPUAllocator before the first tensor is made. Thread-safe
// but for Live and Peak, which are read while no other thread makes tensors.
class CountingAllocator : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* real) : real_(real) {}
  c10::DataPtr allocate(size_t size) const override {
    c10::DataPtr data = real_->allocate(size);
    if (data.get() == nullptr) return data;
    {
      const std::lock_guard<std::mutex> lock(Mutex());
      Sizes()[data.get()] = size;
    }
    Take(size);
    void* const memory = data.release_context();
    return {memory, memory, &Free, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }

  // Memory that comes from elsewhere and is to be counted too (counting_new.cc).
  static void Take(size_t size) {
    const std::lock_guard<std::mutex> lock(Mutex());
    Live() += size;
    Peak() = std::max(Peak(), Live());
  }
  static void Give(size_t size) {
    const std::lock_guard<std::mutex> lock(Mutex());
    Live() -= size;
  }

  static size_t& Live() {
    static size_t live = 0;
    return live;
  }
  static size_t& Peak() {
    static size_t peak = 0;
    return peak;
  }

 private:
  static std::mutex& Mutex() {
    static auto* const mutex = new std::mutex;
    return *mutex;
  }
  static std::map<void*, size_t>& Sizes() {
    static auto* const sizes = new std::map<void*, size_t>;
    return *sizes;
  }
  static void Free(void* memory) {
    {
      const std::lock_guard<std::mutex> lock(Mutex());
      Live() -= Sizes()[memory];
      Sizes().erase(memory);
    }
    c10::GetDefaultCPUAllocator()->raw_deleter()(memory);
  }
  c10::Allocator* const real_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_TRAIN_COUNTING_ALLOCATOR_H_
