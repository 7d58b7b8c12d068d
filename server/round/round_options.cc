#include "server/round/round_options.h"

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

absl::Status CheckAtLeast(absl::string_view field, uint64_t value, absl::string_view limit_name, uint64_t limit) {
  if (value >= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, ", at least ", limit_name, " ", limit, " is needed: raise ", field));
}

absl::Status CheckNotNegative(absl::string_view field, absl::Duration value) {
  if (value >= absl::ZeroDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", absl::FormatDuration(value), ": give a duration that is not negative"));
}

}  // namespace

absl::Status RoundOptions::Validate() const {
  absl::Status status;
  status.Update(CheckAtLeast("rounds", rounds, "", 1));
  status.Update(CheckAtLeast("max_failed_rounds", max_failed_rounds, "", 1));
  status.Update(CheckAtLeast("max_unevaluated", max_unevaluated, "", 1));
  status.Update(CheckAtLeast("min_updates", min_updates, "", 1));
  status.Update(CheckAtLeast("clients", clients, "min_updates =", min_updates));
  status.Update(CheckAtLeast("invited", invited, "clients =", clients));
  status.Update(CheckNotNegative("deadline", deadline));
  status.Update(CheckNotNegative("invite_wait", invite_wait));
  status.Update(CheckNotNegative("final_evaluation_wait", final_evaluation_wait));
  return status;
}

}  // namespace thinwire
