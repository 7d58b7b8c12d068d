// Frames that no encoder writes: each is refused with the right code, and nothing is written before the header is
// right.
#include <cfloat>
#include <limits>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/codec/codec.h"
#include "common/codec/frame.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using absl::StatusCode;

constexpr float kUntouched = 12345.0f;

std::string Encode(const CodecSpec& spec, const std::vector<float>& values) {
  std::string frame;
  EXPECT_TRUE((*MakeCodec(spec))->Encode(values, 1, &frame).ok());
  return frame;
}

// Makes the checksum right again, so that the check behind it is reached.
std::string Sealed(std::string frame) {
  const absl::string_view view(frame);
  StoreLittle<uint32_t>(Crc32c(view.substr(kFrameHeaderSize), Crc32c(view.substr(0, 12))), &frame[12]);
  return frame;
}

template <typename T>
std::string With(std::string frame, size_t offset, T value) {
  StoreLittle<T>(value, &frame[offset]);
  return Sealed(frame);
}

StatusCode Decode(const std::string& frame, size_t count, bool* untouched = nullptr) {
  std::vector<float> out(count, kUntouched);
  const StatusCode code = DecodeFrame(frame, absl::MakeSpan(out)).code();
  if (untouched != nullptr) *untouched = out == std::vector<float>(count, kUntouched);
  return code;
}

class HostileFrameTest : public testing::Test {
 protected:
  const std::string frame_ = Encode(CodecSpec::Float(3, 7, ScaleRule::kNone), {1.0f, -2.0f, 0.25f});

  void ExpectRefused(const std::string& frame, StatusCode code) {
    bool untouched = false;
    EXPECT_EQ(Decode(frame, 3, &untouched), code);
    EXPECT_TRUE(untouched);
    EXPECT_EQ(ReadFrameInfo(frame).status().code(), code);
  }
};

TEST_F(HostileFrameTest, TheUnchangedFrameIsFine) {
  EXPECT_EQ(Decode(frame_, 3), StatusCode::kOk);
  EXPECT_EQ(Sealed(frame_), frame_);
}

TEST_F(HostileFrameTest, EveryTruncationIsMalformed) {
  for (size_t size = 0; size < frame_.size(); ++size) {
    ExpectRefused(frame_.substr(0, size), StatusCode::kInvalidArgument);
  }
  ExpectRefused(frame_ + '\0', StatusCode::kInvalidArgument);
}

TEST_F(HostileFrameTest, EveryFlippedBitIsFound) {
  for (size_t bit = 0; bit < frame_.size() * 8; ++bit) {
    std::string damaged = frame_;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const StatusCode expected = bit < 8         ? StatusCode::kUnimplemented    // version
                                : bit / 32 == 2 ? StatusCode::kInvalidArgument  // body size
                                                : StatusCode::kDataLoss;
    ExpectRefused(damaged, expected);
  }
}

TEST_F(HostileFrameTest, UnknownVersionsAndCodecsAreUnimplemented) {
  for (const uint8_t version : {0, 2, 255}) ExpectRefused(With(frame_, 0, version), StatusCode::kUnimplemented);
  constexpr auto kNext = static_cast<uint8_t>(static_cast<uint8_t>(kLastCodecId) + 1);
  for (const uint8_t codec : {uint8_t{0}, kNext, uint8_t{255}}) {
    ExpectRefused(With(frame_, 1, codec), StatusCode::kUnimplemented);
  }
}

TEST_F(HostileFrameTest, FlagsMustBeZero) {
  for (const uint16_t flags : {1, 0x8000}) ExpectRefused(With(frame_, 2, flags), StatusCode::kInvalidArgument);
}

TEST_F(HostileFrameTest, CountsMustFitTheBodyAndTheReader) {
  for (const uint32_t count : {0u, 2u, 4u, 0x10000u, 0xffffffffu}) {
    const std::string frame = With(frame_, 4, count);
    ExpectRefused(frame, StatusCode::kInvalidArgument);
    if (count < 10) {
      EXPECT_EQ(Decode(frame, count), StatusCode::kInvalidArgument);
    }
  }
  for (const size_t count : {0, 2, 4}) EXPECT_EQ(Decode(frame_, count), StatusCode::kInvalidArgument);
}

