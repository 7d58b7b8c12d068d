// Differences of buffers, rounded: how far off they are, what never becomes negative, and that what is lacking is made
// up for.
#include "common/codec/buffer_frame.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/codec/codec.h"
#include "common/codec/inspect.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr size_t kGroup = 64;

std::vector<float> RoundedDifferences(const std::vector<float>& base, const std::vector<float>& trained) {
  std::vector<float> differences(trained.size(), NAN);
  EXPECT_THAT(RoundBufferDifferences(base, trained, absl::MakeSpan(differences)), IsOk());
  return differences;
}

// Of any magnitude, many of them alike: x 2^(-12 ... 12).
std::vector<float> Positive(RandomStream* random, size_t count) {
  std::vector<float> values(count);
  for (float& value : values) {
    const int exponent = random->Below(4) == 0 ? static_cast<int>(random->Below(25)) - 12 : 0;
    value = std::ldexp(static_cast<float>(1 + random->NextDouble()), exponent);
  }
  return values;
}

float LargestOfGroup(const std::vector<float>& a, const std::vector<float>& b, size_t index) {
  float largest = 0;
  for (size_t i = index / kGroup * kGroup; i < a.size() && i / kGroup == index / kGroup; ++i) {
    largest = std::max(largest, std::fabs(a[i] - b[i]));
  }
  return largest;
}

TEST(BufferFrameTest, EveryDifferenceIsNearlyTheOneThatWas) {
  RandomStream random(1);
  for (int turn = 0; turn < 20; ++turn) {
    std::vector<float> base = Positive(&random, 1000), trained = Positive(&random, 1000);
    for (size_t i = 0; i < base.size(); ++i) {  // below zero all are to nearest
      base[i] = -base[i];
      trained[i] = -trained[i];
    }
    const std::vector<float> rounded = RoundedDifferences(base, trained);
    for (size_t i = 0; i < base.size(); ++i) {
      const float exact = trained[i] - base[i];
      // Half of the last place of two bits, or of the smallest step: 2^-4 of a scale that is at most 2/28 of the
      // largest.
      const float bound = std::max(std::fabs(exact) / 8, LargestOfGroup(base, trained, i) / 448);
      ASSERT_LE(std::fabs(rounded[i] - exact), bound * 1.0001f) << turn << " at " << i;
    }
  }
}

TEST(BufferFrameTest, NoVarianceBecomesNegativeOrMuchSmallerThanItIs) {
  RandomStream random(2);
  int fell = 0;
  for (int turn = 0; turn < 100; ++turn) {
    const std::vector<float> base = Positive(&random, 1000);
    std::vector<float> trained = Positive(&random, 1000);
    for (size_t i = 0; i < trained.size(); i += 37) trained[i] = i % 2 == 0 ? 0 : 1e-30f;
    const std::vector<float> rounded = RoundedDifferences(base, trained);
    for (size_t i = 0; i < base.size(); ++i) {
      const double decoded = double{base[i]} + rounded[i];  // what a sum of exact numbers makes of it
      ASSERT_GE(decoded, 0) << base[i] << " to " << trained[i];
      ASSERT_GE(decoded, std::min<double>(base[i], 0.8749 * trained[i] - 1e-7 * base[i]))
          << base[i] << " to " << trained[i];
      fell += trained[i] * 50 < base[i] ? 1 : 0;
      // Nor is any twice as far off as it was.
      const double exact = double{trained[i]} - base[i];
      ASSERT_LE(std::fabs(decoded - trained[i]), std::fabs(exact) * 1.0001) << base[i] << " to " << trained[i];
    }
  }
  EXPECT_GT(fell, 1000);
}

// A variance of 1 that falls to 0.001, beside one that rises to 5000: what a round lacks, the next ones bring.
TEST(BufferFrameTest, RoundsBringWhatTheFirstOneLacked) {
  std::vector<float> trained = {0.001f, 5000, 0.3f, -0.02f, 110, 0}, base = {1, 1, 1, 0, 0, 1};
  for (int round = 0; round < 8; ++round) {
    const std::vector<float> rounded = RoundedDifferences(base, trained);
    for (size_t i = 0; i < base.size(); ++i) base[i] += rounded[i];
  }
  for (size_t i = 0; i < base.size(); ++i) EXPECT_NEAR(base[i], trained[i], 0.01 * std::fabs(trained[i]) + 1e-6) << i;
}

TEST(BufferFrameTest, WhatIsRoundedIsCodedWithoutAFurtherError) {
  RandomStream random(3);
  const CodecSpec codec = BufferCodec();
  ASSERT_THAT(codec.Validate(), IsOk());
  for (const size_t count : {size_t{1}, size_t{63}, size_t{5000}, size_t{kBlockValues}}) {
    std::vector<float> base = Positive(&random, count), trained = Positive(&random, count);
    for (size_t i = 0; i < count; i += 3) trained[i] = base[i] / 100;
    const std::vector<float> rounded = RoundedDifferences(base, trained);
    std::string frame;
    ASSERT_THAT((*MakeCodec(codec))->Encode(rounded, 1, &frame), IsOk());
    EXPECT_LE(frame.size(), 16u + 8 + 2 + count * 785 / 1024 + count / 4096);  // 6 + 8/64 bits and some rounding up
    std::vector<float> decoded(count);
    ASSERT_THAT(DecodeFrame(frame, absl::MakeSpan(decoded)), IsOk());
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(FloatBits(decoded[i]), FloatBits(rounded[i])) << i;
  }
}

