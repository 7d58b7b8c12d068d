#include "server/aggregate/update_columns.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "tests/unit/aggregate/federation_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;
using Kind = AggregatorOptions::Kind;

constexpr AggregatorOptions kMedian = {Kind::kMedian, 0};
AggregatorOptions Trimmed(double trim) { return {Kind::kTrimmedMean, trim}; }

UpdateColumns NewColumns(const Federation& federation, const AggregatorOptions& options) {
  return UpdateColumns(federation.w.spec, federation.accumulator->fixed_point(), options);
}

// What a client sends whose delta is `value` in every trainable value, whose buffers are R's plus that, and whose
// counter stands at `steps`.
FoldRequest Moved(const Federation& federation, const std::string& name, float value, int64_t steps = 0,
                  uint64_t weight = 1) {
  ModelState update = federation.r;
  for (const uint32_t tensor : {kWeight, kBias}) {
    std::fill(update.floats[tensor].begin(), update.floats[tensor].end(), value);
  }
  for (float& buffer : update.floats[kRunningMean]) buffer += value;
  update.ints[kSteps] = {steps};
  ModelStateSource source(update);
  const EncodeOptions options = {Representation::kDelta, CodecSpec::Fp32(), federation.base->ref().id};
  const absl::StatusOr<PayloadRef> ref = EncodePayload(update.spec, options, source, federation.PathOf(name));
  EXPECT_THAT(ref, IsOk());
  return {federation.PathOf(name), *ref, federation.base.get(), federation.base->ref().id, weight, 1e6};
}

std::vector<float> Read(const RoundAggregate& aggregate, uint32_t tensor) {
  std::vector<float> values(MixedSpec().tensors()[tensor].count());
  for (size_t first = 0; first < values.size(); first += kBlockValues) {
    const size_t size = std::min<size_t>(kBlockValues, values.size() - first);
    EXPECT_THAT(aggregate.ReadFloats(tensor, first, absl::MakeSpan(values).subspan(first, size)), IsOk());
  }
  return values;
}

// The aggregate of clients that moved by `values`, the same in each trainable value.
float Aggregate(const AggregatorOptions& options, const std::vector<float>& values) {
  const Federation federation(CodecSpec::Fp32());
  UpdateColumns columns = NewColumns(federation, options);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_THAT(columns.Add(Moved(federation, "up" + std::to_string(i), values[i])), IsOk());
  }
  const std::vector<float> weight = Read(columns, kWeight);
  for (const float value : weight) EXPECT_EQ(FloatBits(value), FloatBits(weight[0]));
  EXPECT_EQ(FloatBits(Read(columns, kBias)[6]), FloatBits(weight[0]));
  return weight[0];
}

TEST(MedianTest, IsTheMiddleValueOfAnOddNumberOfUpdates) {
  EXPECT_EQ(Aggregate(kMedian, {1, 5, -3}), 1);
  EXPECT_EQ(Aggregate(kMedian, {-8, 0.5f, 100, 0.25f, 7}), 0.5f);
}

TEST(MedianTest, IsTheMeanOfTheMiddleTwoOfAnEvenNumber) {
  EXPECT_EQ(Aggregate(kMedian, {10, 1, 4, 2}), 3);
  EXPECT_EQ(Aggregate(kMedian, {-1, -2, -3, -6}), -2.5f);
}

TEST(MedianTest, TiesCountAsOftenAsTheyAre) {
  EXPECT_EQ(Aggregate(kMedian, {2, 2, 7}), 2);
  EXPECT_EQ(Aggregate(kMedian, {1, 9, 9, 9}), 9);
  EXPECT_EQ(Aggregate(kMedian, {4, 4, 4, 4, 4}), 4);
}

TEST(MedianTest, MinusZeroStaysAndLiesBeforeZero) {
  EXPECT_EQ(FloatBits(Aggregate(kMedian, {-0.0f, 3, -0.0f})), FloatBits(-0.0f));
  EXPECT_EQ(FloatBits(Aggregate(kMedian, {0.0f, -0.0f, 1})), FloatBits(0.0f));
  EXPECT_EQ(FloatBits(Aggregate(kMedian, {-0.0f, -1, 0.0f})), FloatBits(-0.0f));
}

