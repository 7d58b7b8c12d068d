// Uploads on disk: partial ones, appended chunk by chunk, and complete ones waiting to be folded. Compressed as they
// came.
//
//   <assignment>.<first 16 hex digits of the payload id>.part     what has come so far
//   <assignment>.<first 16 hex digits of the payload id>.update   complete, hash of the manifest checked, synced
//
// The way of an update: Begin, Append*, Complete (durable file), Journal::ReceiveUpdate (the commit), acknowledgement,
// fold, publication (Journal::Publish consumes the row), Discard (the file goes). Partial uploads survive a killed
// process; after a power loss, told by another boot id, they start at 0, because their bytes were never synced.
#ifndef THINWIRE_SERVER_STORE_SPOOL_H_
#define THINWIRE_SERVER_STORE_SPOOL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/mutex.h"
#include "common/codec/payload.h"
#include "server/store/directory_syncer.h"

namespace thinwire {

// OK if `id` is [A-Za-z0-9._-]{1,128} and does not start with a dot: safe as the beginning of a file name.
absl::Status CheckAssignmentId(absl::string_view id);

struct SpoolOptions {
  std::string directory;  // created if absent
  // Declared sizes of all partial and complete updates together.
  uint64_t max_bytes = uint64_t{1} << 40;
  uint32_t max_partial_files = 10'000;
  // Tells power losses from killed processes; a test names another file.
  std::string boot_id_path = "/proc/sys/kernel/random/boot_id";
};

// What the journal knows at start. Partial and complete updates of no open assignment are removed.
struct SpoolContents {
  std::vector<std::string> open_assignments;  // still waiting for their update
  std::vector<std::string> received_files;    // UpdateRow::spool_file of updates in state kReceived
};

struct SpoolEntry;
class Spool;

// One connection's turn at one upload. A later Begin for the same assignment takes the upload over; this handle then
// answers ABORTED. Calls on one handle come one at a time, from any thread. The file is open while the handle lives.
class SpoolUpload {
 public:
  ~SpoolUpload();
  SpoolUpload(const SpoolUpload&) = delete;
  SpoolUpload& operator=(const SpoolUpload&) = delete;

  // Bytes that the spool holds. The next Append starts here.
  uint64_t received() const;
  // OUT_OF_RANGE if `offset` is not received(), or the data go past the declared size.
  absl::Status Append(uint64_t offset, absl::string_view data) { return Append(offset, absl::MakeConstSpan(&data, 1)); }
  // The same, of data in pieces.
  absl::Status Append(uint64_t offset, absl::Span<const absl::string_view> data);
  // The update is whole: checks its size (OUT_OF_RANGE if bytes are missing) and the hash of its manifest (DATA_LOSS,
  // and the partial file is gone: the client starts over), syncs, renames, syncs the directory. Returns the file's name
  // for UpdateRow::spool_file. Does nothing but that if the update is complete already.
  absl::StatusOr<std::string> Complete();

 private:
  friend class Spool;
  SpoolUpload(Spool* spool, std::shared_ptr<SpoolEntry> entry, uint64_t turn);
  absl::StatusOr<std::string> Seal();

  Spool* const spool_;
  const std::shared_ptr<SpoolEntry> entry_;
  const uint64_t turn_;
};

// Thread-safe; may wait for the disk, except ReceivedBytes and the counters. Must outlive its SpoolUploads.
class Spool {
 public:
  static absl::StatusOr<std::unique_ptr<Spool>> Open(const SpoolOptions& options, const SpoolContents& contents);

  // Bytes held of this very payload: 0 if there are none, or of another payload of that assignment.
  uint64_t ReceivedBytes(const std::string& assignment, const Digest& payload) const;
  // Takes the assignment's upload over at received(). A new payload id replaces the partial file of another. If this
  // payload is complete already, all that is left to do is Complete(). INVALID_ARGUMENT for a bad assignment id or
  // impossible sizes, ALREADY_EXISTS if another complete payload is here (the first one wins), RESOURCE_EXHAUSTED
  // naming the limit.
  absl::StatusOr<std::unique_ptr<SpoolUpload>> Begin(const std::string& assignment, const PayloadRef& payload);
  // Removes whatever is here of an assignment. OK if nothing is.
  absl::Status Discard(const std::string& assignment);

  // Full path of a file named by Complete() or UpdateRow::spool_file.
  std::string PathOf(const std::string& file) const;
  uint64_t total_bytes() const;  // declared
  uint32_t partial_files() const;

 private:
  friend class SpoolUpload;
  using EntryPtr = std::shared_ptr<SpoolEntry>;

  explicit Spool(const SpoolOptions& options);
  absl::Status Recover(const SpoolContents& contents);
  absl::Status RecoverFile(const std::string& file, const SpoolContents& contents, bool power_lost);
  absl::StatusOr<EntryPtr> FindOrAdd(const std::string& assignment, const PayloadRef& payload);
  absl::Status Reserve(SpoolEntry& entry, uint64_t bytes) TW_REQUIRES(mutex_);
  // The number of the caller's turn; 0 if the entry cannot serve this payload and its file is gone.
  absl::StatusOr<uint64_t> TakeTurn(SpoolEntry& entry, const PayloadRef& payload);
  absl::Status RemoveFileOf(SpoolEntry& entry);
  // Forgets `entry` if it is still the one of its assignment, and gives its room back.
  void Forget(const EntryPtr& entry);
  void NoLongerPartial(SpoolEntry& entry);

  const SpoolOptions options_;
  DirectorySyncer directory_syncer_;
  mutable Mutex mutex_;  // never held while an entry's own mutex is waited for
  std::map<std::string, EntryPtr> entries_ TW_GUARDED_BY(mutex_);  // by assignment
  uint64_t total_bytes_ TW_GUARDED_BY(mutex_) = 0;
  uint32_t partial_files_ TW_GUARDED_BY(mutex_) = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_SPOOL_H_
