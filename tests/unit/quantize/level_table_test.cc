#include "common/quantize/level_table.h"

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "common/codec/float_format.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ValueFormat Format(ValueCoding coding, int bits) {
  ValueFormat format;
  format.coding = coding;
  format.bits = bits;
  return format;
}

ValueFormat Float(int exponent_bits, int mantissa_bits) {
  ValueFormat format;
  format.coding = ValueCoding::kFloat;
  format.format = {exponent_bits, mantissa_bits};
  return format;
}

absl::StatusOr<LevelTable> ReadBack(const ValueFormat& format, const std::string& bytes) {
  BitReader reader(bytes);
  return LevelTable::Read(format, reader);
}

TEST(LevelTableTest, MagnitudesIn16BitsAreTheNearestOnes) {
  EXPECT_EQ(MagnitudeCode(1), 0x7f00);
  EXPECT_EQ(MagnitudeOfCode(0x7f00), 1.0f);
  EXPECT_EQ(MagnitudeOfCode(0x7f01), 1.00390625f);
  EXPECT_EQ(MagnitudeCode(1.0019), 0x7f00);
  EXPECT_EQ(MagnitudeCode(1.0020), 0x7f01);
  EXPECT_EQ(MagnitudeCode(1 + 0x1p-9), 0x7f00);      // ties to even
  EXPECT_EQ(MagnitudeCode(1 + 3 * 0x1p-9), 0x7f02);  // also upwards
  for (const double x : {1e-37, 3e-9, 0.1, 7.7, 1e20}) EXPECT_NEAR(MagnitudeOfCode(MagnitudeCode(x)) / x, 1, 0x1p-9);
}

TEST(LevelTableTest, MagnitudesAtTheEndsStayNumbers) {
  EXPECT_EQ(MagnitudeCode(0), 0);
  EXPECT_EQ(MagnitudeCode(-1), 0);
  EXPECT_EQ(MagnitudeCode(std::numeric_limits<double>::quiet_NaN()), 0);
  EXPECT_TRUE(std::isfinite(MagnitudeOfCode(MagnitudeCode(1e300))));
  EXPECT_EQ(MagnitudeOfCode(MagnitudeCode(0x1p-130)), 0x1p-130f);
}

// Trap: the public code's uniform baseline has labels 0 .. 2^R, one too many for R bits.
TEST(LevelTableTest, UniformHasExactlyAsManyLevelsAsItsBitsCanName) {
  for (int bits = 1; bits <= 8; ++bits) {
    const LevelTable table = LevelTable::Uniform(bits, 0.5, 2);
    EXPECT_EQ(table.levels().size(), size_t{1} << (bits - 1));
    std::set<uint32_t> labels;
    for (float x = 0.5f; x <= 2.0f; x += 0.001f) labels.insert(table.Nearest(x));
    EXPECT_EQ(labels.size(), table.levels().size());
    EXPECT_EQ(*labels.rbegin(), table.levels().size() - 1);
    EXPECT_EQ(table.Nearest(100), table.levels().size() - 1);
  }
}

TEST(LevelTableTest, UniformLevelsAreTheMiddlesOfTheirCells) {
  EXPECT_THAT(LevelTable::Uniform(3, 1, 3).levels(), ElementsAre(1.25f, 1.75f, 2.25f, 2.75f));
  EXPECT_THAT(LevelTable::Uniform(1, 1, 3).levels(), ElementsAre(2.0f));
}

TEST(LevelTableTest, FloatsAreTheNumbersOfTheirFormatTimesAPowerOfTwo) {
  EXPECT_THAT(LevelTable::Float({2, 1}, 6.0f).levels(), ElementsAre(0, 0.5f, 1, 1.5f, 2, 3, 4, 6));
  EXPECT_THAT(LevelTable::Float({2, 1}, 0.7f).levels(),
              ElementsAre(0, 0.0625f, 0.125f, 0.1875f, 0.25f, 0.375f, 0.5f, 0.75f));
  const LevelTable fp8 = LevelTable::Float({5, 2}, 1e-3f);
  ASSERT_EQ(fp8.levels().size(), 128u);
  const float scale = fp8.levels()[1] / DecodeFloatCode(1, {5, 2});
  for (uint32_t code = 0; code < 128; ++code) EXPECT_EQ(fp8.levels()[code], DecodeFloatCode(code, {5, 2}) * scale);
  EXPECT_GE(fp8.levels().back(), 1e-3f);
  EXPECT_LT(fp8.levels().back(), 2e-3f);
}

TEST(LevelTableTest, TheNearestLevelIsTakenAndOfTwoTheLower) {
  const LevelTable table = LevelTable::FromLevels({1, 2, 4, 4});
  EXPECT_EQ(table.Nearest(0), 0u);
  EXPECT_EQ(table.Nearest(1.5f), 0u);
  EXPECT_EQ(table.Nearest(1.50001f), 1u);
  EXPECT_EQ(table.Nearest(3), 1u);
  EXPECT_EQ(table.Nearest(4), 2u);
  EXPECT_EQ(table.Nearest(1e30f), 3u);
}

TEST(LevelTableTest, TablesComeBackInTheBitsThatAreSaid) {
  const std::pair<ValueFormat, LevelTable> cases[] = {
      {Format(ValueCoding::kLevels, 3), LevelTable::FromLevels({0.1, 0.25, 0.7, 0.9})},
      {Format(ValueCoding::kUniform, 4), LevelTable::Uniform(4, 0.001, 0.3)},
      {Float(4, 3), LevelTable::Float({4, 3}, 0.01f)}};
  for (const auto& [format, table] : cases) {
    std::string bytes;
    BitWriter writer(&bytes);
    table.Write(format, writer);
    EXPECT_EQ(bytes.size() * 8, static_cast<size_t>(format.table_bits()));
    ASSERT_OK_AND_ASSIGN(const LevelTable back, ReadBack(format, bytes));
    EXPECT_EQ(back.levels(), table.levels());
  }
}

TEST(LevelTableTest, TablesThatNobodyWritesAreRefused) {
  const ValueFormat two = Format(ValueCoding::kLevels, 2);
  EXPECT_THAT(ReadBack(two, std::string("\x01\x7f\x00\x7f", 4)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("do not ascend")));
  EXPECT_THAT(ReadBack(two, std::string("\x00\x7f\x00\xff", 4)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no number")));
  EXPECT_THAT(ReadBack(Float(5, 2), "\x7f"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("finite")));
}

TEST(LevelTableTest, FormatsOutsideTheirLimitsAreRefusedByName) {
  EXPECT_THAT(Format(ValueCoding::kLevels, 9).Validate(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 9")));
  EXPECT_THAT(Format(ValueCoding::kUniform, 0).Validate(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Format(static_cast<ValueCoding>(4), 1).Validate(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Float(8, 7).Validate(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 16")));
  EXPECT_THAT(Float(5, 2).Validate(), IsOk());
}

}  // namespace
}  // namespace thinwire
