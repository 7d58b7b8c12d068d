// A payload: what travels down (a model) or up (an update). A manifest followed by content-addressed segments, each one
// frame of one block of one tensor. The payload's name is the SHA-256 of its manifest, which holds the SHA-256 of every
// segment; byte offsets for resuming run over manifest and segments together. docs/wire_format.md is normative.
//
// Trainable and frozen tensors go through the plan's codec (all of them, or only matrices: CodecOf); float buffers are
// FP32 and integer buffers int64, but for those of an update that is coded whole (buffer_frame.h).
// Segments stand in the ModelSpec's order, blocks ascending, each exactly once. An update that is coded whole has as
// many of its tensor (update_frame.h) as its string needs.
#ifndef THINWIRE_COMMON_CODEC_PAYLOAD_H_
#define THINWIRE_COMMON_CODEC_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/codec/codec.h"
#include "common/codec/row_blocks.h"
#include "common/codec/sparse_codec.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Frozen in the wire format.
enum class Representation : uint8_t {
  kModel = 1,   // the values themselves
  kDelta = 2,   // values minus those of the payload named base_id
  kFrozen = 3,  // the frozen tensors alone
};

struct Segment {
  uint32_t tensor = 0;  // index in the ModelSpec
  uint32_t block = 0;
  uint32_t count = 0;  // values
  uint32_t size = 0;   // bytes of the frame
  Digest sha256;
};

struct Manifest {
  Representation representation = Representation::kModel;
  Digest model_id;
  Digest base_id;  // the payload that a delta, or an uploaded model, was trained from; none otherwise
  std::vector<Segment> segments;

  uint64_t data_size() const;  // bytes of all segments
};

constexpr size_t kManifestHeaderSize = 88;
constexpr size_t kManifestEntrySize = 48;
inline size_t ManifestSize(size_t segments) { return kManifestHeaderSize + segments * kManifestEntrySize; }

std::string EncodeManifest(const Manifest& manifest);
// INVALID_ARGUMENT for malformed bytes, UNIMPLEMENTED for another version. Believes no length.
absl::StatusOr<Manifest> ParseManifest(absl::string_view bytes);
// The size of the whole manifest, from bytes that hold at least its header. Same errors.
absl::StatusOr<size_t> ReadManifestSize(absl::string_view header);
// INVALID_ARGUMENT unless the manifest has exactly the segments that `spec` needs for its representation.
absl::Status CheckManifest(const Manifest& manifest, const ModelSpec& spec);

// Names a payload and its size. `bits()` is what budgets and reports call payload_bits.
struct PayloadRef {
  Digest id;
  uint64_t total_size = 0;
  uint32_t manifest_size = 0;
  uint64_t bits() const { return total_size * 8; }
  // 0 of no values.
  double bits_per(uint64_t values) const {
    return values == 0 ? 0 : static_cast<double>(bits()) / static_cast<double>(values);
  }
  friend bool operator==(const PayloadRef& a, const PayloadRef& b) {
    return a.id == b.id && a.total_size == b.total_size && a.manifest_size == b.manifest_size;
  }
};

// The most bytes a payload of this model and codec can have; uploads over it are refused before they are read. Exact
// for codecs of a fixed rate: the FP32 equivalent of a payload is stated with it. With partial quantisation, of the
// largest window (DrawRowBlocks); the others have up to a row block less in FP32.
absl::StatusOr<uint64_t> MaxPayloadSize(const ModelSpec& spec, Representation representation, const CodecSpec& codec);

struct EncodeOptions {
  Representation representation = Representation::kModel;
  CodecSpec codec;
  Digest base_id;
  const RowBlockSet* exact = nullptr;  // row blocks that float blocks leave exact; null: none
  // With the sparse codec, and only with it: what the tensor of entries (sparse_codec.h) holds, its values in place of
  // those of the source.
  const SparseEntries* entries = nullptr;
  // With a codec of whole updates, and only with it: the string that the tensor of the update (update_frame.h) holds.
  const std::string* update = nullptr;
};

// Encodes `source` into a new file at `path` (not synced), in one or two sweeps over each tensor and a block of memory.
// INVALID_ARGUMENT, naming the tensor, if a value is NaN or infinite.
absl::StatusOr<PayloadRef> EncodePayload(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                                         const std::string& path);

// What ReadSegment proves. A segment whose hash was checked once through the same open file needs it no second time:
// the frame's own CRC-32C, which decoding checks always, catches a disk that has changed its mind since.
enum class SegmentCheck { kHash, kFrameOnly };

// An open, parsed payload file. Reads are thread-safe.
class PayloadReader {
 public:
  // Reads and checks the manifest: its hash (DATA_LOSS unless it is `ref.id`), its layout against `spec`, the file's
  // size (DATA_LOSS). Pass an empty `ref.id` to take whatever the file holds (for inspection).
  static absl::StatusOr<PayloadReader> Open(const std::string& path, const PayloadRef& ref, const ModelSpec& spec);
  // Without a model: no layout check beyond what ParseManifest does.
  static absl::StatusOr<PayloadReader> OpenForInspection(const std::string& path);

  const Manifest& manifest() const { return manifest_; }
  const PayloadRef& ref() const { return ref_; }
  // The bytes of segment `index`. DATA_LOSS if their hash is to be checked and differs.
  absl::Status ReadSegment(size_t index, std::string* frame, SegmentCheck check = SegmentCheck::kHash) const;
  absl::Status DecodeFloats(size_t index, absl::Span<float> out, SegmentCheck check = SegmentCheck::kHash) const;
  absl::Status DecodeInts(size_t index, absl::Span<int64_t> out) const;
  // A segment of a tensor of entries of a vector of `dimension` values.
  absl::Status DecodeEntries(size_t index, uint64_t dimension, absl::Span<uint64_t> positions, absl::Span<float> values,
                             SegmentCheck check = SegmentCheck::kHash) const;
  // Index of the segment of a block, which CheckManifest has proved to be there; kNoSegment for a tensor that this
  // representation does not carry, for an empty one, and without a model.
  size_t SegmentIndex(uint32_t tensor, uint64_t block) const;
  static constexpr size_t kNoSegment = ~size_t{0};

 private:
  PayloadReader() = default;
  static absl::StatusOr<PayloadReader> Load(const std::string& path, const PayloadRef& ref, size_t max_segments);
  absl::Status CheckSizes(uint64_t file_size) const;

  File file_;
  PayloadRef ref_;
  Manifest manifest_;
  std::vector<uint64_t> offsets_;      // of each segment in the file
  std::vector<size_t> first_segment_;  // by tensor; kNoSegment if the payload does not carry it
};

// A decoded payload as a source of values, block by block: R. Reads must cover whole blocks, one or several, and the
// payload must carry the tensor: INVALID_ARGUMENT. Thread-compatible.
class PayloadSource : public BlockSource {
 public:
  // `reader` must outlive it. `check` is that of float segments.
  explicit PayloadSource(const PayloadReader& reader, SegmentCheck check = SegmentCheck::kHash)
      : reader_(reader), check_(check) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;
  // INVALID_ARGUMENT if no block starts there; errors of ReadSegment.
  absl::StatusOr<bool> ReadFrame(uint32_t tensor, uint64_t first, std::string* frame) override;

 private:
  const PayloadReader& reader_;
  const SegmentCheck check_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_PAYLOAD_H_