TEST(TrimmedMeanTest, LeavesOutTheSmallestAndTheLargest) {
  EXPECT_EQ(Aggregate(Trimmed(0.25), {100, 1, 2, -50}), 1.5f);
  EXPECT_EQ(Aggregate(Trimmed(0.2), {3, 200, 1, 5, -7}), 3);
  EXPECT_EQ(Aggregate(Trimmed(0.4), {3, 200, 1, 5, -7}), 3);  // the median
  EXPECT_EQ(Aggregate(Trimmed(0.25), {1, 2, 6}), 3);          // floor(0.75): nothing
}

TEST(TrimmedMeanTest, TheNumberLeftOutIsThatOfTheDecimalFraction) {
  EXPECT_EQ(TrimmedAtEachEnd(0.1, 10), 1u);
  EXPECT_EQ(TrimmedAtEachEnd(0.29, 100), 29u);  // 0.29 * 100 is less than 29 in binary
  EXPECT_EQ(TrimmedAtEachEnd(0.1, 9), 0u);
  EXPECT_EQ(TrimmedAtEachEnd(0.49, 2), 0u);
  EXPECT_EQ(TrimmedAtEachEnd(0.4999999999, 10), 4u);  // something is always left
  EXPECT_EQ(TrimmedAtEachEnd(0.4, 0), 0u);
}

