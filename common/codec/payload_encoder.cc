#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/payload.h"
#include "common/codec/payload_layout.h"

namespace thinwire {
namespace {

// Writes segments one after the other into a file whose front is kept free for the manifest.
class SegmentWriter {
 public:
  SegmentWriter(File* file, uint64_t offset) : file_(file), offset_(offset) {}

  absl::Status Write(uint32_t tensor, uint64_t block, uint32_t count, absl::string_view frame) {
    TW_RETURN_IF_ERROR(file_->WriteAt(offset_, frame));
    offset_ += frame.size();
    segments_.push_back(
        {tensor, static_cast<uint32_t>(block), count, static_cast<uint32_t>(frame.size()), Sha256(frame)});
    return absl::OkStatus();
  }
  uint64_t offset() const { return offset_; }
  std::vector<Segment> TakeSegments() { return std::move(segments_); }

 private:
  File* const file_;
  uint64_t offset_;
  std::vector<Segment> segments_;
};

// Encodes tensors of one source. Holds one block of values and one frame, whatever the size of the model.
class TensorEncoder {
 public:
  TensorEncoder(const ModelSpec& spec, BlockSource* source, SegmentWriter* out)
      : spec_(spec), source_(source), out_(out) {}

  absl::Status EncodeFloats(uint32_t tensor, const Codec& codec) {
    const uint64_t count = spec_.tensors()[tensor].count();
    TensorScan scan;
    if (codec.needs_scan()) TW_RETURN_IF_ERROR(Scan(tensor, count, &scan));
    TW_ASSIGN_OR_RETURN(const float scale, codec.ChooseScale(scan));
    for (uint64_t block = 0; block < BlockCount(count); ++block) {
      TW_RETURN_IF_ERROR(ReadBlock(tensor, count, block));
      frame_.clear();
      TW_RETURN_IF_ERROR(codec.Encode(floats_, scale, &frame_));
      TW_RETURN_IF_ERROR(out_->Write(tensor, block, BlockSize(count, block), frame_));
    }
    return absl::OkStatus();
  }

  absl::Status EncodeInts(uint32_t tensor) {
    const uint64_t count = spec_.tensors()[tensor].count();
    for (uint64_t block = 0; block < BlockCount(count); ++block) {
      ints_.resize(BlockSize(count, block));
      TW_RETURN_IF_ERROR(source_->ReadInts(tensor, block * kBlockValues, absl::MakeSpan(ints_)));
      frame_.clear();
      EncodeIntFrame(ints_, &frame_);
      TW_RETURN_IF_ERROR(out_->Write(tensor, block, BlockSize(count, block), frame_));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Scan(uint32_t tensor, uint64_t count, TensorScan* scan) {
    for (uint64_t block = 0; block < BlockCount(count); ++block) {
      TW_RETURN_IF_ERROR(ReadBlock(tensor, count, block));
      scan->Add(floats_);
    }
    return absl::OkStatus();
  }

  // Fills floats_. The second sweep over a tensor of one block finds it there.
  absl::Status ReadBlock(uint32_t tensor, uint64_t count, uint64_t block) {
    const std::pair<uint32_t, uint64_t> wanted(tensor, block);
    if (held_valid_ && held_ == wanted) return absl::OkStatus();
    held_valid_ = false;
    floats_.resize(BlockSize(count, block));
    TW_RETURN_IF_ERROR(source_->ReadFloats(tensor, block * kBlockValues, absl::MakeSpan(floats_)));
    held_ = wanted;
    held_valid_ = true;
    return absl::OkStatus();
  }

  const ModelSpec& spec_;
  BlockSource* const source_;
  SegmentWriter* const out_;
  std::vector<float> floats_;
  std::vector<int64_t> ints_;
  std::string frame_;
  std::pair<uint32_t, uint64_t> held_{0, 0};  // tensor and block in floats_
  bool held_valid_ = false;
};

absl::Status NameTensor(const TensorSpec& tensor, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("tensor '", tensor.name, "': ", status.message()));
}

absl::Status EncodeTensors(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                           SegmentWriter* out) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> codec, MakeCodec(options.codec));
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> exact, MakeCodec(CodecSpec::Fp32()));
  TensorEncoder encoder(spec, &source, out);
  for (uint32_t i = 0; i < spec.tensors().size(); ++i) {
    const TensorSpec& tensor = spec.tensors()[i];
    if (!CarriesTensor(options.representation, tensor)) continue;
    const bool integers = tensor.dtype == DataType::kInt64;
    const Codec& values = tensor.role == TensorRole::kBuffer ? *exact : *codec;
    TW_RETURN_IF_ERROR(NameTensor(tensor, integers ? encoder.EncodeInts(i) : encoder.EncodeFloats(i, values)));
  }
  return absl::OkStatus();
}

absl::StatusOr<PayloadRef> WritePayload(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                                        const std::string& path) {
  TW_ASSIGN_OR_RETURN(File file, File::Create(path));
  const size_t manifest_size = ManifestSize(SegmentCount(spec, options.representation));
  SegmentWriter out(&file, manifest_size);
  TW_RETURN_IF_ERROR(EncodeTensors(spec, options, source, &out));
  const uint64_t total_size = out.offset();
  const std::string manifest = EncodeManifest({options.representation, spec.id(), options.base_id, out.TakeSegments()});
  TW_RETURN_IF_ERROR(file.WriteAt(0, manifest));
  return PayloadRef{Sha256(manifest), total_size, static_cast<uint32_t>(manifest.size())};
}

absl::Status CheckOptions(const EncodeOptions& options) {
  if (options.representation == Representation::kDelta && options.base_id.empty()) {
    return absl::InvalidArgumentError("a delta must name its base");
  }
  if (options.representation == Representation::kFrozen && !options.base_id.empty()) {
    return absl::InvalidArgumentError("frozen tensors have no base");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PayloadRef> EncodePayload(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                                         const std::string& path) {
  TW_RETURN_IF_ERROR(CheckOptions(options));
  absl::StatusOr<PayloadRef> ref = WritePayload(spec, options, source, path);
  if (!ref.ok()) (void)RemoveFile(path);  // the first error is the one to report
  return ref;
}

}  // namespace thinwire
