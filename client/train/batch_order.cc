#include "client/train/batch_order.h"

#include <algorithm>
#include <numeric>

#include "common/base/rng.h"

namespace thinwire {
namespace {

uint64_t Batches(size_t samples, size_t batch, size_t min_batch) {
  const size_t rest = samples % batch;
  return std::max<uint64_t>(1, samples / batch + (rest >= min_batch ? 1 : 0));
}

}  // namespace

BatchOrder::BatchOrder(size_t samples, size_t batch, size_t min_batch, uint64_t seed)
    : batch_(batch), seed_(seed), batches_(Batches(samples, batch, min_batch)), order_(samples) {}

absl::Span<const int64_t> BatchOrder::Next() {
  if (next_ == 0) {
    std::iota(order_.begin(), order_.end(), int64_t{0});
    RandomStream random(DeriveKey({seed_, KeyWord("shuffle"), epoch_++}));
    random.Shuffle(order_);
  }
  const size_t first = next_ * batch_;
  const size_t size = next_ + 1 == batches_ ? order_.size() - first : batch_;
  next_ = (next_ + 1) % batches_;
  return absl::MakeConstSpan(order_).subspan(first, size);
}

}  // namespace thinwire
