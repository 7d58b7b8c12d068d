#include "tests/unit/rdu/page_decoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "common/base/portable_math.h"

namespace thinwire {
namespace {

// Section 2.2.
struct Tables {
  std::vector<int> squash, stretch;

  Tables() : squash(2 * 2815 + 1), stretch(65536) {
    uint64_t power = uint64_t{1} << 62;
    for (int i = 0; i <= 2815; ++i) {
      const uint64_t p = ((uint64_t{1} << 62) / (((uint64_t{1} << 62) + power) >> 17) + 1) >> 1;
      squash[2815 + i] = static_cast<int>(std::min<uint64_t>(p, 65535));
      squash[2815 - i] = 65536 - squash[2815 + i];
      constexpr uint64_t kDecay = 4593706758521714574u, kLow = (uint64_t{1} << 31) - 1;
      const uint64_t middle = (power >> 31) * (kDecay & kLow) + (power & kLow) * (kDecay >> 31);
      power = (power >> 31) * (kDecay >> 31) + (middle >> 31);
    }
    for (int p = 1; p <= 61440; ++p) {
      const int at = p < 4096 ? p : p / 16 * 16 + 8;
      int x = static_cast<int>(std::lower_bound(squash.begin(), squash.end(), at) - squash.begin()) - 2815;
      stretch[static_cast<size_t>(p)] = std::min(x, 2815);
    }
    for (int p = 61441; p < 65536; ++p) stretch[static_cast<size_t>(p)] = -stretch[static_cast<size_t>(65536 - p)];
  }
  int Squash(int64_t x) const { return squash[static_cast<size_t>(std::clamp<int64_t>(x, -2815, 2815) + 2815)]; }
};

const Tables& Logistic() {
  static const Tables tables;
  return tables;
}

struct Counter {
  int64_t probability;
  int count, limit;

  Counter(int p = 32768, int n = 0, int most = 255) : probability(int64_t{p} << 6), count(n), limit(most) {}
  int p() const { return std::max<int>(1, static_cast<int>(probability >> 6)); }
  void Learn(bool bit) {
    const int64_t target = bit ? (1 << 22) - 1 : 0;
    probability += ((target - probability) * (131072 / (2 * count + 3))) >> 16;
    count += count < limit ? 1 : 0;
  }
};

// Section 2.1, from the reader's side: what is known of the code and how much of it is not.
class Reader {
 public:
  Reader(const std::string& bytes, size_t first, PageDecoding* counts) : bytes_(bytes), next_(first), counts_(counts) {
    for (int i = 0; i < 4; ++i) TakeByte();
  }
  bool Bit(int p) {
    const uint64_t bound = range_ * static_cast<uint64_t>(p) >> 16;
    const bool bit = code_ < bound;
    if (bit && code_ + unknown_ >= bound) ended_ = true;
    range_ = bit ? bound : range_ - bound;
    code_ -= bit ? 0 : bound;
    Count(-std::log2(static_cast<double>(bit ? p : 65536 - p) / 65536));
    return bit;
  }
  uint64_t Raw(int bits) {
    range_ >>= bits;
    const uint64_t value = code_ / range_;
    if ((code_ + unknown_) / range_ != value || value >> bits != 0) ended_ = true;
    code_ -= value * range_;
    Count(bits);
    return value;
  }
  bool ended() const { return ended_; }
  // A value that is not zero stands: all until here counts.
  void Needed() { counts_->ideal_bits = bits_; }

 private:
  void Count(double bits) {
    for (; range_ < uint64_t{1} << 24; range_ <<= 8) TakeByte();
    if (ended_) return;
    bits_ += bits;
    ++counts_->decisions;
  }
  void TakeByte() {
    const bool there = next_ < bytes_.size();
    code_ = code_ << 8 | (there ? static_cast<uint8_t>(bytes_[next_++]) : 0);
    unknown_ = unknown_ << 8 | (there ? 0 : 255);
  }

  const std::string& bytes_;
  size_t next_;
  PageDecoding* const counts_;
  uint64_t code_ = 0, range_ = 0xffffffff, unknown_ = 0;
  bool ended_ = false;
  double bits_ = 0;
};

struct Mixer {
  std::vector<int32_t> weights;
  int rate;

