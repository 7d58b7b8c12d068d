#include "client/train/image_folder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/train/cifar_file.h"
#include "client/train/idx_file.h"
#include "client/train/local_data.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

std::vector<std::string> IdxImageNames(ImageSet set) {
  const std::string prefix = set == ImageSet::kTraining ? "train" : "t10k";
  return {prefix + "-images-idx3-ubyte", prefix + "-images.idx3-ubyte", prefix + "-images-idx4-ubyte"};
}

std::vector<std::string> IdxLabelNames(ImageSet set) {
  const std::string prefix = set == ImageSet::kTraining ? "train" : "t10k";
  return {prefix + "-labels-idx1-ubyte", prefix + "-labels.idx1-ubyte"};
}

std::vector<std::string> CifarNames(ImageSet set) {
  if (set == ImageSet::kTest) return {"test_batch.bin"};
  return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
}

// The first of `names` that is there, plain or compressed; empty if none is.
std::string FindIdx(const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (const char* suffix : {"", ".gz"}) {
      const std::string path = JoinPath(folder, absl::StrCat(name, suffix));
      if (FileExists(path)) return path;
    }
  }
  return "";
}

absl::Status Missing(const std::string& folder, const std::string& what) {
  return absl::NotFoundError(absl::StrCat("folder '", folder, "' has no ", what,
                                          "; name another folder, or install Debian's package dataset-fashion-mnist, ",
                                          "which has its files in ", kFashionMnistFolder));
}

class IdxFiles : public ImageFiles {
 public:
  IdxFiles(std::string images, std::string labels) : images_(std::move(images)), labels_(std::move(labels)) {}

  absl::StatusOr<std::vector<uint8_t>> ReadLabels() const override { return ReadIdxLabels(labels_); }
  absl::StatusOr<Dataset> ReadImages(uint64_t expected,
                                     std::optional<absl::Span<const uint32_t>> selection) const override {
    TW_ASSIGN_OR_RETURN(IdxImages read, ReadIdxImages(images_, expected, selection));
    Dataset data;
    data.shape = read.shape;
    data.images = std::move(read.bytes);
    return data;
  }

 private:
  const std::string images_, labels_;
};

class CifarFiles : public ImageFiles {
 public:
  explicit CifarFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  absl::StatusOr<std::vector<uint8_t>> ReadLabels() const override { return ReadCifarLabels(paths_); }
  absl::StatusOr<Dataset> ReadImages(uint64_t expected,
                                     std::optional<absl::Span<const uint32_t>> selection) const override {
    Dataset data;
    data.shape = kCifarShape;
    data.photographs = true;
    for (size_t i = 0; i < kCifarShape.channels; ++i) data.channels.push_back({kCifarMean[i], kCifarDeviation[i]});
    TW_ASSIGN_OR_RETURN(data.images, ReadCifarImages(paths_, expected, selection));
    return data;
  }
  uint32_t classes() const override { return kCifarClasses; }

 private:
  const std::vector<std::string> paths_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ImageFiles>> FindImageFiles(const std::string& folder, ImageSet set) {
  const std::vector<std::string> image_names = IdxImageNames(set), label_names = IdxLabelNames(set);
  const std::string images = FindIdx(folder, image_names), labels = FindIdx(folder, label_names);
  std::vector<std::string> batches;
  for (const std::string& name : CifarNames(set)) {
    if (FileExists(JoinPath(folder, name))) batches.push_back(JoinPath(folder, name));
  }
  const bool has_idx = !images.empty() || !labels.empty();
  if (!has_idx && batches.empty()) {
    return Missing(folder, absl::StrCat(absl::StrJoin(image_names, ", "), " (IDX, plain or .gz) and no ",
                                        absl::StrJoin(CifarNames(set), ", "), " (CIFAR-10)"));
  }
  if (has_idx && !batches.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("folder '", folder, "' has ", images.empty() ? labels : images,
                                                   " (IDX) and ", batches[0],
                                                   " (CIFAR-10); put each data set into a folder of its own"));
  }
  if (!batches.empty()) return std::make_unique<CifarFiles>(std::move(batches));
  if (images.empty()) return Missing(folder, absl::StrCat(absl::StrJoin(image_names, ", "), ", plain or .gz"));
  if (labels.empty()) return Missing(folder, absl::StrCat(absl::StrJoin(label_names, ", "), ", plain or .gz"));
  return std::make_unique<IdxFiles>(images, labels);
}

}  // namespace thinwire
