#include "client/rpc/chunk_sizer.h"

#include <algorithm>

namespace thinwire {
namespace {

constexpr double kChunkSeconds = 0.25;
// One measurement ends after so much time or so many bytes, whichever comes first.
constexpr absl::Duration kMeasureTime = absl::Seconds(1);
constexpr uint64_t kMeasureBytes = 128 * 1024;
// A process that slept finds all that came meanwhile at once: one measurement counts for no more than this times the
// rate so far.
constexpr double kMostGrowth = 2;
constexpr absl::Duration kClockStep = absl::Microseconds(1);

}  // namespace

void ChunkSizer::SetLimit(size_t limit) {
  MutexLock lock(mutex_);
  limit_ = std::clamp(limit, kSmallest, kLargest);
}

size_t ChunkSizer::Next() const {
  MutexLock lock(mutex_);
  return NextLocked();
}

size_t ChunkSizer::NextLocked() const {
  if (rate_ == 0) return std::min(first_, limit_);
  const double wanted = std::min(rate_ * kChunkSeconds, static_cast<double>(kLargest));
  return std::clamp(static_cast<size_t>(wanted), kSmallest, limit_);
}

void ChunkSizer::BeginStream(Monotonic now) {
  MutexLock lock(mutex_);
  stream_bytes_ = 0;
  measured_bytes_ = 0;
  measured_since_ = now;
}

void ChunkSizer::Transferred(size_t bytes, Monotonic now) {
  MutexLock lock(mutex_);
  stream_bytes_ += bytes;
  if (stream_bytes_ <= kBuffered) {
    measured_since_ = now;
    return;
  }
  measured_bytes_ += bytes;
  const absl::Duration elapsed = now - measured_since_;
  if (elapsed < kMeasureTime && measured_bytes_ < kMeasureBytes) return;
  const double rate = static_cast<double>(measured_bytes_) / absl::ToDoubleSeconds(std::max(elapsed, kClockStep));
  rate_ = rate_ == 0 ? rate : (rate_ + std::min(rate, kMostGrowth * rate_)) / 2;
  measured_bytes_ = 0;
  measured_since_ = now;
}

void ChunkSizer::Stalled() {
  MutexLock lock(mutex_);
  rate_ = static_cast<double>(NextLocked());
}

}  // namespace thinwire
