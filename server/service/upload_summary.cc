#include "server/service/upload_summary.h"

#include <optional>

#include "common/wire/convert.h"

namespace thinwire {
namespace {

class Mean {
 public:
  void Add(const std::optional<double>& value) {
    if (!value.has_value()) return;
    sum_ += *value;
    ++count_;
  }
  std::optional<double> Get() const { return count_ == 0 ? std::nullopt : std::optional<double>(sum_ / count_); }

 private:
  double sum_ = 0;
  int count_ = 0;
};

}  // namespace

v1::UploadSummary SummarizeUploads(const std::vector<UpdateRow>& updates, uint64_t trainable,
                                   absl::Duration decode_time) {
  v1::UploadSummary summary;
  absl::Duration encode_time;
  Mean distortion, weighted, unsent;
  for (const UpdateRow& update : updates) {
    summary.set_payload_bits(summary.payload_bits() + update.payload.bits());
    summary.set_granted_bits(summary.granted_bits() + update.assignment.upload_bits);
    encode_time += update.coding.time;
    distortion.Add(update.coding.distortion);
    weighted.Add(update.coding.weighted_distortion);
    unsent.Add(update.coding.unsent_norm);
  }
  summary.set_updates(updates.size());
  const double values = static_cast<double>(trainable) * static_cast<double>(updates.size());
  if (values > 0) summary.set_bits_per_parameter(static_cast<double>(summary.payload_bits()) / values);
  *summary.mutable_encode_time() = ToProto(encode_time);
  *summary.mutable_decode_time() = ToProto(decode_time);
  if (distortion.Get().has_value()) summary.set_distortion(*distortion.Get());
  if (weighted.Get().has_value()) summary.set_weighted_distortion(*weighted.Get());
  if (unsent.Get().has_value()) summary.set_unsent_norm(*unsent.Get());
  return summary;
}

}  // namespace thinwire
