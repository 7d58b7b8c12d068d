#include "server/store/fail_point.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace thinwire {
namespace {

const std::vector<std::pair<FailPoint, std::string>>& Points() {
  static const auto* const points = new std::vector<std::pair<FailPoint, std::string>>{
      {FailPoint::kAfterSpoolWrite, "after-spool-write"},
      {FailPoint::kBeforeSpoolRename, "before-spool-rename"},
      {FailPoint::kAfterSpoolRename, "after-spool-rename"},
      {FailPoint::kBeforeReceiveCommit, "before-receive-commit"},
      {FailPoint::kAfterReceiveCommit, "after-receive-commit"},
      {FailPoint::kAfterBasisWrite, "after-basis-write"},
      {FailPoint::kAfterBasisRename, "after-basis-rename"},
      {FailPoint::kAfterVersionWrite, "after-version-write"},
      {FailPoint::kAfterVersionRename, "after-version-rename"},
      {FailPoint::kBeforePublishCommit, "before-publish-commit"},
      {FailPoint::kAfterPublishCommit, "after-publish-commit"},
  };
  return *points;
}

constexpr int kDisarmed = -1;
std::atomic<int> armed_point{kDisarmed};
std::atomic<uint32_t> passages_left{0};

}  // namespace

std::vector<std::string> FailPointNames() {
  std::vector<std::string> names;
  for (const auto& point : Points()) names.push_back(point.second);
  return names;
}

absl::Status ArmFailPoint(const std::string& text) {
  armed_point = kDisarmed;
  if (text.empty()) return absl::OkStatus();
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  uint32_t passages = 1;
  const bool count_ok = parts.first == text || (absl::SimpleAtoi(parts.second, &passages) && passages > 0);
  for (const auto& point : Points()) {
    if (point.second != parts.first || !count_ok) continue;
    passages_left = passages;
    armed_point = static_cast<int>(point.first);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no fail point '", text, "'; it is NAME or NAME:N, N >= 1, NAME one of ", absl::StrJoin(FailPointNames(), ", ")));
}

void PassFailPoint(FailPoint point) {
  if (armed_point.load(std::memory_order_relaxed) != static_cast<int>(point)) return;
  if (passages_left.fetch_sub(1) == 1) ::kill(::getpid(), SIGKILL);
}

}  // namespace thinwire
