// What a client's updates did not send, on disk: error feedback (docs/igc.md). One FP32 value for each trainable value
// of the model, or in a subspace for each coordinate.
//
//   <state>/error/<SHA-256>.error   values, as basis_file.h says
//   <state>/error/committed         a record: which of the files counts
//   <state>/error/proposed          a record: which one is to count, if the server takes that assignment's update
//
// An update's error is proposed before the update is sent, and decided on when the next update is to be made, by what
// the server says has become of the one before: a client killed at any instant neither loses what the server did not
// take nor sends it twice.
#ifndef THINWIRE_CLIENT_SESSION_ERROR_MEMORY_H_
#define THINWIRE_CLIENT_SESSION_ERROR_MEMORY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/subspace/basis_file.h"

namespace thinwire {

// Thread-compatible.
class ErrorMemory {
 public:
  explicit ErrorMemory(std::string directory) : directory_(std::move(directory)) {}

  struct Proposal {
    std::string assignment;
    Digest payload;
    Digest values;
  };
  // What waits for Settle. `run` names run and model, and in a subspace theta_e: what others have left counts for
  // nothing.
  std::optional<Proposal> proposal(const Digest& run) const;
  // The proposal counts, or never was.
  absl::Status Settle(const Digest& run, bool counts);
  // The values that count; nothing if there are none yet, which stands for zeros. DATA_LOSS if the file is damaged or
  // gone: afterwards there are none.
  absl::StatusOr<std::optional<BasisFile>> Open(const Digest& run, uint64_t count);
  // Writes and proposes the values that `give` hands to its sink in ascending order; synced.
  using Sink = absl::FunctionRef<absl::Status(absl::Span<const float> values)>;
  absl::Status Propose(const Digest& run, const std::string& assignment, const Digest& payload,
                       absl::FunctionRef<absl::Status(Sink)> give);

 private:
  std::string PathOf(const Digest& values) const;
  std::optional<Proposal> ReadRecord(const char* name, const Digest& run) const;
  absl::Status WriteRecord(const char* name, const Digest& run, const Proposal& record) const;
  // Files that no record names.
  absl::Status RemoveOthers(const Digest& run) const;

  const std::string directory_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_ERROR_MEMORY_H_
