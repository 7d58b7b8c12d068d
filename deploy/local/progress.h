// Live progress of a run: one line redrawn on a terminal, else a plain line per round.
#ifndef THINWIRE_DEPLOY_LOCAL_PROGRESS_H_
#define THINWIRE_DEPLOY_LOCAL_PROGRESS_H_

#include <cstdio>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "deploy/local/tcp_proxy.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

// "round 3/10, 4/10 updates | accuracy 0.7312 (v2) | down 4.7 MB, up 3.1 MB | 10 clients | 34 s left".
std::string ProgressLine(const v1::Status& status, const WireBytes& wire, std::optional<absl::Duration> left);

// Rounds done, the updates of the open one counted as parts of it.
double RoundsDone(const v1::Status& status);

// Not thread-safe.
class Progress {
 public:
  Progress(std::FILE* out, bool terminal) : out_(out), terminal_(terminal) {}
  // `wire`: of the trainers.
  void Update(const v1::Status& status, const WireBytes& wire, Monotonic now);
  // Ends the redrawn line, so that what follows starts on a line of its own.
  void End();

 private:
  std::optional<absl::Duration> TimeLeft(const v1::Status& status, Monotonic now);
  // On no terminal: when the run's state changes and when a version's accuracy is known.
  bool WorthALine(const v1::Status& status);

  std::FILE* const out_;
  const bool terminal_;
  std::optional<Monotonic> training_since_;
  v1::RunState shown_state_ = v1::RUN_STATE_UNSPECIFIED;
  std::optional<uint64_t> shown_accuracy_of_;
  bool line_open_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_PROGRESS_H_