  Mixer(size_t inputs, int32_t weight, int learning_rate) : weights(inputs + 1, weight), rate(learning_rate) {}
  bool Decide(Reader* reader, const std::vector<Counter*>& counters) {
    std::vector<int64_t> inputs;
    for (const Counter* counter : counters) inputs.push_back(Logistic().stretch[static_cast<size_t>(counter->p())]);
    inputs.push_back(256);
    int64_t sum = 1 << 15;
    for (size_t i = 0; i < inputs.size(); ++i) sum += weights[i] * inputs[i];
    const int p = Logistic().Squash(sum >> 16);
    const bool bit = reader->Bit(p);
    const int64_t error = rate * ((bit ? 65536 : 0) - int64_t{p});
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto change = static_cast<uint32_t>((inputs[i] * error + (1 << 17)) >> 18);
      weights[i] = static_cast<int32_t>(static_cast<uint32_t>(weights[i]) + change);
    }
    for (Counter* counter : counters) counter->Learn(bit);
    return bit;
  }
};

// The logarithms of section 2.4 and what they are inverted to.
int FloorLog(int64_t v) { return v < 2 ? 0 : 1 + FloorLog(v >> 1); }
int Half(int64_t v) {
  const int e = FloorLog(v);
  return static_cast<int>(v < 2 ? v : 2 * e + (v >> (e - 1) & 1));
}
int Quarter(int64_t v) {
  const int e = FloorLog(v);
  return static_cast<int>(v < 4 ? 2 * v : 4 * e + (v >> (e - 2) & 3));
}
int64_t FromQuarter(int64_t x) {
  constexpr int64_t kPowers[] = {65536, 77936, 92682, 110218};
  return (kPowers[x % 4] << (x / 4)) >> 16;
}
int64_t FromHalf(int64_t x) { return FromQuarter(2 * x + 1); }
Counter Prior(int64_t mean) {
  return Counter(static_cast<int>(std::clamp<int64_t>(52429 * mean / (4096 + mean), 13, 64226)), 3);
}

enum Kind { kVector, kMatrix, kShort, kLong };

// All that a kind of plane learns, with the table of priors.
struct Learned {
  std::array<std::vector<Counter>, 7> zero;
  std::vector<std::array<std::vector<Counter>, 5>> size;
  std::array<std::vector<Counter>, 3> sign, segment;
  std::vector<std::array<Counter, 3>> mantissa;
  std::vector<Mixer> zero_mixers, size_mixers;
  Mixer sign_mixer{3, 26214, 2}, segment_mixer{3, 26214, 4};

  Learned() {
    for (auto& table : zero) table.resize(1024);
    for (int64_t i = 0; i < 1024; ++i) {
      const auto at = static_cast<size_t>(i);
      const int64_t far = FromHalf(i % 24) * 4096 / 14, near = FromHalf(i / 24) * 4096 / 14;
      zero[0][at] = zero[4][at] = Prior(FromQuarter(i / 32 + i % 32));
      zero[1][at] = Prior(i < 256 ? 1024 * (i % 4 + i / 4 % 4 + i / 16 % 4 + i / 64) + 40 : 0);
      zero[2][at] = Prior(FromHalf(std::min<int64_t>(i / 9, 31)) / 2 + 614 * (i / 3 % 3 + i % 3));
      zero[3][at] = Prior(((i < 24 ? 40 : near) + FromHalf(i % 24)) / 2);
      zero[5][at] = Prior(FromQuarter(std::min<int64_t>(i / 4, 79)));
      zero[6][at] = Prior((FromHalf(i / 24) + (i % 24 == 0 ? 0 : far)) / 2);
    }
    zero_mixers.assign(5, Mixer(7, 19660, 7));
    size.resize(16);
    for (auto& tables : size) tables.fill(std::vector<Counter>(256, Counter(28000, 0)));
    size_mixers.assign(16, Mixer(5, 19660, 7));
    sign.fill(std::vector<Counter>(64, Counter(32768, 4)));
    segment.fill(std::vector<Counter>(64));
    mantissa.assign(32, {Counter(30000, 4), Counter(30000, 4), Counter(30000, 4)});
  }
};

// What is remembered of a plane: its running means and the magnitudes and signs of three rows.
struct Plane {
  int64_t columns;
  std::vector<int64_t> fast, slow, column_sign;
  std::vector<int> coded, coded_above;
  std::array<std::vector<int64_t>, 3> rows;  // signed, capped; this one, the one above, the one above that
  int64_t row_fast = 0, row_slow = 0, mean = 0, row_sign = 0;

