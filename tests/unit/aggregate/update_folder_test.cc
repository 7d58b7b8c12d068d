#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "common/base/file.h"
#include "common/codec/frame.h"
#include "server/aggregate/sum_loops.h"
#include "server/aggregate/update_columns.h"
#include "tests/unit/aggregate/federation_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

std::vector<float> MeanOf(const Accumulator& accumulator, uint32_t tensor) {
  std::vector<float> mean(MixedSpec().tensors()[tensor].count());
  EXPECT_THAT(accumulator.MeanFloats(tensor, 0, absl::MakeSpan(mean)), IsOk());
  return mean;
}

ModelState Trained(const ModelState& r, float step) {
  ModelState trained = r;
  for (const uint32_t tensor : {kWeight, kRunningMean, kBias}) {
    for (float& value : trained.floats[tensor]) value += step;
  }
  trained.ints[kSteps][0] += 10;
  return trained;
}

// m - R as FP32 has it, which is what both representations must fold.
std::vector<float> Difference(const ModelState& m, const ModelState& r, uint32_t tensor) {
  std::vector<float> difference = m.floats[tensor];
  for (size_t i = 0; i < difference.size(); ++i) difference[i] -= r.floats[tensor][i];
  return difference;
}

TEST(FoldUpdateTest, DeltasAndModelsFoldToTheSameDifference) {
  for (const Representation representation : {Representation::kDelta, Representation::kModel}) {
    Federation federation(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
    const ModelState trained = Trained(federation.r, 0.125f);
    const FoldRequest request = federation.Upload("up", trained, representation, CodecSpec::Fp32(), 3);
    ASSERT_OK_AND_ASSIGN(const FoldReport report, FoldUpdate(federation.w.spec, request, federation.accumulator.get()));
    double squares = 0;
    for (const uint32_t tensor : {kWeight, kBias}) {
      const std::vector<float> expected = Difference(trained, federation.r, tensor);
      squares += SumOfSquares(expected);
      EXPECT_EQ(MeanOf(*federation.accumulator, tensor), expected);
    }
    EXPECT_EQ(MeanOf(*federation.accumulator, kRunningMean), Difference(trained, federation.r, kRunningMean));
    EXPECT_NEAR(report.norm, std::sqrt(squares), 1e-9);
    int64_t steps = 0;
    ASSERT_THAT(federation.accumulator->MaxedInts(kSteps, 0, absl::MakeSpan(&steps, 1)), IsOk());
    EXPECT_EQ(steps, 1010);
  }
}

TEST(FoldUpdateTest, AnUpdateOverTheClipNormIsScaledDownToIt) {
  Federation federation(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
  const ModelState trained = Trained(federation.r, 0.125f);
  FoldRequest request = federation.Upload("up", trained, Representation::kDelta, CodecSpec::Fp32(), 3);
  request.clip_norm = 0.5;
  ASSERT_OK_AND_ASSIGN(const FoldReport report, FoldUpdate(federation.w.spec, request, federation.accumulator.get()));
  EXPECT_TRUE(report.clipped);
  EXPECT_GT(report.norm, 0.5);
  double squares = 0;
  for (const uint32_t tensor : {kWeight, kBias}) squares += SumOfSquares(MeanOf(*federation.accumulator, tensor));
  EXPECT_NEAR(std::sqrt(squares), 0.5, 1e-6);
  // Statistics of the data are not steps.
  EXPECT_EQ(MeanOf(*federation.accumulator, kRunningMean), Difference(trained, federation.r, kRunningMean));
}

TEST(FoldUpdateTest, AnUpdateUnderTheClipNormKeepsEveryBit) {
  Federation federation(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
  const ModelState trained = Trained(federation.r, 0.125f);
  FoldRequest request = federation.Upload("up", trained, Representation::kDelta, CodecSpec::Fp32(), 3);
  request.clip_norm = request.max_norm;
  ASSERT_OK_AND_ASSIGN(const FoldReport report, FoldUpdate(federation.w.spec, request, federation.accumulator.get()));
  EXPECT_FALSE(report.clipped);
  EXPECT_EQ(MeanOf(*federation.accumulator, kWeight), Difference(trained, federation.r, kWeight));
}

TEST(FoldUpdateTest, AClientThatDoesNotMoveFoldsZeroWithAModelThatReencodesExactly) {
  const CodecSpec codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  Federation federation(codec);
  const FoldRequest request = federation.Upload("up", federation.r, Representation::kModel, codec, 1);
  ASSERT_OK_AND_ASSIGN(const FoldReport report, FoldUpdate(federation.w.spec, request, federation.accumulator.get()));
  EXPECT_EQ(report.norm, 0);
  for (const uint32_t tensor : {kWeight, kRunningMean, kBias}) {
    for (const float value : MeanOf(*federation.accumulator, tensor)) ASSERT_EQ(FloatBits(value), 0u);
  }
}

TEST(FoldUpdateTest, ThreadsAndOrderDoNotChangeTheMean) {
  Federation federation(CodecSpec::Fp32());
  std::vector<FoldRequest> requests;
  for (int i = 0; i < 6; ++i) {
    const Representation representation = i % 2 == 0 ? Representation::kDelta : Representation::kModel;
    const ModelState trained = RandomState(100 + static_cast<uint64_t>(i));
    requests.push_back(federation.Upload("up" + std::to_string(i), trained, representation, CodecSpec::Fp32(), 1 + i));
  }
  for (const FoldRequest& request : requests) {
    ASSERT_THAT(FoldUpdate(federation.w.spec, request, federation.accumulator.get()), IsOk());
  }
  std::reverse(requests.begin(), requests.end());
  for (const size_t threads : {size_t{2}, size_t{6}}) {
    const std::unique_ptr<Accumulator> accumulator = federation.NewAccumulator();
    std::vector<std::thread> workers;
    for (size_t t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        for (size_t i = t; i < requests.size(); i += threads) {
          EXPECT_THAT(FoldUpdate(federation.w.spec, requests[i], accumulator.get()), IsOk());
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    for (const uint32_t tensor : {kWeight, kRunningMean, kBias}) {
      EXPECT_EQ(MeanOf(*accumulator, tensor), MeanOf(*federation.accumulator, tensor));
    }
  }
}

// Whatever is wrong with an update, the sum stays as it was, and so do the columns.
class BadUpdateTest : public ::testing::Test {
 protected:
  BadUpdateTest() : federation_(CodecSpec::Fp32()) {
    good_ = federation_.Upload("good", Trained(federation_.r, 0.5f), Representation::kDelta, CodecSpec::Fp32(), 1);
    EXPECT_THAT(FoldUpdate(federation_.w.spec, good_, federation_.accumulator.get()), IsOk());
    before_ = MeanOf(*federation_.accumulator, kWeight);
  }

  void ExpectRefused(const FoldRequest& request, absl::StatusCode code, const std::string& complaint) {
    EXPECT_THAT(FoldUpdate(federation_.w.spec, request, federation_.accumulator.get()),
                StatusIs(code, HasSubstr(complaint)));
    EXPECT_EQ(MeanOf(*federation_.accumulator, kWeight), before_);
    EXPECT_EQ(federation_.accumulator->updates(), 1u);
    // The columns of a median let nothing in that the sums refuse.
    UpdateColumns columns(federation_.w.spec, federation_.accumulator->fixed_point(),
                          {AggregatorOptions::Kind::kMedian, 0});
    EXPECT_THAT(columns.Add(request), StatusIs(code, HasSubstr(complaint)));
    EXPECT_EQ(columns.updates(), 0u);
  }

  std::string Bytes(const FoldRequest& request) { return *ReadWholeFile(request.path, 1 << 24); }
  FoldRequest WithBytes(FoldRequest request, const std::string& bytes) {
    request.path = federation_.PathOf("altered");
    EXPECT_THAT(WriteFileAtomically(request.path, bytes), IsOk());
    return request;
  }

  Federation federation_;
  FoldRequest good_;
  std::vector<float> before_;
};

TEST_F(BadUpdateTest, AnotherBaseIsRefused) {
  FoldRequest request = good_;
  request.base_id = Sha256("another version");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "started from payload");
}

TEST_F(BadUpdateTest, ANormOverTheLimitIsRefusedWithBothNumbers) {
  FoldRequest request = good_;
  request.max_norm = 10;
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "up to 10 is accepted");
}

TEST_F(BadUpdateTest, AValueOverTheBoundIsRefusedEvenInTheLastBlock) {
  ModelState trained = federation_.r;
  trained.floats[kWeight].back() = 300;
  for (const Representation representation : {Representation::kDelta, Representation::kModel}) {
    const FoldRequest request = federation_.Upload("big", trained, representation, CodecSpec::Fp32(), 1);
    ExpectRefused(request, absl::StatusCode::kInvalidArgument, "'weight' value 65735");
  }
}

TEST_F(BadUpdateTest, ABufferOverTheBoundIsRefused) {
  ModelState trained = federation_.r;
  trained.floats[kRunningMean][4] = -400;
  const FoldRequest request = federation_.Upload("big", trained, Representation::kDelta, CodecSpec::Fp32(), 1);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "'running_mean' value 4");
}

TEST_F(BadUpdateTest, AModelWhoseDifferenceOverflowsIsRefused) {
  ModelState trained = federation_.r;
  trained.floats[kBias][2] = std::numeric_limits<float>::max();
  const FoldRequest request = federation_.Upload("huge", trained, Representation::kModel, CodecSpec::Fp32(), 1);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "'bias' value 2");
}

TEST_F(BadUpdateTest, WeightsOutOfRangeAreRefused) {
  FoldRequest request = good_;
  request.weight = 0;
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "weight 0");
  request.weight = 1001;
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "1 to 1000");
}

