// The part of ClientSession that spares downloads: initial weights that it draws itself, and what it has already.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/session/client_session.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"

namespace thinwire {

Holdings ClientSession::Held() const {
  Holdings holdings;
  if (in_subspace()) holdings.basis = subspace_.held();
  if (SendsChanges(run_.plan)) {
    if (const std::optional<PayloadRef> model = model_.HeldModel()) holdings.model = model->id;
  }
  // A pacer's burst makes a short upload look faster than the rate that it keeps to.
  const uint64_t measured = uploader_.measured_bits_per_second(), paced = options_.uplink_bits_per_second;
  holdings.uplink_bits_per_second = measured == 0 ? paced : paced == 0 ? measured : std::min(measured, paced);
  return holdings;
}

// Once: what the server does not take for the run's, it sends.
void ClientSession::DrawInitial() {
  if (drew_initial_ || !run_.initial_seed.has_value() || !(in_subspace() || SendsChanges(run_.plan))) return;
  const Holdings held = Held();
  if (held.basis.has_value() || held.model.has_value()) return;
  drew_initial_ = true;
  progress_.Begin(SessionState::kInitializing, absl::StrCat("seed ", *run_.initial_seed));
  const absl::Status taken = TakeDrawn(*run_.initial_seed);
  if (!taken.ok()) parts_.observer->OnTrouble(taken, "downloading the initial weights");
}

absl::Status ClientSession::TakeDrawn(uint64_t seed) {
  if (in_subspace()) {
    TW_ASSIGN_OR_RETURN(const ModelState initial, parts_.trainer->Initialize(seed));
    return subspace_.TakeInitial(initial);
  }
  TW_ASSIGN_OR_RETURN(const PayloadRef drawn, EncodeFresh(seed, model_.WorkPath()));
  return model_.Adopt(drawn);
}

}  // namespace thinwire
