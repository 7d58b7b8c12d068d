// A client's theta_e on disk, in training in a subspace (docs/igc.md).
//
//   <state>/basis/<epoch>-<SHA-256>.basis   one file; the name says what is in it
#ifndef THINWIRE_CLIENT_SESSION_BASIS_KEEPER_H_
#define THINWIRE_CLIENT_SESSION_BASIS_KEEPER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/subspace/basis_file.h"
#include "common/subspace/coordinates.h"
#include "common/subspace/fastfood.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// The name under which a keeper finds a basis in its folder.
std::string BasisFileName(const HeldBasis& basis);

// New files are written beside the old one, synced and renamed: a client killed at any instant has the old basis or the
// new one. Thread-compatible.
class BasisKeeper {
 public:
  explicit BasisKeeper(std::string directory) : directory_(std::move(directory)) {}

  // What is there, by name; Open finds out whether it is what it says.
  std::optional<HeldBasis> held() const;
  // The `count` values of `basis`, which is held. DATA_LOSS if they are not those that the name says.
  absl::StatusOr<BasisFile> Open(const HeldBasis& basis, uint64_t count) const;
  // Takes the `count` values of theta of `epoch` that `read` gives, in ascending order, in place of what was there.
  absl::Status Take(uint64_t epoch, uint64_t count,
                    absl::FunctionRef<absl::Status(uint64_t first, absl::Span<float> out)> read);
  // theta of epoch 0, from the run's initial weights.
  absl::Status TakeInitial(const ModelState& initial);
  // From the basis held to that of the next epoch.
  absl::Status Advance(const std::vector<Fastfood>& matrices, const std::vector<std::vector<float>>& vectors);
  absl::Status Drop();

 private:
  std::string PathOf(const HeldBasis& basis) const;
  // Gives a written file its name and removes all others.
  absl::Status Install(const std::string& written, const HeldBasis& basis);

  const std::string directory_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_BASIS_KEEPER_H_
