// Trainers that hold their matrices packed, through the seam that sessions use.
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "client/train/torch_trainer.h"
#include "common/codec/payload.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/train/torch_testing.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

const CodecSpec kWhole = CodecSpec::Float(8, 23, ScaleRule::kNone);
const CodecSpec kElevenBits = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);

std::unique_ptr<ImageTrainer> MakeTrainer(const std::string& model, bool packed,
                                          PackedFormat::Rounding rounding = PackedFormat::Rounding::kStochastic) {
  TorchTrainerOptions options;
  options.model = model;
  options.weights = {packed, rounding};
  return MakeTorchTrainer(options, StripedImages(60, {1, 16, 16}, 4), StripedImages(40, {1, 16, 16}, 4, 2)).value();
}

TrainRequest Request(const CodecSpec& held) {
  TrainRequest request;
  request.options.batch_size = 10;
  request.options.local_epochs = 2;
  request.options.momentum = 0.5;
  request.seed = 3;
  request.held.codec = held;
  return request;
}

// What a streaming trainer has left after training from `start`.
absl::StatusOr<ModelState> TrainStreaming(Trainer& trainer, const TrainRequest& request, const ModelState& start) {
  ModelStateSource source(start);
  const auto result = trainer.streaming()->Train(request, source);
  if (!result.ok()) return result.status();
  ModelState trained(start.spec);
  const absl::Status read = ReadModel(trainer.streaming()->trained(), &trained);
  if (!read.ok()) return read;
  return trained;
}

std::string NameOf(const testing::TestParamInfo<std::string>& model) {
  return absl::StrReplaceAll(model.param, {{"-", "_"}});
}

class PackedTrainer : public testing::TestWithParam<std::string> {};

TEST_P(PackedTrainer, LeavesTheBitsOfAPlainTrainerAtFullWidth) {
  const auto plain = MakeTrainer(GetParam(), false), packed = MakeTrainer(GetParam(), true);
  EXPECT_EQ(plain->streaming(), nullptr);
  ASSERT_EQ(plain->model(), packed->model());
  ASSERT_OK_AND_ASSIGN(const ModelState start, packed->Initialize(5));
  ModelState expected = start;
  ASSERT_THAT(plain->Train(Request(kWhole), &expected), IsOk());
  ASSERT_OK_AND_ASSIGN(const ModelState trained, TrainStreaming(*packed, Request(kWhole), start));
  EXPECT_EQ(trained.floats, expected.floats);
  EXPECT_EQ(trained.ints, expected.ints);
}

// FedProx with weight decay, the pull of plain parameters and that of packed ones.
TEST_P(PackedTrainer, LeavesThemUnderFedProxToo) {
  TrainRequest request = Request(kWhole);
  request.options.proximal_mu = 0.3;
  request.options.weight_decay = 0.01;
  const auto plain = MakeTrainer(GetParam(), false), packed = MakeTrainer(GetParam(), true);
  ASSERT_OK_AND_ASSIGN(const ModelState start, packed->Initialize(5));
  ModelState expected = start;
  ASSERT_THAT(plain->Train(request, &expected), IsOk());
  ASSERT_OK_AND_ASSIGN(const ModelState trained, TrainStreaming(*packed, request, start));
  EXPECT_EQ(trained.floats, expected.floats);
  ModelState without = start;
  request.options.proximal_mu = 0;
  ASSERT_THAT(plain->Train(request, &without), IsOk());
  EXPECT_NE(without.floats, expected.floats);
}

INSTANTIATE_TEST_SUITE_P(Models, PackedTrainer, testing::Values("mlp", "cnn", "cifar-cnn", "resnet9-narrow"), NameOf);

// Not with BatchNorm and dropout, where a bit more or less soon leads elsewhere.
TEST(PackedTrainerTest, ReturnsNumbersNearThePlainOnesWithElevenBits) {
  const auto plain = MakeTrainer("cnn", false), packed = MakeTrainer("cnn", true);
  ASSERT_OK_AND_ASSIGN(const ModelState start, packed->Initialize(5));
  ModelState expected = start;
  ASSERT_THAT(plain->Train(Request(kElevenBits), &expected), IsOk());
  ASSERT_OK_AND_ASSIGN(const ModelState trained, TrainStreaming(*packed, Request(kElevenBits), start));
  double moved = 0, off = 0;
  for (size_t t = 0; t < start.floats.size(); ++t) {
    for (size_t i = 0; i < start.floats[t].size(); ++i) {
      moved += std::pow(expected.floats[t][i] - start.floats[t][i], 2);
      off += std::pow(expected.floats[t][i] - trained.floats[t][i], 2);
    }
  }
  EXPECT_GT(off, 0);
  EXPECT_LT(off, moved);
}

// With norms and buffers, which are not drawn, and after a training that changed them.
TEST(PackedTrainerTest, DrawsFreshWeightsBlockByBlockAsAPlainTrainerDoesAtOnce) {
  const auto plain = MakeTrainer("cifar-cnn", false), packed = MakeTrainer("cifar-cnn", true);
  ASSERT_OK_AND_ASSIGN(const ModelState expected, plain->Initialize(5));
  ASSERT_THAT(TrainStreaming(*packed, Request(kElevenBits), expected), IsOk());
  ModelState fresh(packed->model());
  ASSERT_THAT(ReadModel(packed->streaming()->Fresh(5), &fresh), IsOk());
  EXPECT_TRUE(SameBits(fresh, expected));
  ASSERT_THAT(ReadModel(packed->streaming()->Fresh(6), &fresh), IsOk());
  EXPECT_FALSE(SameBits(fresh, expected));
}

