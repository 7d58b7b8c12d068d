#include "client/session/retry_policy.h"

#include <algorithm>

namespace thinwire {
namespace {

RetryWindow Cut(const RetryWindow& window) {
  RetryWindow cut;
  cut.min = std::clamp(window.min, RetryPolicy::kShortest, RetryPolicy::kLongest);
  cut.max = std::clamp(window.max, cut.min, RetryPolicy::kLongest);
  return cut;
}

}  // namespace

void RetryPolicy::SetWindow(const RetryWindow& window) { window_ = Cut(window); }

absl::Duration RetryPolicy::NextDelay() {
  ++failures_;
  return Draw(window_, failures_);
}

absl::Duration RetryPolicy::ComeBackDelay(const RetryWindow& window) { return Draw(Cut(window), 1); }

absl::Duration RetryPolicy::Draw(const RetryWindow& window, uint32_t failures) {
  absl::Duration ceiling = window.min;
  for (uint32_t i = 0; i < failures && ceiling < window.max; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, window.max);
  return window.min + (ceiling - window.min) * random_.NextDouble();
}

}  // namespace thinwire
