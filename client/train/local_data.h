// A client's own data: image files in a folder, of which only the client's shard is kept in memory.
#ifndef THINWIRE_CLIENT_TRAIN_LOCAL_DATA_H_
#define THINWIRE_CLIENT_TRAIN_LOCAL_DATA_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/train/dataset.h"
#include "client/train/partition.h"

namespace thinwire {

// Where Debian's package dataset-fashion-mnist puts its files.
constexpr char kFashionMnistFolder[] = "/usr/share/datasets/fashion-mnist";

struct LocalDataOptions {
  std::string folder = kFashionMnistFolder;
  PartitionRule rule;
  Shard shard;
  uint64_t seed = 0;     // of the partition; the same for all clients
  uint64_t samples = 0;  // of all clients together, before the partition; 0 = all
};

// The shard of the training set that lies in the folder: IDX files or CIFAR-10's (image_folder.h), with its errors.
absl::StatusOr<Dataset> LoadTrainingShard(const LocalDataOptions& options);

// The whole test set.
absl::StatusOr<Dataset> LoadTestSet(const std::string& folder);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_LOCAL_DATA_H_
