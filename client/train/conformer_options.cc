#include "client/train/conformer_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace thinwire {
namespace {

constexpr int64_t kMaxSize = 1 << 16;

std::vector<std::pair<std::string, ConformerOptions>> Table() {
  // features, labels, blocks, width, heads, expansion, kernel, groups, front_channels
  return {{"conformer-xs", {40, 29, 4, 96, 4, 4, 15, 8, 32}},
          {"conformer-s", {40, 29, 16, 160, 4, 4, 31, 8, 64}},
          {"conformer-m", {40, 29, 19, 256, 4, 4, 31, 8, 128}},
          {"conformer-l", {40, 29, 19, 512, 8, 4, 31, 8, 256}}};
}

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(absl::StrCat("conformer: ", what)); }

}  // namespace

absl::Status CheckConformer(const ConformerOptions& options) {
  const std::pair<const char*, int64_t> sizes[] = {
      {"features", options.features}, {"labels", options.labels}, {"blocks", options.blocks},
      {"width", options.width},       {"heads", options.heads},   {"expansion", options.expansion},
      {"kernel", options.kernel},     {"groups", options.groups}, {"front_channels", options.front_channels}};
  for (const auto& [name, size] : sizes) {
    if (size >= 1 && size <= kMaxSize) continue;
    return Refuse(absl::StrCat(name, " is ", size, ", it must lie in [1, ", kMaxSize, "]"));
  }
  if (options.labels < 2) return Refuse("labels is 1, a blank and at least one symbol are needed");
  if (options.kernel % 2 == 0) return Refuse(absl::StrCat("kernel is ", options.kernel, ", it must be odd"));
  if (options.width % (2 * options.heads) != 0) {
    return Refuse(absl::StrCat("width ", options.width, " over ", options.heads, " heads; width must be a multiple of ",
                               2 * options.heads));
  }
  if (options.width % options.groups != 0) {
    return Refuse(absl::StrCat("width ", options.width, " in ", options.groups, " groups; groups must divide width"));
  }
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    return Refuse(absl::StrCat("dropout is ", options.dropout, ", it must lie in [0, 1)"));
  }
  return absl::OkStatus();
}

std::vector<std::string> ConformerNames() {
  std::vector<std::string> names;
  for (const auto& entry : Table()) names.push_back(entry.first);
  return names;
}

absl::StatusOr<ConformerOptions> ConformerNamed(const std::string& name) {
  for (const auto& [known, options] : Table()) {
    if (known == name) return options;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no model '", name, "'; choose one of: ", absl::StrJoin(ConformerNames(), ", ")));
}

}  // namespace thinwire
