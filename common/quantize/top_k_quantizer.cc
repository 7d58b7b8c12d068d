#include "common/quantize/top_k_quantizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/quantize/entry_positions.h"
#include "common/quantize/lloyd_levels.h"
#include "common/quantize/table_fit.h"
#include "common/quantize/top_k.h"
#include "common/quantize/update_header.h"

namespace thinwire {
namespace {

constexpr int kMaxSearchSteps = 10;

template <typename View>
std::vector<uint64_t> Sizes(const View& update) {
  std::vector<uint64_t> sizes;
  for (const auto& tensor : update) sizes.push_back(tensor.size());
  return sizes;
}

// Which entries share a table: ranges of the ascending positions.
struct TableUse {
  std::vector<std::pair<size_t, size_t>> own;     // begin and end, a table for each
  std::vector<std::pair<size_t, size_t>> shared;  // one table for all
};

TableUse AssignTables(const ValueFormat& format, absl::Span<const uint64_t> positions,
                      absl::Span<const uint64_t> sizes) {
  TableUse use;
  uint64_t end = 0;
  size_t from = 0;
  for (const uint64_t size : sizes) {
    end += size;
    const size_t to = static_cast<size_t>(
        std::lower_bound(positions.begin() + static_cast<ptrdiff_t>(from), positions.end(), end) - positions.begin());
    if (to > from) (OwnTable(format, to - from) ? use.own : use.shared).emplace_back(from, to);
    from = to;
  }
  return use;
}

uint64_t TablesIn(const TableUse& use) { return use.own.size() + (use.shared.empty() ? 0 : 1); }

// Values, or places for them, at ascending flat positions.
template <typename View, typename Use>
void ForEachEntry(const View& update, absl::Span<const uint64_t> positions, Use use) {
  uint64_t start = 0;
  size_t tensor = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    while (positions[i] - start >= update[tensor].size()) start += update[tensor++].size();
    use(i, update[tensor][positions[i] - start]);
  }
}

// How many entries fit a budget, from the exact size of a few numbers of them.
class EntryCount {
 public:
  EntryCount(const QuantizerSpec& spec, UpdateView update, uint64_t header_bits, const QuantizeOptions& options)
      : format_(spec.values),
        sizes_(Sizes(update)),
        header_bits_(header_bits),
        budget_(options.budget_bits),
        candidates_(update, std::min(options.max_kept, budget_ / static_cast<uint64_t>(format_.width()))) {}

  // The ascending positions of as many of the largest entries as a search of kMaxSearchSteps sizes finds room for.
  std::vector<uint64_t> Find() const {
    uint64_t fits = 0;
    uint64_t too_many = candidates_.size() + 1;
    uint64_t next = FirstGuess();
    std::vector<uint64_t> best;
    for (int step = 0; step < kMaxSearchSteps && too_many - fits > 1; ++step) {
      std::vector<uint64_t> positions = candidates_.Positions(next);
      const uint64_t bits = Bits(positions);
      if (bits <= budget_) {
        fits = next;
        best = std::move(positions);
        if (budget_ - bits <= std::max<uint64_t>(budget_ / 1000, 64)) break;
      } else {
        too_many = next;
      }
      if (too_many - fits > 1) next = Next(next, bits, fits, too_many, step);
    }
    return best;
  }

 private:
  // All candidates if a bit for each value's position leaves room for them, else as many as there is room for at
  // log2(e n / K) bits a position, about what K of n cost.
  uint64_t FirstGuess() const {
    const double values = static_cast<double>(std::accumulate(sizes_.begin(), sizes_.end(), uint64_t{0}));
    const double room = static_cast<double>(budget_) - static_cast<double>(header_bits_);
    const double all = static_cast<double>(candidates_.size());
    if (room > values + all * format_.width() || all <= 1) return candidates_.size();
    double kept = all;
    for (int i = 0; i < 20; ++i) kept = room / (format_.width() + std::log2(2.718 * values / std::max(kept, 1.0)));
    return std::clamp(static_cast<uint64_t>(std::max(kept, 1.0)), uint64_t{1}, candidates_.size());
  }