  explicit Plane(size_t count) : columns(static_cast<int64_t>(count)), fast(count), slow(count), column_sign(count) {
    coded.resize(count / 32 + 3);
    coded_above = coded;
    for (auto& row : rows) row.resize(count);
  }
  void StartRow() {
    rows = {std::vector<int64_t>(rows[0].size()), rows[0], rows[1]};
    coded_above = coded;
    std::fill(coded.begin(), coded.end(), 0);
    row_fast = row_slow = mean;
    row_sign = 0;
  }
  int64_t At(int row, int64_t j) const {
    return j < 0 || j >= columns ? 0 : rows[static_cast<size_t>(row)][static_cast<size_t>(j)];
  }
  static void Move(int64_t* average, int64_t to, int shift) { *average += (to - *average) >> shift; }
  void Set(int64_t j, int64_t coefficient) {
    const auto at = static_cast<size_t>(j);
    const int64_t m = std::min<int64_t>(std::abs(coefficient), 16384), v = m << 12;
    Move(&row_fast, v, 3);
    Move(&row_slow, v, 6);
    Move(&mean, v, 10);
    Move(&fast[at], v, 2);
    Move(&slow[at], v, 4);
    rows[0][at] = coefficient < 0 ? -m : m;
    if (m == 0) return;
    const int64_t sign = coefficient < 0 ? -1 : 1;
    column_sign[at] = std::clamp<int64_t>(column_sign[at] + sign, -3, 3);
    row_sign = std::clamp<int64_t>(row_sign + sign, -3, 3);
  }
};

int64_t Sign(int64_t v) { return (v > 0) - (v < 0); }

class PlaneReader {
 public:
  PlaneReader(size_t columns, Learned* learned, Reader* reader)
      : plane_(columns), learned_(*learned), reader_(reader) {}

  std::vector<int64_t> Row() {
    std::vector<int64_t> row(static_cast<size_t>(plane_.columns));
    if (reader_->ended()) return row;
    plane_.StartRow();
    for (int64_t first = 0; first < plane_.columns; first += 32) {
      const int64_t last = std::min(first + 32, plane_.columns);
      const bool coded = Segment(first, last);
      plane_.coded[static_cast<size_t>(first / 32 + 1)] = coded ? 1 : 0;
      for (int64_t j = first; j < last; ++j) {
        const int64_t c = coded ? Coefficient(j) : 0;
        if (reader_->ended()) return row;
        plane_.Set(j, c);
        row[static_cast<size_t>(j)] = c;
        if (c != 0) reader_->Needed();
      }
    }
    return row;
  }

