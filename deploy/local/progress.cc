#include "deploy/local/progress.h"

#include <sys/ioctl.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace thinwire {
namespace {

// Rounds after which the time left can be told from the time taken.
constexpr double kTelling = 0.3;

std::string Stage(const v1::Status& status) {
  switch (status.state()) {
    case v1::RUN_STATE_UNSPECIFIED:
    case v1::RUN_STATE_INITIALIZING:
      return "waiting for initial weights";
    case v1::RUN_STATE_EVALUATING:
      return "last evaluation";
    case v1::RUN_STATE_COMPLETED:
      return absl::StrCat("all ", status.rounds(), " rounds done");
    case v1::RUN_STATE_STOPPED:
      return "stopped";
    case v1::RUN_STATE_FAILED:
      return "failed";
    default:
      break;
  }
  std::string stage = absl::StrCat("round ", status.round(), "/", status.rounds());
  if (status.counters().invited() > 0) {
    absl::StrAppend(&stage, ", ", status.counters().folded(), "/", status.counters().invited(), " updates");
  }
  return stage;
}

// A line that wraps cannot be redrawn. Where the width is not known, nothing is cut.
std::string CutToTerminal(const std::string& line, std::FILE* out) {
  winsize size{};
  const bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? line.substr(0, size.ws_col - 1u) : line;
}

}  // namespace

std::string ProgressLine(const v1::Status& status, const WireBytes& wire, std::optional<absl::Duration> left) {
  std::string line = Stage(status);
  if (status.has_accuracy()) {
    absl::StrAppendFormat(&line, " | accuracy %.4f (v%u)", status.accuracy(), status.accuracy_version());
  }
  absl::StrAppendFormat(&line, " | down %.1f MB, up %.1f MB | %u clients", static_cast<double>(wire.down) / 1e6,
                        static_cast<double>(wire.up) / 1e6, status.trainers());
  if (left) absl::StrAppendFormat(&line, " | %.0f s left", absl::ToDoubleSeconds(*left));
  return line;
}

double RoundsDone(const v1::Status& status) {
  if (status.round() == 0) return 0;
  if (status.round_state() == v1::ROUND_STATE_PUBLISHED) return status.round();
  const v1::RoundCounters& counters = status.counters();
  const double part = counters.invited() == 0 ? 0.0 : static_cast<double>(counters.folded()) / counters.invited();
  return status.round() - 1 + part;
}

std::optional<absl::Duration> Progress::TimeLeft(const v1::Status& status, Monotonic now) {
  if (status.state() != v1::RUN_STATE_RUNNING) return std::nullopt;
  if (!training_since_) training_since_ = now;
  const double done = RoundsDone(status);
  if (done < kTelling) return std::nullopt;
  return (now - *training_since_) * ((status.rounds() - done) / done);
}

bool Progress::WorthALine(const v1::Status& status) {
  const bool changed =
      status.state() != shown_state_ || (status.has_accuracy() && shown_accuracy_of_ != status.accuracy_version());
  shown_state_ = status.state();
  if (status.has_accuracy()) shown_accuracy_of_ = status.accuracy_version();
  return changed;
}

void Progress::Update(const v1::Status& status, const WireBytes& wire, Monotonic now) {
  const std::string line = ProgressLine(status, wire, TimeLeft(status, now));
  if (terminal_) {
    std::fprintf(out_, "\r\033[K%s", CutToTerminal(line, out_).c_str());
    line_open_ = true;
  } else if (WorthALine(status)) {
    std::fprintf(out_, "%s\n", line.c_str());
  }
  std::fflush(out_);
}

void Progress::End() {
  if (line_open_) std::fprintf(out_, "\n");
  line_open_ = false;
}

}  // namespace thinwire
