#include "common/subspace/kernels/fastfood_scalar.h"

#include <cmath>
#include <cstring>

#include "common/subspace/kernels/normal_constants.h"

namespace thinwire {
namespace scalar {
namespace {

uint32_t TableRow(const RowRange& rows, size_t i) {
  return rows.permutation->Forward(rows.first_row + static_cast<uint32_t>(i)) & rows.table_mask;
}

// Where value `lane` of row i lies in the table.
size_t Place(const RowRange& rows, size_t i, size_t lane) {
  return TableRow(rows, i) * kRowValues + (lane ^ ((rows.words[i] >> kRowSwapBit) % kRowValues));
}

float Times(const RowRange& rows, size_t i, size_t lane, float value) {
  if (rows.normals != nullptr) return rows.normals[i * kRowValues + lane] * value;
  return ((rows.words[i] >> lane) & 1) != 0 ? -value : value;
}

// Horner's scheme, every step rounded twice.
template <size_t kCount>
float Polynomial(const float (&terms)[kCount], float x) {
  float sum = terms[0];
  for (size_t i = 1; i < kCount; ++i) sum = sum * x + terms[i];
  return sum;
}

// sqrt(-2 log((half + 1/2) / 65536)); 2 half + 1 is an integer below 2^17.
float Radius(uint32_t half) {
  const float number = static_cast<float>(static_cast<int32_t>(2 * half + 1));
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof(bits));
  const int32_t exponent = static_cast<int32_t>((bits - kSqrtHalfBits) >> 23);
  bits -= static_cast<uint32_t>(exponent) << 23;
  float f;
  std::memcpy(&f, &bits, sizeof(f));
  f -= 1.0f;
  const float square = f * f;
  const float tail = Polynomial(kLogTerms, f) * (square * f) - square * 0.5f;
  const float log = static_cast<float>(exponent - 17) * kLogOfTwo + (f + tail);
  return std::sqrt(log * -2.0f);
}

struct Point {
  float x, y;
};
// On the unit circle, at (half + 1/2) / 65536 of a turn less 1/8. The two upper bits are the quarter.
Point Direction(uint32_t half) {
  const float part = static_cast<float>(static_cast<int32_t>(2 * (half % 16384) + 1)) * 0x1p-15f;
  const float angle = (part - 0.5f) * kHalfPi;
  const float square = angle * angle;
  const float sin = Polynomial(kSinTerms, square) * (square * angle) + angle;
  const float cos = Polynomial(kCosTerms, square) * (square * square) + (1.0f - square * 0.5f);
  const uint32_t quarter = half >> 14;
  const float x = (quarter & 1) != 0 ? sin : cos, y = (quarter & 1) != 0 ? cos : sin;
  return {((quarter ^ (quarter >> 1)) & 1) != 0 ? -x : x, quarter >= 2 ? -y : y};
}

}  // namespace

void GatherRows(const RowRange& rows, const float* table, float* out) {
  for (size_t i = 0; i < rows.count; ++i) {
    for (size_t lane = 0; lane < kRowValues; ++lane) {
      out[i * kRowValues + lane] = Times(rows, i, lane, table[Place(rows, i, lane)]);
    }
  }
}

void ScatterRows(const RowRange& rows, const float* values, double* sums) {
  for (size_t i = 0; i < rows.count; ++i) {
    for (size_t lane = 0; lane < kRowValues; ++lane) {
      sums[Place(rows, i, lane)] += static_cast<double>(Times(rows, i, lane, values[i * kRowValues + lane]));
    }
  }
}

void FlipSigns(const uint32_t* words, size_t count, float* values) {
  for (size_t i = 0; i < count; ++i) {
    if (((words[i / 32] >> (i % 32)) & 1) != 0) values[i] = -values[i];
  }
}

void NormalsFromWords(const uint32_t* words, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    float* group = out + i / kRowValues * 2 * kRowValues + i % kRowValues;
    const float radius = Radius(words[i] & 0xffff);
    const Point direction = Direction(words[i] >> 16);
    group[0] = radius * direction.x;
    group[kRowValues] = radius * direction.y;
  }
}

}  // namespace scalar
}  // namespace thinwire
