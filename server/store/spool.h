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

// What the journal knows at start; everything else in the folder is removed.
struct SpoolContents {
  std::vector<std::string> open_assignments;  // still waiting for their update
  std::vector<std::string> received_files;    // UpdateRow::spool_file of updates in state kReceived
};

class Spool;

// One connection's turn at one upload. A later Begin for the same assignment takes the upload over; this handle then
// answers ABORTED. Calls on one handle come one at a time, from any thread.
class SpoolUpload {
 public:
  // Bytes that the spool holds. The next Append starts here.
  uint64_t received() const;
  // OUT_OF_RANGE if `offset` is not received(), or the data go past the declared size.
  absl::Status Append(uint64_t offset, absl::string_view data);
  // The update is whole: checks its size (OUT_OF_RANGE if bytes are missing) and the hash of its manifest (DATA_LOSS,
  // and the partial file is gone: the client starts over), syncs, renames, syncs the directory. Returns the file's name
  // for UpdateRow::spool_file.
  absl::StatusOr<std::string> Complete();

 private:
  friend class Spool;
  struct Entry;
  SpoolUpload(Spool* spool, std::shared_ptr<Entry> entry, uint64_t turn);
  Spool* spool_;
  std::shared_ptr<Entry> entry_;
  uint64_t turn_;
};

// Thread-safe. Must outlive its SpoolUploads.
class Spool {
 public:
  static absl::StatusOr<std::unique_ptr<Spool>> Open(const SpoolOptions& options, const SpoolContents& contents);
  ~Spool();

  // Bytes held of this very payload: 0 if there are none, or of another payload of that assignment.
  uint64_t ReceivedBytes(const std::string& assignment, const Digest& payload) const;
  // Takes the assignment's upload over at received(). A new payload id replaces the partial file of another.
  // INVALID_ARGUMENT for a bad assignment id or impossible sizes, ALREADY_EXISTS if a complete update is here (ask the
  // journal what became of it), RESOURCE_EXHAUSTED naming the limit.
  absl::StatusOr<std::unique_ptr<SpoolUpload>> Begin(const std::string& assignment, const PayloadRef& payload);
  // Removes whatever is here of an assignment. OK if nothing is.
  absl::Status Discard(const std::string& assignment);

  // Full path of a file named by Complete() or UpdateRow::spool_file.
  std::string PathOf(const std::string& file) const;
  uint64_t total_bytes() const;  // declared
  uint32_t partial_files() const;

 private:
  friend class SpoolUpload;
  using Entry = SpoolUpload::Entry;
  explicit Spool(const SpoolOptions& options);
  absl::Status Recover(const SpoolContents& contents);
  absl::Status RecoverFile(const std::string& file, const SpoolContents& contents, bool power_lost);
  absl::StatusOr<std::shared_ptr<Entry>> EntryFor(const std::string& assignment, const PayloadRef& payload)
      TW_REQUIRES(mutex_);
  absl::Status CheckRoom(const std::string& assignment, uint64_t more_bytes) const TW_REQUIRES(mutex_);
  absl::Status Drop(const std::string& assignment) TW_REQUIRES(mutex_);

  const SpoolOptions options_;
  DirectorySyncer directory_syncer_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_ TW_GUARDED_BY(mutex_);  // by assignment
  uint64_t total_bytes_ TW_GUARDED_BY(mutex_) = 0;
  uint32_t partial_files_ TW_GUARDED_BY(mutex_) = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_SPOOL_H_
