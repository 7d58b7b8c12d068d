// Random copies of images to train on: mirrored and moved, as He et al. (CVPR 2016, section 4.2) train on CIFAR-10.
// No LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_AUGMENT_H_
#define THINWIRE_CLIENT_TRAIN_AUGMENT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/train/dataset.h"

namespace thinwire {

enum class AugmentRule {
  kAuto,      // kFlipCrop for photographs (Dataset), else kNone
  kNone,      // images as they are
  kFlipCrop,  // FlipAndCrop
};

// "auto", "none", "flip-crop". INVALID_ARGUMENT, naming the text and what is accepted.
absl::StatusOr<AugmentRule> ParseAugmentRule(absl::string_view text);

bool ShallAugment(AugmentRule rule, const Dataset& data);

// Black pixels on each side before an image of the old size is cut out at random.
constexpr uint32_t kCropPadding = 4;

// Writes `image` to `out`: mirrored left to right with probability 1/2, cut out at one of (2 kCropPadding + 1)^2
// places. The same for the same key on every machine. Both have shape.values() bytes and do not overlap.
void FlipAndCrop(const ImageShape& shape, uint64_t key, absl::Span<const uint8_t> image, absl::Span<uint8_t> out);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_AUGMENT_H_
