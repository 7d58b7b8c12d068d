// A binary range coder whose output can be cut after any byte.
//
// The coder is that of LZMA (Martin, "Range encoding", 1979; Pavlov's carry): a 32-bit range, a low end with a delayed
// carry. What differs is the end. A decoder knows how many bytes there are, and of the bytes beyond it knows nothing:
// a decision counts as decoded only if every continuation would decode it the same, and the first one that is not ends
// the stream. So any prefix of a stream decodes to a prefix of its decisions, without a length or an end mark.
//
// Not thread-safe; a coder serves one stream.
#ifndef THINWIRE_COMMON_ENTROPY_RANGE_CODER_H_
#define THINWIRE_COMMON_ENTROPY_RANGE_CODER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/entropy/logistic.h"

namespace thinwire {

class RangeEncoder {
 public:
  // What has been coded so far, as far as Finish() needs to know.
  struct Mark {
    uint64_t shifted = 0;
    uint32_t low = 0, range = 0xffffffff;
  };

  // Appends to `out`, which must outlive the encoder.
  explicit RangeEncoder(std::string* out) : out_(out), start_(out->size()) {}

  // `p`: the probability that `bit` is 1, 1 .. 65535.
  void Encode(bool bit, int p) {
    const auto bound = static_cast<uint32_t>((uint64_t{range_} * static_cast<uint32_t>(p)) >> kProbabilityBits);
    const uint32_t zero = bit ? 0 : ~0u;  // a mask instead of a branch that nobody can predict
    low_ += bound & zero;
    range_ = bound + ((range_ - 2 * bound) & zero);
    while (range_ < kBottom) ShiftLow();
  }
  // `bits` <= 16 equally likely bits.
  void EncodeRaw(uint32_t value, int bits) {
    range_ >>= bits;
    low_ += uint64_t{range_} * value;
    while (range_ < kBottom) ShiftLow();
  }

  Mark mark() const { return {shifted_, static_cast<uint32_t>(low_), range_}; }
  // An upper bound of what Finish(mark()) would come to, within 4 bytes.
  size_t size() const { return static_cast<size_t>(shifted_) + 4; }
  // Writes the shortest stream from which all decisions up to `needed` can be decoded; what comes after may be lost.
  // The encoder is then spent. Returns the size of the stream.
  size_t Finish(const Mark& needed);

 private:
  static constexpr uint32_t kBottom = 1u << 24;

  void ShiftLow();

  std::string* const out_;
  const size_t start_;
  uint64_t low_ = 0;
  uint32_t range_ = 0xffffffff;
  uint64_t shifted_ = 0;  // bytes that left `low_`
  uint64_t pending_ = 0;  // of which so many wait for a carry: one `cache_`, then bytes of 0xff
  uint8_t cache_ = 0;
};

class RangeDecoder {
 public:
  // `bytes` must outlive the decoder.
  explicit RangeDecoder(absl::string_view bytes)
      : next_(reinterpret_cast<const uint8_t*>(bytes.data())), end_(next_ + bytes.size()) {
    for (int i = 0; i < 4; ++i) ShiftIn();
  }

  bool Decode(int p) {
    const auto bound = static_cast<uint32_t>((uint64_t{range_} * static_cast<uint32_t>(p)) >> kProbabilityBits);
    const bool bit = code_ < bound;
    exhausted_ |= bit & (uint64_t{code_} + unknown_ >= bound);
    const uint32_t zero = bit ? 0 : ~0u;  // a mask instead of a branch that nobody can predict
    code_ -= bound & zero;
    range_ = bound + ((range_ - 2 * bound) & zero);
    while (range_ < kBottom) {
      range_ <<= 8;
      ShiftIn();
    }
    return bit;
  }
  uint32_t DecodeRaw(int bits) {
    range_ >>= bits;
    const uint32_t value = code_ / range_;
    if ((uint64_t{code_} + unknown_) / range_ != value || value >> bits != 0) exhausted_ = true;
    code_ -= value * range_;
    while (range_ < kBottom) {
      range_ <<= 8;
      ShiftIn();
    }
    return value;
  }

  // Whether a decision was asked for that the bytes do not tell; results from that one on mean nothing.
  bool exhausted() const { return exhausted_; }
  // Whether no byte was left out of account.
  bool all_read() const { return next_ == end_; }

 private:
  static constexpr uint32_t kBottom = 1u << 24;

  void ShiftIn() {
    code_ <<= 8;
    unknown_ <<= 8;
    if (next_ != end_) {
      code_ |= *next_++;
    } else {
      unknown_ = (unknown_ | 0xff) & 0xffffffff;
    }
  }

  const uint8_t* next_;
  const uint8_t* const end_;
  uint32_t code_ = 0;
  uint32_t range_ = 0xffffffff;
  uint64_t unknown_ = 0;  // the true code is code_ .. code_ + unknown_
  bool exhausted_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_RANGE_CODER_H_
