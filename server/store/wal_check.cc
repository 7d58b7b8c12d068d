#include "server/store/wal_check.h"

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr size_t kHeaderSize = 32;
constexpr size_t kFrameHeaderSize = 24;
constexpr uint32_t kMagic = 0x377f0682;  // the last bit says that checksums read words as big-endian
constexpr uint32_t kMaxPageSize = 65536;

uint32_t BigEndian(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

class Checksum {
 public:
  explicit Checksum(bool big_endian) : big_endian_(big_endian) {}
  // A multiple of 8 bytes.
  void Add(absl::string_view bytes) {
    for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first_ += Word(bytes, at) + second_;
      second_ += Word(bytes, at + 4) + first_;
    }
  }
  bool Is(absl::string_view bytes, size_t at) const {
    return first_ == BigEndian(bytes, at) && second_ == BigEndian(bytes, at + 4);
  }

 private:
  uint32_t Word(absl::string_view bytes, size_t at) const {
    const uint32_t value = BigEndian(bytes, at);
    return big_endian_ ? value : __builtin_bswap32(value);
  }
  bool big_endian_;
  uint32_t first_ = 0;
  uint32_t second_ = 0;
};

absl::Status Damaged(const std::string& path, uint64_t byte) {
  return absl::DataLossError(
      absl::StrCat(path, " is damaged at byte ", byte,
                   " or a little behind it, and transactions that were committed follow; restore "
                   "the folder from a backup, or name another storage.directory"));
}

// What one walk over the frames finds.
class LogWalk {
 public:
  // `checksum` is that of the header, the first in the chain.
  LogWalk(absl::string_view salts, const Checksum& checksum) : salts_(salts), checksum_(checksum) {}
  void Pass(absl::string_view frame, uint64_t offset) {
    const uint32_t commit = BigEndian(frame, 4) != 0 ? 1 : 0;
    if (frame.substr(8, 8) != salts_) {
      Break(offset);
      doubtful_commits_ += commit;  // of the log before this one, unless frames of this one follow
      return;
    }
    checksum_.Add(frame.substr(0, 8));
    checksum_.Add(frame.substr(kFrameHeaderSize));
    if (intact_ && !checksum_.Is(frame, 16)) Break(offset);
    if (intact_) return;
    commits_behind_ += doubtful_commits_ + commit;
    doubtful_commits_ = 0;
  }
  // The last transaction may be torn and yet have its commit on the disk; two commits are one that was synced.
  bool lost_commits() const { return commits_behind_ > 1; }
  uint64_t broken_at() const { return broken_at_; }

 private:
  void Break(uint64_t offset) {
    if (intact_) broken_at_ = offset;
    intact_ = false;
  }
  const absl::string_view salts_;
  Checksum checksum_;
  bool intact_ = true;
  uint64_t broken_at_ = 0;
  uint32_t commits_behind_ = 0;
  uint32_t doubtful_commits_ = 0;
};

}  // namespace

absl::Status CheckWal(const std::string& path) {
  if (!FileExists(path)) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  if (size < kHeaderSize) return absl::OkStatus();
  std::string header(kHeaderSize, '\0');
  TW_RETURN_IF_ERROR(file.ReadAt(0, header.size(), &header[0]));
  const uint32_t page_size = BigEndian(header, 8);
  const bool readable = (BigEndian(header, 0) & ~1u) == kMagic && page_size >= 512 && page_size <= kMaxPageSize;
  Checksum checksum((BigEndian(header, 0) & 1) != 0);
  checksum.Add(absl::string_view(header).substr(0, 24));
  // SQLite would take the log for empty. It writes these few bytes at once, so that a crash does not tear them.
  if (!readable || !checksum.Is(header, 24)) return size == kHeaderSize ? absl::OkStatus() : Damaged(path, 0);
  LogWalk walk(absl::string_view(header).substr(16, 8), checksum);
  std::string frame(kFrameHeaderSize + page_size, '\0');
  for (uint64_t at = kHeaderSize; at + frame.size() <= size; at += frame.size()) {
    TW_RETURN_IF_ERROR(file.ReadAt(at, frame.size(), &frame[0]));
    walk.Pass(frame, at);
  }
  return walk.lost_commits() ? Damaged(path, walk.broken_at()) : absl::OkStatus();
}

}  // namespace thinwire