 private:
  bool Segment(int64_t first, int64_t last) {
    const auto s = static_cast<size_t>(first / 32 + 1);
    const int left = plane_.coded[s - 1], above = plane_.coded_above[s], right = plane_.coded_above[s + 1];
    const int64_t sum = std::accumulate(plane_.slow.begin() + first, plane_.slow.begin() + last, int64_t{0});
    return Decide(&learned_.segment_mixer, &learned_.segment,
                  {left + 2 * above + 4 * right, 2 * std::min(Half(plane_.row_slow), 31) + above,
                   2 * std::min(Half(sum / (last - first)), 31) + left});
  }
  int64_t Coefficient(int64_t j) {
    if (!Nonzero(j)) return 0;
    const int64_t left = Sign(plane_.At(0, j - 1)) + 1, above = Sign(plane_.At(1, j)) + 1;
    const int64_t column = plane_.column_sign[static_cast<size_t>(j)] + 3, row = plane_.row_sign + 3;
    const bool negative =
        Decide(&learned_.sign_mixer, &learned_.sign, {3 * left + above, 3 * column + left, 7 * row + column});
    const int64_t magnitude = Magnitude(j);
    return negative ? -magnitude : magnitude;
  }
  bool Nonzero(int64_t j) {
    const auto near = [&](int row, int64_t at) { return std::min<int64_t>(std::abs(plane_.At(row, at)), 64); };
    const int64_t l = near(0, j - 1), ll = near(0, j - 2), a = near(1, j), aa = near(2, j);
    const int64_t corners = near(1, j - 1) + near(1, j + 1);
    const auto slow = plane_.slow[static_cast<size_t>(j)], fast = plane_.fast[static_cast<size_t>(j)];
    near_ = Half(4 * (l + a) + 2 * (ll + aa) + corners);
    const auto half = [](int64_t v) { return std::min(Half(v), 31); };
    expected_ = std::clamp(Quarter(plane_.row_slow) + Quarter(slow) - Quarter(plane_.mean), 0, 79);
    const auto three = [](int64_t v) { return std::min<int64_t>(v, 3); };
    return Decide(&learned_.zero_mixers[static_cast<size_t>((l > 0) + (ll > 0) + (a > 0) + (aa > 0))], &learned_.zero,
                  {32 * half(plane_.row_slow) + half(slow), 64 * three(l) + 16 * three(ll) + 4 * three(a) + three(aa),
                   9 * half(plane_.row_fast) + 3 * std::min<int64_t>(a, 2) + std::min<int64_t>(l, 2),
                   24 * near_ + std::min(half(slow), 23), 32 * half(fast) + half(plane_.row_fast),
                   4 * expected_ + std::min(near_, 3), 24 * half(plane_.mean) + near_});
  }
  int64_t Magnitude(int64_t j) {
    const int left = std::min(Half(std::abs(plane_.At(0, j - 1))), 15);
    const int above = std::min(Half(std::abs(plane_.At(1, j))), 15);
    int bits = 1;
    for (; bits < 31; ++bits) {
      const auto flag = static_cast<size_t>(std::min(bits, 15));
      if (!Decide(&learned_.size_mixers[flag], &learned_.size[flag],
                  {expected_, 16 * left + above, Half(plane_.row_fast),
                   4 * Half(plane_.fast[static_cast<size_t>(j)]) + std::min(left, 3), near_})) {
        break;
      }
    }
    int64_t value = 1;
    auto& counters = learned_.mantissa[static_cast<size_t>(bits)];
    int below = bits - 1;
    for (size_t node = 0; below > 0 && node < 3; node = node == 0 ? 1 + (value & 1) : 3, --below) {
      const bool bit = reader_->Bit(counters[node].p());
      counters[node].Learn(bit);
      value = 2 * value + (bit ? 1 : 0);
    }
    for (; below > 0; below -= std::min(below, 16)) {
      const int now = std::min(below, 16);
      value = value << now | static_cast<int64_t>(reader_->Raw(now));
    }
    return value;
  }
  template <size_t kInputs>
  bool Decide(Mixer* mixer, std::array<std::vector<Counter>, kInputs>* tables,
              const std::array<int64_t, kInputs>& contexts) {
    std::vector<Counter*> counters;
    for (size_t i = 0; i < kInputs; ++i) counters.push_back(&(*tables)[i][static_cast<size_t>(contexts[i])]);
    return mixer->Decide(reader_, counters);
  }

  Plane plane_;
  Learned& learned_;
  Reader* const reader_;
  int near_ = 0, expected_ = 0;
};

double Rec(int64_t c) {
  if (c == 0) return 0;
  const auto magnitude = static_cast<double>(std::abs(c));
  const double value = magnitude - (magnitude == 1 ? 3.0 / 64 : 1.0 / 64);
  return c < 0 ? -value : value;
}

float Rounded(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMost, kMost));
}

// Section 2.3.
class UpdateReader {
 public:
  UpdateReader(const std::string& bytes, size_t first, double step, PageDecoding* out)
      : step_(step),
        out_(out),
        reader_(bytes, first, out),
        rank_(64, Counter(32768, 2, 30)),
        drop_(32, Counter(24576, 4, 60)) {}

