#include "client/train/local_data.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/train/idx_file.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::StatusOr<std::string> FindFile(const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (const char* suffix : {"", ".gz"}) {
      const std::string path = JoinPath(folder, absl::StrCat(name, suffix));
      if (FileExists(path)) return path;
    }
  }
  return absl::NotFoundError(absl::StrCat("folder '", folder, "' has no ", absl::StrJoin(names, ", "),
                                          ", plain or .gz; name another folder, or install Debian's package ",
                                          "dataset-fashion-mnist, which has its files in ", kFashionMnistFolder));
}

absl::StatusOr<std::string> FindImages(const std::string& folder, const std::string& set) {
  return FindFile(folder, {set + "-images-idx3-ubyte", set + "-images.idx3-ubyte", set + "-images-idx4-ubyte"});
}

absl::StatusOr<std::vector<uint8_t>> ReadLabels(const std::string& folder, const std::string& set) {
  TW_ASSIGN_OR_RETURN(const std::string path,
                      FindFile(folder, {set + "-labels-idx1-ubyte", set + "-labels.idx1-ubyte"}));
  return ReadIdxLabels(path);
}

}  // namespace

absl::StatusOr<Dataset> LoadTrainingShard(const LocalDataOptions& options) {
  TW_ASSIGN_OR_RETURN(const std::string path, FindImages(options.folder, "train"));
  TW_ASSIGN_OR_RETURN(const std::vector<uint8_t> labels, ReadLabels(options.folder, "train"));
  TW_ASSIGN_OR_RETURN(auto parts,
                      PartitionSamples(labels, {options.rule, options.shard.count, options.seed, options.samples}));
  const std::vector<uint32_t> mine = std::move(parts[options.shard.index]);
  TW_ASSIGN_OR_RETURN(IdxImages images, ReadIdxImages(path, labels.size(), absl::MakeConstSpan(mine)));
  Dataset shard;
  shard.shape = images.shape;
  shard.classes = *std::max_element(labels.begin(), labels.end()) + 1u;
  shard.images = std::move(images.bytes);
  for (const uint32_t index : mine) shard.labels.push_back(labels[index]);
  return shard;
}

absl::StatusOr<Dataset> LoadTestSet(const std::string& folder) {
  TW_ASSIGN_OR_RETURN(const std::string path, FindImages(folder, "t10k"));
  Dataset test;
  TW_ASSIGN_OR_RETURN(test.labels, ReadLabels(folder, "t10k"));
  TW_ASSIGN_OR_RETURN(IdxImages images, ReadIdxImages(path, test.labels.size()));
  test.shape = images.shape;
  test.classes = *std::max_element(test.labels.begin(), test.labels.end()) + 1u;
  test.images = std::move(images.bytes);
  return test;
}

}  // namespace thinwire
