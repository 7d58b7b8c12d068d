// Files, with the guarantees that durable state needs. Errors name the path and the system's reason; a full disk is
// RESOURCE_EXHAUSTED, a missing file NOT_FOUND.
#ifndef THINWIRE_COMMON_BASE_FILE_H_
#define THINWIRE_COMMON_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace thinwire {

// From now on Sync and SyncDirectory return at once, in the whole process: for simulations and benchmarks, whose state
// a power loss may take. Call before other threads start.
void DisableSync();
bool SyncDisabled();

// An open file, closed on destruction. Reads and writes at explicit offsets: several threads may read at once; writers
// to disjoint ranges too.
class File {
 public:
  File() = default;
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  static absl::StatusOr<File> OpenForRead(const std::string& path);
  // Creates or truncates.
  static absl::StatusOr<File> Create(const std::string& path);
  // Creates if absent, keeps the content.
  static absl::StatusOr<File> OpenForUpdate(const std::string& path);

  // Exactly `size` bytes, or OUT_OF_RANGE if the file ends before.
  absl::Status ReadAt(uint64_t offset, size_t size, void* out) const;
  absl::Status WriteAt(uint64_t offset, absl::string_view data);
  // The pieces, one after the other.
  absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> pieces);
  absl::StatusOr<uint64_t> Size() const;
  absl::Status Truncate(uint64_t size);
  // Asks the system to begin writing this range to the disk, so that a later Sync has less to wait for. Only a hint.
  void StartWriteback(uint64_t offset, uint64_t size) const;
  // Data and size reach the disk.
  absl::Status Sync();
  bool is_open() const { return fd_ >= 0; }
  const std::string& path() const { return path_; }

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  // After a short write: `pieces` from byte `written` on.
  absl::Status WriteRest(uint64_t offset, size_t written, absl::Span<const absl::string_view> pieces);

  int fd_ = -1;
  std::string path_;
};

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, uint64_t max_size);
// Writes beside the target, syncs, renames over it and syncs the directory: afterwards the file is whole or as before.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view data);
// rename(2) and a sync of the target's directory.
absl::Status RenameDurably(const std::string& from, const std::string& to);
absl::Status SyncDirectory(const std::string& directory);
absl::Status MakeDirectories(const std::string& directory);
// OK also if the file is absent.
absl::Status RemoveFile(const std::string& path);
bool FileExists(const std::string& path);
// Names (not paths) of the entries, sorted; "." and ".." left out.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& directory);
std::string JoinPath(absl::string_view directory, absl::string_view name);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_FILE_H_
