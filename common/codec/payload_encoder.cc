#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/buffer_frame.h"
#include "common/codec/payload.h"
#include "common/codec/payload_layout.h"
#include "common/codec/update_frame.h"

namespace thinwire {
namespace {

// Writes segments one after the other into a file whose front is kept free for the manifest.
class SegmentWriter {
 public:
  SegmentWriter(File* file, uint64_t offset) : file_(file), offset_(offset) {}

  absl::Status Write(uint32_t tensor, uint64_t block, uint32_t count, absl::string_view frame) {
    TW_RETURN_IF_ERROR(file_->WriteAt(offset_, frame));
    file_->StartWriteback(offset_, frame.size());
    offset_ += frame.size();
    segments_.push_back(
        {tensor, static_cast<uint32_t>(block), count, static_cast<uint32_t>(frame.size()), Sha256(frame)});
    return absl::OkStatus();
  }
  uint64_t offset() const { return offset_; }
  // Takes back the last `segments` segments: the next one is written in the place of the first of them.
  void TakeBack(size_t segments) {
    for (; segments > 0; --segments) {
      offset_ -= segments_.back().size;
      segments_.pop_back();
    }
  }
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

  // The scale needs the whole tensor, but often the first block's is the whole tensor's: blocks are encoded while that
  // holds, and once more from the start if it does not hold to the end. Values are thus read once or twice.
  // `exact` may be null.
  absl::Status EncodeFloats(uint32_t tensor, const Codec& codec, const RowBlockSet* exact) {
    exact_ = exact;
    const uint64_t blocks = BlockCount(spec_.tensors()[tensor].count());
    TensorScan scan;
    TW_ASSIGN_OR_RETURN(float scale, codec.ChooseScale(scan));
    uint64_t encoded = 0;
    for (uint64_t block = 0; block < blocks; ++block) {
      TW_RETURN_IF_ERROR(ReadBlock(tensor, block));
      if (codec.needs_scan()) scan.Add(floats_);
      TW_ASSIGN_OR_RETURN(const float wanted, codec.ChooseScale(scan));
      if (block == 0) scale = wanted;
      if (wanted != scale || encoded != block) continue;
      TW_RETURN_IF_ERROR(EncodeBlock(tensor, block, codec, scale));
      ++encoded;
    }
    if (encoded == blocks) return absl::OkStatus();
    out_->TakeBack(encoded);
    TW_ASSIGN_OR_RETURN(scale, codec.ChooseScale(scan));
    for (uint64_t block = 0; block < blocks; ++block) {
      TW_RETURN_IF_ERROR(ReadBlock(tensor, block));
      TW_RETURN_IF_ERROR(EncodeBlock(tensor, block, codec, scale));
    }
    return absl::OkStatus();
  }

  // Entries of a vector: positions come with the values.
  absl::Status EncodeEntries(uint32_t tensor, const CodecSpec& codec, const SparseEntries& entries) {
    const uint64_t count = spec_.tensors()[tensor].count();
    if (entries.positions.size() != count || entries.values.size() != count) {
      return absl::InvalidArgumentError(absl::StrCat("there are ", entries.positions.size(), " positions and ",
                                                     entries.values.size(), " values, must be ", count));
    }
    TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> values, MakeCodec(codec.SparseValues()));
    TensorScan scan;
    scan.Add(entries.values);
    TW_ASSIGN_OR_RETURN(const float scale, values->ChooseScale(scan));
    for (uint64_t block = 0; block < BlockCount(count); ++block) {
      const size_t first = block * kBlockValues, size = BlockSize(count, block);
      frame_.clear();
      TW_RETURN_IF_ERROR(EncodeSparseFrame(codec, absl::MakeConstSpan(entries.positions).subspan(first, size),
                                           absl::MakeConstSpan(entries.values).subspan(first, size), scale, &frame_));
      TW_RETURN_IF_ERROR(out_->Write(tensor, block, BlockSize(count, block), frame_));
    }
    return absl::OkStatus();
  }

