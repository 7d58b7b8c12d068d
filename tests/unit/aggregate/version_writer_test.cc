#include <cmath>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "tests/unit/aggregate/federation_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;
using Kind = StrategyOptions::Kind;

PublishRequest RequestFor(const Federation& federation, Kind kind, const std::string& old_state = "") {
  PublishRequest request;
  request.old_weights = federation.PathOf("w");
  request.old_state = old_state;
  request.new_weights = federation.PathOf("new");
  request.new_state = federation.PathOf("new_state");
  request.strategy.kind = kind;
  return request;
}

void Fold(Federation* federation, const ModelState& trained, uint64_t weight) {
  const FoldRequest request = federation->Upload("up", trained, Representation::kDelta, CodecSpec::Fp32(), weight);
  ASSERT_THAT(FoldUpdate(federation->w.spec, request, federation->accumulator.get()), IsOk());
}

TEST(WriteNewVersionTest, ARoundOfClientsThatDoNotMoveLeavesTheFileBitIdentical) {
  for (const Kind kind : {Kind::kFedAvg, Kind::kFedAvgM, Kind::kFedAdam}) {
    for (const Representation representation : {Representation::kDelta, Representation::kModel}) {
      const CodecSpec codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
      Federation federation(codec);
      for (const uint64_t weight : {1, 77}) {
        const FoldRequest request = federation.Upload("up", federation.r, representation, codec, weight);
        ASSERT_THAT(FoldUpdate(federation.w.spec, request, federation.accumulator.get()), IsOk());
      }
      const PublishRequest publish = RequestFor(federation, kind);
      ASSERT_OK_AND_ASSIGN(const WrittenVersion written,
                           WriteNewVersion(federation.w.spec, *federation.accumulator, publish));
      const std::string before = *ReadWholeFile(publish.old_weights, 1 << 24);
      EXPECT_TRUE(before == *ReadWholeFile(publish.new_weights, 1 << 24));
      EXPECT_EQ(written.weights_sha256, Sha256(before));
    }
  }
}

TEST(WriteNewVersionTest, FedAvgAddsTheWeightedMeanToWAndNotToR) {
  Federation federation(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
  ModelState up = federation.r;
  ModelState down = federation.r;
  for (const uint32_t tensor : {kWeight, kBias}) {
    for (float& value : up.floats[tensor]) value = value + 1.0f;
    for (float& value : down.floats[tensor]) value = value - 0.5f;
  }
  for (float& value : up.floats[kRunningMean]) value += 4;
  up.ints[kSteps] = {1009};
  down.ints[kSteps] = {1003};
  Fold(&federation, up, 1);
  Fold(&federation, down, 3);
  const PublishRequest publish = RequestFor(federation, Kind::kFedAvg);
  ASSERT_THAT(WriteNewVersion(federation.w.spec, *federation.accumulator, publish), IsOk());
  ASSERT_OK_AND_ASSIGN(SafetensorsReader reader, SafetensorsReader::Open(publish.new_weights));
  const ModelState after = ReadState(reader, federation.w.spec);
  for (const uint32_t tensor : {kWeight, kBias}) {
    for (size_t i = 0; i < after.floats[tensor].size(); ++i) {
      // (1 * 1 - 3 * 0.5) / 4 = -0.125
      ASSERT_NEAR(after.floats[tensor][i], federation.w.floats[tensor][i] - 0.125f, 1e-6) << tensor << " " << i;
    }
  }
  for (size_t i = 0; i < 5; ++i)
    EXPECT_FLOAT_EQ(after.floats[kRunningMean][i], federation.w.floats[kRunningMean][i] + 1);
  EXPECT_EQ(after.ints[kSteps][0], 1009);
  ExpectSameBits(after.floats[kTable], federation.w.floats[kTable]);
}

TEST(WriteNewVersionTest, OptimiserStateGoesFromVersionToVersion) {
  Federation federation(CodecSpec::Fp32());
  ModelState trained = federation.r;
  for (float& value : trained.floats[kBias]) value = value + 1.0f;
  Fold(&federation, trained, 1);
  PublishRequest publish = RequestFor(federation, Kind::kFedAvgM);
  ASSERT_OK_AND_ASSIGN(const WrittenVersion first,
                       WriteNewVersion(federation.w.spec, *federation.accumulator, publish));
  EXPECT_EQ(first.state_sha256, Sha256(*ReadWholeFile(publish.new_state, 1 << 24)));
  // Once more from there: velocity 0.9 * 1 + 1 = 1.9.
  publish.old_state = publish.new_state;
  publish.new_state = federation.PathOf("newer_state");
  publish.old_weights = publish.new_weights;
  publish.new_weights = federation.PathOf("newer");
  ASSERT_THAT(WriteNewVersion(federation.w.spec, *federation.accumulator, publish), IsOk());
  ASSERT_OK_AND_ASSIGN(SafetensorsReader reader, SafetensorsReader::Open(publish.new_weights));
  const ModelState after = ReadState(reader, federation.w.spec);
  for (size_t i = 0; i < 7; ++i) EXPECT_NEAR(after.floats[kBias][i], federation.w.floats[kBias][i] + 2.9f, 1e-5);
}

TEST(WriteNewVersionTest, AnotherStrategysStateIsRefused) {
  Federation federation(CodecSpec::Fp32());
  Fold(&federation, federation.r, 1);
  const PublishRequest publish = RequestFor(federation, Kind::kFedAvgM);
  ASSERT_THAT(WriteNewVersion(federation.w.spec, *federation.accumulator, publish), IsOk());
  PublishRequest other = RequestFor(federation, Kind::kFedAdam, publish.new_state);
  other.new_state = federation.PathOf("adam_state");
  EXPECT_THAT(WriteNewVersion(federation.w.spec, *federation.accumulator, other),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("strategy")));
}

