#include "common/rdu/sparse_stream.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint32_t kCostUnit = 1u << 12;
constexpr size_t kStates = 4;

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 128; value >>= 7) ++size;
  return size;
}

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 128; value >>= 7) out->push_back(static_cast<char>(value | 128));
  out->push_back(static_cast<char>(value));
}

absl::StatusOr<uint64_t> ReadVarint(absl::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 63 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  return absl::InvalidArgumentError("a number in a sparse update does not end");
}

uint64_t MagnitudeLessOne(int32_t coefficient) {
  return static_cast<uint64_t>(coefficient < 0 ? -static_cast<int64_t>(coefficient) : coefficient) - 1;
}

void AppendTable(const std::vector<uint32_t>& frequencies, std::string* out) {
  AppendVarint(frequencies.size(), out);
  for (const uint32_t frequency : frequencies) AppendVarint(frequency, out);
}

size_t TableSize(const std::vector<uint32_t>& frequencies) {
  size_t size = VarintSize(frequencies.size());
  for (const uint32_t frequency : frequencies) size += VarintSize(frequency);
  return size;
}

absl::StatusOr<RansTable> ReadTable(absl::string_view* bytes) {
  TW_ASSIGN_OR_RETURN(const uint64_t size, ReadVarint(bytes));
  if (size == 0 || size > kBuckets) {
    return absl::InvalidArgumentError(absl::StrCat("a table of ", size, " symbols; there are 1 to ", kBuckets));
  }
  std::vector<uint32_t> frequencies;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < size; ++i) {
    TW_ASSIGN_OR_RETURN(const uint64_t frequency, ReadVarint(bytes));
    sum += std::min<uint64_t>(frequency, kRansTotal + 1);
    frequencies.push_back(static_cast<uint32_t>(std::min<uint64_t>(frequency, kRansTotal)));
  }
  if (sum == kRansTotal) return RansTable(frequencies);
  return absl::InvalidArgumentError(absl::StrCat("frequencies that add up to ", sum, ", not ", kRansTotal));
}

// Without the zeros at its end.
std::vector<uint32_t> Trimmed(const std::array<uint64_t, kBuckets>& counts) {
  std::vector<uint32_t> frequencies = RansFrequencies(counts);
  while (frequencies.size() > 1 && frequencies.back() == 0) frequencies.pop_back();
  return frequencies;
}

std::vector<uint32_t> Starts(const std::vector<uint32_t>& frequencies) {
  std::vector<uint32_t> starts;
  uint32_t start = 0;
  for (const uint32_t frequency : frequencies) {
    starts.push_back(start);
    start += frequency;
  }
  return starts;
}

// Bits from the lowest of each byte up.
class BitWriter {
 public:
  explicit BitWriter(std::string* out) : out_(out) {}
  void Write(uint64_t value, uint32_t bits) {  // bits <= 40
    pending_ |= value << count_;
    for (count_ += bits; count_ >= 8; count_ -= 8, pending_ >>= 8) out_->push_back(static_cast<char>(pending_));
  }
  void Flush() {
    if (count_ > 0) out_->push_back(static_cast<char>(pending_));
  }

 private:
  std::string* const out_;
  uint64_t pending_ = 0;
  uint32_t count_ = 0;
};

}  // namespace

SparseTables::SparseTables(absl::Span<const SparseEntry> entries) {
  std::array<uint64_t, kBuckets> gap_counts{}, value_counts{};
  for (const SparseEntry& entry : entries) {
    const Bucket gap = BucketOf(entry.gap), value = BucketOf(MagnitudeLessOne(entry.coefficient));
    ++gap_counts[gap.symbol];
    ++value_counts[value.symbol];
    cost += uint64_t{gap.raw_bits + value.raw_bits + 1} * kCostUnit;
  }
  gaps = Trimmed(gap_counts);
  values = Trimmed(value_counts);
  for (size_t i = 0; i < gaps.size(); ++i) cost += gaps[i] == 0 ? 0 : gap_counts[i] * RansCost(gaps[i]);
  for (size_t i = 0; i < values.size(); ++i) cost += values[i] == 0 ? 0 : value_counts[i] * RansCost(values[i]);
}

uint64_t SparseTables::CostOf(const SparseEntry& entry) const {
  const Bucket gap = BucketOf(entry.gap), value = BucketOf(MagnitudeLessOne(entry.coefficient));
  return uint64_t{gap.raw_bits + value.raw_bits + 1} * kCostUnit + RansCost(gaps[gap.symbol]) +
         RansCost(values[value.symbol]);
}

// The counts of entries and words as large as they can be, all states, and a byte of raw bits that is not full.
size_t SparseTables::FixedSize() const { return 5 + TableSize(gaps) + TableSize(values) + 5 + 4 * kStates + 1; }

