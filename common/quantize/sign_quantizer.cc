#include "common/quantize/sign_quantizer.h"

#include <cmath>
#include <vector>

#include "common/base/status_macros.h"
#include "common/quantize/update_header.h"

namespace thinwire {

absl::StatusOr<std::string> EncodeSign(const QuantizerSpec& spec, UpdateView update, const QuantizeOptions& options) {
  std::string bytes = StartUpdate(QuantizerMethod::kSign, update);
  const uint64_t bits = 8 * (bytes.size() + SignBytes(update.size(), CountValues(update)));
  if (options.budget_bits < bits) return BudgetTooSmall(spec.Name(), options.budget_bits, bits);
  BitWriter writer(&bytes);
  for (const auto& tensor : update) {
    double sum = 0;
    for (const float x : tensor) sum += std::fabs(double{x});
    WriteFloat(tensor.empty() ? 0 : static_cast<float>(sum / static_cast<double>(tensor.size())), writer);
  }
  for (const auto& tensor : update) {
    for (const float x : tensor) writer.Write(std::signbit(x) ? 1 : 0, 1);
  }
  writer.Finish();
  return bytes;
}

absl::Status DecodeSign(BitReader& reader, MutableUpdateView out) {
  std::vector<float> scales;
  for (size_t i = 0; i < out.size() && reader.ok(); ++i) {
    TW_ASSIGN_OR_RETURN(const float scale, ReadScale(reader));
    scales.push_back(scale);
  }
  if (!reader.ok() || reader.bytes_left() != (CountValues(out) + 7) / 8) {
    return absl::InvalidArgumentError("the update has not one scale for each tensor and one bit for each value");
  }
  for (size_t i = 0; i < out.size(); ++i) {
    for (float& x : out[i]) x = reader.Read(1) != 0 ? -scales[i] : scales[i];
  }
  return reader.Finish();
}

}  // namespace thinwire
