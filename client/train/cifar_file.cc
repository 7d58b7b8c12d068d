#include "client/train/cifar_file.h"

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kRecordsAtOnce = 256;

// How many records a file has.
absl::StatusOr<uint64_t> RecordsIn(const File& file) {
  TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  if (size > kMaxCifarFileBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(file.path(), ": ", size, " bytes, at most ", kMaxCifarFileBytes, " are read; split the file"));
  }
  if (size == 0 || size % kCifarRecordBytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", size,
                                                   " bytes, a file of CIFAR-10 has a multiple of ", kCifarRecordBytes,
                                                   " (1 label, 3x32x32 pixels); it is truncated or of another format: "
                                                   "fetch the binary version of CIFAR-10 again"));
  }
  return size / kCifarRecordBytes;
}

using Visitor = std::function<absl::Status(uint64_t index, absl::Span<const uint8_t> record)>;

// Calls `visit` for each record of `file`; the first one has the index `first`. Returns the index after the last.
absl::StatusOr<uint64_t> WalkFile(const std::string& path, uint64_t first, const Visitor& visit) {
  TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t records, RecordsIn(file));
  std::vector<uint8_t> piece;
  for (uint64_t begin = 0; begin < records; begin += kRecordsAtOnce) {
    const uint64_t count = std::min(kRecordsAtOnce, records - begin);
    piece.resize(count * kCifarRecordBytes);
    TW_RETURN_IF_ERROR(file.ReadAt(begin * kCifarRecordBytes, piece.size(), piece.data()));
    for (uint64_t i = 0; i < count; ++i) {
      const auto record = absl::MakeConstSpan(piece).subspan(i * kCifarRecordBytes, kCifarRecordBytes);
      if (record[0] >= kCifarClasses) {
        return absl::InvalidArgumentError(absl::StrCat(path, ": byte ", (begin + i) * kCifarRecordBytes, ": label ",
                                                       record[0], ", CIFAR-10 has 0 to ", kCifarClasses - 1,
                                                       "; the file is damaged or of another format: fetch it again"));
      }
      TW_RETURN_IF_ERROR(visit(first + begin + i, record));
    }
  }
  return first + records;
}

absl::StatusOr<uint64_t> WalkFiles(const std::vector<std::string>& paths, const Visitor& visit) {
  uint64_t next = 0;
  for (const std::string& path : paths) {
    TW_ASSIGN_OR_RETURN(next, WalkFile(path, next, visit));
  }
  return next;
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> ReadCifarLabels(const std::vector<std::string>& paths) {
  std::vector<uint8_t> labels;
  TW_RETURN_IF_ERROR(WalkFiles(paths, [&](uint64_t, absl::Span<const uint8_t> record) {
                       labels.push_back(record[0]);
                       return absl::OkStatus();
                     }).status());
  return labels;
}

absl::StatusOr<std::vector<uint8_t>> ReadCifarImages(const std::vector<std::string>& paths, uint64_t expected,
                                                     std::optional<absl::Span<const uint32_t>> selection) {
  const uint64_t kept = selection.has_value() ? selection->size() : expected;
  std::vector<uint8_t> images;
  images.reserve(kept * kCifarShape.values());
  uint64_t taken = 0;
  const Visitor keep = [&](uint64_t index, absl::Span<const uint8_t> record) {
    if (taken == kept || (selection.has_value() && (*selection)[taken] != index)) return absl::OkStatus();
    images.insert(images.end(), record.begin() + 1, record.end());
    ++taken;
    return absl::OkStatus();
  };
  TW_ASSIGN_OR_RETURN(const uint64_t found, WalkFiles(paths, keep));
  if (found != expected) {
    return absl::DataLossError(absl::StrCat(paths.front(), " and those beside it had ", expected, " images, now ",
                                            found, "; do not change data while a client reads them"));
  }
  if (taken != kept) return absl::InvalidArgumentError("the selection of images does not ascend");
  return images;
}

}  // namespace thinwire
