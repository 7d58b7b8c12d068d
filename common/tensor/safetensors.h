// The safetensors file format: an 8-byte little-endian header length, a JSON header, then the values. Reading and
// writing go block by block, so that a file of any size needs only a block of memory. A tensor's role travels in the
// header's __metadata__ under "thinwire.role.<name>" ("buffer" or "frozen"; trainable if absent); tensors keep the order
// of their data offsets. Only F32 and I64 are accepted.
#ifndef THINWIRE_COMMON_TENSOR_SAFETENSORS_H_
#define THINWIRE_COMMON_TENSOR_SAFETENSORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/file.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// An open safetensors file. Errors: INVALID_ARGUMENT naming the file, the tensor and the fault (no length is believed:
// offsets must lie in the file, not overlap, and match the shapes). Reads are thread-safe.
class SafetensorsReader : public BlockSource {
 public:
  static absl::StatusOr<SafetensorsReader> Open(const std::string& path);

  const ModelSpec& spec() const { return spec_; }
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;

 private:
  File file_;
  ModelSpec spec_;
  std::vector<uint64_t> offsets_;  // of each tensor's first byte in the file
};

// Writes a file of a given model; every value must be written once, in any order, then Finish. Thread-compatible.
class SafetensorsWriter {
 public:
  // Creates `path` with the header and room for the values.
  static absl::StatusOr<SafetensorsWriter> Create(const std::string& path, const ModelSpec& spec);

  absl::Status WriteFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values);
  absl::Status WriteInts(uint32_t tensor, uint64_t first, absl::Span<const int64_t> values);
  // Syncs the file.
  absl::Status Finish();

 private:
  File file_;
  ModelSpec spec_;
  std::vector<uint64_t> offsets_;
};

// Streams every value of `source` into a new file at `path`, atomically.
absl::Status WriteSafetensors(const std::string& path, const ModelSpec& spec, BlockSource& source);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_TENSOR_SAFETENSORS_H_