void AppendSparseStream(const SparseTables& tables, absl::Span<const SparseEntry> entries, std::string* out) {
  AppendVarint(entries.size(), out);
  AppendTable(tables.gaps, out);
  AppendTable(tables.values, out);
  const std::vector<uint32_t> gap_starts = Starts(tables.gaps), value_starts = Starts(tables.values);
  std::vector<uint16_t> words;
  RansEncoder coder(&words);
  uint32_t states[kStates] = {kRansLow, kRansLow, kRansLow, kRansLow};
  for (size_t i = entries.size(); i-- > 0;) {
    uint32_t* pair = states + 2 * (i % 2);
    const uint32_t gap = BucketOf(entries[i].gap).symbol;
    const uint32_t value = BucketOf(MagnitudeLessOne(entries[i].coefficient)).symbol;
    coder.Encode(value_starts[value], tables.values[value], &pair[1]);
    coder.Encode(gap_starts[gap], tables.gaps[gap], &pair[0]);
  }
  AppendVarint(words.size(), out);
  for (const uint32_t state : states) AppendLittle(state, out);
  for (size_t i = words.size(); i-- > 0;) AppendLittle(words[i], out);
  BitWriter raw(out);
  for (const SparseEntry& entry : entries) {
    const Bucket gap = BucketOf(entry.gap), value = BucketOf(MagnitudeLessOne(entry.coefficient));
    raw.Write(gap.raw, gap.raw_bits);
    raw.Write(value.raw << 1 | (entry.coefficient < 0 ? 1 : 0), value.raw_bits + 1);
  }
  raw.Flush();
}

absl::StatusOr<SparseReader> SparseReader::Create(absl::string_view stream) {
  TW_ASSIGN_OR_RETURN(const uint64_t entries, ReadVarint(&stream));
  TW_ASSIGN_OR_RETURN(const RansTable gaps, ReadTable(&stream));
  TW_ASSIGN_OR_RETURN(const RansTable values, ReadTable(&stream));
  TW_ASSIGN_OR_RETURN(const uint64_t words, ReadVarint(&stream));
  if (stream.size() < 4 * kStates || words > (stream.size() - 4 * kStates) / 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("a sparse update of ", words, " words, of which ", stream.size(), " bytes are there"));
  }
  SparseReader reader(gaps, values);
  reader.left_ = entries;
  for (uint32_t& state : reader.states_) {
    state = LoadLittle<uint32_t>(stream.data());
    stream.remove_prefix(4);
  }
  reader.words_ = stream.substr(0, static_cast<size_t>(2 * words));
  reader.raw_ = stream.substr(static_cast<size_t>(2 * words));
  // Each entry has a sign, so this also bounds the time that the entries take.
  if (entries > 8 * reader.raw_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a sparse update of ", entries, " entries with ", reader.raw_.size(), " bytes of signs"));
  }
  return reader;
}

uint64_t SparseReader::RawBits(uint32_t count) {
  if (raw_bit_ + count > 8 * static_cast<uint64_t>(raw_.size())) {
    missing_ = true;
    return 0;
  }
  uint64_t value = 0;
  for (uint32_t have = 0; have < count;) {
    const auto byte = static_cast<uint8_t>(raw_[static_cast<size_t>(raw_bit_ / 8)]);
    const auto at = static_cast<uint32_t>(raw_bit_ % 8), bits = std::min(8 - at, count - have);
    value |= static_cast<uint64_t>(byte >> at & ((1u << bits) - 1)) << have;
    have += bits;
    raw_bit_ += bits;
  }
  return value;
}

uint64_t SparseReader::NextNumber(const RansTable& table, uint32_t* state) {
  const RansTable::Slot& slot = table.at(*state);
  *state = RansTable::Rest(slot, *state);
  if (*state < kRansLow && !words_.empty()) {
    *state = *state << 16 | LoadLittle<uint16_t>(words_.data());
    words_.remove_prefix(2);
  }
  return slot.symbol;
}

SparseEntry SparseReader::Next() {
  uint32_t* pair = states_ + 2 * parity_;
  parity_ ^= 1;
  --left_;
  const auto number = [this](uint64_t symbol) {
    if (symbol < 16) return symbol;
    const auto raw_bits = static_cast<uint32_t>((symbol - 16) / 8 + 1);
    return (8 + (symbol - 16) % 8) << raw_bits | RawBits(raw_bits);
  };
  const uint64_t gap_symbol = NextNumber(gaps_, &pair[0]), value_symbol = NextNumber(values_, &pair[1]);
  const uint64_t gap = number(gap_symbol);
  // The sign stands below the raw bits of the magnitude.
  uint64_t less_one = value_symbol;
  uint64_t sign;
  if (value_symbol < 16) {
    sign = RawBits(1);
  } else {
    const auto raw_bits = static_cast<uint32_t>((value_symbol - 16) / 8 + 1);
    const uint64_t raw = RawBits(raw_bits + 1);
    sign = raw & 1;
    less_one = (8 + (value_symbol - 16) % 8) << raw_bits | raw >> 1;
  }
  const auto magnitude = static_cast<int32_t>(std::min<uint64_t>(less_one, 0x7ffffffe) + 1);
  return {gap, sign != 0 ? -magnitude : magnitude};
}

absl::Status SparseReader::Finish() const {
  if (left_ > 0) return absl::InvalidArgumentError(absl::StrCat("a sparse update has ", left_, " entries too many"));
  const bool even = std::all_of(std::begin(states_), std::end(states_), [](uint32_t s) { return s == kRansLow; });
  if (!missing_ && even && words_.empty() && (raw_bit_ + 7) / 8 == raw_.size()) return absl::OkStatus();
  return absl::InvalidArgumentError("a sparse update does not come out even: its bytes are damaged");
}

}  // namespace thinwire
