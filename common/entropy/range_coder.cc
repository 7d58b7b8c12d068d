#include "common/entropy/range_coder.h"

namespace thinwire {

// The first byte to leave can get no carry, as the whole never passes 1, so it may be any, 0xff too.
void RangeEncoder::ShiftLow() {
  const bool carry = low_ >> 32 != 0;
  const auto top = static_cast<uint8_t>(low_ >> 24);
  if (carry || top != 0xff || pending_ == 0) {
    if (pending_ > 0) {
      out_->push_back(static_cast<char>(cache_ + (carry ? 1 : 0)));
      out_->append(static_cast<size_t>(pending_ - 1), static_cast<char>(carry ? 0x00 : 0xff));
    }
    cache_ = top;
    pending_ = 1;
  } else {
    ++pending_;
  }
  low_ = (low_ << 8) & 0xffffffff;
  range_ <<= 8;
  ++shifted_;
}

size_t RangeEncoder::Finish(const Mark& needed) {
  if (needed.shifted == 0 && needed.range == 0xffffffff) {  // nothing is
    out_->resize(start_);
    return 0;
  }
  for (int i = 0; i < 5; ++i) ShiftLow();
  const auto* bytes = reinterpret_cast<const uint8_t*>(out_->data()) + start_;
  uint32_t window = 0;  // the stream at the place of needed.low
  for (int i = 0; i < 4; ++i) window = (window << 8) | bytes[needed.shifted + i];
  const uint32_t offset = window - needed.low;  // below needed.range, whatever carries there were
  size_t size = 0;
  for (; size < 4; ++size) {
    const uint32_t mask = static_cast<uint32_t>(uint64_t{0xffffffff} >> (8 * size));
    const uint32_t fraction = window & mask;
    if (offset >= fraction && uint64_t{offset} - fraction + mask < needed.range) break;
  }
  out_->resize(start_ + static_cast<size_t>(needed.shifted) + size);
  return out_->size() - start_;
}

}  // namespace thinwire
