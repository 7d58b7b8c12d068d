// Updates to test with, and what becomes of them.
#ifndef THINWIRE_TESTS_UNIT_RDU_UPDATE_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_RDU_UPDATE_FIXTURE_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/rdu/update_codec.h"

namespace thinwire {

using Shape = std::vector<uint64_t>;

struct TestUpdate {
  std::vector<Shape> shapes;
  std::vector<std::vector<float>> values;

  void Add(Shape shape, std::vector<float> v) {
    shapes.push_back(std::move(shape));
    values.push_back(std::move(v));
  }
  std::vector<UpdateTensor> Tensors() const {
    std::vector<UpdateTensor> tensors;
    for (size_t i = 0; i < shapes.size(); ++i) tensors.push_back({values[i], shapes[i]});
    return tensors;
  }
  uint64_t Count() const {
    uint64_t count = 0;
    for (const auto& v : values) count += v.size();
    return count;
  }
};

// Sums of twelve uniform numbers: as good as normal ones, and the same everywhere.
inline float Bell(RandomStream* random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += random->NextDouble();
  return static_cast<float>(sum);
}

inline std::vector<float> BellValues(uint64_t seed, size_t count, float scale) {
  RandomStream random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = scale * Bell(&random);
  return values;
}

// A matrix of `rank` components, each half of the one before, and noise.
inline std::vector<float> LowRankValues(uint64_t seed, size_t rows, size_t columns, size_t rank, float noise) {
  std::vector<float> values = BellValues(seed, rows * columns, noise);
  for (size_t k = 0; k < rank; ++k) {
    const std::vector<float> down = BellValues(seed + 100 + k, rows, std::ldexp(1.0f, -static_cast<int>(k)));
    const std::vector<float> across = BellValues(seed + 200 + k, columns, 1);
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) values[i * columns + j] += down[i] * across[j];
    }
  }
  return values;
}

// What a small network's update is like: some matrices of low rank, some vectors.
inline TestUpdate NetworkUpdate(uint64_t seed) {
  TestUpdate update;
  update.Add({16, 3, 3, 3}, BellValues(seed, 432, 0.02f));
  update.Add({16}, BellValues(seed + 1, 16, 0.1f));
  update.Add({40, 120}, LowRankValues(seed + 2, 40, 120, 4, 0.05f));
  update.Add({200, 24}, LowRankValues(seed + 3, 200, 24, 2, 0.02f));
  update.Add({}, {0.3f});
  return update;
}

// In the order of the shapes given.
inline absl::StatusOr<std::vector<std::vector<float>>> Decode(const std::string& bytes,
                                                              const std::vector<Shape>& shapes) {
  std::vector<uint64_t> sizes;
  for (const Shape& shape : shapes) {
    uint64_t size = 1;
    for (const uint64_t d : shape) size *= d;
    sizes.push_back(size);
  }
  std::vector<std::vector<float>> values(shapes.size());
  TW_ASSIGN_OR_RETURN(UpdateDecoder decoder, UpdateDecoder::Create(bytes));
  for (const size_t i : CodingOrder(sizes)) {
    values[i].assign(sizes[i], -1.0f);
    TW_RETURN_IF_ERROR(decoder.Next(shapes[i], absl::MakeSpan(values[i])));
  }
  TW_RETURN_IF_ERROR(decoder.Finish());
  return values;
}

// |a - b|^2 / |a|^2, 0 if both are zero.
inline double RelativeError(const TestUpdate& a, const std::vector<std::vector<float>>& b) {
  double error = 0, energy = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    for (size_t j = 0; j < b[i].size(); ++j) {
      const double x = a.values[i][j], d = x - b[i][j];
      error += d * d;
      energy += x * x;
    }
  }
  return energy > 0 ? error / energy : error;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_RDU_UPDATE_FIXTURE_H_
