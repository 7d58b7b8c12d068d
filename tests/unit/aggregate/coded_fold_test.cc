// Updates that are coded whole in the sums: tensor by tensor, weighted; a bad string costs the update only.
#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/base/worker_pool.h"
#include "common/codec/buffer_frame.h"
#include "common/codec/codec.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/frame.h"
#include "common/codec/update_frame.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/model_state.h"
#include "common/update/update_coder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/aggregate/folder.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

class CodedFoldTest : public testing::Test {
 protected:
  static constexpr uint64_t kFirst = 70'000;  // values of the first trainable tensor: more than a block
  CodedFoldTest()
      : model_(*ModelSpec::Create({{"w", {700, 100}, DataType::kFloat32, TensorRole::kTrainable},
                                   {"mean", {2}, DataType::kFloat32, TensorRole::kBuffer},
                                   {"b", {10}, DataType::kFloat32, TensorRole::kTrainable},
                                   {"steps", {}, DataType::kInt64, TensorRole::kBuffer},
                                   {"var", {kBlockValues}, DataType::kFloat32, TensorRole::kBuffer},
                                   {"more", {2}, DataType::kInt64, TensorRole::kBuffer}})),
        layout_(model_),
        update_(ReducedUpdateSpec(BudgetPlan(DefaultRdu()), model_)) {
    ModelState weights(model_);
    weights.floats[1] = {1, 2};
    std::fill(weights.floats[4].begin(), weights.floats[4].end(), 1);
    weights.ints[3] = {100};
    weights.ints[5] = {7, -3};
    ModelStateSource source(weights);
    base_ref_ =
        EncodePayload(model_, {Representation::kModel, CodecSpec::Fp32(), {}}, source, folder_.Path("base")).value();
    base_.emplace(PayloadReader::Open(folder_.Path("base"), base_ref_, model_).value());
    Clear();
    form_.buffers.emplace(model_);
    buffers_.floats[1][0] = 1;
  }

  void Clear() {
    sums_ = Accumulator::Create(model_, *ChooseFixedPoint(model_, {1000, 1000, 1000, 1, 1000, 1}, 100, 10)).value();
  }

  std::vector<float> Values(uint64_t seed) const {
    RandomStream random(seed);
    std::vector<float> values(layout_.size());
    for (float& value : values) value = static_cast<float>(random.NextDouble() - 0.5);
    return values;
  }

  absl::StatusOr<FoldReport> Fold(CodecId codec, const std::string& bytes, uint64_t weight, double max_norm = 1e6,
                                  double clip_norm = 0) {
    ModelStateSource source(buffers_);
    EncodeOptions options{Representation::kDelta, CodecSpec::Update(codec), base_ref_.id};
    options.update = &bytes;
    const std::string path = folder_.Path(absl::StrCat("update", uploads_.fetch_add(1)));
    TW_ASSIGN_OR_RETURN(const PayloadRef ref, EncodePayload(update_, options, source, path));
    FoldRequest request{path, ref, &*base_, base_ref_.id, weight, max_norm};
    request.clip_norm = clip_norm;
    request.form = &form_;
    request.layout = &layout_;
    return FoldUpdate(update_, request, sums_.get());
  }
  // An update of zeros whose buffers' frames, the second block of floats and the integers, are these.
  absl::StatusOr<FoldReport> FoldFrames(const std::string& floats, const std::string& counts) {
    std::string update, zeros;
    AppendUpdateFrame(CodecId::kRdu, layout_.size(), "", &update);
    EXPECT_THAT((*MakeCodec(BufferCodec()))->Encode(std::vector<float>(kBlockValues), 1, &zeros), IsOk());
    Manifest manifest{Representation::kDelta, update_.id(), base_ref_.id, {}};
    std::string data;
    const auto add = [&](uint32_t tensor, uint32_t block, uint32_t count, const std::string& frame) {
      manifest.segments.push_back({tensor, block, count, static_cast<uint32_t>(frame.size()), Sha256(frame)});
      data += frame;
    };
    add(0, 0, 1, update);
    add(1, 0, kBlockValues, zeros);
    add(1, 1, 2, floats);
    add(2, 0, 3, counts);
    const std::string head = EncodeManifest(manifest), path = folder_.Path("update");
    EXPECT_THAT(WriteFileAtomically(path, head + data), IsOk());
    const PayloadRef ref{Sha256(head), head.size() + data.size(), static_cast<uint32_t>(head.size())};
    FoldRequest request{path, ref, &*base_, base_ref_.id, 1, 1e6};
    request.form = &form_;
    request.layout = &layout_;
    return FoldUpdate(update_, request, sums_.get());
  }
  static std::string FrameOf(CodecId codec, uint32_t count, const std::string& body) {
    std::string frame;
    FrameWriter writer(codec, count, body.size(), &frame);
    std::copy(body.begin(), body.end(), writer.body());
    writer.Finish();
    return frame;
  }

