#include "common/sketch/top_k.h"

#include <algorithm>

#include "common/base/bytes.h"

namespace thinwire {

void TopKSelector::Add(uint64_t first, absl::Span<const float> values) {
  for (size_t i = 0; k_ > 0 && i < values.size(); ++i) {
    const uint32_t magnitude = FloatBits(values[i]) & 0x7fffffffu;
    if (magnitude <= threshold_) continue;
    entries_.push_back({magnitude, values[i], first + i});
    if (entries_.size() == 2 * k_) Prune();
  }
}

void TopKSelector::Prune() {
  if (entries_.size() <= k_) return;
  const auto larger = [](const Entry& a, const Entry& b) {
    return a.magnitude != b.magnitude ? a.magnitude > b.magnitude : a.position < b.position;
  };
  const auto last = entries_.begin() + static_cast<ptrdiff_t>(k_ - 1);
  std::nth_element(entries_.begin(), last, entries_.end(), larger);
  threshold_ = last->magnitude;
  entries_.resize(k_);
}

SparseEntries TopKSelector::Take() {
  Prune();
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.position < b.position; });
  SparseEntries taken;
  taken.positions.reserve(entries_.size());
  taken.values.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    taken.positions.push_back(entry.position);
    taken.values.push_back(entry.value);
  }
  entries_.clear();
  return taken;
}

}  // namespace thinwire
