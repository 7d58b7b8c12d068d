#include "common/quantize/update_header.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/quantize/quantizer.h"

namespace thinwire {

std::string StartUpdate(QuantizerMethod method, UpdateView update) {
  std::string bytes;
  BitWriter writer(&bytes);
  writer.Write(kUpdateVersion, 8);
  writer.Write(static_cast<uint64_t>(method), 8);
  writer.WriteVarint(update.size());
  writer.WriteVarint(CountValues(update));
  return bytes;
}

absl::StatusOr<QuantizerMethod> ReadUpdateHeader(BitReader& reader, MutableUpdateView out) {
  const uint64_t version = reader.Read(8);
  const uint64_t method = reader.Read(8);
  if (!reader.ok()) return absl::InvalidArgumentError("a quantised update has at least 4 bytes");
  if (version != kUpdateVersion) {
    return absl::UnimplementedError(
        absl::StrCat("quantised update of version ", version, ", this program reads version ", kUpdateVersion));
  }
  if (method < static_cast<uint64_t>(QuantizerMethod::kTopK) ||
      method > static_cast<uint64_t>(QuantizerMethod::kRotated)) {
    return absl::UnimplementedError(
        absl::StrCat("update of quantiser ", method, ", this program knows 1 to 4; update it"));
  }
  const uint64_t tensors = reader.ReadVarint();
  const uint64_t values = reader.ReadVarint();
  if (!reader.ok() || tensors != out.size() || values != CountValues(out)) {
    return absl::InvalidArgumentError(absl::StrCat("the update has ", tensors, " tensors with ", values,
                                                   " values, the model ", out.size(), " with ", CountValues(out)));
  }
  return static_cast<QuantizerMethod>(method);
}

absl::Status BudgetTooSmall(const std::string& quantizer, uint64_t budget_bits, uint64_t least_bits) {
  return absl::InvalidArgumentError(absl::StrCat("a budget of ", budget_bits, " bits is too small for this update in ",
                                                 quantizer, ", which takes at least ", least_bits,
                                                 "; raise the budget or choose a top-k quantiser"));
}

void WriteFloat(float value, BitWriter& writer) { writer.Write(FloatBits(value), 32); }

absl::StatusOr<float> ReadScale(BitReader& reader) {
  const float scale = FloatFromBits(static_cast<uint32_t>(reader.Read(32)));
  if (scale >= 0 && std::isfinite(scale)) return scale;
  return absl::InvalidArgumentError(
      absl::StrCat("a scale of the update is ", scale, ", must be finite and at least 0"));
}

}  // namespace thinwire
