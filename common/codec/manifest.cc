#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/codec/buffer_frame.h"
#include "common/codec/float_blocks_codec.h"
#include "common/codec/frame.h"
#include "common/codec/payload.h"
#include "common/codec/payload_layout.h"
#include "common/codec/sparse_codec.h"
#include "common/codec/update_frame.h"

namespace thinwire {
namespace {

constexpr absl::string_view kMagic = "TWPM";
constexpr uint8_t kManifestVersion = 1;
constexpr size_t kVersionOffset = 4;
constexpr size_t kRepresentationOffset = 5;
constexpr size_t kReservedOffset = 6;
constexpr size_t kBlockValuesOffset = 8;
constexpr size_t kSegmentCountOffset = 12;
constexpr size_t kDataSizeOffset = 16;
constexpr size_t kModelIdOffset = 24;
constexpr size_t kBaseIdOffset = 56;
constexpr size_t kDigestSize = 32;

absl::Status Malformed(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("manifest: ", what)); }

absl::Status CheckHeader(absl::string_view bytes) {
  if (bytes.size() < kManifestHeaderSize || bytes.substr(0, kMagic.size()) != kMagic) {
    return Malformed(absl::StrCat("starts with '", kMagic, "' and has at least ", kManifestHeaderSize, " bytes; these ",
                                  bytes.size(), " bytes are no payload"));
  }
  const uint8_t version = static_cast<uint8_t>(bytes[kVersionOffset]);
  if (version != kManifestVersion) {
    return absl::UnimplementedError(
        absl::StrCat("manifest version ", version, ", this program reads version ", kManifestVersion, "; update it"));
  }
  const uint8_t representation = static_cast<uint8_t>(bytes[kRepresentationOffset]);
  if (representation < 1 || representation > 3) {
    return Malformed(absl::StrCat("representation is ", representation, ", must be 1 to 3"));
  }
  const uint16_t reserved = LoadLittle<uint16_t>(bytes.data() + kReservedOffset);
  if (reserved != 0) return Malformed(absl::StrCat("reserved bytes are ", reserved, ", must be 0"));
  const uint32_t block_values = LoadLittle<uint32_t>(bytes.data() + kBlockValuesOffset);
  if (block_values != kBlockValues) {
    return Malformed(absl::StrCat("blocks of ", block_values, " values, must be ", kBlockValues));
  }
  return absl::OkStatus();
}

absl::Status CheckBase(const Manifest& manifest) {
  if (manifest.representation == Representation::kDelta && manifest.base_id.empty()) {
    return Malformed("a delta must name its base");
  }
  if (manifest.representation == Representation::kFrozen && !manifest.base_id.empty()) {
    return Malformed("frozen tensors have no base");
  }
  return absl::OkStatus();
}

Digest LoadDigest(const char* bytes) {
  Digest digest;
  std::copy_n(bytes, kDigestSize, reinterpret_cast<char*>(digest.bytes.data()));
  return digest;
}

Segment LoadSegment(const char* entry) {
  return {LoadLittle<uint32_t>(entry), LoadLittle<uint32_t>(entry + 4), LoadLittle<uint32_t>(entry + 8),
          LoadLittle<uint32_t>(entry + 12), LoadDigest(entry + 16)};
}

// What can be said of an entry without the model. `previous` is null for the first.
absl::Status CheckSegment(size_t index, const Segment& segment, const Segment* previous) {
  if (segment.count == 0 || segment.count > kBlockValues) {
    return Malformed(absl::StrCat("segment ", index, " holds ", segment.count, " values, must be 1 to ", kBlockValues));
  }
  if (segment.size < kMinSegmentSize || segment.size > kMaxSegmentSize) {
    return Malformed(absl::StrCat("segment ", index, " has ", segment.size, " bytes, must be ", kMinSegmentSize, " to ",
                                  kMaxSegmentSize));
  }
  const bool ascending = previous == nullptr || previous->tensor < segment.tensor ||
                         (previous->tensor == segment.tensor && previous->block < segment.block);
  if (ascending) return absl::OkStatus();
  return Malformed(
      absl::StrCat("segment ", index, " (tensor ", segment.tensor, ", block ", segment.block, ") is out of order"));
}

absl::Status CheckSegmentSize(const TensorSpec& tensor, const Segment& segment) {
  uint32_t low = kMinSegmentSize + 1;
  // Float blocks at full width, with a scale of 4 bytes for each 64 values and a correction for each 4,096.
  uint32_t high = static_cast<uint32_t>(kFrameHeaderSize + kFloatBlocksHeaderSize) + 4 * segment.count +
                  4 * ((segment.count + 63) / 64) + 8 * static_cast<uint32_t>(RowBlockCount(segment.count));
  if (tensor.dtype == DataType::kInt64) {
    low = high = static_cast<uint32_t>(kFrameHeaderSize) + 8 * segment.count;
  } else if (const std::optional<uint64_t> dimension = EntriesDimension(tensor); dimension.has_value()) {
    const CodecSpec widest = CodecSpec::Sparse(CodecSpec::Float(8, 23, ScaleRule::kAbsMax));
    high = static_cast<uint32_t>(MaxSparseFrameSize(widest, segment.count, *dimension));
  } else if (tensor.role == TensorRole::kBuffer && !IsBufferDifferences(tensor)) {
    low = high = static_cast<uint32_t>(kFrameHeaderSize) + 4 * segment.count;
  }
  if (segment.size >= low && segment.size <= high) return absl::OkStatus();
  return Malformed(absl::StrCat("block ", segment.block, " of tensor '", tensor.name, "' has ", segment.size,
                                " bytes, must be ", low, " to ", high));
}

// The pieces of an update of `values` values: as many as there are, all but the last one whole.
absl::Status CheckPieces(const Manifest& manifest, const TensorSpec& tensor, uint32_t index, uint64_t values,
                         size_t* next) {
  constexpr uint32_t kWhole = kFrameHeaderSize + kUpdatePieceSize;
  const uint64_t most = UpdatePieces(MaxUpdateStringSize(values));
  uint64_t pieces = 0;
  for (; *next < manifest.segments.size() && manifest.segments[*next].tensor == index; ++*next, ++pieces) {
    const Segment& segment = manifest.segments[*next];
    const bool first = pieces == 0;
    if (segment.block != pieces || segment.count != 1 || pieces == most ||
        (!first && manifest.segments[*next - 1].size != kWhole) || (!first && segment.size == kFrameHeaderSize)) {
      return Malformed(absl::StrCat("segment ", *next, " (block ", segment.block, ", ", segment.count, " values, ",
                                    segment.size, " bytes) cannot be piece ", pieces, " of '", tensor.name,
                                    "': at most ", most, " of ", kWhole, " bytes each, only the last one shorter"));
    }
  }
  if (pieces > 0) return absl::OkStatus();
  return Malformed(absl::StrCat("'", tensor.name, "' must be segment ", *next, ", but is not"));
}

// Checks the segments of one tensor, which start at `*next`, and moves `*next` behind them.
absl::Status CheckTensor(const Manifest& manifest, const ModelSpec& spec, uint32_t index, size_t* next) {
  const TensorSpec& tensor = spec.tensors()[index];
  if (const std::optional<uint64_t> values = UpdateTensorValues(tensor); values.has_value()) {
    return CheckPieces(manifest, tensor, index, *values, next);
  }
  const uint64_t count = tensor.count();
  for (uint64_t block = 0; block < BlockCount(count); ++block, ++*next) {
    const Segment* segment = *next < manifest.segments.size() ? &manifest.segments[*next] : nullptr;
    if (segment == nullptr || segment->tensor != index || segment->block != block ||
        segment->count != BlockSize(count, block)) {
      return Malformed(absl::StrCat("block ", block, " of tensor '", tensor.name, "' with ", BlockSize(count, block),
                                    " values must be segment ", *next, ", but is not"));
    }
    TW_RETURN_IF_ERROR(CheckSegmentSize(tensor, *segment));
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t Manifest::data_size() const {
  uint64_t size = 0;
  for (const Segment& segment : segments) size += segment.size;
  return size;
}

std::string EncodeManifest(const Manifest& manifest) {
  std::string bytes;
  bytes.reserve(ManifestSize(manifest.segments.size()));
  absl::StrAppend(&bytes, kMagic);
  AppendLittle<uint8_t>(kManifestVersion, &bytes);
  AppendLittle<uint8_t>(static_cast<uint8_t>(manifest.representation), &bytes);
  AppendLittle<uint16_t>(0, &bytes);
  AppendLittle<uint32_t>(kBlockValues, &bytes);
  AppendLittle<uint32_t>(static_cast<uint32_t>(manifest.segments.size()), &bytes);
  AppendLittle<uint64_t>(manifest.data_size(), &bytes);
  absl::StrAppend(&bytes, manifest.model_id.AsBytes(), manifest.base_id.AsBytes());
  for (const Segment& segment : manifest.segments) {
    AppendLittle<uint32_t>(segment.tensor, &bytes);
    AppendLittle<uint32_t>(segment.block, &bytes);
    AppendLittle<uint32_t>(segment.count, &bytes);
    AppendLittle<uint32_t>(segment.size, &bytes);
    absl::StrAppend(&bytes, segment.sha256.AsBytes());
  }
  return bytes;
}

absl::StatusOr<size_t> ReadManifestSize(absl::string_view header) {
  TW_RETURN_IF_ERROR(CheckHeader(header));
  const size_t count = LoadLittle<uint32_t>(header.data() + kSegmentCountOffset);
  if (count <= kMaxSegments) return ManifestSize(count);
  return Malformed(absl::StrCat("declares ", count, " segments, at most ", kMaxSegments));
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view bytes) {
  TW_ASSIGN_OR_RETURN(const size_t size, ReadManifestSize(bytes));
  if (size != bytes.size()) {
    return Malformed(absl::StrCat("declares segments for ", size, " bytes in all, but has ", bytes.size()));
  }
  Manifest manifest;
  manifest.representation = static_cast<Representation>(bytes[kRepresentationOffset]);
  manifest.model_id = LoadDigest(bytes.data() + kModelIdOffset);
  manifest.base_id = LoadDigest(bytes.data() + kBaseIdOffset);
  TW_RETURN_IF_ERROR(CheckBase(manifest));
  manifest.segments.reserve((size - kManifestHeaderSize) / kManifestEntrySize);
  for (size_t at = kManifestHeaderSize; at < size; at += kManifestEntrySize) {
    const Segment segment = LoadSegment(bytes.data() + at);
    const Segment* previous = manifest.segments.empty() ? nullptr : &manifest.segments.back();
    TW_RETURN_IF_ERROR(CheckSegment(manifest.segments.size(), segment, previous));
    manifest.segments.push_back(segment);
  }
  const uint64_t declared = LoadLittle<uint64_t>(bytes.data() + kDataSizeOffset);
  if (declared == manifest.data_size()) return manifest;
  return Malformed(absl::StrCat("declares ", declared, " bytes of data, its segments have ", manifest.data_size()));
}

absl::Status CheckManifest(const Manifest& manifest, const ModelSpec& spec) {
  if (manifest.model_id != spec.id()) {
    return Malformed(absl::StrCat("is of model ", manifest.model_id.Hex(), ", the run's model is ", spec.id().Hex()));
  }
  TW_RETURN_IF_ERROR(CheckBase(manifest));
  size_t next = 0;
  for (uint32_t i = 0; i < spec.tensors().size(); ++i) {
    if (!CarriesTensor(manifest.representation, spec.tensors()[i])) continue;
    TW_RETURN_IF_ERROR(CheckTensor(manifest, spec, i, &next));
  }
  if (next == manifest.segments.size()) return absl::OkStatus();
  return Malformed(absl::StrCat("has ", manifest.segments.size(), " segments, the model needs ", next));
}

}  // namespace thinwire