TEST_F(BadUpdateTest, AChangedByteAnywhereIsFound) {
  const std::string bytes = Bytes(good_);
  for (const size_t position :
       {size_t{0}, size_t{50}, size_t{good_.payload.manifest_size}, bytes.size() / 2, bytes.size() - 1}) {
    std::string damaged = bytes;
    damaged[position] = static_cast<char>(damaged[position] ^ 0x40);
    const absl::Status status =
        FoldUpdate(federation_.w.spec, WithBytes(good_, damaged), federation_.accumulator.get()).status();
    EXPECT_TRUE(absl::IsDataLoss(status) || absl::IsInvalidArgument(status) || absl::IsUnimplemented(status))
        << position << ": " << status;
    EXPECT_EQ(MeanOf(*federation_.accumulator, kWeight), before_) << position;
  }
}

TEST_F(BadUpdateTest, ATruncatedFileIsFound) {
  const std::string bytes = Bytes(good_);
  for (const size_t size : {bytes.size() - 1, bytes.size() / 2, size_t{100}, size_t{3}, size_t{0}}) {
    const absl::Status status =
        FoldUpdate(federation_.w.spec, WithBytes(good_, bytes.substr(0, size)), federation_.accumulator.get()).status();
    EXPECT_TRUE(absl::IsDataLoss(status) || absl::IsInvalidArgument(status)) << size << ": " << status;
    EXPECT_EQ(federation_.accumulator->updates(), 1u);
  }
}

