// Float blocks (codec 4) beyond their golden files: every combination of knobs, on every instruction set.
#include <cfloat>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/rng.h"
#include "common/codec/float_blocks_codec.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"
#include "common/codec/frame.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/kernels/float_kernels_scalar.h"
#include "common/codec/line_fit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// Row blocks of very different magnitude, with zeros in between.
std::vector<float> Values(size_t count, uint64_t key = 7) {
  RandomStream random(key);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const double magnitude = 0.02 * static_cast<double>(1 << i / kRowBlockValues % 7);
    values[i] = random.Below(50) == 0 ? 0.0f : static_cast<float>((random.NextDouble() - 0.5) * magnitude);
  }
  return values;
}

CodecSpec Spec(const std::string& text) {
  const auto spec = CodecSpec::Parse(text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

std::string Encode(const CodecSpec& spec, const std::vector<float>& values, uint16_t exact_blocks) {
  std::string frame;
  const absl::Status status = (*MakeCodec(spec))->EncodePartly(values, 1, exact_blocks, &frame);
  EXPECT_TRUE(status.ok()) << status;
  return frame;
}

std::vector<float> Decode(const std::string& frame, size_t count) {
  std::vector<float> values(count);
  const absl::Status status = DecodeFrame(frame, absl::MakeSpan(values));
  EXPECT_TRUE(status.ok()) << status;
  return values;
}

// What a frame decodes to, by the scalar kernels and section 4.4 of the wire format, one value at a time.
std::vector<float> Expected(const CodecSpec& spec, const std::vector<float>& values, uint16_t exact_blocks) {
  std::vector<float> out = values;
  const size_t group = size_t{1} << spec.blocks.scale_group_log2;
  for (size_t first = 0; first < values.size(); first += kRowBlockValues) {
    if ((exact_blocks >> first / kRowBlockValues & 1) != 0) continue;
    const size_t size = std::min<size_t>(kRowBlockValues, values.size() - first);
    for (size_t g = first; g < first + size; g += group) {
      const size_t end = std::min(g + group, first + size);
      float absmax = 0;
      for (size_t i = g; i < end; ++i) absmax = std::max(absmax, std::abs(values[i]));
      const float scale = ChooseFloatScale(spec.format, spec.scale, absmax);
      for (size_t i = g; i < end; ++i) {
        const uint32_t code = spec.blocks.truncate ? EncodeFloatCodeDithered(values[i] / scale, spec.format, 0)
                                                   : EncodeFloatCode(values[i] / scale, spec.format);
        out[i] = DecodeFloatCode(code, spec.format) * scale;
      }
    }
    const absl::Span<float> block(out.data() + first, size);
    if (spec.blocks.correction) ApplyLine(FitLine(block, absl::MakeConstSpan(values.data() + first, size)), block);
  }
  return out;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

std::vector<std::string> Knobs() {
  std::vector<std::string> all;
  for (const char* format : {"s1e2m0", "s1e2m3", "s1e3m7", "s1e4m14", "s1e8m7", "s1e8m23"}) {
    for (const char* scale : {":none/4096", ":pow2/4096", ":pow2/64", ":absmax/512", ":absmax/4096"}) {
      for (const char* more : {"", "+correction", "+truncate", "+correction+truncate", "+weights+partial=0.1"}) {
        all.push_back(absl::StrCat(format, scale, more));
      }
    }
  }
  return all;
}

TEST(FloatBlocks, EveryCombinationOfKnobsDecodesToWhatThePageSays) {
  for (const std::string& text : Knobs()) {
    const CodecSpec spec = Spec(text);
    for (const size_t count : {size_t{1}, size_t{65}, size_t{4096}, size_t{3 * 4096 + 77}}) {
      const std::vector<float> values = Values(count);
      for (const uint16_t exact : {uint16_t{0}, uint16_t{1}, uint16_t{0b1010}}) {
        const uint16_t mask = static_cast<uint16_t>(exact & ((1u << RowBlockCount(count)) - 1));
        const std::string frame = Encode(spec, values, mask);
        EXPECT_LE(frame.size(), (*MakeCodec(spec))->MaxFrameSize(static_cast<uint32_t>(count)));
        ASSERT_TRUE(SameBits(Decode(frame, count), Expected(spec, values, mask))) << text << " " << count;
        ASSERT_OK_AND_ASSIGN(const FrameInfo info, ReadFrameInfo(frame));
        EXPECT_EQ(info.exact_blocks, mask);
        EXPECT_EQ(info.codec.blocks.correction, spec.blocks.correction);
        EXPECT_EQ(info.codec.blocks.scale_group_log2, spec.blocks.scale_group_log2);
      }
    }
  }
}

TEST(FloatBlocks, EveryInstructionSetWritesAndReadsTheSameBytes) {
  const std::vector<float> values = Values(kBlockValues);
  for (const std::string& text : Knobs()) {
    std::string first;
    std::vector<float> decoded;
    for (const KernelTarget& target : KernelTargets()) {
      UseKernelTarget(&target);
      const std::string frame = Encode(Spec(text), values, 0x8421);
      if (first.empty()) first = frame;
      EXPECT_EQ(frame, first) << text << " on " << target.name;
      const std::vector<float> again = Decode(frame, values.size());
      if (decoded.empty()) decoded = again;
      EXPECT_TRUE(SameBits(again, decoded)) << text << " on " << target.name;
    }
    UseKernelTarget(nullptr);
  }
}

// A frame of several row blocks is too long for a golden file: its checksum is on record instead.
TEST(FloatBlocks, TheBytesOfAWholeBlockAreOnRecord) {
  std::vector<float> values(3 * kRowBlockValues + 5);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(static_cast<int>(i * 7919 % 2001) - 1000) / (i < kRowBlockValues ? 4096.0f : 64.0f);
  }
  EXPECT_EQ(Crc32c(Encode(Spec("s1e3m7/1024+correction"), values, 0b0101)), 1415926673u);
  EXPECT_EQ(Crc32c(Encode(Spec("s1e2m3:absmax/64+truncate"), values, 0b1000)), 3359435418u);
}

TEST(FloatBlocks, WhatAPowerOfTwoHasScaledComesBackTheSame) {
  const std::vector<float> values = Values(kBlockValues);
  for (const char* text : {"s1e3m7/4096", "s1e2m3/64", "s1e3m7/4096+truncate", "s1e4m3:none/4096"}) {
    const std::vector<float> once = Decode(Encode(Spec(text), values, 4), values.size());
    EXPECT_TRUE(SameBits(Decode(Encode(Spec(text), once, 4), values.size()), once)) << text;
  }
}

double MeanSquaredError(const std::string& text, const std::vector<float>& values) {
  const std::vector<float> decoded = Decode(Encode(Spec(text), values, 0), values.size());
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += (values[i] - decoded[i]) * (values[i] - decoded[i]);
  return sum;
}

TEST(FloatBlocks, CorrectionNeverHurtsAndHelpsTruncationMuch) {
  const std::vector<float> values = Values(kBlockValues);
  for (const char* text : {"s1e3m7/4096", "s1e4m3/4096", "s1e2m3/4096"}) {
    const std::string plain = text;
    EXPECT_LE(MeanSquaredError(plain + "+correction", values), MeanSquaredError(plain, values) * (1 + 1e-9)) << text;
    EXPECT_LT(MeanSquaredError(plain + "+correction+truncate", values),
              0.6 * MeanSquaredError(plain + "+truncate", values))
        << text;
  }
}

// A scale for all 4,096 values is made for the few large ones, and the small ones have their last bits.
TEST(FloatBlocks, SmallerScaleGroupsKeepSmallValuesBesideLargeOnes) {
  std::vector<float> values(kRowBlockValues, 0.01f);
  values[0] = 100;
  EXPECT_EQ(Decode(Encode(Spec("s1e2m3/4096"), values, 0), values.size())[64], 0);
  EXPECT_NEAR(Decode(Encode(Spec("s1e2m3/64"), values, 0), values.size())[64], 0.01, 0.001);
}

TEST(FloatBlocks, TheLargestValuesStayFiniteUnderACorrection) {
  std::vector<float> values(100, FLT_MAX);
  values[1] = -FLT_MAX;
  values[2] = 1;
  for (const char* text : {"s1e2m0/4096+correction", "s1e2m3:absmax/64+correction+truncate"}) {
    for (const float value : Decode(Encode(Spec(text), values, 0), values.size())) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(FloatBlocks, WritersRefuseWhatAFrameCannotHold) {
  const std::unique_ptr<Codec> codec = *MakeCodec(Spec("s1e3m7/4096"));
  std::string frame = "before";
  EXPECT_THAT(codec->EncodePartly(std::vector<float>(5), 1, 2, &frame),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("there are 1 row blocks")));
  EXPECT_THAT(codec->Encode(std::vector<float>(kBlockValues + 1), 1, &frame), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(codec->Encode(std::vector<float>(5), 2, &frame), StatusIs(StatusCode::kInvalidArgument));
  for (const uint16_t exact : {0, 1}) {
    EXPECT_THAT(codec->EncodePartly({1.0f, NAN}, 1, exact, &frame), StatusIs(StatusCode::kInvalidArgument));
    EXPECT_THAT(codec->EncodePartly({INFINITY}, 1, exact, &frame), StatusIs(StatusCode::kInvalidArgument));
  }
  EXPECT_THAT((*MakeCodec(CodecSpec::Fp32()))->EncodePartly(std::vector<float>(5), 1, 1, &frame),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("float blocks")));
  EXPECT_EQ(frame, "before");
}

std::string Sealed(std::string frame) {
  const absl::string_view view(frame);
  StoreLittle<uint32_t>(static_cast<uint32_t>(frame.size() - kFrameHeaderSize), &frame[8]);
  StoreLittle<uint32_t>(Crc32c(view.substr(kFrameHeaderSize), Crc32c(view.substr(0, 12))), &frame[12]);
  return frame;
}

TEST(FloatBlocks, EveryTruncationIsRefusedBeforeAnythingIsWritten) {
  const std::vector<float> values = Values(kRowBlockValues + 9);
  const std::string frame = Encode(Spec("s1e2m3:absmax/64+correction"), values, 2);
  std::vector<float> out(values.size(), 12345.0f);
  for (size_t size = kFrameHeaderSize; size < frame.size(); size += size < 700 ? 1 : 97) {
    EXPECT_EQ(DecodeFrame(Sealed(frame.substr(0, size)), absl::MakeSpan(out)).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(DecodeFrame(Sealed(frame + '\0'), absl::MakeSpan(out)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(out, std::vector<float>(values.size(), 12345.0f));
}

// Whatever a byte at the front or among scales and corrections becomes: an error or finite numbers.
TEST(FloatBlocks, AnyByteOfTheParametersMayBeAnything) {
  const std::vector<float> values = Values(kRowBlockValues + 9);
  for (const char* text : {"s1e3m7/1024+correction", "s1e8m7:absmax/2048"}) {
    const std::string frame = Encode(Spec(text), values, 0);
    for (size_t at = kFrameHeaderSize; at < kFrameHeaderSize + 40; ++at) {
      for (int byte = 0; byte < 256; byte += 5) {
        std::string changed = frame;
        changed[at] = static_cast<char>(byte);
        std::vector<float> out(values.size());
        if (!DecodeFrame(Sealed(changed), absl::MakeSpan(out)).ok()) continue;
        ASSERT_LT(MaxMagnitudeBits(out.data(), out.size()), kFloatInfinityBits) << text << " " << at << " " << byte;
      }
    }
  }
}

TEST(FloatBlocks, MoreValuesThanABlockHoldsAreRefused) {
  std::string frame = Encode(Spec("s1e3m7/4096"), Values(kBlockValues), 0);
  StoreLittle<uint32_t>(kBlockValues + 1, &frame[4]);
  EXPECT_EQ(ReadFrameInfo(Sealed(frame)).status().code(), StatusCode::kInvalidArgument);
  StoreLittle<uint32_t>(0xffffffffu, &frame[4]);
  EXPECT_EQ(ReadFrameInfo(Sealed(frame)).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace thinwire
