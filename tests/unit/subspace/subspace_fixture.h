// What the tests of common/subspace share.
#ifndef THINWIRE_TESTS_UNIT_SUBSPACE_SUBSPACE_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_SUBSPACE_SUBSPACE_FIXTURE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/types/span.h"
#include "common/base/rng.h"
#include "common/subspace/fastfood.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {

// Uniform in [-1, 1), with all 24 bits of a mantissa in use.
inline std::vector<float> RandomValues(uint64_t seed, size_t count) {
  RandomStream random(DeriveKey({seed, count}));
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.NextU32() >> 7) * 0x1p-24f - 1.0f;
  return values;
}

inline bool SameBits(absl::Span<const float> a, absl::Span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

inline double Dot(absl::Span<const float> a, absl::Span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// y = A x, whole.
inline std::vector<float> Apply(const Fastfood& fastfood, absl::Span<const float> x) {
  auto workspace = FastfoodWorkspace::Create(fastfood);
  EXPECT_THAT(workspace, IsOk());
  std::vector<float> y(fastfood.spec().dense_size);
  EXPECT_THAT(fastfood.Apply(x, &*workspace,
                             [&](uint64_t first, absl::Span<const float> values) {
                               std::copy(values.begin(), values.end(), y.begin() + static_cast<ptrdiff_t>(first));
                               return absl::OkStatus();
                             }),
              IsOk());
  return y;
}

// s = A^T g.
inline std::vector<float> ApplyTranspose(const Fastfood& fastfood, absl::Span<const float> g) {
  auto workspace = FastfoodWorkspace::Create(fastfood);
  EXPECT_THAT(workspace, IsOk());
  std::vector<float> s(fastfood.spec().subspace_size);
  EXPECT_THAT(fastfood.ApplyTranspose(
                  [&](uint64_t first, absl::Span<float> out) {
                    std::copy_n(g.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
                    return absl::OkStatus();
                  },
                  &*workspace, absl::MakeSpan(s)),
              IsOk());
  return s;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SUBSPACE_SUBSPACE_FIXTURE_H_