  // All trainable means, in the model's order.
  std::vector<float> Means() {
    std::vector<float> all(layout_.size());
    EXPECT_THAT(sums_->ReadFloats(0, 0, absl::MakeSpan(all).subspan(0, kFirst)), IsOk());
    EXPECT_THAT(sums_->ReadFloats(2, 0, absl::MakeSpan(all).subspan(kFirst)), IsOk());
    return all;
  }
  std::vector<float> Decoded(CodecId codec, const std::string& bytes) {
    std::vector<float> all(layout_.size());
    EXPECT_THAT(DecodeUpdateString(codec, bytes, layout_,
                                   [&all](const UpdateLayout::Tensor& tensor, absl::Span<float> values) {
                                     std::copy(values.begin(), values.end(),
                                               all.begin() + static_cast<ptrdiff_t>(tensor.first));
                                     return absl::OkStatus();
                                   }),
                IsOk());
    return all;
  }

  TemporaryDirectory folder_;
  std::atomic<int> uploads_ = 0;
  const ModelSpec model_;
  const UpdateLayout layout_;
  const ModelSpec update_;
  PayloadRef base_ref_;
  std::optional<PayloadReader> base_;
  std::unique_ptr<Accumulator> sums_;
  UpdateForm form_;
  ModelState buffers_{update_};  // differences to the base's that an update carries
};

