// The stream of the fast profile: coefficients that are not zero, each as the zeros before it and its value, under
// static frequencies that are sent in front (docs/rdu.md, section 2.5). Zeros cost no time.
#ifndef THINWIRE_COMMON_RDU_SPARSE_STREAM_H_
#define THINWIRE_COMMON_RDU_SPARSE_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/entropy/rans.h"

namespace thinwire {

// A number of any size as one of kBuckets symbols and raw bits: itself below 16, else its octave in eighths.
struct Bucket {
  uint32_t symbol, raw_bits;
  uint64_t raw;
};
constexpr size_t kBuckets = 16 + 8 * 36;
inline Bucket BucketOf(uint64_t value) {
  if (value < 16) return {static_cast<uint32_t>(value), 0, 0};
  const auto octave = 63 - static_cast<uint32_t>(__builtin_clzll(value));
  const uint32_t raw_bits = octave - 3;
  return {16 + 8 * (octave - 4) + static_cast<uint32_t>(value >> raw_bits & 7), raw_bits,
          value & ((uint64_t{1} << raw_bits) - 1)};
}

// A coefficient that is not zero: how many zeros come before it, and what it is.
struct SparseEntry {
  uint64_t gap;
  int32_t coefficient;
};

// What a set of entries is coded with, and what that comes to.
struct SparseTables {
  explicit SparseTables(absl::Span<const SparseEntry> entries);

  // In units of 2^-12 bits.
  uint64_t CostOf(const SparseEntry& entry) const;
  // Bytes of everything but the entries.
  size_t FixedSize() const;

  std::vector<uint32_t> gaps, values;
  uint64_t cost = 0;  // of all entries
};

// Appends the stream of entries that the tables were made for, or of the first of them.
void AppendSparseStream(const SparseTables& tables, absl::Span<const SparseEntry> entries, std::string* out);

// Reads a stream entry by entry. Not thread-safe. What it points to must outlive it.
class SparseReader {
 public:
  // INVALID_ARGUMENT for malformed tables or sizes.
  static absl::StatusOr<SparseReader> Create(absl::string_view stream);

  uint64_t entries_left() const { return left_; }
  // One of the entries left. What a damaged stream says is any coefficient, and any gap below 2^40.
  SparseEntry Next();
  // INVALID_ARGUMENT unless all was read and came out even.
  absl::Status Finish() const;

 private:
  SparseReader(RansTable gaps, RansTable values) : gaps_(gaps), values_(values) {}
  uint64_t NextNumber(const RansTable& table, uint32_t* state);
  uint64_t RawBits(uint32_t count);

  RansTable gaps_, values_;
  absl::string_view words_, raw_;
  uint64_t left_ = 0, parity_ = 0, raw_bit_ = 0;
  uint32_t states_[4] = {};
  bool missing_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_SPARSE_STREAM_H_
