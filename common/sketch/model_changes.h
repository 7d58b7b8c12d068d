// What changed between two versions of a model of which a round moves only a part, as a payload (docs/wire_format.md
// 4.8): positions and new values of what is trained, and all buffers. A client that has the older version's payload
// makes the newer one's of it, byte for byte, so that the newer one's id proves that nothing went wrong.
//
// Errors are those of the sources and payloads unless they are named.
#ifndef THINWIRE_COMMON_SKETCH_MODEL_CHANGES_H_
#define THINWIRE_COMMON_SKETCH_MODEL_CHANGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/codec/payload.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// A set of positions in a model's trainable values, a bit for each. Thread-compatible.
class ChangedPositions {
 public:
  explicit ChangedPositions(uint64_t size) : size_(size), words_((size + 63) / 64) {}
  uint64_t size() const { return size_; }
  uint64_t count() const;
  // `position` is below size().
  void Add(uint64_t position) { words_[position / 64] |= uint64_t{1} << position % 64; }
  // Calls `visit` for the members of [first, first + count), ascending.
  void ForEach(uint64_t first, uint64_t count, absl::FunctionRef<void(uint64_t position)> visit) const;

 private:
  uint64_t size_;
  std::vector<uint64_t> words_;
};

// Where the bits of two versions' trainable values differ.
absl::StatusOr<ChangedPositions> CompareVersions(const ModelSpec& model, BlockSource& older, BlockSource& newer);
// The number of entries in a payload of changes, by its manifest.
uint64_t EntriesIn(const Manifest& changes);
// Adds the positions of a payload of changes, opened with ChangesSpec. INVALID_ARGUMENT if the model has another size.
absl::Status AddPositions(const PayloadReader& changes, ChangedPositions* out);
// Writes a payload of ChangesSpec(model, positions.count()): `newer`'s values at `positions`, and its buffers;
// `base_id` names the older version's payload. Memory: 12 bytes for each entry. Not synced.
absl::StatusOr<PayloadRef> EncodeChanges(const ModelSpec& model, const ChangedPositions& positions, BlockSource& newer,
                                         const Digest& base_id, const std::string& path);
// The FP32 payload of the newer version: the older one's values where they did not change. Memory: three blocks. Not
// synced. The caller compares the id.
absl::StatusOr<PayloadRef> ApplyChanges(const ModelSpec& model, const PayloadReader& older,
                                        const PayloadReader& changes, const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SKETCH_MODEL_CHANGES_H_
