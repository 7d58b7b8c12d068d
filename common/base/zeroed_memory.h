// Large zeroed memory that costs nothing until it is touched.
#ifndef THINWIRE_COMMON_BASE_ZEROED_MEMORY_H_
#define THINWIRE_COMMON_BASE_ZEROED_MEMORY_H_

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace thinwire {

// Mapped from the system and given back at once. In huge pages where the system grants them on request: with small
// ones, memory that is read before it is first written takes two page faults and a TLB flush on every core for each 4
// KiB.
class ZeroedMemory {
 public:
  ZeroedMemory() = default;
  explicit ZeroedMemory(size_t bytes) : size_(std::max<size_t>(bytes, 1)) {
    data_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ != MAP_FAILED) (void)::madvise(data_, size_, MADV_HUGEPAGE);  // a wish
  }
  ~ZeroedMemory() {
    if (ok()) ::munmap(data_, size_);
  }
  ZeroedMemory(ZeroedMemory&& other) noexcept
      : data_(std::exchange(other.data_, MAP_FAILED)), size_(std::exchange(other.size_, 0)) {}
  ZeroedMemory& operator=(ZeroedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // False if the system had no memory, or none was asked for.
  bool ok() const { return data_ != MAP_FAILED; }
  void* data() const { return data_; }

 private:
  void* data_ = MAP_FAILED;
  size_t size_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_ZEROED_MEMORY_H_
