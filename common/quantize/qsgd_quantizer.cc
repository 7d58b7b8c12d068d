#include "common/quantize/qsgd_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/random_bits.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/quantize/update_header.h"

namespace thinwire {
namespace {

template <typename Value>
struct Bucket {
  absl::Span<Value> values;
  uint64_t first = 0;  // its flat position
  float norm = 0;
};

template <typename Value, typename View>
std::vector<Bucket<Value>> Cut(const View& update, uint64_t bucket) {
  std::vector<Bucket<Value>> buckets;
  uint64_t start = 0;
  for (const auto& tensor : update) {
    const uint64_t step = bucket == 0 ? std::max<uint64_t>(tensor.size(), 1) : bucket;
    for (uint64_t at = 0; at < tensor.size(); at += step) {
      buckets.push_back({tensor.subspan(at, std::min<uint64_t>(step, tensor.size() - at)), start + at, 0});
    }
    start += tensor.size();
  }
  return buckets;
}

// Rounded up, so that no value is above it.
float Norm(absl::Span<const float> values) {
  double sum = 0;
  for (const float x : values) sum += double{x} * x;
  const double norm = std::sqrt(sum);
  const float rounded = static_cast<float>(norm);
  return rounded < norm ? std::nextafter(rounded, std::numeric_limits<float>::infinity()) : rounded;
}

// Draws levels and says what they cost; the same draws for every number of levels.
class Levels {
 public:
  Levels(UpdateView update, const QuantizerSpec& spec, uint64_t seed, absl::string_view purpose)
      : buckets_(Cut<const float>(update, spec.bucket)), draws_((CountValues(update) + 3) / 4 * 4) {
    for (Bucket<const float>& bucket : buckets_) bucket.norm = Norm(bucket.values);
    FillRandomWords(DeriveKey({seed, KeyWord(purpose)}), 0, absl::MakeSpan(draws_));
  }

  // sink(bucket) before its values, value(index in it, level, negative) for each.
  template <typename Begin, typename Value>
  void Draw(uint64_t levels, Begin begin, Value value) const {
    for (const Bucket<const float>& bucket : buckets_) {
      begin(bucket);
      if (bucket.norm == 0) continue;
      const double scale = static_cast<double>(levels) / bucket.norm;
      for (size_t i = 0; i < bucket.values.size(); ++i) {
        const double exact = std::fabs(double{bucket.values[i]}) * scale;
        value(i, static_cast<uint64_t>(exact + draws_[bucket.first + i] * 0x1p-32), std::signbit(bucket.values[i]));
      }
    }
  }

 private:
  std::vector<Bucket<const float>> buckets_;
  std::vector<uint32_t> draws_;
};

struct CodeSize {
  uint64_t sparse = 0, dense = 0;
  uint64_t entries = 0;
  uint64_t least() const { return std::min(sparse, dense); }
};

CodeSize SizeOf(const Levels& levels, uint64_t count) {
  CodeSize size;
  uint64_t entries = 0;
  size_t next = 0;  // behind the last entry
  bool open = false;
  const auto close = [&] {
    if (open) size.sparse += static_cast<uint64_t>(OmegaBits(entries + 1));
    entries = 0;
    next = 0;
  };
  levels.Draw(
      count,
      [&](const auto& bucket) {
        close();
        open = bucket.norm != 0;
        size.sparse += 32;
        size.dense += 32;
      },
      [&](size_t i, uint64_t level, bool) {
        size.dense += static_cast<uint64_t>(OmegaBits(level + 1)) + (level > 0 ? 1 : 0);
        if (level == 0) return;
        size.sparse += static_cast<uint64_t>(OmegaBits(i - next + 1) + 1 + OmegaBits(level));
        next = i + 1;
        ++entries;
        ++size.entries;
      });
  close();
  return size;
}

struct Entry {
  uint64_t gap, level;
  bool negative;
};

void WriteSparse(const Levels& levels, uint64_t count, BitWriter& writer) {
  std::vector<Entry> entries;
  size_t next = 0;
  bool open = false;
  const auto close = [&] {
    if (open) writer.WriteOmega(entries.size() + 1);
    for (const Entry& entry : entries) {
      writer.WriteOmega(entry.gap);
      writer.Write(entry.negative ? 1 : 0, 1);
      writer.WriteOmega(entry.level);
    }
    entries.clear();
    next = 0;
  };
  levels.Draw(
      count,
      [&](const auto& bucket) {
        close();
        open = bucket.norm != 0;
        WriteFloat(bucket.norm, writer);
      },
      [&](size_t i, uint64_t level, bool negative) {
        if (level == 0) return;
        entries.push_back({i - next + 1, level, negative});
        next = i + 1;
      });
  close();
}

void WriteDense(const Levels& levels, uint64_t count, BitWriter& writer) {
  levels.Draw(
      count, [&](const auto& bucket) { WriteFloat(bucket.norm, writer); },
      [&](size_t, uint64_t level, bool negative) {
        writer.WriteOmega(level + 1);
        if (level > 0) writer.Write(negative ? 1 : 0, 1);
      });
}

absl::Status ReadLevel(uint64_t level, bool negative, double unit, uint64_t levels, float* value) {
  const double magnitude = static_cast<double>(level) * unit;
  if (level > levels || magnitude > std::numeric_limits<float>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("the update has level ", level, " of ", levels, " of a norm"));
  }
  *value = static_cast<float>(negative ? -magnitude : magnitude);
  return absl::OkStatus();
}

absl::Status ReadSparse(double unit, uint64_t levels, absl::Span<float> values, BitReader& reader) {
  std::fill(values.begin(), values.end(), 0.0f);
  const uint64_t entries = reader.ReadOmega();
  uint64_t next = 0;
  for (uint64_t i = 1; i < entries && reader.ok(); ++i) {
    const uint64_t gap = reader.ReadOmega();
    if (gap == 0 || gap > values.size() - next) {
      return absl::InvalidArgumentError("entries of the update pass the end of their bucket");
    }
    next += gap;
    const bool negative = reader.Read(1) != 0;
    TW_RETURN_IF_ERROR(ReadLevel(reader.ReadOmega(), negative, unit, levels, &values[next - 1]));
  }
  return absl::OkStatus();
}

absl::Status ReadDense(double unit, uint64_t levels, absl::Span<float> values, BitReader& reader) {
  for (float& value : values) {
    const uint64_t code = reader.ReadOmega();
    if (!reader.ok()) break;
    const bool negative = code > 1 && reader.Read(1) != 0;
    TW_RETURN_IF_ERROR(ReadLevel(code - 1, negative, unit, levels, &value));
  }
  return absl::OkStatus();
}

// The largest number of levels that fits by a trial with draws of its own, with four standard deviations of an entry's
// coming or not coming to spare. The draws that are sent must have no say in it: choosing levels by whether they were
// short would favour small values, and the mean would no longer be the value.
template <typename Total>
uint64_t ChooseLevels(const Levels& trial, uint64_t budget_bits, Total total) {
  uint64_t fits = 1;
  for (uint64_t too_many = kMaxQsgdLevels + 1; too_many - fits > 1;) {
    const uint64_t middle = fits * 64 < too_many ? fits * 8 : fits + (too_many - fits) / 2;
    const CodeSize size = SizeOf(trial, middle);
    const double entries = static_cast<double>(std::max<uint64_t>(size.entries, 1));
    const uint64_t spare = static_cast<uint64_t>(4 * static_cast<double>(size.least()) / std::sqrt(entries));
    (total(middle, size) + spare <= budget_bits ? fits : too_many) = middle;
  }
  return fits;
}

}  // namespace