TEST(WriteNewVersionTest, AResultThatIsNotFiniteIsRefusedAndTheOldVersionStays) {
  ModelState weights = RandomState(1);
  weights.floats[kBias][6] = 3.4e38f;
  Federation federation(CodecSpec::Fp32(), weights);
  ModelState trained = federation.r;
  Fold(&federation, trained, 1);
  const std::string before = *ReadWholeFile(federation.PathOf("w"), 1 << 24);
  // The mean is small, the rate is not: 3.4e38 + 1e38 * 1 overflows.
  trained.floats[kBias][6] = federation.r.floats[kBias][6];
  trained.floats[kBias][5] += 200;
  Fold(&federation, trained, 1);
  PublishRequest publish = RequestFor(federation, Kind::kFedAvg);
  publish.strategy.learning_rate = 1e37;
  EXPECT_THAT(WriteNewVersion(federation.w.spec, *federation.accumulator, publish),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("value 5 of tensor 'bias'")));
  EXPECT_TRUE(before == *ReadWholeFile(federation.PathOf("w"), 1 << 24));
}

TEST(WriteNewVersionTest, NothingIsPublishedFromNothing) {
  Federation federation(CodecSpec::Fp32());
  EXPECT_THAT(WriteNewVersion(federation.w.spec, *federation.accumulator, RequestFor(federation, Kind::kFedAvg)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(WriteNewVersionTest, AnotherModelsFileIsRefused) {
  Federation federation(CodecSpec::Fp32());
  Fold(&federation, federation.r, 1);
  ModelState other(*ModelSpec::Create({{"weight", {4}, DataType::kFloat32, TensorRole::kTrainable}}));
  ModelStateSource source(other);
  PublishRequest publish = RequestFor(federation, Kind::kFedAvg);
  publish.old_weights = federation.PathOf("other");
  ASSERT_THAT(WriteSafetensors(publish.old_weights, other.spec, source), IsOk());
  EXPECT_THAT(WriteNewVersion(federation.w.spec, *federation.accumulator, publish),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another model")));
}

}  // namespace
}  // namespace thinwire