  std::vector<float> Tensor(size_t rows, size_t columns) {
    std::vector<float> values(rows * columns);
    if (reader_.ended()) return values;
    const bool any = reader_.Bit(any_.p());
    any_.Learn(any);
    if (!any || !Factors(rows, columns)) return values;
    PlaneReader plane(columns, &learned_[rows == 1 ? kVector : kMatrix], &reader_);
    const std::vector<double>& down = rows <= columns ? short_ : long_;
    const std::vector<double>& across = rows <= columns ? long_ : short_;
    for (size_t i = 0; i < rows; ++i) {
      const std::vector<int64_t> row = plane.Row();
      for (size_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (size_t k = 0; k < units_.size(); ++k) sum += down[k * rows + i] * across[k * columns + j];
        out_->products += units_.size();
        values[i * columns + j] = Rounded(step_ * (sum + Rec(row[j])));
      }
    }
    return values;
  }

 private:
  bool Factors(size_t rows, size_t columns) {
    units_.clear();
    const size_t sides = std::min(rows, columns), most = std::min<size_t>(63, sides / 2);
    if (most == 0) return !reader_.ended();
    size_t node = 1;
    for (int i = 0; i < 6; ++i) {
      const bool bit = reader_.Bit(rank_[node].p());
      rank_[node].Learn(bit);
      node = 2 * node + (bit ? 1 : 0);
    }
    const size_t rank = std::min(node - 64, most);
    int exponent = 0;
    for (size_t k = 0; k < rank; ++k) {
      exponent = k == 0 ? static_cast<int>(reader_.Raw(8)) - 64 : std::max(-64, exponent - Drop());
      units_.push_back(std::ldexp(1.0, -exponent));
    }
    if (reader_.ended()) return false;
    short_ = Side(kShort, sides, units_);
    long_ = Side(kLong, std::max(rows, columns), std::vector<double>(rank, 1.0));
    return true;
  }
  int Drop() {
    int drop = 0;
    for (; drop < 32; ++drop) {
      const bool more = reader_.Bit(drop_[static_cast<size_t>(drop)].p());
      drop_[static_cast<size_t>(drop)].Learn(more);
      if (!more) break;
    }
    return drop;
  }
  std::vector<double> Side(Kind kind, size_t size, const std::vector<double>& units) {
    if (units.empty()) return {};
    PlaneReader plane(size, &learned_[kind], &reader_);
    std::vector<double> side;
    for (const double unit : units) {
      for (const int64_t c : plane.Row()) side.push_back(Rec(c) * unit);
    }
    return side;
  }

  const double step_;
  PageDecoding* const out_;
  Reader reader_;
  std::array<Learned, 4> learned_;
  Counter any_{49152, 2, 30};
  std::vector<Counter> rank_, drop_;
  std::vector<double> units_, short_, long_;
};

void Expand(int eighths, int scale, std::vector<float>* values) {
  for (float& value : *values) {
    if (value == 0) continue;
    const double magnitude = PortableExp(1 / (1 + eighths / 32.0) * PortableLog(std::fabs(double{value})));
    value = Rounded(std::ldexp(std::copysign(magnitude, value), scale - 127));
  }
}

}  // namespace

PageDecoding DecodeByThePage(const std::string& bytes, const std::vector<std::vector<uint64_t>>& shapes) {
  PageDecoding out;
  std::vector<size_t> order(shapes.size()), rows, columns;
  std::iota(order.begin(), order.end(), size_t{0});
  for (const auto& shape : shapes) {
    rows.push_back(shape.size() > 1 ? shape[0] : 1);
    columns.push_back(1);
    for (size_t i = shape.size() > 1 ? 1 : 0; i < shape.size(); ++i) columns.back() *= shape[i];
    out.values.emplace_back(rows.back() * columns.back());
  }
  if (bytes.empty()) return out;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rows[a] * columns[a] < rows[b] * columns[b]; });
  const auto byte = [&bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint32_t pattern = static_cast<uint32_t>(byte(1) | byte(2) << 8) << 15;
  float step;
  std::memcpy(&step, &pattern, sizeof(step));
  const bool companded = byte(0) == 3;
  UpdateReader reader(bytes, companded ? 5 : 3, step, &out);
  for (const size_t i : order) {
    out.values[i] = reader.Tensor(rows[i], columns[i]);
    if (companded) Expand(byte(3), byte(4), &out.values[i]);
  }
  return out;
}

}  // namespace thinwire
