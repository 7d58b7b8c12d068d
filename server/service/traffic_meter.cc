#include "server/service/traffic_meter.h"

namespace thinwire {
namespace {

constexpr std::memory_order kRelaxed = std::memory_order_relaxed;

void Fill(const ByteCounts& counts, v1::TrafficCounters* proto) {
  proto->set_payload_bytes(counts.payload);
  proto->set_message_bytes(counts.message);
  proto->set_fp32_payload_bytes(counts.fp32_payload);
}

ByteCounts FromCounters(const v1::TrafficCounters& proto) {
  return {proto.payload_bytes(), proto.message_bytes(), proto.fp32_payload_bytes()};
}

}  // namespace

TrafficTotals& TrafficTotals::operator+=(const TrafficTotals& other) {
  for (size_t role = 0; role < counts.size(); ++role) {
    for (size_t direction = 0; direction < counts[role].size(); ++direction) {
      ByteCounts& sum = counts[role][direction];
      const ByteCounts& more = other.counts[role][direction];
      sum.payload += more.payload;
      sum.message += more.message;
      sum.fp32_payload += more.fp32_payload;
    }
  }
  return *this;
}

TrafficTotals TrafficTotals::Since(const TrafficTotals& earlier) const {
  TrafficTotals result = *this;
  for (size_t role = 0; role < counts.size(); ++role) {
    for (size_t direction = 0; direction < counts[role].size(); ++direction) {
      ByteCounts& rest = result.counts[role][direction];
      const ByteCounts& less = earlier.counts[role][direction];
      rest.payload -= less.payload;
      rest.message -= less.message;
      rest.fp32_payload -= less.fp32_payload;
    }
  }
  return result;
}

v1::Traffic TrafficTotals::ToProto(Role role) const {
  v1::Traffic proto;
  Fill(At(role, Direction::kDown), proto.mutable_down());
  Fill(At(role, Direction::kUp), proto.mutable_up());
  return proto;
}

std::string EncodeTraffic(const TrafficTotals& totals) {
  v1::RoundSummary holder;
  *holder.mutable_trainer_traffic() = totals.ToProto(Role::kTrainer);
  *holder.mutable_evaluator_traffic() = totals.ToProto(Role::kEvaluator);
  return holder.SerializeAsString();
}

absl::StatusOr<TrafficTotals> ParseTraffic(const std::string& bytes) {
  v1::RoundSummary holder;
  if (!holder.ParseFromString(bytes)) return absl::DataLossError("the journal's traffic of a round is damaged");
  TrafficTotals totals;
  totals.At(Role::kTrainer, Direction::kDown) = FromCounters(holder.trainer_traffic().down());
  totals.At(Role::kTrainer, Direction::kUp) = FromCounters(holder.trainer_traffic().up());
  totals.At(Role::kEvaluator, Direction::kDown) = FromCounters(holder.evaluator_traffic().down());
  totals.At(Role::kEvaluator, Direction::kUp) = FromCounters(holder.evaluator_traffic().up());
  return totals;
}

void TrafficMeter::AddPayload(Role role, Direction direction, uint64_t bytes) {
  At(role, direction).payload.fetch_add(bytes, kRelaxed);
  metrics_->AddPayloadBytes(role, direction, bytes);
}

void TrafficMeter::AddMessage(Role role, Direction direction, uint64_t bytes) {
  At(role, direction).message.fetch_add(bytes, kRelaxed);
  metrics_->AddMessageBytes(role, direction, bytes);
}

void TrafficMeter::AddFp32Payload(Role role, Direction direction, uint64_t bytes) {
  At(role, direction).fp32_payload.fetch_add(bytes, kRelaxed);
}

void TrafficMeter::Restore(const TrafficTotals& totals) {
  for (size_t role = 0; role < counts_.size(); ++role) {
    for (size_t direction = 0; direction < counts_[role].size(); ++direction) {
      const ByteCounts& from = totals.counts[role][direction];
      counts_[role][direction].payload.fetch_add(from.payload, kRelaxed);
      counts_[role][direction].message.fetch_add(from.message, kRelaxed);
      counts_[role][direction].fp32_payload.fetch_add(from.fp32_payload, kRelaxed);
    }
  }
}

TrafficTotals TrafficMeter::Totals() const {
  TrafficTotals totals;
  for (size_t role = 0; role < counts_.size(); ++role) {
    for (size_t direction = 0; direction < counts_[role].size(); ++direction) {
      const Counts& from = counts_[role][direction];
      totals.counts[role][direction] = {from.payload.load(kRelaxed), from.message.load(kRelaxed),
                                        from.fp32_payload.load(kRelaxed)};
    }
  }
  return totals;
}

}  // namespace thinwire