TEST(PackedTrainerTest, EvaluatesLikeAPlainTrainer) {
  const auto plain = MakeTrainer("cnn", false), packed = MakeTrainer("cnn", true);
  ASSERT_OK_AND_ASSIGN(const ModelState state, plain->Initialize(5));
  ASSERT_OK_AND_ASSIGN(const EvaluateResult expected, plain->Evaluate(state));
  ModelStateSource source(state);
  ASSERT_OK_AND_ASSIGN(const EvaluateResult actual, packed->streaming()->Evaluate(source, HeldWeights()));
  EXPECT_EQ(actual.loss, expected.loss);
  EXPECT_EQ(actual.accuracy, expected.accuracy);
}

// What comes down under a codec, and how it is held.
class PackedDownload : public testing::TestWithParam<std::string> {
 protected:
  // Encodes fresh weights of the mlp.
  void SetUp() override {
    codec_ = CodecSpec::Parse(GetParam()).value();
    plain_ = MakeTrainer("mlp", false);
    ASSERT_OK_AND_ASSIGN(const ModelState fresh, plain_->Initialize(5));
    ModelStateSource source(fresh);
    const RowBlockSet exact = DrawRowBlocks(plain_->model(), codec_, 5, 0);
    EncodeOptions options{Representation::kModel, codec_, Digest{}};
    options.exact = &exact;
    ASSERT_OK_AND_ASSIGN(const PayloadRef ref, EncodePayload(plain_->model(), options, source, folder_.Path("model")));
    payload_ =
        std::make_unique<PayloadReader>(PayloadReader::Open(folder_.Path("model"), ref, plain_->model()).value());
    held_ = {codec_, std::make_shared<const RowBlockSet>(exact)};
    decoded_ = ModelState(plain_->model());
    PayloadSource decoded(*payload_);
    ASSERT_THAT(ReadModel(decoded, &decoded_), IsOk());
    EXPECT_FALSE(SameBits(decoded_, fresh));
  }

  const TemporaryDirectory folder_;
  CodecSpec codec_;
  std::unique_ptr<ImageTrainer> plain_;
  std::unique_ptr<PayloadReader> payload_;
  HeldWeights held_;
  ModelState decoded_;
};

// Random rounding is for training only. What is evaluated is what came, to the bit, as one who holds it in FP32 has it.
TEST_P(PackedDownload, IsEvaluatedAsItCameHoweverStepsRound) {
  ASSERT_OK_AND_ASSIGN(const EvaluateResult expected, plain_->Evaluate(decoded_));
  for (const auto rounding : {PackedFormat::Rounding::kStochastic, PackedFormat::Rounding::kNearestEven}) {
    const auto packed = MakeTrainer("mlp", true, rounding);
    PayloadSource source(*payload_);
    ASSERT_OK_AND_ASSIGN(const EvaluateResult actual, packed->streaming()->Evaluate(source, held_));
    EXPECT_EQ(actual.loss, expected.loss);
  }
}

// A client that does not move leaves the bits of the server's model.
TEST_P(PackedDownload, IsLeftAloneAtRateZero) {
  const auto packed = MakeTrainer("mlp", true);
  TrainRequest request = Request(codec_);
  request.held = held_;
  request.options.learning_rate = 0;
  request.options.weight_decay = 0.01;
  PayloadSource source(*payload_);
  ASSERT_THAT(packed->streaming()->Train(request, source), IsOk());
  ModelState trained(decoded_.spec);
  ASSERT_THAT(ReadModel(packed->streaming()->trained(), &trained), IsOk());
  EXPECT_TRUE(SameBits(trained, decoded_));
  request.options.learning_rate = 0.05;
  ASSERT_THAT(packed->streaming()->Train(request, source), IsOk());
  ASSERT_THAT(ReadModel(packed->streaming()->trained(), &trained), IsOk());
  EXPECT_FALSE(SameBits(trained, decoded_));
}

INSTANTIATE_TEST_SUITE_P(Codecs, PackedDownload,
                         testing::Values("s1e3m3:pow2/4096+correction",
                                         "s1e3m3:absmax/512+weights+correction+partial=0.5",
                                         "s1e2m3:pow2/64+truncate+correction", "s1e3m3:absmax", "s1e3m7",
                                         "s1e4m14:none"));

// What no frame says is rounded, to nearest.
TEST(PackedTrainerTest, EvaluatesValuesOfNoFrameTheSameHoweverStepsRound) {
  const auto stochastic = MakeTrainer("mlp", true),
             nearest = MakeTrainer("mlp", true, PackedFormat::Rounding::kNearestEven);
  ASSERT_OK_AND_ASSIGN(const ModelState state, stochastic->Initialize(5));
  ModelStateSource source(state);
  const HeldWeights held{CodecSpec::Float(2, 3, ScaleRule::kAbsMax), nullptr};
  ASSERT_OK_AND_ASSIGN(const EvaluateResult expected, nearest->streaming()->Evaluate(source, held));
  ASSERT_OK_AND_ASSIGN(const EvaluateResult actual, stochastic->streaming()->Evaluate(source, held));
  EXPECT_EQ(actual.loss, expected.loss);
}

TEST(PackedTrainerTest, SaysWhatItCannotTrainWith) {
  const auto packed = MakeTrainer("mlp", true);
  ASSERT_OK_AND_ASSIGN(const ModelState start, packed->Initialize(5));
  TrainRequest request = Request(kElevenBits);
  request.options.optimizer = TrainingOptions::Optimizer::kAdam;
  EXPECT_THAT(TrainStreaming(*packed, request, start), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("SGD")));
  request = Request(kElevenBits);
  request.options.learning_rate = 1e30;
  EXPECT_THAT(TrainStreaming(*packed, request, start),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("diverged")));
}

}  // namespace
}  // namespace thinwire
