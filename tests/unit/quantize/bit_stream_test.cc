#include "common/quantize/bit_stream.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr uint64_t kNumbers[] = {
    0, 1, 2, 3, 7, 8, 127, 128, 300, 16383, 16384, uint64_t{1} << 40, std::numeric_limits<uint64_t>::max()};

TEST(BitStreamTest, BitsAreLeastSignificantFirst) {
  std::string bytes;
  BitWriter writer(&bytes);
  writer.Write(0b101, 3);
  writer.Write(0b11, 2);
  writer.Write(0x1ff, 9);
  writer.Finish();
  EXPECT_EQ(bytes, "\xfd\x3f");
}

TEST(BitStreamTest, NumbersComeBackAndTakeWhatIsSaid) {
  for (const uint64_t number : kNumbers) {
    std::string bytes;
    BitWriter writer(&bytes);
    writer.WriteVarint(number);
    EXPECT_EQ(bytes.size() * 8, static_cast<size_t>(VarintBits(number)));
    BitReader reader(bytes);
    EXPECT_EQ(reader.ReadVarint(), number);
    EXPECT_THAT(reader.Finish(), IsOk());
  }
}

TEST(BitStreamTest, OmegaCodesAreThoseOfTheBook) {
  // Elias 1975, first bit first.
  const auto code = [](uint64_t number) {
    std::string bytes, digits;
    BitWriter writer(&bytes);
    writer.WriteOmega(number);
    writer.Finish();
    BitReader reader(bytes);
    for (int i = 0; i < OmegaBits(number); ++i) digits += reader.Read(1) != 0 ? '1' : '0';
    return digits;
  };
  EXPECT_EQ(code(1), "0");
  EXPECT_EQ(code(2), "100");
  EXPECT_EQ(code(3), "110");
  EXPECT_EQ(code(4), "101000");
  EXPECT_EQ(code(16), "10100100000");
  EXPECT_EQ(code(100), "1011011001000");
}

TEST(BitStreamTest, OmegaAndUnaryComeBackBetweenOtherBits) {
  for (const uint64_t number : kNumbers) {
    if (number == 0) continue;
    std::string bytes;
    BitWriter writer(&bytes);
    writer.Write(1, 3);
    writer.WriteOmega(number);
    writer.WriteUnary(number % 100);
    writer.Finish();
    BitReader reader(bytes);
    reader.Read(3);
    EXPECT_EQ(reader.ReadOmega(), number);
    EXPECT_EQ(reader.ReadUnary(99), number % 100);
    EXPECT_THAT(reader.Finish(), IsOk());
  }
}

TEST(BitStreamTest, PastTheEndIsZerosAndAnError) {
  BitReader reader("\x01");
  EXPECT_EQ(reader.Read(8), 1u);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.Read(1), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_THAT(reader.Finish(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ends within")));
}

TEST(BitStreamTest, NumbersThatNobodyWritesAreRefused) {
  const std::string varints[] = {std::string("\x80\0", 2), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "\xff\xff\xff"};
  for (const std::string& bytes : varints) {
    BitReader reader(bytes);
    reader.ReadVarint();
    EXPECT_FALSE(reader.ok());
  }
  BitReader long_unary(absl::string_view("\0\0\0\1", 4));
  long_unary.ReadUnary(20);
  EXPECT_FALSE(long_unary.ok());
  BitReader endless("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  endless.ReadOmega();
  EXPECT_FALSE(endless.ok());
}

TEST(BitStreamTest, LeftoversAreNamed) {
  BitReader bytes(absl::string_view("\1\0\0", 3));
  bytes.Read(8);
  EXPECT_THAT(bytes.Finish(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 bytes too many")));
  BitReader bits("\x81");
  bits.Read(2);
  EXPECT_THAT(bits.Finish(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("fill")));
}

}  // namespace
}  // namespace thinwire
