#include "common/rdu/plane_context.h"

namespace thinwire {

PlaneContext::PlaneContext(size_t columns)
    : now_(columns + 4),
      above_(columns + 4),
      above2_(columns + 4),
      sign_now_(columns + 4),
      sign_above_(columns + 4),
      column_fast_(columns),
      column_slow_(columns),
      column_sign_(columns) {}

void PlaneContext::StartRow() {
  above2_.swap(above_);
  above_.swap(now_);
  sign_above_.swap(sign_now_);
  std::fill(now_.begin(), now_.end(), 0);
  std::fill(sign_now_.begin(), sign_now_.end(), 0);
  row_fast_ = row_slow_ = mean_;
  row_sign_ = 0;
}

void PlaneContext::SetZeros(size_t first, size_t last) {
  for (size_t j = first; j < last; ++j) {
    column_fast_[j] -= (column_fast_[j] + 3) >> 2;
    column_slow_[j] -= (column_slow_[j] + 15) >> 4;
  }
  for (size_t j = first; j < last; ++j) {
    Move(&row_fast_, 0, 3);
    Move(&row_slow_, 0, 6);
    Move(&mean_, 0, 10);
  }
}

uint32_t PlaneContext::columns_slow(size_t first, size_t last) const {
  uint64_t sum = 0;
  for (size_t j = first; j < last; ++j) sum += column_slow_[j];
  return static_cast<uint32_t>(sum / std::max<size_t>(last - first, 1));
}

}  // namespace thinwire
