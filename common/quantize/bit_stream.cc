#include "common/quantize/bit_stream.h"

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

int BitWidth(uint64_t value) { return value == 0 ? 0 : 64 - __builtin_clzll(value); }

}  // namespace

void BitWriter::WriteUnary(uint64_t count) {
  for (; count >= 32; count -= 32) Write(0, 32);
  Write(uint64_t{1} << count, static_cast<int>(count) + 1);
}

void BitWriter::WriteVarint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) Write((value & 0x7f) | 0x80, 8);
  Write(value, 8);
}

// Groups are sent most significant bit first, so that a group's first bit is a one and the closing bit a zero.
void BitWriter::WriteOmega(uint64_t value) {
  uint64_t groups[8];
  int count = 0;
  for (uint64_t n = value; n > 1; n = static_cast<uint64_t>(BitWidth(n) - 1)) groups[count++] = n;
  while (count > 0) {
    const uint64_t group = groups[--count];
    for (int bit = BitWidth(group) - 1; bit >= 0; --bit) Write(group >> bit & 1, 1);
  }
  Write(0, 1);
}

int VarintBits(uint64_t value) {
  int bits = 8;
  while (value >>= 7) bits += 8;
  return bits;
}

int OmegaBits(uint64_t value) {
  int bits = 1;
  for (uint64_t n = value; n > 1; n = static_cast<uint64_t>(BitWidth(n) - 1)) bits += BitWidth(n);
  return bits;
}

uint64_t BitReader::ReadUnary(uint64_t limit) {
  uint64_t count = 0;
  while (ok_ && Read(1) == 0) {
    if (++count > limit) return Fail();
  }
  return ok_ ? count : 0;
}

uint64_t BitReader::ReadVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint64_t group = Read(8);
    const uint64_t digits = group & 0x7f;
    if (shift == 63 && digits > 1) return Fail();
    value |= digits << shift;
    if (group < 0x80) return digits == 0 && shift > 0 ? Fail() : value;
  }
  return Fail();
}

uint64_t BitReader::ReadOmega() {
  uint64_t value = 1;
  while (ok_ && Read(1) != 0) {
    if (value >= 64) return Fail();
    uint64_t group = 1;
    for (uint64_t i = 0; i < value; ++i) group = group << 1 | Read(1);
    value = group;
  }
  return ok_ ? value : 0;
}

absl::Status BitReader::Finish() const {
  if (!ok_) return absl::InvalidArgumentError("the update ends within a number, or a number in it is out of range");
  if (next_ != bytes_.size() || used_ >= 8) {
    return absl::InvalidArgumentError(
        absl::StrCat("the update has ", bytes_.size() - next_ + static_cast<size_t>(used_ / 8), " bytes too many"));
  }
  if (pending_ != 0) return absl::InvalidArgumentError("the bits that fill the update's last byte are not 0");
  return absl::OkStatus();
}

}  // namespace thinwire
