#include "common/codec/row_block_codes.h"

#include "common/base/bytes.h"
#include "common/codec/float_scale.h"
#include "common/codec/kernels/float_kernels.h"

namespace thinwire {
namespace {

// One scale for all values: the kernel applies it by itself.
bool HasOneScale(const RowBlockFormat& format, size_t count) {
  return count <= format.group || format.scale == ScaleRule::kNone;
}

void EncodeScaled(FloatFormat format, float scale, absl::Span<const float> values, const uint16_t* dither,
                  uint8_t* codes) {
  // Values are known to be finite.
  if (dither != nullptr) {
    (void)EncodeFloatsDithered(values.data(), dither, values.size(), format, scale, codes);
  } else {
    (void)EncodeFloats(values.data(), values.size(), format, scale, codes);
  }
}

}  // namespace

GroupScales ChooseGroupScales(const RowBlockFormat& format, absl::Span<const float> values) {
  GroupScales scales;
  scales.fill(1);
  if (format.scale == ScaleRule::kNone) return scales;
  std::array<uint32_t, GroupScales().size()> largest;
  MaxMagnitudeBitsOfGroups(values.data(), values.size(), format.group, largest.data());
  for (size_t i = 0; i < format.GroupsOf(values.size()); ++i) {
    scales[i] = ChooseFloatScale(format.format, format.scale, FloatFromBits(largest[i]));
  }
  return scales;
}

void EncodeRowBlock(const RowBlockFormat& format, const GroupScales& scales, absl::Span<const float> values,
                    const uint16_t* dither, uint8_t* codes) {
  if (HasOneScale(format, values.size())) return EncodeScaled(format.format, scales[0], values, dither, codes);
  std::array<float, kRowBlockValues> quotients;
  DivideGroups(values.data(), values.size(), format.group, scales.data(), quotients.data());
  EncodeScaled(format.format, 1, absl::MakeConstSpan(quotients.data(), values.size()), dither, codes);
}

const uint16_t* TruncatingDither() {
  static constexpr std::array<uint16_t, kRowBlockValues> kZeros = {};
  return kZeros.data();
}

bool DecodeRowBlock(const RowBlockFormat& format, const GroupScales& scales, const uint8_t* codes,
                    absl::Span<float> out) {
  if (HasOneScale(format, out.size())) return DecodeFloats(codes, out.size(), format.format, scales[0], out.data());
  if (!DecodeFloats(codes, out.size(), format.format, 1, out.data())) return false;
  MultiplyGroups(out.data(), out.size(), format.group, scales.data());
  return true;
}

}  // namespace thinwire