uint64_t LeastQsgdBytes(const QuantizerSpec& spec, absl::Span<const uint64_t> sizes) {
  uint64_t buckets = 0;
  for (const uint64_t size : sizes) {
    buckets += spec.bucket == 0 ? (size > 0 ? 1 : 0) : (size + spec.bucket - 1) / spec.bucket;
  }
  return static_cast<uint64_t>(VarintBits(1) + VarintBits(spec.bucket)) / 8 + 1 + 4 * buckets;
}

absl::StatusOr<std::string> EncodeQsgd(const QuantizerSpec& spec, UpdateView update, const QuantizeOptions& options) {
  const Levels levels(update, spec, options.seed, "qsgd");
  std::string bytes = StartUpdate(QuantizerMethod::kQsgd, update);
  const auto total = [&](uint64_t count, const CodeSize& size) {
    const uint64_t head = 8 * bytes.size() + static_cast<uint64_t>(VarintBits(count) + VarintBits(spec.bucket)) + 8;
    return head + (size.least() + 7) / 8 * 8;
  };
  uint64_t fits = ChooseLevels(Levels(update, spec, options.seed, "qsgd trial"), options.budget_bits, total);
  CodeSize size = SizeOf(levels, fits);
  while (fits > 1 && total(fits, size) > options.budget_bits) {  // one draw in thousands
    fits -= fits / 8 + (fits < 8 ? 1 : 0);
    size = SizeOf(levels, fits);
  }
  const uint64_t least = total(fits, size);
  if (least > options.budget_bits) return BudgetTooSmall(spec.Name(), options.budget_bits, least);
  const bool dense = size.dense < size.sparse;
  BitWriter writer(&bytes);
  writer.WriteVarint(fits);
  writer.WriteVarint(spec.bucket);
  writer.Write(dense ? 1 : 0, 8);
  dense ? WriteDense(levels, fits, writer) : WriteSparse(levels, fits, writer);
  writer.Finish();
  return bytes;
}

absl::Status DecodeQsgd(BitReader& reader, MutableUpdateView out) {
  const uint64_t levels = reader.ReadVarint();
  const uint64_t bucket_size = reader.ReadVarint();
  const uint64_t dense = reader.Read(8);
  if (levels == 0 || levels > kMaxQsgdLevels || dense > 1) {
    return absl::InvalidArgumentError(absl::StrCat("the update has ", levels, " levels in form ", dense,
                                                   ", must be 1 to ", kMaxQsgdLevels, " in form 0 or 1"));
  }
  const uint64_t least = bucket_size == 0 ? 0 : CountValues(out) / bucket_size * 4;
  if (least > reader.bytes_left()) return absl::InvalidArgumentError("the update has not a norm for each bucket");
  for (const Bucket<float>& bucket : Cut<float>(out, bucket_size)) {
    TW_ASSIGN_OR_RETURN(const float norm, ReadScale(reader));
    const double unit = static_cast<double>(norm) / static_cast<double>(levels);
    if (norm == 0) {
      std::fill(bucket.values.begin(), bucket.values.end(), 0.0f);
    } else {
      TW_RETURN_IF_ERROR(dense != 0 ? ReadDense(unit, levels, bucket.values, reader)
                                    : ReadSparse(unit, levels, bucket.values, reader));
    }
    if (!reader.ok()) break;
  }
  return reader.Finish();
}

}  // namespace thinwire