  uint64_t Bits(absl::Span<const uint64_t> positions) const {
    const uint64_t labels = positions.size() * static_cast<uint64_t>(format_.width());
    const uint64_t tables =
        TablesIn(AssignTables(format_, positions, sizes_)) * static_cast<uint64_t>(format_.table_bits());
    const uint64_t whole_bytes = header_bits_ + 8 * PositionBytes(positions, sizes_);
    return whole_bytes + (labels + tables + 7) / 8 * 8;
  }

  // In proportion to what an entry took, a little below; every third step halves the interval, so that it shrinks.
  uint64_t Next(uint64_t tried, uint64_t bits, uint64_t fits, uint64_t too_many, int step) const {
    const uint64_t middle = fits + (too_many - fits) / 2;
    if (step % 3 == 2 || bits <= header_bits_ || budget_ <= header_bits_) return middle;
    const double share = static_cast<double>(budget_ - header_bits_) / static_cast<double>(bits - header_bits_);
    const double guess = static_cast<double>(tried) * share * 0.9997;
    return std::clamp(static_cast<uint64_t>(std::min(guess, 1e18)), fits + 1, too_many - 1);
  }

  const ValueFormat format_;
  const std::vector<uint64_t> sizes_;
  const uint64_t header_bits_, budget_;
  const TopK candidates_;
};

void WriteEntries(const QuantizerSpec& spec, absl::Span<const float> values, const TableUse& use, BitWriter& writer) {
  std::vector<LevelTable> tables;
  std::vector<uint32_t> table_of(values.size());
  for (const auto& [from, to] : use.own) {
    std::fill(table_of.begin() + static_cast<ptrdiff_t>(from), table_of.begin() + static_cast<ptrdiff_t>(to),
              static_cast<uint32_t>(tables.size()));
    tables.push_back(FitTable(spec, values.subspan(from, to - from)));
  }
  std::vector<float> shared;
  for (const auto& [from, to] : use.shared) {
    std::fill(table_of.begin() + static_cast<ptrdiff_t>(from), table_of.begin() + static_cast<ptrdiff_t>(to),
              static_cast<uint32_t>(tables.size()));
    shared.insert(shared.end(), values.begin() + static_cast<ptrdiff_t>(from),
                  values.begin() + static_cast<ptrdiff_t>(to));
  }
  if (!shared.empty()) tables.push_back(FitTable(spec, shared));
  for (const LevelTable& table : tables) table.Write(spec.values, writer);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t level = tables[table_of[i]].Nearest(std::fabs(values[i]));
    writer.Write(level << 1 | (values[i] < 0 ? 1 : 0), spec.values.width());
  }
  writer.Finish();
}

absl::StatusOr<std::vector<LevelTable>> ReadTables(const ValueFormat& format, uint64_t count, BitReader& reader) {
  std::vector<LevelTable> tables;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    TW_ASSIGN_OR_RETURN(LevelTable table, LevelTable::Read(format, reader));
    tables.push_back(std::move(table));
  }
  if (tables.size() == count && reader.ok()) return tables;
  return absl::InvalidArgumentError("the update ends within its tables of levels");
}