TEST(BufferFrameTest, WhatDidNotMoveStaysAndWhatIsNotFiniteIsRefused) {
  const std::vector<float> base = {0.1f, -0.2f, 1e30f, 0, 1e-40f};
  EXPECT_THAT(RoundedDifferences(base, base), Each(0.0f));
  std::vector<float> out(1);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    EXPECT_THAT(RoundBufferDifferences({1.0f}, {bad}, absl::MakeSpan(out)),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  const float huge = std::numeric_limits<float>::max();
  EXPECT_THAT(RoundBufferDifferences({-huge}, {huge}, absl::MakeSpan(out)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

class BufferPayloadTest : public testing::Test {
 protected:
  absl::StatusOr<PayloadRef> Write(const ModelSpec& spec, const CodecSpec& codec) {
    ModelState state(spec);
    for (std::vector<float>& tensor : state.floats) std::fill(tensor.begin(), tensor.end(), 0.3f);
    for (std::vector<int64_t>& tensor : state.ints) std::fill(tensor.begin(), tensor.end(), 9);
    ModelStateSource source(state);
    EncodeOptions options{Representation::kDelta, codec, Sha256("base")};
    const std::string bytes(10, '\1');
    if (codec.id == CodecId::kRdu) options.update = &bytes;
    return EncodePayload(spec, options, source, path_);
  }

  TemporaryDirectory folder_;
  const std::string path_ = folder_.Path("update");
  const CodecSpec rdu_ = CodecSpec::Update(CodecId::kRdu);
};

TEST_F(BufferPayloadTest, BuffersOfAnUpdateAreTwoSegmentsOfAKnownSize) {
  const ModelSpec spec = *ModelSpec::Create({{"thinwire.update/5", {1}, DataType::kFloat32, TensorRole::kTrainable},
                                             BufferDifferencesSpec(1152),
                                             CountDifferencesSpec(7)});
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref, Write(spec, rdu_));
  EXPECT_EQ(ref.total_size, 88u + 3 * (48 + 16) + 10 + (8 + 18 + 1152 * 6 / 8) + 7 * 8);
  EXPECT_LE(ref.total_size, *MaxPayloadSize(spec, Representation::kDelta, rdu_));
  ASSERT_OK_AND_ASSIGN(const PayloadReport report, InspectPayload(path_));
  ASSERT_EQ(report.tensors.size(), 3u);
  EXPECT_EQ(report.tensors[1].codec, "s1e3m2 blocks (power-of-two scale of 64 values)");
  EXPECT_EQ(report.tensors[1].values, 1152u);
  EXPECT_EQ(report.tensors[2].codec, "int64");
}

// A buffer of that name in a model that travels under another plan is a buffer as any other.
TEST_F(BufferPayloadTest, OtherPayloadsLeaveABufferOfThatNameExact) {
  const ModelSpec spec =
      *ModelSpec::Create({{"w", {3}, DataType::kFloat32, TensorRole::kTrainable}, BufferDifferencesSpec(3)});
  for (const CodecSpec& codec : {CodecSpec::Fp32(), *CodecSpec::Parse("s1e3m7/4096")}) {
    ASSERT_OK_AND_ASSIGN(const PayloadRef ref, Write(spec, codec));
    EXPECT_LE(ref.total_size, *MaxPayloadSize(spec, Representation::kDelta, codec));
    ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(path_, ref, spec));
    std::vector<float> values(3);
    ASSERT_THAT(reader.DecodeFloats(1, absl::MakeSpan(values)), IsOk());
    EXPECT_THAT(values, Each(0.3f));
  }
}

TEST(BufferManifestTest, SegmentsOfAnotherSizeOrCountAreRefused) {
  const ModelSpec spec = *ModelSpec::Create({{"thinwire.update/5", {1}, DataType::kFloat32, TensorRole::kTrainable},
                                             BufferDifferencesSpec(100),
                                             CountDifferencesSpec(2)});
  const auto verdict = [&spec](size_t index, uint32_t count, uint32_t size) {
    Manifest manifest;
    manifest.representation = Representation::kDelta;
    manifest.model_id = spec.id();
    manifest.base_id = Sha256("base");
    manifest.segments = {
        {0, 0, 1, 16, Sha256("a")}, {1, 0, 100, 16 + 8 + 2 + 75, Sha256("b")}, {2, 0, 2, 32, Sha256("c")}};
    manifest.segments[index].count = count;
    manifest.segments[index].size = size;
    return CheckManifest(manifest, spec);
  };
  const absl::StatusCode bad = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(verdict(1, 100, 101), IsOk());
  EXPECT_THAT(verdict(1, 99, 101), StatusIs(bad, HasSubstr("'thinwire.buffers'")));
  EXPECT_THAT(verdict(1, 100, 16), StatusIs(bad));
  EXPECT_THAT(verdict(1, 100, 16 + 8 + 400 + 8 + 8 + 1), StatusIs(bad));
  EXPECT_THAT(verdict(2, 3, 40), StatusIs(bad, HasSubstr("'thinwire.counts'")));
  EXPECT_THAT(verdict(2, 2, 31), StatusIs(bad));
}

}  // namespace
}  // namespace thinwire
