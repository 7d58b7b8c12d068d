// docs/rdu.md says enough to write a decoder from, and a stream is as short as the model's probabilities allow.
#include "tests/unit/rdu/page_decoder.h"

#include "common/base/bytes.h"
#include "gtest/gtest.h"
#include "tests/unit/rdu/random_update.h"

namespace thinwire {
namespace {

void ExpectSame(const std::string& bytes, const std::vector<Shape>& shapes, const std::string& what) {
  const auto library = Decode(bytes, shapes);
  ASSERT_TRUE(library.ok()) << what << ": " << library.status();
  const PageDecoding page = DecodeByThePage(bytes, shapes);
  for (size_t t = 0; t < shapes.size(); ++t) {
    for (size_t i = 0; i < page.values[t].size(); ++i) {
      ASSERT_EQ(FloatBits(page.values[t][i]), FloatBits((*library)[t][i])) << what << ", tensor " << t << " at " << i;
    }
  }
}

TEST(PageDecoder, WhatThePageDecodesTheLibraryDoes) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    RandomStream random(seed);
    const TestUpdate update = RandomUpdate(&random);
    const double rate = 0.01 * std::pow(800.0, random.NextDouble());
    const UpdateOptions options{UpdateProfile::kBest, seed % 3 == 0 ? 0.5 * static_cast<double>(random.Below(20)) : 0};
    const auto bits = static_cast<uint64_t>(rate * static_cast<double>(update.Count()));
    const std::string bytes = *EncodeUpdate(update.Tensors(), bits, nullptr, options);
    ExpectSame(bytes, update.shapes, absl::StrCat("seed ", seed));
    if (bytes.size() > 6) ExpectSame(bytes.substr(0, 6 + random.Below(bytes.size() - 6)), update.shapes, "cut");
  }
}

// Header and all.
TEST(PageDecoder, StreamsAreWithinAHundredthOfTheModelsIdealCodeLength) {
  for (const double step : {0.2, 0.05, 0.01}) {
    for (const uint64_t seed : {1, 2}) {
      const TestUpdate update = NetworkUpdate(seed);
      const std::string bytes = *EncodeUpdateAtStep(update.Tensors(), step, 32, nullptr);
      const double ideal = DecodeByThePage(bytes, update.shapes).ideal_bits / 8,
                   real = static_cast<double>(bytes.size());
      EXPECT_GE(real, ideal);
      EXPECT_LE(real, 1.01 * ideal) << "step " << step;
      EXPECT_GT(real, 800);
    }
  }
}

}  // namespace
}  // namespace thinwire
