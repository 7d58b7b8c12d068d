#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/payload.h"
#include "common/codec/payload_layout.h"

namespace thinwire {
namespace {

// The whole manifest at the front of a file, at most `max_segments` long.
absl::StatusOr<std::string> ReadManifestBytes(const File& file, uint64_t file_size, size_t max_segments) {
  std::string bytes(static_cast<size_t>(std::min<uint64_t>(file_size, kManifestHeaderSize)), '\0');
  TW_RETURN_IF_ERROR(file.ReadAt(0, bytes.size(), &bytes[0]));
  TW_ASSIGN_OR_RETURN(const size_t size, ReadManifestSize(bytes));
  if (size > ManifestSize(max_segments)) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": a manifest of ", size,
                                                   " bytes, this model needs at most ", ManifestSize(max_segments)));
  }
  if (size > file_size) {
    return absl::DataLossError(absl::StrCat(file.path(), " has ", file_size, " bytes, its manifest alone ", size));
  }
  bytes.resize(size);
  TW_RETURN_IF_ERROR(file.ReadAt(0, size, &bytes[0]));
  return bytes;
}

absl::Status NamePath(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

std::vector<size_t> FirstSegments(const Manifest& manifest, size_t tensors) {
  std::vector<size_t> first(tensors, PayloadReader::kNoSegment);
  for (size_t i = manifest.segments.size(); i > 0; --i) first[manifest.segments[i - 1].tensor] = i - 1;
  return first;
}

// The segment of the block that starts at value `first`.
absl::StatusOr<size_t> BlockAt(const PayloadReader& reader, uint32_t tensor, uint64_t first) {
  const size_t index = reader.SegmentIndex(tensor, first / kBlockValues);
  if (index != PayloadReader::kNoSegment && first % kBlockValues == 0) return index;
  return absl::InvalidArgumentError(
      absl::StrCat("the payload holds no block of tensor ", tensor, " that starts at value ", first));
}

// Reads whole blocks [first, first + out.size()) through `decode(segment, part of out)`.
template <typename T, typename Decode>
absl::Status ReadBlocks(const PayloadReader& reader, uint32_t tensor, uint64_t first, absl::Span<T> out,
                        const Decode& decode) {
  if (out.empty()) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(size_t index, BlockAt(reader, tensor, first));
  for (; !out.empty(); ++index) {
    const std::vector<Segment>& segments = reader.manifest().segments;
    const bool there = index < segments.size() && segments[index].tensor == tensor;
    const size_t count = there ? segments[index].count : 0;
    if (count == 0 || count > out.size()) {
      return absl::InvalidArgumentError(absl::StrCat("a read of tensor ", tensor, " does not end with a block: ",
                                                     out.size(), " values left, the next block has ", count));
    }
    TW_RETURN_IF_ERROR(decode(index, out.subspan(0, count)));
    out.remove_prefix(count);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PayloadReader> PayloadReader::Load(const std::string& path, const PayloadRef& ref, size_t max_segments) {
  PayloadReader reader;
  TW_ASSIGN_OR_RETURN(reader.file_, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t file_size, reader.file_.Size());
  TW_ASSIGN_OR_RETURN(const std::string bytes, ReadManifestBytes(reader.file_, file_size, max_segments));
  const Digest id = Sha256(bytes);
  if (!ref.id.empty() && id != ref.id) {
    return absl::DataLossError(absl::StrCat(path, " holds payload ", id.Hex(), ", expected ", ref.id.Hex()));
  }
  absl::StatusOr<Manifest> manifest = ParseManifest(bytes);
  if (!manifest.ok()) return NamePath(path, manifest.status());
  reader.manifest_ = *std::move(manifest);
  reader.ref_ = {id, bytes.size() + reader.manifest_.data_size(), static_cast<uint32_t>(bytes.size())};
  TW_RETURN_IF_ERROR(reader.CheckSizes(file_size));
  if (!ref.id.empty() && !(ref == reader.ref_)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the payload has ", reader.ref_.total_size,
                                                   " bytes with a manifest of ", reader.ref_.manifest_size,
                                                   ", announced were ", ref.total_size, " and ", ref.manifest_size));
  }
  uint64_t offset = bytes.size();
  reader.offsets_.reserve(reader.manifest_.segments.size());
  for (const Segment& segment : reader.manifest_.segments) {
    reader.offsets_.push_back(offset);
    offset += segment.size;
  }
  return reader;
}

absl::Status PayloadReader::CheckSizes(uint64_t file_size) const {
  if (file_size == ref_.total_size) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(file_.path(), " has ", file_size, " bytes, its manifest says ", ref_.total_size));
}

