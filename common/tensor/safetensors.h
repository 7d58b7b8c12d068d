// The safetensors file format: an 8-byte little-endian header length, a JSON header, then the values. Reading and
// writing go block by block, so that a file of any size needs only a block of memory. Only F32 and I64 are accepted.
//
// Two facts that the format has no place for travel in the header's __metadata__, and other metadata is ignored:
//   "thinwire.role.<name>"  "trainable", "buffer" or "frozen". Absent: trainable, but buffer for I64.
//   "thinwire.order"        the order of the tensors, as comma-separated positions in the data ("2,0,1": the model's
//                           first tensor is the third in the data). Absent: the order of the data.
// Files are written with the I64 values before the F32 ones, so that every value is aligned, as PyTorch wants it.
#ifndef THINWIRE_COMMON_TENSOR_SAFETENSORS_H_
#define THINWIRE_COMMON_TENSOR_SAFETENSORS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// An open safetensors file. Errors: INVALID_ARGUMENT naming the file, the tensor and the fault (no length is believed:
// offsets must tile the data exactly and match the shapes), OUT_OF_RANGE for a block outside its tensor. Reads are
// thread-safe.
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

// Tensor indexes in the order in which SafetensorsWriter lays them out.
std::vector<uint32_t> SafetensorsLayout(const ModelSpec& spec);

// Writes a file of a given model; every value must be written once, in any order, then Finish. Thread-compatible.
class SafetensorsWriter {
 public:
  // Creates `path` with the header and room for the values.
  static absl::StatusOr<SafetensorsWriter> Create(const std::string& path, const ModelSpec& spec);

  absl::Status WriteFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values);
  absl::Status WriteInts(uint32_t tensor, uint64_t first, absl::Span<const int64_t> values);
  // Syncs the file. FAILED_PRECONDITION if values are missing.
  absl::Status Finish();
  // SHA-256 of the whole finished file. Costs nothing if the values were written in the order of SafetensorsLayout.
  absl::StatusOr<Digest> Sha256OfFile();

 private:
  absl::Status Write(uint32_t tensor, uint64_t first, size_t value_size, absl::string_view bytes);

  File file_;
  ModelSpec spec_;
  std::vector<uint64_t> offsets_;
  uint64_t size_ = 0;                                                      // of the whole file
  uint64_t missing_ = 0;                                                   // bytes of values not written yet
  std::unique_ptr<Sha256Stream> hash_ = std::make_unique<Sha256Stream>();  // of the bytes before hashed_
  uint64_t hashed_ = 0;
};

// Streams every value of `source` into a new file at `path`, synced. Returns the SHA-256 of the file. On an error the
// file is removed.
absl::StatusOr<Digest> CreateSafetensors(const std::string& path, const ModelSpec& spec, BlockSource& source);
// As above, atomically: `path` is whole or as before.
absl::Status WriteSafetensors(const std::string& path, const ModelSpec& spec, BlockSource& source);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_TENSOR_SAFETENSORS_H_