TEST_F(CodedFoldTest, UpdatesOfEveryCodecAreMeansOfWhatTheyDecodeTo) {
  for (const char* text : {"rdu:bits=1", "rdu:bits=1,fast", "topk-uniform:bits=1,r=4", "m22:bits=1,r=3", "sign:bits=2",
                           "qsgd:bits=3", "eden:bits=1"}) {
    Clear();
    const UpdatePlan plan = *UpdatePlan::Parse(text);
    const std::string first = *CodeUpdate(plan, layout_, Values(1), 15'000, 4);
    const std::string second = *CodeUpdate(plan, layout_, Values(2), 15'000, 5);
    ASSERT_OK_AND_ASSIGN(const FoldReport report, Fold(plan.codec(), first, 1));
    ASSERT_THAT(Fold(plan.codec(), second, 3), IsOk());
    const std::vector<float> a = Decoded(plan.codec(), first), b = Decoded(plan.codec(), second), means = Means();
    double squares = 0;
    for (size_t i = 0; i < means.size(); ++i) {
      squares += double{a[i]} * a[i];
      ASSERT_NEAR(means[i], (a[i] + 3 * b[i]) / 4, 1e-6) << text << " at " << i;
    }
    EXPECT_GT(squares, 0);
    EXPECT_NEAR(report.norm, std::sqrt(squares), 1e-6 * report.norm);
    std::vector<float> buffer(2);
    ASSERT_THAT(sums_->ReadFloats(1, 0, absl::MakeSpan(buffer)), IsOk());
    EXPECT_FLOAT_EQ(buffer[0], 1);
    EXPECT_FLOAT_EQ(buffer[1], 0);
  }
}

// As the server does it: each update a task of its pool, in whatever order they end.
TEST_F(CodedFoldTest, UpdatesFoldedAtATimeAddUpToTheSameBits) {
  std::vector<std::pair<CodecId, std::string>> updates;
  for (const char* text : {"rdu:bits=1", "rdu:bits=1,m=2", "rdu:bits=1,fast", "m22:bits=1,r=3", "eden:bits=1"}) {
    const UpdatePlan plan = *UpdatePlan::Parse(text);
    for (const uint64_t seed : {1, 2}) {
      updates.emplace_back(plan.codec(), *CodeUpdate(plan, layout_, Values(seed), 9'000, seed));
    }
  }
  std::vector<std::vector<float>> means;
  for (const int threads : {1, 4}) {
    Clear();
    {
      WorkerPool pool(threads, updates.size());
      for (size_t i = 0; i < updates.size(); ++i) {
        ASSERT_TRUE(pool.TryRun(
            [this, i, &update = updates[i]] { EXPECT_THAT(Fold(update.first, update.second, 1 + i), IsOk()); }));
      }
    }
    means.push_back(Means());
  }
  for (size_t i = 0; i < means[0].size(); ++i) {
    ASSERT_EQ(FloatBits(means[0][i]), FloatBits(means[1][i])) << "value " << i;
  }
}

// Two tensors of floats in one, the second cut by a block of it; the mean of differences, whatever the clipping.
TEST_F(CodedFoldTest, BuffersAreMeansOfTheirDifferencesAndCountsTheLargest) {
  const std::string bytes = *CodeUpdate(*UpdatePlan::Parse("rdu:bits=1"), layout_, Values(1), 3000, 4);
  std::vector<float>& floats = buffers_.floats[1];
  ASSERT_EQ(floats.size(), 2u + kBlockValues);
  for (size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(i % 5) / 4 - 0.5f;
  buffers_.ints[2] = {15, -100, 2};
  ASSERT_THAT(Fold(CodecId::kRdu, bytes, 1, 1e6, /*clip_norm=*/0.1), IsOk());
  std::fill(floats.begin(), floats.end(), 0.5f);
  buffers_.ints[2] = {12, 1, std::numeric_limits<int64_t>::max()};  // 7 + -100 and 7 + 1; -3 + ... does not wrap
  ASSERT_THAT(Fold(CodecId::kRdu, bytes, 3), IsOk());
  std::vector<float> mean(2), var(kBlockValues);
  ASSERT_THAT(sums_->ReadFloats(1, 0, absl::MakeSpan(mean)), IsOk());
  ASSERT_THAT(sums_->ReadFloats(4, 0, absl::MakeSpan(var)), IsOk());
  for (size_t i = 0; i < floats.size(); ++i) {
    const float first = static_cast<float>(i % 5) / 4 - 0.5f;
    ASSERT_EQ(i < 2 ? mean[i] : var[i - 2], (first + 3 * 0.5f) / 4) << i;
  }
  std::vector<int64_t> steps(1), more(2);
  ASSERT_THAT(sums_->ReadInts(3, 0, absl::MakeSpan(steps)), IsOk());
  ASSERT_THAT(sums_->ReadInts(5, 0, absl::MakeSpan(more)), IsOk());
  EXPECT_EQ(steps[0], 115);
  EXPECT_THAT(more, testing::ElementsAre(8, std::numeric_limits<int64_t>::max() - 3));
}

// Variances that fall to a thousandth everywhere: none of the mean is below zero.
TEST_F(CodedFoldTest, AMeanOfVariancesStaysPositive) {
  const std::vector<float> base(kBlockValues, 1);
  std::vector<float> trained(kBlockValues);
  absl::Span<float> differences = absl::MakeSpan(buffers_.floats[1]);  // blocks of 65,536 and of 2
  RandomStream random(5);
  for (uint64_t weight = 1; weight < 4; ++weight) {
    for (float& value : trained) value = static_cast<float>(random.NextDouble()) / 500;
    for (const size_t first : {size_t{0}, size_t{kBlockValues}}) {
      const absl::Span<float> block = differences.subspan(first, kBlockValues);
      ASSERT_THAT(RoundBufferDifferences(absl::MakeConstSpan(base).subspan(0, block.size()),
                                         absl::MakeConstSpan(trained).subspan(0, block.size()), block),
                  IsOk());
    }
    ASSERT_THAT(Fold(CodecId::kRdu, "", weight), IsOk());
  }
  std::vector<float> var(kBlockValues);
  ASSERT_THAT(sums_->ReadFloats(4, 0, absl::MakeSpan(var)), IsOk());
  for (const float difference : var) ASSERT_GT(1 + difference, 0);
  EXPECT_LT(*std::max_element(var.begin(), var.end()), -0.8f);
}

TEST_F(CodedFoldTest, HostileBuffersCostTheUpdateOnly) {
  buffers_.floats[1][5] = 1e9f;
  EXPECT_THAT(Fold(CodecId::kRdu, "", 1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::AllOf(HasSubstr("'thinwire.buffers' value"), HasSubstr("up to 1024"))));
  buffers_.floats[1][5] = 0;
  ASSERT_THAT(Fold(CodecId::kRdu, "", 1), IsOk());
  std::vector<float> var(kBlockValues);
  ASSERT_THAT(sums_->ReadFloats(4, 0, absl::MakeSpan(var)), IsOk());
  EXPECT_THAT(var, testing::Each(0.0f));
}

TEST_F(CodedFoldTest, HostileFramesOfBuffersAreRefusedByName) {
  const absl::StatusCode bad = absl::StatusCode::kInvalidArgument;
  const std::string half = std::string("\0\0\0\x3f", 4), nan = std::string("\0\0\xc0\x7f", 4);
  const std::string floats = FrameOf(CodecId::kFp32, 2, half + half);
  const std::string counts = FrameOf(CodecId::kInt64, 3, std::string(24, '\1'));
  EXPECT_THAT(FoldFrames(FrameOf(CodecId::kFp32, 2, half + nan), counts),
              StatusIs(bad, HasSubstr("'thinwire.buffers' block 1")));
  EXPECT_THAT(FoldFrames(FrameOf(CodecId::kFp32, 3, half + half + half), counts), StatusIs(bad));
  EXPECT_THAT(FoldFrames(FrameOf(CodecId::kInt64, 2, std::string(16, '\1')), counts), StatusIs(bad));
  EXPECT_THAT(FoldFrames(FrameOf(CodecId::kRdu, 2, "xy"), counts), StatusIs(bad, HasSubstr("a whole update")));
  // Float blocks under a scale of 2^127, and of too few bytes.
  const std::string header("\x03\x02\x01\0\x06\0\0\0", 8);
  EXPECT_THAT(FoldFrames(FrameOf(CodecId::kFloatBlocks, 2, header + "\x7f" + "\xff\xf"), counts), StatusIs(bad));
  EXPECT_THAT(FoldFrames(FrameOf(CodecId::kFloatBlocks, 2, header + "\x01" + "\xf"), counts), StatusIs(bad));
  std::string damaged = floats;
  damaged.back() ^= 1;
  EXPECT_THAT(FoldFrames(damaged, counts), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(FoldFrames(floats, FrameOf(CodecId::kFp32, 6, half + half + half + half + half + half)),
              StatusIs(bad, HasSubstr("'thinwire.counts'")));
  EXPECT_THAT(FoldFrames(floats, FrameOf(CodecId::kInt64, 2, std::string(16, '\1'))), StatusIs(bad));
  EXPECT_EQ(sums_->updates(), 0u);
  ASSERT_THAT(FoldFrames(floats, counts), IsOk());  // any float codec that is small enough
  std::vector<float> var(kBlockValues);
  ASSERT_THAT(sums_->ReadFloats(4, 0, absl::MakeSpan(var)), IsOk());
  EXPECT_EQ(var[kBlockValues - 3], 0);
  EXPECT_EQ(var[kBlockValues - 1], 0.5f);
}

TEST_F(CodedFoldTest, TheEmptyUpdateCountsAsZeros) {
  ASSERT_OK_AND_ASSIGN(const FoldReport report, Fold(CodecId::kRdu, "", 1));
  EXPECT_EQ(report.norm, 0);
  EXPECT_THAT(Means(), testing::Each(0.0f));
}

TEST_F(CodedFoldTest, ClippingScalesAllOfIt) {
  const UpdatePlan plan = *UpdatePlan::Parse("rdu:bits=1");
  const std::string bytes = *CodeUpdate(plan, layout_, Values(1), 15'000, 4);
  ASSERT_OK_AND_ASSIGN(const FoldReport report, Fold(plan.codec(), bytes, 1, 1e6, 2));
  EXPECT_TRUE(report.clipped);
  const std::vector<float> decoded = Decoded(plan.codec(), bytes), means = Means();
  for (size_t i = 0; i < means.size(); ++i) ASSERT_NEAR(means[i], decoded[i] * 2 / report.norm, 1e-6) << i;
}

TEST_F(CodedFoldTest, NormAndBoundsHoldTensorByTensor) {
  const UpdatePlan plan = *UpdatePlan::Parse("topk-uniform:bits=1,r=4");
  const std::string bytes = *CodeUpdate(plan, layout_, Values(1), 15'000, 4);
  EXPECT_THAT(Fold(plan.codec(), bytes, 1, 9), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("L2 norm is")));
  std::vector<float> large = Values(1);
  large[kFirst + 4] = 1e6f;
  const std::string beyond = *CodeUpdate(plan, layout_, large, 15'000, 4);
  EXPECT_THAT(Fold(plan.codec(), beyond, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::AllOf(HasSubstr("'b'"), HasSubstr("4"))));
  ASSERT_THAT(Fold(plan.codec(), bytes, 1), IsOk());  // nothing of the others is in the sums
  EXPECT_THAT(Means(), testing::Pointwise(testing::FloatNear(1e-6f), Decoded(plan.codec(), bytes)));
}

TEST_F(CodedFoldTest, HostileStringsCostTheUpdateOnlyAndTheFaultIsNamed) {
  const absl::StatusCode bad = absl::StatusCode::kInvalidArgument;
  const std::string rdu = *CodeUpdate(*UpdatePlan::Parse("rdu:bits=1"), layout_, Values(1), 3000, 4);
  const std::string eden = *CodeUpdate(*UpdatePlan::Parse("eden:bits=1"), layout_, Values(1), 3000, 4);
  EXPECT_THAT(Fold(CodecId::kQuantized, "", 1), StatusIs(bad, HasSubstr("'thinwire.update/70010'")));
  EXPECT_THAT(Fold(CodecId::kQuantized, rdu, 1), StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(Fold(CodecId::kRdu, std::string("\x09\x00\x30\x01", 4), 1), StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(Fold(CodecId::kRdu, std::string("\x01\xff\xff\x01", 4), 1), StatusIs(bad));
  EXPECT_THAT(Fold(CodecId::kQuantized, eden.substr(0, 900), 1), StatusIs(bad, HasSubstr("labels")));
  EXPECT_THAT(Fold(CodecId::kQuantized, eden + "x", 1), StatusIs(bad));
  // A top-k update that claims 2^40 entries.
  EXPECT_THAT(Fold(CodecId::kQuantized,
                   std::string("\x01\x01\x02\xfa\xa2\x04\x12\x04\x00\x80\x80\x80\x80\x80\x20\x00\x05", 17), 1),
              StatusIs(bad));
  std::string all_bits(200'000, '\xff');
  all_bits.replace(0, 3, std::string("\x01\x00\x30", 3));
  const absl::StatusOr<FoldReport> noise = Fold(CodecId::kRdu, all_bits, 1);
  EXPECT_THAT(noise, StatusIs(bad));  // out of bounds, too large a norm, or bytes left over
  ASSERT_THAT(Fold(CodecId::kQuantized, eden, 1), IsOk());
  EXPECT_THAT(Means(), testing::Pointwise(testing::FloatNear(1e-6f), Decoded(CodecId::kQuantized, eden)));
}

// Frames of another codec in the place of an update, and pieces that do not belong together.
TEST_F(CodedFoldTest, OtherFramesInPlaceOfAnUpdateAreRefused) {
  ModelState state(update_);
  ModelStateSource source(state);
  const std::string path = folder_.Path("update");
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref,
                       EncodePayload(update_, {Representation::kDelta, CodecSpec::Fp32(), base_ref_.id}, source, path));
  FoldRequest request{path, ref, &*base_, base_ref_.id, 1, 1e6};
  request.form = &form_;
  const auto is_none = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("which the plan has none of"));
  EXPECT_THAT(FoldUpdate(update_, request, sums_.get()), is_none);
  const UpdateForm other;
  request.form = &other;
  request.layout = &layout_;
  EXPECT_THAT(FoldUpdate(update_, request, sums_.get()), is_none);
  request.form = &form_;
  request.layout = &layout_;
  EXPECT_THAT(FoldUpdate(update_, request, sums_.get()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("an update (codec 6 or 7) of 70010 values")));
}

}  // namespace
}  // namespace thinwire