absl::StatusOr<PayloadReader> PayloadReader::Open(const std::string& path, const PayloadRef& ref,
                                                  const ModelSpec& spec) {
  const size_t max_segments =
      std::max(SegmentCount(spec, Representation::kModel), SegmentCount(spec, Representation::kFrozen));
  TW_ASSIGN_OR_RETURN(PayloadReader reader, Load(path, ref, max_segments));
  const absl::Status status = CheckManifest(reader.manifest_, spec);
  if (!status.ok()) return NamePath(path, status);
  reader.first_segment_ = FirstSegments(reader.manifest_, spec.tensors().size());
  return reader;
}

absl::StatusOr<PayloadReader> PayloadReader::OpenForInspection(const std::string& path) {
  return Load(path, PayloadRef{}, kMaxSegments);
}

absl::Status PayloadReader::ReadSegment(size_t index, std::string* frame, SegmentCheck check) const {
  if (index >= manifest_.segments.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("segment ", index, " of ", file_.path(), ", which has ", manifest_.segments.size()));
  }
  const Segment& segment = manifest_.segments[index];
  frame->resize(segment.size);
  TW_RETURN_IF_ERROR(file_.ReadAt(offsets_[index], segment.size, &(*frame)[0]));
  if (check == SegmentCheck::kFrameOnly || Sha256(*frame) == segment.sha256) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(file_.path(), ": segment ", index, " (tensor ", segment.tensor, ", block ",
                                          segment.block, ") does not have the hash that the manifest gives"));
}

absl::Status PayloadReader::DecodeFloats(size_t index, absl::Span<float> out, SegmentCheck check) const {
  std::string frame;
  TW_RETURN_IF_ERROR(ReadSegment(index, &frame, check));
  const absl::Status status = DecodeFrame(frame, out);
  return status.ok() ? status : NamePath(absl::StrCat(file_.path(), ", segment ", index), status);
}

absl::Status PayloadReader::DecodeInts(size_t index, absl::Span<int64_t> out) const {
  std::string frame;
  TW_RETURN_IF_ERROR(ReadSegment(index, &frame));
  const absl::Status status = DecodeIntFrame(frame, out);
  return status.ok() ? status : NamePath(absl::StrCat(file_.path(), ", segment ", index), status);
}

absl::Status PayloadReader::DecodeEntries(size_t index, uint64_t dimension, absl::Span<uint64_t> positions,
                                          absl::Span<float> values, SegmentCheck check) const {
  std::string frame;
  TW_RETURN_IF_ERROR(ReadSegment(index, &frame, check));
  const absl::Status status = DecodeSparseFrame(frame, dimension, positions, values);
  return status.ok() ? status : NamePath(absl::StrCat(file_.path(), ", segment ", index), status);
}

size_t PayloadReader::SegmentIndex(uint32_t tensor, uint64_t block) const {
  if (tensor >= first_segment_.size() || first_segment_[tensor] == kNoSegment) return kNoSegment;
  const uint64_t index = first_segment_[tensor] + block;
  const bool there = block < manifest_.segments.size() && index < manifest_.segments.size() &&
                     manifest_.segments[index].tensor == tensor;
  return there ? static_cast<size_t>(index) : kNoSegment;
}

absl::Status PayloadSource::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  return ReadBlocks(reader_, tensor, first, out,
                    [this](size_t index, absl::Span<float> part) { return reader_.DecodeFloats(index, part, check_); });
}

absl::Status PayloadSource::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  return ReadBlocks(reader_, tensor, first, out,
                    [this](size_t index, absl::Span<int64_t> part) { return reader_.DecodeInts(index, part); });
}

absl::StatusOr<bool> PayloadSource::ReadFrame(uint32_t tensor, uint64_t first, std::string* frame) {
  TW_ASSIGN_OR_RETURN(const size_t index, BlockAt(reader_, tensor, first));
  TW_RETURN_IF_ERROR(reader_.ReadSegment(index, frame, check_));
  return true;
}

}  // namespace thinwire