  // A whole update, coded already.
  absl::Status EncodeUpdate(uint32_t tensor, const CodecSpec& codec, absl::string_view bytes) {
    const std::optional<uint64_t> values = UpdateTensorValues(spec_.tensors()[tensor]);
    if (!values.has_value() || bytes.size() > MaxUpdateStringSize(*values)) {
      return absl::InvalidArgumentError(absl::StrCat(codec.Name(), " of ", bytes.size(), " bytes does not go into it"));
    }
    for (uint64_t piece = 0; piece < UpdatePieces(bytes.size()); ++piece) {
      frame_.clear();
      AppendUpdateFrame(codec.id, *values, bytes.substr(piece * kUpdatePieceSize, kUpdatePieceSize), &frame_);
      TW_RETURN_IF_ERROR(out_->Write(tensor, piece, 1, frame_));
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
  // Fills floats_.
  absl::Status ReadBlock(uint32_t tensor, uint64_t block) {
    floats_.resize(BlockSize(spec_.tensors()[tensor].count(), block));
    return source_->ReadFloats(tensor, block * kBlockValues, absl::MakeSpan(floats_));
  }

  absl::Status EncodeBlock(uint32_t tensor, uint64_t block, const Codec& codec, float scale) {
    frame_.clear();
    const uint16_t exact_blocks = exact_ == nullptr ? uint16_t{0} : exact_->Mask(tensor, block);
    TW_RETURN_IF_ERROR(codec.EncodePartly(floats_, scale, exact_blocks, &frame_));
    return out_->Write(tensor, block, static_cast<uint32_t>(floats_.size()), frame_);
  }

  const ModelSpec& spec_;
  BlockSource* const source_;
  SegmentWriter* const out_;
  const RowBlockSet* exact_ = nullptr;  // of the tensor being encoded
  std::vector<float> floats_;
  std::vector<int64_t> ints_;
  std::string frame_;
};

absl::Status NameTensor(const TensorSpec& tensor, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("tensor '", tensor.name, "': ", status.message()));
}

absl::Status EncodeTensors(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                           SegmentWriter* out) {
  const bool sparse = options.codec.id == CodecId::kSparse, update = IsUpdateCodec(options.codec.id);
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> codec, MakeCodec(update   ? BufferCodec()
                                                                    : sparse ? CodecSpec::Fp32()
                                                                             : options.codec));
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> exact, MakeCodec(CodecSpec::Fp32()));
  TensorEncoder encoder(spec, &source, out);
  for (uint32_t i = 0; i < spec.tensors().size(); ++i) {
    const TensorSpec& tensor = spec.tensors()[i];
    if (!CarriesTensor(options.representation, tensor)) continue;
    const bool integers = tensor.dtype == DataType::kInt64;
    const CodecSpec own = CodecOf(options.codec, tensor);
    const bool coded = own == options.codec;
    if (coded && sparse) {
      TW_RETURN_IF_ERROR(NameTensor(tensor, encoder.EncodeEntries(i, options.codec, *options.entries)));
      continue;
    }
    if (coded && update) {
      TW_RETURN_IF_ERROR(NameTensor(tensor, encoder.EncodeUpdate(i, options.codec, *options.update)));
      continue;
    }
    const absl::Status status =
        integers ? encoder.EncodeInts(i)
                 : encoder.EncodeFloats(i, own == CodecSpec::Fp32() ? *exact : *codec, coded ? options.exact : nullptr);
    TW_RETURN_IF_ERROR(NameTensor(tensor, status));
  }
  return absl::OkStatus();
}

size_t SegmentsToWrite(const ModelSpec& spec, const EncodeOptions& options) {
  size_t count = SegmentCount(spec, options.representation);
  for (const TensorSpec& tensor : spec.tensors()) {
    const std::optional<uint64_t> values = UpdateTensorValues(tensor);
    if (values.has_value() && options.update != nullptr) {
      count -= UpdatePieces(MaxUpdateStringSize(*values)) - UpdatePieces(options.update->size());
    }
  }
  return count;
}

absl::StatusOr<PayloadRef> WritePayload(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                                        const std::string& path) {
  TW_ASSIGN_OR_RETURN(File file, File::Create(path));
  const size_t manifest_size = ManifestSize(SegmentsToWrite(spec, options));
  SegmentWriter out(&file, manifest_size);
  TW_RETURN_IF_ERROR(EncodeTensors(spec, options, source, &out));
  const uint64_t total_size = out.offset();
  TW_RETURN_IF_ERROR(file.Truncate(total_size));  // segments that were taken back may have been longer
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
  if ((options.codec.id == CodecId::kSparse) != (options.entries != nullptr)) {
    return absl::InvalidArgumentError("the sparse codec is for entries, and entries take the sparse codec");
  }
  if (IsUpdateCodec(options.codec.id) != (options.update != nullptr)) {
    return absl::InvalidArgumentError("a codec of whole updates takes an update, and an update takes such a codec");
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