TEST_F(BadUpdateTest, NaNIsRefusedThoughEveryChecksumIsRight) {
  // FP32 frames carry any bits. Frame and manifest are made consistent, as a hostile client would.
  std::string bytes = Bytes(good_);
  Manifest manifest = *ParseManifest(absl::string_view(bytes).substr(0, good_.payload.manifest_size));
  std::string frame;
  FrameWriter writer(CodecId::kFp32, kBlockValues, 4 * kBlockValues, &frame);
  std::memset(writer.body(), 0, 4 * kBlockValues);
  StoreLittle<uint32_t>(0x7fc00000, writer.body() + 400);
  writer.Finish();
  ASSERT_EQ(frame.size(), manifest.segments[0].size);
  bytes.replace(good_.payload.manifest_size, frame.size(), frame);
  manifest.segments[0].sha256 = Sha256(frame);
  const std::string head = EncodeManifest(manifest);
  bytes.replace(0, head.size(), head);
  FoldRequest request = WithBytes(good_, bytes);
  request.payload.id = Sha256(head);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "'weight'");
}

TEST_F(BadUpdateTest, AnotherModelIsRefused) {
  ModelState other(*ModelSpec::Create({{"weight", {4}, DataType::kFloat32, TensorRole::kTrainable}}));
  ModelStateSource source(other);
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref,
                       EncodePayload(other.spec, {Representation::kDelta, CodecSpec::Fp32(), good_.base_id}, source,
                                     federation_.PathOf("other")));
  FoldRequest request = good_;
  request.path = federation_.PathOf("other");
  request.payload = ref;
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "");
}

TEST_F(BadUpdateTest, TheServersOwnTroubleIsNotTheUpdates) {
  // R is damaged on disk behind the open reader: nobody's update is at fault.
  File down = *File::OpenForUpdate(federation_.PathOf("down"));
  const uint64_t last = *down.Size() - 1;
  char byte = 0;
  ASSERT_THAT(down.ReadAt(last, 1, &byte), IsOk());
  byte = static_cast<char>(byte ^ 1);
  ASSERT_THAT(down.WriteAt(last, absl::string_view(&byte, 1)), IsOk());
  const FoldRequest request = federation_.Upload("model", federation_.r, Representation::kModel, CodecSpec::Fp32(), 1);
  ExpectRefused(request, absl::StatusCode::kInternal, "started from");
}

}  // namespace
}  // namespace thinwire
