// Lines of a file that could not be used, and why. Bad lines are left out and never end a run.
#ifndef THINWIRE_CLIENT_TEXT_SKIPPED_LINES_H_
#define THINWIRE_CLIENT_TEXT_SKIPPED_LINES_H_

#include <cstddef>
#include <string>
#include <vector>

namespace thinwire {

// Thread-compatible.
struct SkippedLines {
  static constexpr size_t kMaxReasons = 10;
  size_t count = 0;
  std::vector<std::string> reasons;  // of the first few

  void Add(const std::string& reason);
  void Merge(const SkippedLines& other);
  // "3 lines were skipped: REASON; REASON; ..."; empty if none was.
  std::string ToText() const;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TEXT_SKIPPED_LINES_H_
