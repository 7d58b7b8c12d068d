#include "client/session/heartbeat.h"

#include <algorithm>

namespace thinwire {

void Heartbeat::Start(absl::Duration interval) {
  if (thread_.joinable()) return;
  const absl::Duration period = std::max(interval, kShortest);
  thread_ = std::thread([this, period] {
    while (sleeper_->Sleep(period)) beat_();
  });
}

void Heartbeat::Stop() {
  if (!thread_.joinable()) return;
  sleeper_->Interrupt();
  thread_.join();
}

}  // namespace thinwire
