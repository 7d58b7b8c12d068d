// Where the files of versions lie, and what is done with them whole. Used by the model store only.
#ifndef THINWIRE_SERVER_STORE_VERSION_FILES_H_
#define THINWIRE_SERVER_STORE_VERSION_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/codec/payload.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"
#include "server/store/journal.h"

namespace thinwire {

// The folders of one state directory. Immutable.
class VersionFiles {
 public:
  explicit VersionFiles(const std::string& directory);
  // INTERNAL and so on if the folders cannot be made.
  absl::Status MakeFolders() const;
  absl::Status SyncFolders() const;

  std::string Weights(const VersionRow& row) const;
  std::string State(const VersionRow& row) const;  // empty without state
  std::string Payload(const VersionRow& row) const;
  std::string Variant(const VersionRow& row, uint32_t variant) const;  // above 0
  std::string Frozen() const;
  std::string Exported(uint64_t version) const;

  // Removes the files of a version, as far as they are there.
  absl::Status Remove(const VersionRow& row) const;
  // Renames temporary files (see Temporary) of a version to their names. Not synced.
  absl::Status Install(const VersionRow& row) const;
  // Keeps the files of a damaged version beside, with the suffix .damaged.
  absl::Status SetAside(const VersionRow& row) const;
  // Removes temporary files, variants of payloads, and files of versions not in `known`; returns their paths.
  absl::StatusOr<std::vector<std::string>> RemoveLeftovers(const std::vector<VersionRow>& known) const;

 private:
  std::vector<std::string> AllOf(const VersionRow& row) const;

  const std::string versions_;
  const std::string payloads_;
  const std::string exported_;
};

// A row with the names that the files of `version` have; the rest is left to the caller.
VersionRow NewVersionRow(uint64_t version, bool has_state);
// The name under which a file is written before it counts.
std::string Temporary(const std::string& path);

absl::StatusOr<Digest> HashFile(const std::string& path);
// Encodes into `path` and syncs it.
absl::StatusOr<PayloadRef> EncodeDurably(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                                         const std::string& path);
// Copies `from` to `to`, atomically and synced.
absl::Status CopyDurably(const std::string& from, const std::string& to);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_VERSION_FILES_H_
