// The binary version of CIFAR-10: files of records of 3,073 bytes, a label of 0 to 9 and an image of 32x32, 1,024 bytes
// each of red, green and blue, row by row. No header, so only the size and the labels tell that a file is one.
// Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version" (Krizhevsky, "Learning Multiple Layers of
// Features from Tiny Images", 2009).
#ifndef THINWIRE_CLIENT_TRAIN_CIFAR_FILE_H_
#define THINWIRE_CLIENT_TRAIN_CIFAR_FILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/train/dataset.h"

namespace thinwire {

constexpr ImageShape kCifarShape = {3, 32, 32};
constexpr uint32_t kCifarClasses = 10;
constexpr size_t kCifarRecordBytes = 1 + 3 * 32 * 32;
constexpr uint64_t kMaxCifarFileBytes = uint64_t{1} << 36;

// Mean and standard deviation of each channel over the 50,000 training images, of values in [0, 1].
constexpr float kCifarMean[3] = {0.4914f, 0.4822f, 0.4465f};
constexpr float kCifarDeviation[3] = {0.2470f, 0.2435f, 0.2616f};

// Labels of all files, one after the other. Errors name the file: NOT_FOUND; INVALID_ARGUMENT for a size that is 0 or
// no multiple of a record (a truncated file, or another format) and for a label above 9, with its byte;
// RESOURCE_EXHAUSTED for a file above kMaxCifarFileBytes. Memory holds the labels and one piece of a file.
absl::StatusOr<std::vector<uint8_t>> ReadCifarLabels(const std::vector<std::string>& paths);

// Images of all files, of which there must be `expected` (the number of labels). With `selection` (ascending indices
// below `expected`) only those are kept in memory.
absl::StatusOr<std::vector<uint8_t>> ReadCifarImages(
    const std::vector<std::string>& paths, uint64_t expected,
    std::optional<absl::Span<const uint32_t>> selection = std::nullopt);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_CIFAR_FILE_H_
