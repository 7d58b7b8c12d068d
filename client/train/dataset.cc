#include "client/train/dataset.h"

#include "absl/strings/str_cat.h"

namespace thinwire {

absl::Status Dataset::Check() const {
  if (empty()) return absl::OkStatus();
  if (shape.values() == 0 || images.size() != size() * shape.values()) {
    return absl::InvalidArgumentError(absl::StrCat(size(), " images of ", shape.channels, "x", shape.height, "x",
                                                   shape.width, " need ", size() * shape.values(), " bytes (> 0), got ",
                                                   images.size()));
  }
  if (!channels.empty() && channels.size() != shape.channels) {
    return absl::InvalidArgumentError(
        absl::StrCat(channels.size(), " scales for images of ", shape.channels, " channels; give one each"));
  }
  for (const ChannelScale& scale : channels) {
    if (!(scale.deviation > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a channel's deviation is ", scale.deviation, ", it must be above 0"));
    }
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= classes) {
      return absl::InvalidArgumentError(
          absl::StrCat("label ", labels[i], " of image ", i, " is not below the number of classes, ", classes));
    }
  }
  return absl::OkStatus();
}

}  // namespace thinwire
