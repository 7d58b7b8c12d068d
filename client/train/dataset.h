// Labelled images in memory, as bytes. No LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_DATASET_H_
#define THINWIRE_CLIENT_TRAIN_DATASET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace thinwire {

// Size of one image.
struct ImageShape {
  uint32_t channels = 0;
  uint32_t height = 0;
  uint32_t width = 0;

  size_t values() const { return size_t{channels} * height * width; }
  friend bool operator==(const ImageShape& a, const ImageShape& b) {
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
  }
  friend bool operator!=(const ImageShape& a, const ImageShape& b) { return !(a == b); }
};

// Of values in [0, 1]: a model sees (value - mean) / deviation.
struct ChannelScale {
  float mean = 0;
  float deviation = 1;  // above 0
};

// Thread-compatible.
struct Dataset {
  ImageShape shape;
  std::vector<ChannelScale> channels;  // one each; empty: values as they are
  // Whether they show the same when mirrored and moved a little, so that one trains with such copies (augment.h).
  bool photographs = false;
  // Labels are 0..classes-1. Of the whole data set, so that clients with different shards build the same model.
  uint32_t classes = 0;
  std::vector<uint8_t> images;  // size() * shape.values(), image after image, each [channels, height, width]
  std::vector<uint8_t> labels;

  size_t size() const { return labels.size(); }
  bool empty() const { return labels.empty(); }
  // INVALID_ARGUMENT unless the sizes agree, every label is below `classes` and every deviation above 0.
  absl::Status Check() const;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_DATASET_H_
