// theta_e on disk: a file of little-endian binary32 values and nothing else, so that its SHA-256 is that of the values.
// Folding an epoch's coordinates into it gives the same bytes on every machine.
#ifndef THINWIRE_COMMON_SUBSPACE_BASIS_FILE_H_
#define THINWIRE_COMMON_SUBSPACE_BASIS_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/subspace/fastfood.h"
#include "common/tensor/block_source.h"

namespace thinwire {

// An open file of values; as a model it is that of BasisSpec. Reads are thread-safe.
class BasisFile : public BlockSource {
 public:
  // DATA_LOSS, naming both sizes, unless the file holds `count` values.
  static absl::StatusOr<BasisFile> Open(const std::string& path, uint64_t count);
  absl::Status Read(uint64_t first, absl::Span<float> out) const;
  absl::Status ReadFloats(uint32_t, uint64_t first, absl::Span<float> out) override { return Read(first, out); }
  absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) override;
  // SHA-256 of all values.
  absl::StatusOr<Digest> Hash() const;

 private:
  BasisFile(File file, uint64_t count) : file_(std::move(file)), count_(count) {}
  File file_;
  uint64_t count_;
};

// Writes the values that `read` gives, asked for in ascending order, into a new file, synced. Returns their SHA-256.
absl::StatusOr<Digest> WriteBasis(const std::string& path, uint64_t count,
                                  absl::FunctionRef<absl::Status(uint64_t first, absl::Span<float> out)> read);

// old + A_0 Sigma_0 + A_1 Sigma_1 ..., value by value and rounded in this order, into a new file at `path`, synced.
// Returns its SHA-256. `matrices` have the old file's size; there is one at least, and a vector for each. Memory: that
// of one FastfoodWorkspace and a block. INVALID_ARGUMENT, naming the value, if a result is not finite.
absl::StatusOr<Digest> FoldBasis(const std::string& old_path, const std::vector<Fastfood>& matrices,
                                 const std::vector<std::vector<float>>& vectors, const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_BASIS_FILE_H_