// Labels in order, each through the table of its range.
absl::Status ReadLabels(const ValueFormat& format, const LevelTable& table, absl::Span<float> values,
                        BitReader& reader) {
  for (float& value : values) {
    const uint64_t label = reader.Read(format.width());
    if (label >> 1 >= table.levels().size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the update has label ", label, " for a table of ", table.levels().size(), " magnitudes"));
    }
    const float magnitude = table.levels()[label >> 1];
    value = (label & 1) != 0 ? -magnitude : magnitude;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> ReadEntries(const ValueFormat& format, size_t count, const TableUse& use,
                                               BitReader& reader) {
  TW_ASSIGN_OR_RETURN(const std::vector<LevelTable> tables, ReadTables(format, TablesIn(use), reader));
  std::vector<float> values(count);
  size_t own = 0;
  size_t shared = 0;
  for (size_t at = 0; at < count;) {
    const bool is_own = own < use.own.size() && use.own[own].first == at;
    const size_t to = is_own ? use.own[own].second : use.shared[shared].second;
    const LevelTable& table = is_own ? tables[own] : tables.back();
    TW_RETURN_IF_ERROR(ReadLabels(format, table, absl::MakeSpan(values).subspan(at, to - at), reader));
    (is_own ? own : shared) += 1;
    at = to;
  }
  return values;
}

absl::StatusOr<ValueFormat> ReadValueFormat(uint64_t coding, BitReader& reader) {
  ValueFormat format;
  format.coding = static_cast<ValueCoding>(coding);
  const int a = static_cast<int>(reader.Read(8));
  const int b = static_cast<int>(reader.Read(8));
  if (format.coding == ValueCoding::kFloat) {
    format.format = {a, b};
  } else {
    format.bits = a;
    if (b != 0) return absl::InvalidArgumentError(absl::StrCat("reserved byte of the update is ", b, ", must be 0"));
  }
  TW_RETURN_IF_ERROR(format.Validate());
  return format;
}

}  // namespace

absl::StatusOr<std::string> EncodeTopK(const QuantizerSpec& spec, UpdateView update, const QuantizeOptions& options) {
  std::string bytes = StartUpdate(QuantizerMethod::kTopK, update);
  const uint64_t header_bits = 8 * (bytes.size() + kTopKParameterBytes);
  if (options.budget_bits < header_bits) return BudgetTooSmall(spec.Name(), options.budget_bits, header_bits);
  const std::vector<uint64_t> positions = EntryCount(spec, update, header_bits, options).Find();
  const std::vector<uint64_t> sizes = Sizes(update);
  const CodedPositions coded = CodePositions(positions, sizes);

  BitWriter writer(&bytes);
  const bool is_float = spec.values.coding == ValueCoding::kFloat;
  writer.Write(static_cast<uint64_t>(spec.values.coding) | static_cast<uint64_t>(coded.layout) << 4, 8);
  writer.Write(static_cast<uint64_t>(is_float ? spec.values.format.exponent_bits : spec.values.bits), 8);
  writer.Write(static_cast<uint64_t>(is_float ? spec.values.format.mantissa_bits : 0), 8);
  if (positions.empty()) return bytes;
  writer.WriteBytes(coded.bytes);
  std::vector<float> values(positions.size());
  ForEachEntry(update, positions, [&values](size_t i, float x) { values[i] = x; });
  WriteEntries(spec, values, AssignTables(spec.values, positions, sizes), writer);
  return bytes;
}

absl::Status DecodeTopK(BitReader& reader, MutableUpdateView out) {
  const uint64_t what = reader.Read(8);
  TW_ASSIGN_OR_RETURN(const ValueFormat format, ReadValueFormat(what & 15, reader));
  if (what >> 4 > static_cast<uint64_t>(PositionLayout::kPerTensor)) {
    return absl::InvalidArgumentError(absl::StrCat("position layout ", what >> 4, " of the update is not 0 to 2"));
  }
  for (const auto& tensor : out) std::fill(tensor.begin(), tensor.end(), 0.0f);
  const std::vector<uint64_t> sizes = Sizes(out);
  TW_ASSIGN_OR_RETURN(const std::vector<uint64_t> positions,
                      ReadEntryPositions(static_cast<PositionLayout>(what >> 4), sizes, format.width(), reader));
  if (positions.empty()) return reader.Finish();
  const TableUse use = AssignTables(format, positions, sizes);
  TW_ASSIGN_OR_RETURN(const std::vector<float> values, ReadEntries(format, positions.size(), use, reader));
  TW_RETURN_IF_ERROR(reader.Finish());
  ForEachEntry(out, positions, [&values](size_t i, float& x) { x = values[i]; });
  return absl::OkStatus();
}

}  // namespace thinwire
