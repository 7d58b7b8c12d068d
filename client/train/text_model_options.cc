#include "client/train/text_model_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace thinwire {
namespace {

constexpr int64_t kMaxSize = 1 << 16;

std::vector<std::pair<std::string, TextModelOptions>> Table() {
  TextModelOptions xs, s;
  s.width = 128;
  s.blocks = 4;
  return {{"transformer-xs", xs}, {"transformer-s", s}};
}

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(absl::StrCat("transformer: ", what)); }

}  // namespace

absl::Status CheckTextModel(const TextModelOptions& options) {
  const std::pair<const char*, int64_t> sizes[] = {{"width", options.width},     {"blocks", options.blocks},
                                                   {"heads", options.heads},     {"expansion", options.expansion},
                                                   {"symbols", options.symbols}, {"classes", options.classes}};
  for (const auto& [name, size] : sizes) {
    if (size >= 1 && size <= kMaxSize) continue;
    return Refuse(absl::StrCat(name, " is ", size, ", it must lie in [1, ", kMaxSize, "]"));
  }
  if (options.width % (2 * options.heads) != 0) {
    return Refuse(absl::StrCat("width ", options.width, " over ", options.heads, " heads; width must be a multiple of ",
                               2 * options.heads));
  }
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    return Refuse(absl::StrCat("dropout is ", options.dropout, ", it must lie in [0, 1)"));
  }
  return absl::OkStatus();
}

std::vector<std::string> TextModelNames() {
  std::vector<std::string> names;
  for (const auto& entry : Table()) names.push_back(entry.first);
  return names;
}

absl::StatusOr<TextModelOptions> TextModelNamed(const std::string& name) {
  for (const auto& [known, options] : Table()) {
    if (known == name) return options;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no model '", name, "'; choose one of: ", absl::StrJoin(TextModelNames(), ", ")));
}

}  // namespace thinwire
