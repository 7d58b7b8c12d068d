#include "client/train/local_data.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "client/train/image_folder.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

uint32_t ClassesOf(const ImageFiles& files, absl::Span<const uint8_t> labels) {
  return files.classes() > 0 ? files.classes() : *std::max_element(labels.begin(), labels.end()) + 1u;
}

}  // namespace

absl::StatusOr<Dataset> LoadTrainingShard(const LocalDataOptions& options) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<ImageFiles> files, FindImageFiles(options.folder, ImageSet::kTraining));
  TW_ASSIGN_OR_RETURN(const std::vector<uint8_t> labels, files->ReadLabels());
  TW_ASSIGN_OR_RETURN(const auto parts,
                      PartitionSamples(labels, {options.rule, options.shard.count, options.seed, options.samples}));
  const std::vector<uint32_t>& mine = parts[options.shard.index];
  TW_ASSIGN_OR_RETURN(Dataset shard, files->ReadImages(labels.size(), absl::MakeConstSpan(mine)));
  shard.classes = ClassesOf(*files, labels);
  for (const uint32_t index : mine) shard.labels.push_back(labels[index]);
  return shard;
}

absl::StatusOr<Dataset> LoadTestSet(const std::string& folder) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<ImageFiles> files, FindImageFiles(folder, ImageSet::kTest));
  TW_ASSIGN_OR_RETURN(const std::vector<uint8_t> labels, files->ReadLabels());
  TW_ASSIGN_OR_RETURN(Dataset test, files->ReadImages(labels.size(), std::nullopt));
  test.classes = ClassesOf(*files, labels);
  test.labels = labels;
  return test;
}

}  // namespace thinwire
