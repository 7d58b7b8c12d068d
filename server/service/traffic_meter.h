// Counts what travels between server and clients, by role and direction, under the names that docs and reports use.
#ifndef THINWIRE_SERVER_SERVICE_TRAFFIC_METER_H_
#define THINWIRE_SERVER_SERVICE_TRAFFIC_METER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/http/metrics.h"
#include "server/round/events.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

// See TrafficCounters in control.proto.
struct ByteCounts {
  uint64_t payload = 0;
  uint64_t message = 0;
  uint64_t fp32_payload = 0;
};

// Plain totals; a value.
struct TrafficTotals {
  std::array<std::array<ByteCounts, 2>, 2> counts{};  // [role][direction]

  ByteCounts& At(Role role, Direction direction) { return counts[Index(role)][Index(direction)]; }
  const ByteCounts& At(Role role, Direction direction) const { return counts[Index(role)][Index(direction)]; }
  static size_t Index(Role role) { return role == Role::kTrainer ? 0 : 1; }
  static size_t Index(Direction direction) { return direction == Direction::kDown ? 0 : 1; }

  TrafficTotals& operator+=(const TrafficTotals& other);
  // What came on top of `earlier`.
  TrafficTotals Since(const TrafficTotals& earlier) const;
  v1::Traffic ToProto(Role role) const;
};

// For RoundRow::traffic.
std::string EncodeTraffic(const TrafficTotals& totals);
// DATA_LOSS if `bytes` are not what EncodeTraffic makes.
absl::StatusOr<TrafficTotals> ParseTraffic(const std::string& bytes);

// Thread-safe, without locks.
class TrafficMeter {
 public:
  // `metrics` must outlive it; it counts along.
  explicit TrafficMeter(Metrics* metrics) : metrics_(metrics) {}

  // Bytes of a payload that were sent or received; resent ones count again.
  void AddPayload(Role role, Direction direction, uint64_t bytes);
  // A whole message, serialized.
  void AddMessage(Role role, Direction direction, uint64_t bytes);
  // A payload has arrived whole: what it would have been as FP32.
  void AddFp32Payload(Role role, Direction direction, uint64_t bytes);
  // Adds what an earlier process counted; metrics stay as they are.
  void Restore(const TrafficTotals& totals);
  TrafficTotals Totals() const;

 private:
  struct Counts {
    std::atomic<uint64_t> payload{0};
    std::atomic<uint64_t> message{0};
    std::atomic<uint64_t> fp32_payload{0};
  };
  Counts& At(Role role, Direction direction) {
    return counts_[TrafficTotals::Index(role)][TrafficTotals::Index(direction)];
  }

  Metrics* const metrics_;
  std::array<std::array<Counts, 2>, 2> counts_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_TRAFFIC_METER_H_
