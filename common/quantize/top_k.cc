#include "common/quantize/top_k.h"

#include <algorithm>

#include "common/base/bytes.h"

namespace thinwire {
namespace {

struct Entry {
  uint32_t magnitude;  // the bits of binary32 ascend with the number
  uint64_t position;
  bool operator<(const Entry& other) const {
    return magnitude != other.magnitude ? magnitude > other.magnitude : position < other.position;
  }
};

std::vector<Entry> NonZeros(UpdateView update) {
  std::vector<Entry> entries;
  uint64_t position = 0;
  for (const auto& tensor : update) {
    for (const float x : tensor) {
      const uint32_t magnitude = FloatBits(x) & 0x7fffffffu;
      if (magnitude != 0) entries.push_back({magnitude, position});
      ++position;
    }
  }
  return entries;
}

}  // namespace

TopK::TopK(UpdateView update, uint64_t most) {
  std::vector<Entry> entries = NonZeros(update);
  if (most < entries.size()) {
    const auto end = entries.begin() + static_cast<ptrdiff_t>(most);
    std::nth_element(entries.begin(), end, entries.end());
    entries.erase(end, entries.end());
  }
  std::sort(entries.begin(), entries.end());
  candidates_.reserve(entries.size());
  for (const Entry& entry : entries) candidates_.push_back({entry.position, candidates_.size()});
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.position < b.position; });
}

std::vector<uint64_t> TopK::Positions(uint64_t count) const {
  std::vector<uint64_t> positions;
  positions.reserve(std::min<uint64_t>(count, size()));
  for (const Candidate& candidate : candidates_) {
    if (candidate.rank < count) positions.push_back(candidate.position);
  }
  return positions;
}

}  // namespace thinwire
