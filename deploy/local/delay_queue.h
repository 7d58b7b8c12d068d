// Bytes on their way, each piece held until its time.
#ifndef THINWIRE_DEPLOY_LOCAL_DELAY_QUEUE_H_
#define THINWIRE_DEPLOY_LOCAL_DELAY_QUEUE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/base/clock.h"

namespace thinwire {

// First in, first out: a piece that is ready waits behind one that is not. Not thread-safe.
class DelayQueue {
 public:
  void Append(absl::string_view bytes, Monotonic ready) {
    size_ += bytes.size();
    pieces_.push_back({std::string(bytes), 0, ready});
  }

  // Bytes that may leave at `now`, those of the first piece; empty if there are none. Valid until the next change.
  absl::string_view Front(Monotonic now) const {
    if (pieces_.empty() || pieces_.front().ready > now) return {};
    return absl::string_view(pieces_.front().bytes).substr(pieces_.front().offset);
  }

  // Removes `count` bytes of Front.
  void Consume(size_t count) {
    size_ -= count;
    pieces_.front().offset += count;
    if (pieces_.front().offset == pieces_.front().bytes.size()) pieces_.pop_front();
  }

  size_t size() const { return size_; }
  // When the first piece may leave.
  std::optional<Monotonic> NextReady() const {
    if (pieces_.empty()) return std::nullopt;
    return pieces_.front().ready;
  }

 private:
  struct Piece {
    std::string bytes;
    size_t offset;
    Monotonic ready;
  };
  std::deque<Piece> pieces_;
  size_t size_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_DELAY_QUEUE_H_
