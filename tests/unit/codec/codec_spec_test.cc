#include "common/codec/codec_spec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/codec/codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

TEST(CodecSpecTest, ParsesWhatItDocuments) {
  EXPECT_EQ(*CodecSpec::Parse("fp32"), CodecSpec::Fp32());
  EXPECT_EQ(*CodecSpec::Parse("FP32"), CodecSpec::Fp32());
  EXPECT_EQ(*CodecSpec::Parse("s1e3m7"), CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
  EXPECT_EQ(*CodecSpec::Parse("S1E3M7:pow2"), CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
  EXPECT_EQ(*CodecSpec::Parse("s1e8m23:none"), CodecSpec::Float(8, 23, ScaleRule::kNone));
  EXPECT_EQ(*CodecSpec::Parse("s1e2m0:absmax"), CodecSpec::Float(2, 0, ScaleRule::kAbsMax));
}

TEST(CodecSpecTest, ParsesFloatBlocks) {
  EXPECT_EQ(*CodecSpec::Parse("s1e3m7/4096"), CodecSpec::FloatBlocks(3, 7, ScaleRule::kPowerOfTwo));
  BlockOptions blocks;
  blocks.scale_group_log2 = 6;
  blocks.correction = blocks.truncate = blocks.weights_only = true;
  blocks.exact_one_in = 10;
  const CodecSpec all = CodecSpec::FloatBlocks(2, 3, ScaleRule::kAbsMax, blocks);
  EXPECT_EQ(*CodecSpec::Parse("S1E2M3:absmax/64+correction+truncate+weights+partial=0.1"), all);
  EXPECT_EQ(*CodecSpec::Parse("s1e2m3:absmax/64+partial=.1+weights+truncate+correction"), all);
  EXPECT_EQ(all.Name(),
            "s1e2m3 blocks (absmax scale of 64 values, correction, truncated, weights only, 1 in 10 exact)");
  EXPECT_EQ(CodecSpec::Parse("s1e3m7:none/4096")->Name(), "s1e3m7 blocks (no scale)");
}

TEST(CodecSpecTest, RefusesFloatBlocksThatCannotBe) {
  for (const std::string text :
       {"fp32/4096", "s1e3m7/", "s1e3m7/0", "s1e3m7/32", "s1e3m7/8192", "s1e3m7/100", "s1e3m7/64/64", "s1e3m7:none/64",
        "s1e3m7/64+", "s1e3m7/64+weight", "s1e3m7+weights", "s1e3m7/64+partial",
        "s1e3m7/64+partial=", "s1e3m7/64+partial=0.51", "s1e3m7/64+partial=0.005", "s1e3m7/64+partial=0.3",
        "s1e3m7/64+partial=nan", "s1e9m7/64"}) {
    EXPECT_EQ(CodecSpec::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_THAT(std::string(CodecSpec::Parse("s1e3m7/64+partial=0.3").status().message()), HasSubstr("0.333333"));
}

TEST(CodecSpecTest, RefusesEverythingElseAndSaysWhatIsAllowed) {
  for (const std::string text :
       {"", "fp16", "s1e3", "s1e3m", "s1em7", "s1e3m7:", "s1e3m7:pow3", "s1e3m7pow2", "s1e3m7 ", "s2e3m7", "s1e-3m7",
        "s1e3m7:none:none", "s1e1m7", "s1e9m7", "s1e3m24", "s1e999999999999m7", "s1e3m0007"}) {
    const auto spec = CodecSpec::Parse(text);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << "'" << text << "'";
  }
  EXPECT_THAT(std::string(CodecSpec::Parse("s1e9m7").status().message()),
              HasSubstr("exponent_bits is 9, must be 2 to 8"));
  EXPECT_THAT(std::string(CodecSpec::Parse("s1e3m7:big").status().message()), HasSubstr("none, pow2 or absmax"));
}

TEST(CodecSpecTest, NamesItself) {
  EXPECT_EQ(CodecSpec::Fp32().Name(), "fp32");
  EXPECT_EQ(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo).Name(), "s1e3m7 (power-of-two scale)");
  EXPECT_EQ(CodecSpec::Float(4, 14, ScaleRule::kNone).Name(), "s1e4m14 (no scale)");
  EXPECT_EQ(CodecSpec::Float(5, 2, ScaleRule::kAbsMax).Name(), "s1e5m2 (absmax scale)");
}

TEST(CodecSpecTest, AcceptsExactlyTheFormatsOfTheWireFormat) {
  for (int exponent = -1; exponent <= 10; ++exponent) {
    for (int mantissa = -1; mantissa <= 25; ++mantissa) {
      const bool lawful = exponent >= 2 && exponent <= 8 && mantissa >= 0 && mantissa <= 23;
      EXPECT_EQ(CodecSpec::Float(exponent, mantissa, ScaleRule::kNone).Validate().ok(), lawful);
    }
  }
  EXPECT_FALSE(CodecSpec::Float(3, 7, static_cast<ScaleRule>(3)).Validate().ok());
}

TEST(MakeCodecTest, TellsUnknownCodecsFromBadParameters) {
  EXPECT_EQ(MakeCodec({static_cast<CodecId>(9), {}, {}}).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(MakeCodec({CodecId::kInt64, {}, {}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeCodec(CodecSpec::Float(9, 7, ScaleRule::kNone)).status().code(), absl::StatusCode::kInvalidArgument);
  const CodecSpec spec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  EXPECT_EQ((*MakeCodec(spec))->spec(), spec);
  EXPECT_EQ((*MakeCodec(CodecSpec::Fp32()))->spec(), CodecSpec::Fp32());
}

}  // namespace
}  // namespace thinwire
