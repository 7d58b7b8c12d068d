#include "client/session/session_progress.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace thinwire {

std::string DescribeBytes(uint64_t bytes) {
  if (bytes < 1000) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1000;
  const char* unit = "kB";
  for (const char* next : {"MB", "GB", "TB"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return absl::StrFormat("%.*f %s", value < 9.95 ? 1 : 0, value, unit);
}

std::string DescribeTransfer(uint64_t start, uint64_t done, uint64_t total, absl::Duration elapsed) {
  std::string text = absl::StrCat(DescribeBytes(done), " of ", DescribeBytes(total));
  const double seconds = absl::ToDoubleSeconds(elapsed);
  if (done <= start || seconds <= 0) return text;
  const double rate = static_cast<double>(done - start) / seconds;
  absl::StrAppend(&text, ", ", DescribeBytes(static_cast<uint64_t>(rate)), "/s");
  if (done < total && rate >= 1) {
    absl::StrAppend(&text, ", ", std::ceil(static_cast<double>(total - done) / rate), " s left");
  }
  return text;
}

void SessionProgress::Begin(SessionState state, const std::string& detail) {
  {
    MutexLock lock(mutex_);
    headline_ = absl::StrCat(SessionStateName(state), detail.empty() ? "" : ", ", detail);
    line_.clear();
    begun_ = clock_->Now();
    reported_ = begun_;
  }
  observer_->OnState(state, detail);
}

bool SessionProgress::Due() {
  MutexLock lock(mutex_);
  const Monotonic now = clock_->Now();
  if (now - reported_ < interval_) return false;
  reported_ = now;
  return true;
}

void SessionProgress::Update(const std::string& line) {
  {
    MutexLock lock(mutex_);
    line_ = line;
  }
  if (Due()) observer_->OnProgress(line);
}

void SessionProgress::Transfer(uint64_t start, uint64_t done, uint64_t total) {
  absl::Duration elapsed;
  {
    MutexLock lock(mutex_);
    elapsed = clock_->Now() - begun_;
  }
  Update(DescribeTransfer(start, done, total, elapsed));
}

std::string SessionProgress::Activity() const {
  MutexLock lock(mutex_);
  return line_.empty() ? headline_ : absl::StrCat(headline_, ": ", line_);
}

}  // namespace thinwire
