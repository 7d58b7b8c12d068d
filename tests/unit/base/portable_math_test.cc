#include "common/base/portable_math.h"

#include <cmath>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

uint64_t Bits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

TEST(PortableMath, LogAgreesWithLibmFromTinyToHuge) {
  RandomStream random(1);
  for (int i = 0; i < 200000; ++i) {
    const double x = std::ldexp(0.5 + random.NextDouble(), static_cast<int>(random.Below(2000)) - 1000);
    ASSERT_NEAR(PortableLog(x), std::log(x), 4e-16 * std::fabs(std::log(x)) + 1e-16) << x;
  }
  for (int i = 1; i < 100000; ++i) {
    const double x = 1 + (i - 50000) * 1e-6;
    ASSERT_NEAR(PortableLog(x), std::log(x), 1e-15 * std::fabs(std::log(x)) + 1e-16) << x;
  }
}

TEST(PortableMath, ExpAgreesWithLibm) {
  RandomStream random(2);
  for (int i = 0; i < 200000; ++i) {
    const double x = -708 + 1417 * random.NextDouble();
    ASSERT_NEAR(PortableExp(x) / std::exp(x), 1, 1e-15) << x;
  }
}

TEST(PortableMath, HasExactValuesWhereTheyExist) {
  EXPECT_EQ(PortableLog(1), 0);
  EXPECT_EQ(PortableExp(0), 1);
  EXPECT_EQ(PortableExp(-709), 0);
  EXPECT_EQ(PortableExp(1e300), PortableExp(709));
}

TEST(PortableMath, PowersOfManyHaveTheBitsOfOneAtATime) {
  RandomStream random(3);
  std::vector<double> x(10007);  // odd, so that the last ones fill no vector
  for (double& v : x) v = std::ldexp(0.5 + random.NextDouble(), static_cast<int>(random.Below(2000)) - 1000);
  for (const double power : {0.2, 1.0, 1.25, 5.0}) {
    std::vector<double> powers = x;
    PortablePowers(power, powers.size(), powers.data());
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(Bits(powers[i]), Bits(PortableExp(power * PortableLog(x[i])))) << x[i] << " " << power;
    }
  }
}

// A change of these bits moves samples between clients of running federations.
TEST(PortableMath, KeepsItsBits) {
  EXPECT_EQ(Bits(PortableLog(3)), 0x3ff193ea7aad030bu);
  EXPECT_EQ(Bits(PortableLog(0.1)), 0xc0026bb1bbb55515u);
  EXPECT_EQ(Bits(PortableLog(1e-300)), 0xc085963447f87fb5u);
  EXPECT_EQ(Bits(PortableExp(1)), 0x4005bf0a8b14576au);
  EXPECT_EQ(Bits(PortableExp(-0.3)), 0x3fe7b4c869c37c05u);
  EXPECT_EQ(Bits(PortableExp(-700)), 0xd14f2b0fb9307fu);
}

}  // namespace
}  // namespace thinwire
