#include "client/text/skipped_lines.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace thinwire {

void SkippedLines::Add(const std::string& reason) {
  ++count;
  if (reasons.size() < kMaxReasons) reasons.push_back(reason);
}

void SkippedLines::Merge(const SkippedLines& other) {
  count += other.count;
  reasons.insert(reasons.end(), other.reasons.begin(), other.reasons.end());
  reasons.resize(std::min(reasons.size(), kMaxReasons));
}

std::string SkippedLines::ToText() const {
  if (count == 0) return "";
  return absl::StrCat(count, count == 1 ? " line was" : " lines were", " skipped: ", absl::StrJoin(reasons, "; "),
                      count > reasons.size() ? "; ..." : "");
}

}  // namespace thinwire
