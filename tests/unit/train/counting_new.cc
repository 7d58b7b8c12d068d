// Linked into a test, makes operator new count large pieces together with LibTorch's tensors: CountingAllocator has the
// bytes.
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "tests/unit/train/counting_allocator.h"

namespace {

// Large enough to be a share of a model. CountingAllocator's own pieces are smaller, so that it is not called from
// within itself.
constexpr size_t kLarge = 64 << 10;

}  // namespace

// Not inlined: GCC would take delete's free for a mismatch.
__attribute__((noinline)) void* operator new(size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  const size_t taken = malloc_usable_size(memory);
  if (taken >= kLarge) thinwire::CountingAllocator::Take(taken);
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  const size_t taken = malloc_usable_size(memory);
  if (taken >= kLarge) thinwire::CountingAllocator::Give(taken);
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
