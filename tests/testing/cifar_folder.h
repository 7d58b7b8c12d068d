// A small folder of CIFAR-10's binary form (client/train/cifar_file.h), for nets of coloured images.
#ifndef THINWIRE_TESTS_TESTING_CIFAR_FOLDER_H_
#define THINWIRE_TESTS_TESTING_CIFAR_FOLDER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {

// `count` records of noise: the higher the label, the brighter the image.
inline std::string CifarRecords(int count, uint64_t seed) {
  RandomStream random(seed);
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    const int label = i % 10;
    bytes.push_back(static_cast<char>(label));
    for (int value = 0; value < 3 * 32 * 32; ++value) {
      bytes.push_back(static_cast<char>(label * 20 + static_cast<int>(random.Below(60))));
    }
  }
  return bytes;
}

inline absl::Status WriteCifarFolder(const std::string& folder, int training, int test) {
  TW_RETURN_IF_ERROR(WriteFileAtomically(JoinPath(folder, "data_batch_1.bin"), CifarRecords(training, 1)));
  return WriteFileAtomically(JoinPath(folder, "test_batch.bin"), CifarRecords(test, 2));
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_TESTING_CIFAR_FOLDER_H_
