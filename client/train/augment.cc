#include "client/train/augment.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"

namespace thinwire {
namespace {

// One row of `width` bytes, `right` steps further to the right than `row`; what is not in it is black.
void MoveRow(const uint8_t* row, ptrdiff_t width, ptrdiff_t right, bool mirrored, uint8_t* out) {
  for (ptrdiff_t x = 0; x < width; ++x) {
    const ptrdiff_t from = (mirrored ? width - 1 - x : x) - right;
    out[x] = from < 0 || from >= width ? uint8_t{0} : row[from];
  }
}

}  // namespace

absl::StatusOr<AugmentRule> ParseAugmentRule(absl::string_view text) {
  if (text == "auto") return AugmentRule::kAuto;
  if (text == "none") return AugmentRule::kNone;
  if (text == "flip-crop") return AugmentRule::kFlipCrop;
  return absl::InvalidArgumentError(absl::StrCat(
      "augmentation '", text, "': use none, flip-crop, or auto: flip-crop for CIFAR-10 and none for other images"));
}

bool ShallAugment(AugmentRule rule, const Dataset& data) {
  return rule == AugmentRule::kFlipCrop || (rule == AugmentRule::kAuto && data.photographs);
}

void FlipAndCrop(const ImageShape& shape, uint64_t key, absl::Span<const uint8_t> image, absl::Span<uint8_t> out) {
  RandomStream random(key);
  const bool mirrored = random.Below(2) == 1;
  const ptrdiff_t down = static_cast<ptrdiff_t>(random.Below(2 * kCropPadding + 1)) - kCropPadding;
  const ptrdiff_t right = static_cast<ptrdiff_t>(random.Below(2 * kCropPadding + 1)) - kCropPadding;
  const ptrdiff_t height = shape.height, width = shape.width;
  for (uint32_t channel = 0; channel < shape.channels; ++channel) {
    const size_t plane = size_t{channel} * shape.height * shape.width;
    for (ptrdiff_t y = 0; y < height; ++y) {
      uint8_t* const to = out.data() + plane + static_cast<size_t>(y * width);
      const ptrdiff_t from = y - down;
      if (from < 0 || from >= height) {
        std::fill_n(to, width, uint8_t{0});
      } else {
        MoveRow(image.data() + plane + static_cast<size_t>(from * width), width, right, mirrored, to);
      }
    }
  }
}

}  // namespace thinwire
