// What coding an update cost and lost, as the client that coded it measured it. Plain data.
#ifndef THINWIRE_COMMON_CODEC_CODING_REPORT_H_
#define THINWIRE_COMMON_CODEC_CODING_REPORT_H_

#include <optional>

#include "absl/time/time.h"

namespace thinwire {

// u is the update, v what the server decodes of it.
struct CodingReport {
  absl::Duration time;
  // Sum of (u - v)^2 over sum of u^2, 0 if that is 0. Of updates that are coded whole (update_plan.h).
  std::optional<double> distortion;
  // Sum of |u|^M (u - v)^2 over sum of |u|^(M + 2), M the plan's weight_exponent. Only if that is not 0.
  std::optional<double> weighted_distortion;
  // L2 norm of what the client has not sent yet, this update included. With error feedback only.
  std::optional<double> unsent_norm;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_CODING_REPORT_H_