TEST_F(HostileFrameTest, BodySizesMustMatchWhatFollows) {
  for (const uint32_t size : {0u, 12u, 14u, 0xffffffffu, 0xfffffff0u}) {
    ExpectRefused(With(frame_, 8, size), StatusCode::kInvalidArgument);
  }
}

TEST_F(HostileFrameTest, FormatsMustBeLawful) {
  for (const uint8_t bits : {0, 1, 9, 255}) ExpectRefused(With(frame_, 16, bits), StatusCode::kInvalidArgument);
  for (const uint8_t bits : {24, 255}) ExpectRefused(With(frame_, 17, bits), StatusCode::kInvalidArgument);
  ExpectRefused(With<uint8_t>(frame_, 17, 23), StatusCode::kInvalidArgument);  // lawful, but the body is too short
  for (const uint8_t rule : {3, 255}) ExpectRefused(With(frame_, 18, rule), StatusCode::kInvalidArgument);
  ExpectRefused(With<uint8_t>(frame_, 19, 1), StatusCode::kInvalidArgument);
}

TEST_F(HostileFrameTest, ScalesMustBeLawful) {
  for (uint8_t rule = 0; rule < 3; ++rule) {
    for (const float scale : {0.0f, -0.0f, -1.0f, FLT_MIN / 2, FLT_MAX, std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()}) {
      ExpectRefused(With(With(frame_, 18, rule), 20, FloatBits(scale)), StatusCode::kInvalidArgument);
    }
  }
  ExpectRefused(With(frame_, 20, FloatBits(2.0f)), StatusCode::kInvalidArgument);
}

TEST_F(HostileFrameTest, UnusedBitsMustBeZero) {
  ASSERT_EQ(3 * 11 % 8, 1);  // one bit of the last byte is used
  for (int bit = 1; bit < 8; ++bit) {
    std::string frame = frame_;
    frame.back() = static_cast<char>(frame.back() | (1 << bit));
    ExpectRefused(Sealed(frame), StatusCode::kInvalidArgument);
  }
}

TEST(HostileCodesTest, CodesThatAreNoNumbersAreRefusedWhereverTheyStand) {
  const CodecSpec spec = CodecSpec::Float(8, 7, ScaleRule::kNone);
  for (size_t at = 0; at < 40; ++at) {
    for (const uint16_t code : {0x7f80, 0xff80, 0x7f81, 0xffff}) {
      const std::string frame = With(Encode(spec, std::vector<float>(40, 1.0f)), kFrameHeaderSize + 8 + 2 * at, code);
      EXPECT_EQ(Decode(frame, 40), StatusCode::kInvalidArgument);
      EXPECT_TRUE(ReadFrameInfo(frame).ok());  // the body is not looked at
    }
  }
}

TEST(HostileCodesTest, Fp32BodiesHoldFiniteNumbersOnly) {
  const std::string frame = Encode(CodecSpec::Fp32(), std::vector<float>(3, 1.0f));
  EXPECT_EQ(Decode(With(frame, kFrameHeaderSize + 4, 0x7f800000u), 3), StatusCode::kInvalidArgument);
  EXPECT_EQ(Decode(With(frame, kFrameHeaderSize + 4, 0xffc00000u), 3), StatusCode::kInvalidArgument);
  EXPECT_EQ(Decode(With(frame, 4, 4u), 4), StatusCode::kInvalidArgument);
  EXPECT_EQ(Decode(With(frame, 4, 0x40000003u), 3), StatusCode::kInvalidArgument);
}

TEST(HostileCodesTest, IntegersAndFloatsAreNotMixedUp) {
  std::string ints;
  EncodeIntFrame({1, 2, 3}, &ints);
  EXPECT_EQ(Decode(ints, 3), StatusCode::kInvalidArgument);
  std::vector<int64_t> out(3, 77);
  EXPECT_EQ(DecodeIntFrame(Encode(CodecSpec::Fp32(), {1, 2, 3}), absl::MakeSpan(out)).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(DecodeIntFrame(With(ints, 4, 2u), absl::MakeSpan(out).subspan(0, 2)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(DecodeIntFrame(ints, absl::MakeSpan(out).subspan(0, 2)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(out, std::vector<int64_t>(3, 77));
}

}  // namespace
}  // namespace thinwire
