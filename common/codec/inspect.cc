#include "common/codec/inspect.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/frame.h"
#include "common/codec/update_frame.h"

namespace thinwire {
namespace {

std::string CodecName(const FrameInfo& info) { return info.codec.id == CodecId::kInt64 ? "int64" : info.codec.Name(); }

// A piece of an update. The first one says of how many values, and how.
absl::Status AddPiece(const Segment& segment, absl::string_view frame, const FrameInfo& info, TensorReport* report) {
  TW_ASSIGN_OR_RETURN(const UpdatePiece piece, ReadUpdateFrame(frame, info.count));
  if (report->blocks == 0) {
    report->tensor = segment.tensor;
    report->codec = DescribeUpdate(piece);
    report->scale = info.scale;
    report->values = info.count;
  }
  ++report->blocks;
  report->bytes += segment.size;
  return absl::OkStatus();
}

void AddSegment(const Segment& segment, const FrameInfo& info, TensorReport* report) {
  const std::string codec = CodecName(info);
  if (report->blocks == 0) {
    report->tensor = segment.tensor;
    report->codec = codec;
    report->scale = info.scale;
  } else if (report->codec != codec) {
    report->codec = "mixed";
  }
  for (uint32_t i = 0; i < RowBlockCount(info.count); ++i) {
    if ((info.exact_blocks >> i & 1) != 0) report->exact += RowBlockSize(info.count, i);
  }
  ++report->blocks;
  report->values += segment.count;
  report->bytes += segment.size;
}

}  // namespace

absl::StatusOr<PayloadReport> InspectPayload(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const PayloadReader reader, PayloadReader::OpenForInspection(path));
  const Manifest& manifest = reader.manifest();
  PayloadReport report;
  report.ref = reader.ref();
  report.representation = manifest.representation;
  report.model_id = manifest.model_id;
  report.base_id = manifest.base_id;
  std::string frame;
  for (size_t i = 0; i < manifest.segments.size(); ++i) {
    const Segment& segment = manifest.segments[i];
    TW_RETURN_IF_ERROR(reader.ReadSegment(i, &frame));
    TW_ASSIGN_OR_RETURN(const FrameInfo info, ReadFrameInfo(frame));
    if (report.tensors.empty() || report.tensors.back().tensor != segment.tensor) report.tensors.emplace_back();
    if (IsUpdateCodec(info.codec.id) && segment.count == 1) {
      TW_RETURN_IF_ERROR(AddPiece(segment, frame, info, &report.tensors.back()));
      report.values += segment.block == 0 ? info.count : 0;
      continue;
    }
    if (info.count != segment.count) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": segment ", i, " has ", info.count, " values, its manifest entry says ", segment.count));
    }
    AddSegment(segment, info, &report.tensors.back());
    report.values += segment.count;
  }
  return report;
}

}  // namespace thinwire
