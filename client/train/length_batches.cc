#include "client/train/length_batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/base/rng.h"

namespace thinwire {

LengthBatches::LengthBatches(std::vector<size_t> lengths, size_t batch, uint64_t seed)
    : lengths_(std::move(lengths)), batch_(batch), seed_(seed) {}

absl::Span<const uint32_t> LengthBatches::Next() {
  if (next_ == epoch_batches_.size()) StartEpoch();
  return epoch_batches_[next_++];
}

void LengthBatches::StartEpoch() {
  RandomStream random(DeriveKey({seed_, KeyWord("length batches"), epoch_++}));
  std::vector<uint32_t> order(lengths_.size());
  std::iota(order.begin(), order.end(), 0u);
  random.Shuffle(order);
  // The last window takes the samples that do not fill a batch.
  for (auto window = order.begin(); window != order.end();) {
    const auto end = window + std::min<ptrdiff_t>(order.end() - window, static_cast<ptrdiff_t>(kWindow * batch_));
    std::stable_sort(window, end, [&](uint32_t a, uint32_t b) { return lengths_[a] < lengths_[b]; });
    window = end;
  }
  epoch_batches_.clear();
  for (size_t first = 0; first < order.size(); first += batch_) {
    const size_t last = std::min(first + batch_, order.size());
    epoch_batches_.emplace_back(order.begin() + static_cast<ptrdiff_t>(first),
                                order.begin() + static_cast<ptrdiff_t>(last));
  }
  random.Shuffle(epoch_batches_);
  next_ = 0;
}

}  // namespace thinwire
