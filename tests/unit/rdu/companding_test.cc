#include "common/rdu/companding.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max(), kSmallest = std::numeric_limits<float>::denorm_min();

TEST(Companding, ExpandingUndoesCompressing) {
  for (const double exponent : {0.125, 1.0, 2.0, 16.0}) {
    for (const float scale : {1e-30f, 1.0f, 1e30f}) {
      const std::vector<float> values = BellValues(3, 200, scale);
      const Companding companding(exponent, 6 * scale);
      std::vector<float> back = companding.Compress(values);
      for (const float v : back) EXPECT_LT(std::fabs(v), 32);
      companding.Expand(absl::MakeSpan(back));
      for (size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(back[i], values[i], 1e-6 * std::fabs(values[i])) << exponent << " " << scale;
      }
    }
  }
}

TEST(Companding, ThePowerIsOneAndAQuarterOfM) {
  const std::vector<float> compressed = Companding(4, 1).Compress({1, 0.5f, -0.25f, 0});
  EXPECT_EQ(compressed, (std::vector<float>{1, 0.25f, -0.0625f, 0}));
}

TEST(Companding, ExtremesStayFinite) {
  for (const float largest : {kLargest, kSmallest, 0.0f}) {
    const Companding companding(16, largest);
    for (float v : companding.Compress({largest, -largest, kSmallest})) EXPECT_TRUE(std::isfinite(v));
    std::vector<float> decoded = {kLargest, -kLargest, kSmallest, -kSmallest, 0};
    companding.Expand(absl::MakeSpan(decoded));
    for (const float v : decoded) EXPECT_TRUE(std::isfinite(v)) << largest;
    EXPECT_GE(decoded[0], decoded[2]);
    EXPECT_LT(decoded[1], 0.0f);
    EXPECT_EQ(decoded[4], 0.0f);
  }
}

TEST(Companding, BytesSurviveTheRoundTrip) {
  const Companding companding(2.5, 0.01f);
  EXPECT_FALSE(companding.linear());
  EXPECT_EQ(companding.Bytes().size(), Companding::kSize);
  const auto back = Companding::Read(companding.Bytes());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->Compress({0.003f}), companding.Compress({0.003f}));
  EXPECT_TRUE(Companding(0.06, 1).linear());
}

}  // namespace
}  // namespace thinwire
