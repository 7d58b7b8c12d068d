#include "common/quantize/entry_positions.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/position_code.h"

namespace thinwire {
namespace {

constexpr uint8_t kNoGapCode = 0xff;

bool HasNoGap(absl::Span<const uint64_t> list) { return list.back() - list[0] == list.size() - 1; }

uint64_t RiceBits(absl::Span<const uint64_t> list, int parameter) {
  uint64_t bits = (list.size() - 1) * static_cast<uint64_t>(parameter + 1);
  for (size_t i = 1; i < list.size(); ++i) bits += (list[i] - list[i - 1] - 1) >> parameter;
  return bits;
}

// The parameter of fewest bits, without the forty passes of ChoosePositionCode. For gaps without memory it is within
// one of log2 of the mean gap; from there it goes on as long as that pays, since bits are convex in the parameter but
// for ripples.
int ChooseParameter(absl::Span<const uint64_t> list, uint64_t* bits) {
  const uint64_t mean = (list.back() - list[0]) / (list.size() - 1);
  int best = 0;
  while (best < PositionCode::kMaxParameter && mean >> (best + 1) > 0) ++best;
  *bits = RiceBits(list, best);
  while (best > 0) {
    const uint64_t fewer = RiceBits(list, best - 1);
    if (fewer > *bits) break;
    *bits = fewer;
    --best;
  }
  return best;
}

uint64_t ListBytes(absl::Span<const uint64_t> list, uint64_t start) {
  uint64_t bits = static_cast<uint64_t>(VarintBits(list.size()));
  if (list.empty()) return bits / 8;
  bits += static_cast<uint64_t>(VarintBits(list[0] - start));
  if (list.size() == 1) return bits / 8;
  if (HasNoGap(list)) return bits / 8 + 1;
  uint64_t gaps = 0;
  ChooseParameter(list, &gaps);
  const uint64_t bytes = (gaps + 7) / 8;
  return bits / 8 + 1 + static_cast<uint64_t>(VarintBits(bytes)) / 8 + bytes;
}

void AppendList(absl::Span<const uint64_t> list, uint64_t start, std::string* bytes) {
  BitWriter writer(bytes);
  writer.WriteVarint(list.size());
  if (list.empty()) return;
  writer.WriteVarint(list[0] - start);
  if (list.size() == 1) return;
  if (HasNoGap(list)) {
    writer.Write(kNoGapCode, 8);
    return;
  }
  uint64_t bits = 0;
  const int parameter = ChooseParameter(list, &bits);
  writer.Write(static_cast<uint64_t>(parameter), 8);
  writer.WriteVarint((bits + 7) / 8);
  writer.WriteBytes(WritePositions(list, parameter));
}

// use(positions of a tensor, the flat position of its first value).
template <typename Use>
void ForEachTensor(absl::Span<const uint64_t> positions, absl::Span<const uint64_t> sizes, Use use) {
  uint64_t start = 0;
  auto from = positions.begin();
  for (const uint64_t size : sizes) {
    const auto to = std::lower_bound(from, positions.end(), start + size);
    use(positions.subspan(static_cast<size_t>(from - positions.begin()), static_cast<size_t>(to - from)), start);
    from = to;
    start += size;
  }
}

uint64_t ListBytesOfEach(absl::Span<const uint64_t> positions, absl::Span<const uint64_t> sizes) {
  uint64_t bytes = 0;
  ForEachTensor(positions, sizes,
                [&bytes](absl::Span<const uint64_t> list, uint64_t start) { bytes += ListBytes(list, start); });
  return bytes;
}

absl::Status PassesTheEnd() {
  return absl::InvalidArgumentError("positions of the update pass the end of their tensor");
}

absl::Status ReadGaps(uint64_t dimension, absl::Span<uint64_t> list, BitReader& reader) {
  const uint64_t code = reader.Read(8);
  if (code == kNoGapCode) {
    std::iota(list.begin(), list.end(), list[0]);
    return list.back() < dimension ? absl::OkStatus() : PassesTheEnd();
  }
  if (code > PositionCode::kMaxParameter) {
    return absl::InvalidArgumentError(absl::StrCat("positions of the update are in code ", code,
                                                   ", which is none of 0 to ", PositionCode::kMaxParameter,
                                                   " and 255"));
  }
  const absl::string_view bits = reader.ReadBytes(reader.ReadVarint());
  return ReadPositions(bits, static_cast<int>(code), dimension, list);
}

// One list, appended to `out` and counted from `start`.
absl::Status ReadList(uint64_t start, uint64_t dimension, int bits_per_entry, BitReader& reader,
                      std::vector<uint64_t>* out) {
  const uint64_t count = reader.ReadVarint();
  if (count == 0) return absl::OkStatus();
  const uint64_t room = reader.bytes_left() * 8 / static_cast<uint64_t>(bits_per_entry);
  if (count > dimension || out->size() + count > room) {
    return absl::InvalidArgumentError(absl::StrCat("the update declares ", count, " entries of ", dimension,
                                                   " values behind ", out->size(), ", but has room for ", room));
  }
  const size_t at = out->size();
  out->resize(at + count);
  absl::Span<uint64_t> list = absl::MakeSpan(*out).subspan(at);
  list[0] = reader.ReadVarint();
  if (list[0] >= dimension) {
    return absl::InvalidArgumentError(
        absl::StrCat("the update has an entry at ", list[0], " of a tensor of ", dimension, " values"));
  }
  if (count > 1) TW_RETURN_IF_ERROR(ReadGaps(dimension, list, reader));
  for (uint64_t& position : list) position += start;
  return absl::OkStatus();
}

}  // namespace

uint64_t PositionBytes(absl::Span<const uint64_t> positions, absl::Span<const uint64_t> sizes) {
  if (positions.empty()) return 0;
  return std::min(ListBytesOfEach(positions, sizes), ListBytes(positions, 0));
}

CodedPositions CodePositions(absl::Span<const uint64_t> positions, absl::Span<const uint64_t> sizes) {
  CodedPositions coded;
  if (positions.empty()) return coded;
  if (ListBytes(positions, 0) <= ListBytesOfEach(positions, sizes)) {
    coded.layout = PositionLayout::kWhole;
    AppendList(positions, 0, &coded.bytes);
    return coded;
  }
  coded.layout = PositionLayout::kPerTensor;
  ForEachTensor(positions, sizes,
                [&coded](absl::Span<const uint64_t> list, uint64_t start) { AppendList(list, start, &coded.bytes); });
  return coded;
}

absl::StatusOr<std::vector<uint64_t>> ReadEntryPositions(PositionLayout layout, absl::Span<const uint64_t> sizes,
                                                         int bits_per_entry, BitReader& reader) {
  std::vector<uint64_t> positions;
  if (layout == PositionLayout::kNone) return positions;
  if (layout == PositionLayout::kWhole) {
    const uint64_t values = std::accumulate(sizes.begin(), sizes.end(), uint64_t{0});
    TW_RETURN_IF_ERROR(ReadList(0, values, bits_per_entry, reader, &positions));
  } else {
    uint64_t start = 0;
    for (const uint64_t size : sizes) {
      TW_RETURN_IF_ERROR(ReadList(start, size, bits_per_entry, reader, &positions));
      start += size;
    }
  }
  if (!positions.empty()) return positions;
  return absl::InvalidArgumentError("the update announces entries and has none");
}

}  // namespace thinwire
