#include "client/session/uplink_pacer.h"

#include <algorithm>

namespace thinwire {
namespace {

constexpr size_t kSmallestPiece = 64;
// Keys and lengths of the message, gRPC's prefix, the header of an HTTP/2 frame.
constexpr size_t kMessageOverhead = 24;

}  // namespace

UplinkPacer::UplinkPacer(uint64_t bits_per_second, const Clock* clock, Sleeper* sleeper)
    : bytes_per_second_(bits_per_second / 8),
      piece_(bits_per_second == 0 ? 0 : std::max<size_t>(bytes_per_second_ / 8, kSmallestPiece)),
      clock_(clock),
      sleeper_(sleeper) {
  // Two pieces, so that a sleep that is late by as long as a piece takes loses nothing.
  bucket_.SetRate(bytes_per_second_, 2 * (piece_ + kMessageOverhead), clock_->Now());
}

size_t UplinkPacer::Piece(size_t max) const { return piece_ == 0 ? max : std::min(max, piece_); }

absl::Status UplinkPacer::Await(size_t bytes) {
  const uint64_t cost = bytes + kMessageOverhead;
  while (bucket_.Available(clock_->Now()) < cost) {
    // A microsecond more: what is a hair short would be waited for in vain.
    const absl::Duration wait = bucket_.Refill(static_cast<double>(cost)) + absl::Microseconds(1);
    if (!sleeper_->Sleep(wait)) return absl::CancelledError("stopped while the uplink was paced");
  }
  bucket_.Spend(cost);
  return absl::OkStatus();
}

}  // namespace thinwire
