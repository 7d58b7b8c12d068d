#include "common/codec/position_code.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

class BitWriter {
 public:
  void Write(bool bit) {
    if (used_ % 8 == 0) bytes_.push_back('\0');
    if (bit) bytes_.back() = static_cast<char>(bytes_.back() | (1 << used_ % 8));
    ++used_;
  }
  void WriteLowest(uint64_t value, int bits) {
    for (int i = 0; i < bits; ++i) Write((value >> i & 1) != 0);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  uint64_t used_ = 0;
};

// Bits beyond the end are 0, and `ended` says so afterwards.
class BitReader {
 public:
  explicit BitReader(absl::string_view bytes) : bytes_(bytes), size_(uint64_t{8} * bytes.size()) {}
  bool Read() {
    const uint64_t at = at_++;
    return at < size_ && (static_cast<uint8_t>(bytes_[at / 8]) >> at % 8 & 1) != 0;
  }
  uint64_t ReadLowest(int bits) {
    uint64_t value = 0;
    for (int i = 0; i < bits; ++i) value |= uint64_t{Read()} << i;
    return value;
  }
  bool ended() const { return at_ > size_; }
  bool more() const { return at_ < size_; }
  // Everything was read but for zeros that fill the last byte.
  bool IsAtEnd() {
    if (ended() || size_ - at_ >= 8) return false;
    while (more()) {
      if (Read()) return false;
    }
    return true;
  }

 private:
  const absl::string_view bytes_;
  const uint64_t size_;
  uint64_t at_ = 0;
};

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("positions of a sparse frame ", what));
}

uint64_t RiceBits(absl::Span<const uint64_t> positions, int parameter) {
  uint64_t bits = (positions.size() - 1) * static_cast<uint64_t>(parameter + 1);
  for (size_t i = 1; i < positions.size(); ++i) bits += (positions[i] - positions[i - 1] - 1) >> parameter;
  return bits;
}

absl::Status ReadRice(BitReader* reader, int parameter, uint64_t dimension, absl::Span<uint64_t> out) {
  for (size_t i = 1; i < out.size(); ++i) {
    const uint64_t most = dimension - 1 - out[i - 1];  // the next position is at most so much further
    uint64_t quotient = 0;
    while (reader->Read()) {
      if (++quotient > most >> parameter) return Bad("pass the end of the vector");
    }
    const uint64_t gap = (quotient << parameter) + reader->ReadLowest(parameter) + 1;
    if (gap > most) return Bad("pass the end of the vector");
    out[i] = out[i - 1] + gap;
    if (reader->ended()) return Bad("are fewer than it has values");
  }
  return absl::OkStatus();
}

}  // namespace

PositionCode ChoosePositionCode(absl::Span<const uint64_t> positions) {
  PositionCode best;
  if (positions.size() < 2) return best;
  best.bits = RiceBits(positions, 0);
  for (int parameter = 1; parameter <= PositionCode::kMaxParameter; ++parameter) {
    const uint64_t bits = RiceBits(positions, parameter);
    if (bits < best.bits) best = {parameter, bits};
  }
  return best;
}

std::string WritePositions(absl::Span<const uint64_t> positions, int parameter) {
  BitWriter writer;
  for (size_t i = 1; i < positions.size(); ++i) {
    const uint64_t gap = positions[i] - positions[i - 1] - 1;
    for (uint64_t ones = gap >> parameter; ones > 0; --ones) writer.Write(true);
    writer.Write(false);
    writer.WriteLowest(gap, parameter);
  }
  return writer.Take();
}

absl::Status ReadPositions(absl::string_view bits, int parameter, uint64_t dimension, absl::Span<uint64_t> out) {
  if (out[0] >= dimension) return Bad("pass the end of the vector");
  BitReader reader(bits);
  TW_RETURN_IF_ERROR(ReadRice(&reader, parameter, dimension, out));
  return reader.IsAtEnd() ? absl::OkStatus() : Bad("leave bits over");
}

uint64_t MaxPositionBits(uint64_t count, uint64_t dimension) {
  if (count < 2) return 0;
  // With this parameter the quotients add up to at most dimension >> parameter, whatever the gaps are.
  int parameter = 0;
  while (parameter < PositionCode::kMaxParameter && dimension >> (parameter + 1) >= count) ++parameter;
  return (count - 1) * static_cast<uint64_t>(parameter + 1) + (dimension >> parameter);
}

}  // namespace thinwire
