// Finds the image data set that lies in a folder, whatever its format.
#ifndef THINWIRE_CLIENT_TRAIN_IMAGE_FOLDER_H_
#define THINWIRE_CLIENT_TRAIN_IMAGE_FOLDER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/train/dataset.h"

namespace thinwire {

enum class ImageSet { kTraining, kTest };

// The training set or the test set of one folder. Thread-compatible.
class ImageFiles {
 public:
  virtual ~ImageFiles() = default;
  // All labels, in the order of the files.
  virtual absl::StatusOr<std::vector<uint8_t>> ReadLabels() const = 0;
  // Images and what there is to know about them, without labels and classes. There must be `expected` of them, as many
  // as labels; `selection`, if given, says which to keep: ascending indices.
  virtual absl::StatusOr<Dataset> ReadImages(uint64_t expected,
                                             std::optional<absl::Span<const uint32_t>> selection) const = 0;
  // 0: one more than the largest label.
  virtual uint32_t classes() const { return 0; }
};

// By what lies in `folder`:
//   IDX       train-images-idx3-ubyte and train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte,
//             each with or without .gz (idx4 for images with channels)
//   CIFAR-10  those of data_batch_1.bin to data_batch_5.bin that are there, in this order; test_batch.bin
// NOT_FOUND naming the folder and what was looked for; INVALID_ARGUMENT if it holds both. Reading: errors of idx_file.h
// and cifar_file.h.
absl::StatusOr<std::unique_ptr<ImageFiles>> FindImageFiles(const std::string& folder, ImageSet set);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_IMAGE_FOLDER_H_
