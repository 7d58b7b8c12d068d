#include "common/tensor/safetensors.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/tensor/safetensors_header.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are read and written as they lie in memory");

namespace thinwire {
namespace {

constexpr uint64_t kLengthSize = 8;

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

absl::Status CheckBlock(const ModelSpec& spec, DataType dtype, uint32_t tensor, uint64_t first, size_t count) {
  if (tensor >= spec.tensors().size() || spec.tensors()[tensor].dtype != dtype) {
    return absl::InvalidArgumentError(absl::StrCat("the model has no such tensor of that type: index ", tensor));
  }
  const uint64_t size = spec.tensors()[tensor].count();
  if (first > size || count > size - first) {
    return absl::OutOfRangeError(absl::StrCat("values ", first, " to ", first + count, " lie outside tensor '",
                                              spec.tensors()[tensor].name, "' of ", size));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadHeader(const File& file, uint64_t file_size) {
  char length_bytes[kLengthSize];
  if (file_size < kLengthSize) return absl::InvalidArgumentError("too short for a safetensors file");
  TW_RETURN_IF_ERROR(file.ReadAt(0, kLengthSize, length_bytes));
  const uint64_t length = LoadLittle<uint64_t>(length_bytes);
  const uint64_t limit = std::min(kMaxSafetensorsHeader, file_size - kLengthSize);
  if (length > limit) {
    return absl::InvalidArgumentError(absl::StrCat("not a safetensors file, or damaged: the header would have ", length,
                                                   " bytes, at most ", limit, " are possible"));
  }
  std::string json(length, '\0');
  TW_RETURN_IF_ERROR(file.ReadAt(kLengthSize, json.size(), &json[0]));
  return json;
}

// Copies one block from `source` to `writer`.
class BlockCopier {
 public:
  BlockCopier(BlockSource& source, SafetensorsWriter* writer) : source_(source), writer_(writer) {}

  absl::Status CopyTensor(const TensorSpec& tensor, uint32_t index) {
    for (uint64_t block = 0; block < BlockCount(tensor.count()); ++block) {
      const uint32_t size = BlockSize(tensor.count(), block);
      const uint64_t first = block * kBlockValues;
      if (tensor.dtype == DataType::kFloat32) {
        floats_.resize(size);
        TW_RETURN_IF_ERROR(source_.ReadFloats(index, first, absl::MakeSpan(floats_)));
        TW_RETURN_IF_ERROR(writer_->WriteFloats(index, first, floats_));
      } else {
        ints_.resize(size);
        TW_RETURN_IF_ERROR(source_.ReadInts(index, first, absl::MakeSpan(ints_)));
        TW_RETURN_IF_ERROR(writer_->WriteInts(index, first, ints_));
      }
    }
    return absl::OkStatus();
  }

 private:
  BlockSource& source_;
  SafetensorsWriter* writer_;
  std::vector<float> floats_;
  std::vector<int64_t> ints_;
};

absl::StatusOr<Digest> WriteAll(const std::string& path, const ModelSpec& spec, BlockSource& source) {
  TW_ASSIGN_OR_RETURN(SafetensorsWriter writer, SafetensorsWriter::Create(path, spec));
  BlockCopier copier(source, &writer);
  for (const uint32_t tensor : SafetensorsLayout(spec)) {
    TW_RETURN_IF_ERROR(copier.CopyTensor(spec.tensors()[tensor], tensor));
  }
  TW_RETURN_IF_ERROR(writer.Finish());
  return writer.Sha256OfFile();
}

}  // namespace

absl::StatusOr<SafetensorsReader> SafetensorsReader::Open(const std::string& path) {
  SafetensorsReader reader;
  TW_ASSIGN_OR_RETURN(reader.file_, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t size, reader.file_.Size());
  const absl::StatusOr<std::string> json = ReadHeader(reader.file_, size);
  if (!json.ok()) return InFile(path, json.status());
  const uint64_t data_start = kLengthSize + json->size();
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(*json, size - data_start);
  if (!header.ok()) return InFile(path, header.status());
  reader.spec_ = std::move(header->spec);
  reader.offsets_ = std::move(header->offsets);
  for (uint64_t& offset : reader.offsets_) offset += data_start;
  return reader;
}

absl::Status SafetensorsReader::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  TW_RETURN_IF_ERROR(CheckBlock(spec_, DataType::kFloat32, tensor, first, out.size()));
  return file_.ReadAt(offsets_[tensor] + first * sizeof(float), out.size() * sizeof(float), out.data());
}

absl::Status SafetensorsReader::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  TW_RETURN_IF_ERROR(CheckBlock(spec_, DataType::kInt64, tensor, first, out.size()));
  return file_.ReadAt(offsets_[tensor] + first * sizeof(int64_t), out.size() * sizeof(int64_t), out.data());
}

std::vector<uint32_t> SafetensorsLayout(const ModelSpec& spec) {
  std::vector<uint32_t> layout;
  layout.reserve(spec.tensors().size());
  for (const DataType dtype : {DataType::kInt64, DataType::kFloat32}) {
    for (uint32_t i = 0; i < spec.tensors().size(); ++i) {
      if (spec.tensors()[i].dtype == dtype) layout.push_back(i);
    }
  }
  return layout;
}

absl::StatusOr<SafetensorsWriter> SafetensorsWriter::Create(const std::string& path, const ModelSpec& spec) {
  SafetensorsWriter writer;
  writer.spec_ = spec;
  const std::string json = FormatSafetensorsHeader(spec, &writer.offsets_);
  std::string start;
  AppendLittle<uint64_t>(json.size(), &start);
  start += json;
  for (uint64_t& offset : writer.offsets_) offset += start.size();
  for (const TensorSpec& tensor : spec.tensors()) {
    writer.missing_ += tensor.count() * (tensor.dtype == DataType::kInt64 ? sizeof(int64_t) : sizeof(float));
  }
  writer.size_ = start.size() + writer.missing_;
  TW_ASSIGN_OR_RETURN(writer.file_, File::Create(path));
  TW_RETURN_IF_ERROR(writer.file_.WriteAt(0, start));
  TW_RETURN_IF_ERROR(writer.file_.Truncate(writer.size_));
  writer.hash_->Update(start);
  writer.hashed_ = start.size();
  return writer;
}

absl::Status SafetensorsWriter::Write(uint32_t tensor, uint64_t first, size_t value_size, absl::string_view bytes) {
  const uint64_t offset = offsets_[tensor] + first * value_size;
  if (bytes.size() > missing_) return absl::FailedPreconditionError("a value is written twice");
  TW_RETURN_IF_ERROR(file_.WriteAt(offset, bytes));
  file_.StartWriteback(offset, bytes.size());
  missing_ -= bytes.size();
  if (offset == hashed_) {
    hash_->Update(bytes);
    hashed_ += bytes.size();
  }
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::WriteFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values) {
  TW_RETURN_IF_ERROR(CheckBlock(spec_, DataType::kFloat32, tensor, first, values.size()));
  const auto* bytes = reinterpret_cast<const char*>(values.data());
  return Write(tensor, first, sizeof(float), absl::string_view(bytes, values.size() * sizeof(float)));
}

absl::Status SafetensorsWriter::WriteInts(uint32_t tensor, uint64_t first, absl::Span<const int64_t> values) {
  TW_RETURN_IF_ERROR(CheckBlock(spec_, DataType::kInt64, tensor, first, values.size()));
  const auto* bytes = reinterpret_cast<const char*>(values.data());
  return Write(tensor, first, sizeof(int64_t), absl::string_view(bytes, values.size() * sizeof(int64_t)));
}

absl::Status SafetensorsWriter::Finish() {
  if (missing_ != 0) {
    return absl::FailedPreconditionError(absl::StrCat(file_.path(), ": ", missing_, " bytes of values are missing"));
  }
  return file_.Sync();
}

absl::StatusOr<Digest> SafetensorsWriter::Sha256OfFile() {
  if (missing_ != 0) return absl::FailedPreconditionError("the file is not finished");
  std::string buffer(1 << 20, '\0');
  while (hashed_ < size_) {  // values that came out of order
    const size_t size = std::min<uint64_t>(buffer.size(), size_ - hashed_);
    TW_RETURN_IF_ERROR(file_.ReadAt(hashed_, size, &buffer[0]));
    hash_->Update(absl::string_view(buffer.data(), size));
    hashed_ += size;
  }
  return hash_->Finish();
}

absl::StatusOr<Digest> CreateSafetensors(const std::string& path, const ModelSpec& spec, BlockSource& source) {
  absl::StatusOr<Digest> written = WriteAll(path, spec, source);
  if (!written.ok()) RemoveFile(path).IgnoreError();  // the first error is the one to report
  return written;
}

absl::Status WriteSafetensors(const std::string& path, const ModelSpec& spec, BlockSource& source) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  TW_RETURN_IF_ERROR(CreateSafetensors(temporary, spec, source).status());
  return RenameDurably(temporary, path);
}

}  // namespace thinwire
