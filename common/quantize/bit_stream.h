// Bits, least significant first, in a byte string; and numbers of any size among them.
#ifndef THINWIRE_COMMON_QUANTIZE_BIT_STREAM_H_
#define THINWIRE_COMMON_QUANTIZE_BIT_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Appends to a string, which must outlive it and not change meanwhile. Not thread-safe.
class BitWriter {
 public:
  explicit BitWriter(std::string* out) : out_(out) {}
  // The low `bits` of `value`, 0 <= bits <= 56; higher bits of `value` are 0.
  void Write(uint64_t value, int bits) {
    pending_ |= value << used_;
    for (used_ += bits; used_ >= 8; used_ -= 8) {
      out_->push_back(static_cast<char>(pending_ & 0xff));
      pending_ >>= 8;
    }
  }
  // `count` zeros and a one.
  void WriteUnary(uint64_t count);
  // Seven bits a step, lowest first, each group followed by whether another comes.
  void WriteVarint(uint64_t value);
  // Elias's omega code of a positive number, as in QSGD.
  void WriteOmega(uint64_t value);
  // Whole bytes, between whole bytes.
  void WriteBytes(absl::string_view bytes) { out_->append(bytes.data(), bytes.size()); }
  // Fills the last byte with zeros.
  void Finish() {
    if (used_ > 0) Write(0, 8 - used_);
  }

 private:
  std::string* const out_;
  uint64_t pending_ = 0;
  int used_ = 0;  // bits of pending_, fewer than 8 between calls
};

int VarintBits(uint64_t value);
int OmegaBits(uint64_t value);

// Reads what BitWriter wrote. Past the end every read gives zeros and ok() is false from then on, so that a loop whose
// length is bounded elsewhere need not check each read. Not thread-safe.
class BitReader {
 public:
  explicit BitReader(absl::string_view bytes) : bytes_(bytes) {}
  // 0 <= bits <= 56.
  uint64_t Read(int bits) {
    while (used_ < bits) {
      if (next_ == bytes_.size()) return Fail();
      pending_ |= static_cast<uint64_t>(static_cast<uint8_t>(bytes_[next_++])) << used_;
      used_ += 8;
    }
    const uint64_t value = pending_ & ((uint64_t{1} << bits) - 1);
    pending_ >>= bits;
    used_ -= bits;
    return value;
  }
  // Zeros before a one; fails beyond `limit`.
  uint64_t ReadUnary(uint64_t limit);
  // Fail beyond 64 bits and for a form that BitWriter does not write.
  uint64_t ReadVarint();
  uint64_t ReadOmega();
  // Whole bytes, between whole bytes. Empty, and fails, if there are not so many.
  absl::string_view ReadBytes(uint64_t count) {
    if (count > bytes_left()) return Fail(), absl::string_view();
    next_ += count;
    return bytes_.substr(next_ - count, count);
  }
  // Whole bytes that were not looked at yet.
  uint64_t bytes_left() const { return bytes_.size() - next_; }
  bool ok() const { return ok_; }
  // INVALID_ARGUMENT unless everything was read and the bits that fill the last byte are zero.
  absl::Status Finish() const;

 private:
  uint64_t Fail() {
    ok_ = false;
    next_ = bytes_.size();
    pending_ = 0;
    used_ = 0;
    return 0;
  }

  const absl::string_view bytes_;
  size_t next_ = 0;
  uint64_t pending_ = 0;
  int used_ = 0;
  bool ok_ = true;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_BIT_STREAM_H_
