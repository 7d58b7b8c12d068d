// The k entries of a vector with the largest magnitudes, in one pass and memory of 2 k entries.
#ifndef THINWIRE_COMMON_SKETCH_TOP_K_H_
#define THINWIRE_COMMON_SKETCH_TOP_K_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/codec/sparse_codec.h"

namespace thinwire {

// Of equal magnitudes the lower position counts as larger, so that the choice is one, on every machine. NaN counts as
// larger than infinity: whoever encodes what was taken finds it. Thread-compatible.
class TopKSelector {
 public:
  explicit TopKSelector(size_t k) : k_(k) {}
  // Values at positions `first` and on. Positions come in ascending order.
  void Add(uint64_t first, absl::Span<const float> values);
  // The k entries, or all if there were fewer, by position. Zeros are entries like others. Ends the selection.
  SparseEntries Take();

 private:
  struct Entry {
    uint32_t magnitude;  // bits of the absolute value
    float value;
    uint64_t position;
  };
  void Prune();

  const size_t k_;
  std::vector<Entry> entries_;
  int64_t threshold_ = -1;  // what comes later must be larger than this
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SKETCH_TOP_K_H_
