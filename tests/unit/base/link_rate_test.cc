#include "common/base/link_rate.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

TEST(LinkRateTest, UnitsAreDecimalBits) {
  EXPECT_EQ(ParseLinkRate("128kbit").value(), 128'000u);
  EXPECT_EQ(ParseLinkRate("1.5Mbit").value(), 1'500'000u);
  EXPECT_EQ(ParseLinkRate("2Gbit").value(), 2'000'000'000u);
}

TEST(LinkRateTest, WhatIsNoRateSaysHowToWriteOne) {
  for (const char* text : {"", "128", "128kB", "kbit", "-1kbit", "nankbit", "0.9kbit", "101Gbit", "1e300Gbit"}) {
    EXPECT_THAT(ParseLinkRate(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("128kbit"))) << text;
  }
}

TEST(LinkRateTest, RatesAreDescribedInTheUnitThatFits) {
  EXPECT_EQ(DescribeLinkRate(500), "500 bit/s");
  EXPECT_EQ(DescribeLinkRate(128'000), "128 kbit/s");
  EXPECT_EQ(DescribeLinkRate(999'600), "1 Mbit/s");
  EXPECT_EQ(DescribeLinkRate(1'500'000), "1.5 Mbit/s");
  EXPECT_EQ(DescribeLinkRate(2'000'000'000), "2 Gbit/s");
}

}  // namespace
}  // namespace thinwire