TEST(TrimmedMeanTest, WithNothingTrimmedItIsTheMeanOfEqualWeights) {
  Federation federation(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
  UpdateColumns columns = NewColumns(federation, Trimmed(0));
  for (int i = 0; i < 4; ++i) {
    const ModelState trained = RandomState(static_cast<uint64_t>(10 + i));
    FoldRequest request =
        federation.Upload("up" + std::to_string(i), trained, Representation::kModel, CodecSpec::Fp32(), 5);
    ASSERT_THAT(columns.Add(request), IsOk());
    ASSERT_THAT(FoldUpdate(federation.w.spec, request, federation.accumulator.get()), IsOk());
  }
  for (const uint32_t tensor : {kWeight, kBias}) {
    const std::vector<float> mean = Read(*federation.accumulator, tensor);
    const std::vector<float> trimmed = Read(columns, tensor);
    // One sums in multiples of a quantum, the other in double.
    for (size_t i = 0; i < mean.size(); ++i) ASSERT_NEAR(trimmed[i], mean[i], 1e-7) << tensor << " " << i;
  }
}

TEST(UpdateColumnsTest, OneAttackerInFiveMovesTheMeanButNotTheMedian) {
  Federation federation(CodecSpec::Fp32());
  UpdateColumns median = NewColumns(federation, kMedian);
  UpdateColumns trimmed = NewColumns(federation, Trimmed(0.2));
  const std::vector<float> moves = {0.9f, 1.0f, 250.0f, 1.1f, 1.05f};
  for (size_t i = 0; i < moves.size(); ++i) {
    // It claims a hundred times the data, too.
    const uint64_t weight = moves[i] > 2 ? 1000 : 10;
    const FoldRequest request = Moved(federation, "up" + std::to_string(i), moves[i], 0, weight);
    for (UpdateColumns* columns : {&median, &trimmed}) ASSERT_THAT(columns->Add(request), IsOk());
    ASSERT_THAT(FoldUpdate(federation.w.spec, request, federation.accumulator.get()), IsOk());
  }
  EXPECT_GT(Read(*federation.accumulator, kWeight)[0], 200);
  EXPECT_EQ(Read(median, kWeight)[0], 1.05f);
  EXPECT_NEAR(Read(trimmed, kWeight)[0], 1.05f, 1e-6);
  EXPECT_NEAR(Read(median, kRunningMean)[2], 1.05f, 1e-5);  // buffers too
}

TEST(UpdateColumnsTest, NeitherOrderNorWeightsChangeABit) {
  const Federation federation(CodecSpec::Fp32());
  std::vector<FoldRequest> requests;
  for (int i = 0; i < 6; ++i) {
    const Representation representation = i % 2 == 0 ? Representation::kDelta : Representation::kModel;
    requests.push_back(federation.Upload("up" + std::to_string(i), RandomState(static_cast<uint64_t>(i)),
                                         representation, CodecSpec::Fp32(), 1 + 100 * i));
  }
  for (const AggregatorOptions& options : {kMedian, Trimmed(0.2), Trimmed(0)}) {
    UpdateColumns forward = NewColumns(federation, options);
    UpdateColumns backward = NewColumns(federation, options);
    for (size_t i = 0; i < requests.size(); ++i) {
      FoldRequest last = requests[requests.size() - 1 - i];
      last.weight = 7;
      ASSERT_THAT(forward.Add(requests[i]), IsOk());
      ASSERT_THAT(backward.Add(last), IsOk());
    }
    for (const uint32_t tensor : {kWeight, kRunningMean, kBias}) {
      ExpectSameBits(Read(forward, tensor), Read(backward, tensor));
    }
  }
}

TEST(UpdateColumnsTest, EveryParameterHasItsOwnMedian) {
  const Federation federation(CodecSpec::Fp32());
  UpdateColumns columns = NewColumns(federation, kMedian);
  std::vector<ModelState> trained;
  for (int i = 0; i < 7; ++i) {
    trained.push_back(RandomState(static_cast<uint64_t>(40 + i)));
    ASSERT_THAT(columns.Add(federation.Upload("up" + std::to_string(i), trained.back(), Representation::kModel,
                                              CodecSpec::Fp32(), 1)),
                IsOk());
  }
  for (const uint32_t tensor : {kWeight, kRunningMean, kBias}) {
    const std::vector<float> median = Read(columns, tensor);
    for (size_t i = 0; i < median.size(); ++i) {
      std::vector<float> column;
      for (const ModelState& state : trained)
        column.push_back(state.floats[tensor][i] - federation.r.floats[tensor][i]);
      std::sort(column.begin(), column.end());
      ASSERT_EQ(median[i], column[3]) << tensor << " " << i;
    }
  }
}

TEST(UpdateColumnsTest, ClippingComesFirst) {
  const Federation federation(CodecSpec::Fp32());
  UpdateColumns columns = NewColumns(federation, kMedian);
  FoldRequest request = Moved(federation, "up", 0.5f);
  request.clip_norm = 1;
  ASSERT_OK_AND_ASSIGN(const FoldReport report, columns.Add(request));
  EXPECT_TRUE(report.clipped);
  EXPECT_FLOAT_EQ(Read(columns, kWeight)[0], static_cast<float>(0.5 / report.norm));
  EXPECT_NEAR(Read(columns, kRunningMean)[0], 0.5f, 1e-6);  // statistics of the data are not steps
}

TEST(UpdateColumnsTest, StrategiesStepByTheMedianAndIntegersTakeTheMaximum) {
  for (const auto kind : {StrategyOptions::Kind::kFedAvg, StrategyOptions::Kind::kFedAvgM}) {
    const Federation federation(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
    UpdateColumns columns = NewColumns(federation, kMedian);
    ASSERT_THAT(columns.Add(Moved(federation, "a", 1, 2000)), IsOk());
    ASSERT_THAT(columns.Add(Moved(federation, "b", 3, 5000)), IsOk());
    ASSERT_THAT(columns.Add(Moved(federation, "c", 50, 4000)), IsOk());
    PublishRequest publish;
    publish.old_weights = federation.PathOf("w");
    publish.new_weights = federation.PathOf("new");
    publish.new_state = federation.PathOf("new_state");
    publish.strategy.kind = kind;
    ASSERT_THAT(WriteNewVersion(federation.w.spec, columns, publish), IsOk());
    ASSERT_OK_AND_ASSIGN(SafetensorsReader reader, SafetensorsReader::Open(publish.new_weights));
    const ModelState after = ReadState(reader, federation.w.spec);
    for (const uint32_t tensor : {kWeight, kBias}) {
      for (size_t i = 0; i < after.floats[tensor].size(); ++i) {
        ASSERT_EQ(after.floats[tensor][i], static_cast<float>(federation.w.floats[tensor][i] + 3.0)) << i;
      }
    }
    EXPECT_EQ(after.ints[kSteps][0], 5000);
    ExpectSameBits(after.floats[kTable], federation.w.floats[kTable]);
  }
}

TEST(UpdateColumnsTest, ClientsThatDoNotMoveLeaveTheFileBitIdentical) {
  const CodecSpec codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  for (const AggregatorOptions& options : {kMedian, Trimmed(0.3)}) {
    const Federation federation(codec);
    UpdateColumns columns = NewColumns(federation, options);
    for (const char* name : {"a", "b", "c", "d"}) {
      ASSERT_THAT(columns.Add(federation.Upload(name, federation.r, Representation::kModel, codec, 1)), IsOk());
    }
    PublishRequest publish;
    publish.old_weights = federation.PathOf("w");
    publish.new_weights = federation.PathOf("new");
    ASSERT_THAT(WriteNewVersion(federation.w.spec, columns, publish), IsOk());
    EXPECT_TRUE(*ReadWholeFile(publish.old_weights, 1 << 24) == *ReadWholeFile(publish.new_weights, 1 << 24));
  }
}

TEST(UpdateColumnsTest, MemoryIsABlockPerUpdateHoweverLargeTheModel) {
  TemporaryDirectory folder;
  std::vector<size_t> bytes;
  for (const int64_t blocks : {2, 9}) {
    ModelState state(*ModelSpec::Create(
        {{"w", {blocks * static_cast<int64_t>(kBlockValues)}, DataType::kFloat32, TensorRole::kTrainable}}));
    ModelStateSource source(state);
    const std::string path = folder.Path(std::to_string(blocks));
    ASSERT_OK_AND_ASSIGN(
        const PayloadRef model,
        EncodePayload(state.spec, {Representation::kModel, CodecSpec::Fp32(), {}}, source, path + "m"));
    ASSERT_OK_AND_ASSIGN(const PayloadReader base, PayloadReader::Open(path + "m", model, state.spec));
    ASSERT_OK_AND_ASSIGN(
        const PayloadRef up,
        EncodePayload(state.spec, {Representation::kDelta, CodecSpec::Fp32(), model.id}, source, path + "u"));
    UpdateColumns columns(state.spec, *ChooseFixedPoint(state.spec, {256.0}, 10, 16), kMedian);
    for (int i = 0; i < 5; ++i) ASSERT_THAT(columns.Add({path + "u", up, &base, model.id, 1, 1e6}), IsOk());
    std::vector<float> block(kBlockValues);
    for (int64_t i = 0; i < blocks; ++i) {
      ASSERT_THAT(columns.ReadFloats(0, static_cast<uint64_t>(i) * kBlockValues, absl::MakeSpan(block)), IsOk());
    }
    bytes.push_back(columns.buffer_bytes());
  }
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_LE(bytes[0], (5 + 3) * kBlockValues * sizeof(float));
}

TEST(UpdateColumnsTest, AFileThatIsRemovedAfterItsCheckIsStillRead) {
  const Federation federation(CodecSpec::Fp32());
  UpdateColumns columns = NewColumns(federation, kMedian);
  const FoldRequest request = Moved(federation, "up", 2);
  ASSERT_THAT(columns.Add(request), IsOk());
  ASSERT_THAT(RemoveFile(request.path), IsOk());
  EXPECT_EQ(Read(columns, kBias)[0], 2);
}

TEST(UpdateColumnsTest, ADiskThatChangesItsMindIsNoticed) {
  const Federation federation(CodecSpec::Fp32());
  UpdateColumns columns = NewColumns(federation, kMedian);
  const FoldRequest request = Moved(federation, "up", 2);
  ASSERT_THAT(columns.Add(request), IsOk());
  File file = *File::OpenForUpdate(request.path);
  ASSERT_THAT(file.WriteAt(request.payload.manifest_size + 1000, "xxxx"), IsOk());
  std::vector<float> block(kBlockValues);
  EXPECT_THAT(columns.ReadFloats(kWeight, 0, absl::MakeSpan(block)),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("could not be read again")));
}

TEST(UpdateColumnsTest, ARoundHasItsPlacesAndNothingComesFromNothing) {
  const Federation federation(CodecSpec::Fp32());
  UpdateColumns columns = NewColumns(federation, kMedian);
  std::vector<float> bias(7);
  EXPECT_THAT(columns.ReadFloats(kBias, 0, absl::MakeSpan(bias)), StatusIs(absl::StatusCode::kFailedPrecondition));
  const FoldRequest request = Moved(federation, "up", 2);
  for (int i = 0; i < 16; ++i) ASSERT_THAT(columns.Add(request), IsOk());
  EXPECT_THAT(columns.Add(request), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("16 updates")));
  EXPECT_EQ(columns.updates(), 16u);
  // Half a block is none.
  std::vector<float> part(100);
  EXPECT_THAT(columns.ReadFloats(kWeight, 0, absl::MakeSpan(part)), StatusIs(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace thinwire
