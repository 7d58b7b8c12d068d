// What a client's memory holds while it loads, trains and encodes a packed model, counted where it is allocated: by
// LibTorch and by operator new. The model is made so that activations and one layer's share are small: nothing is
// subtracted from what is counted.
#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/session/update_encoder.h"
#include "client/train/layers.h"
#include "client/train/torch_round.h"
#include "client/train/torch_state.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/train/counting_allocator.h"

namespace thinwire {
namespace {

constexpr int64_t kWidth = 256, kLayers = 120;

class Tower : public torch::nn::Module {
 public:
  explicit Tower(const std::shared_ptr<MatrixKeeper>& keeper) {
    for (int64_t i = 0; i < kLayers; ++i) {
      layers_.push_back(
          register_module(absl::StrCat("layer", i), std::make_shared<LinearLayer>(keeper, kWidth, kWidth)));
    }
  }
  at::Tensor Loss() {
    at::Tensor x = at::ones({1, kWidth});
    for (const auto& layer : layers_) x = at::tanh((*layer)(x));
    return x.pow(2).sum();
  }

 private:
  std::vector<std::shared_ptr<LinearLayer>> layers_;
};

class Waves : public BlockSource {
 public:
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = 0.1f * std::sin(1.7f * static_cast<float>(first + i) + static_cast<float>(tensor));
    }
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) override { return absl::OkStatus(); }
};

TrainingOptions Options(double momentum = 0, double weight_decay = 0, double proximal_mu = 0) {
  TrainingOptions options;
  options.learning_rate = 0.01;
  options.momentum = momentum;
  options.weight_decay = weight_decay;
  options.proximal_mu = proximal_mu;
  return options;
}

// A model that came under the preset: S1E3M7, one row block in ten exact.
class PackedMemory : public testing::Test {
 protected:
  static void SetUpTestSuite() { c10::SetCPUAllocator(new CountingAllocator(c10::GetDefaultCPUAllocator()), 1); }

  void SetUp() override {
    spec_ = SpecOf(Tower(std::make_shared<PlainMatrices>())).value();
    fp32_ = 4.0 * static_cast<double>(spec_.count(TensorRole::kTrainable));
    const RowBlockSet exact = DrawRowBlocks(spec_, plan_.downlink, 5, 0);
    EncodeOptions options{Representation::kModel, plan_.downlink, Digest{}};
    options.exact = &exact;
    Waves waves;
    ASSERT_OK_AND_ASSIGN(const PayloadRef ref, EncodePayload(spec_, options, waves, folder_.Path("model")));
    base_ = std::make_unique<PayloadReader>(PayloadReader::Open(folder_.Path("model"), ref, spec_).value());
    request_.held = {plan_.downlink, std::make_shared<const RowBlockSet>(exact)};
    Count();
  }

  // Counts from here on.
  void Count() { CountingAllocator::Peak() = before_ = CountingAllocator::Live(); }
  // Bytes since then as a share of the model in FP32.
  double held() const { return static_cast<double>(CountingAllocator::Live() - before_) / fp32_; }
  double peak() const { return static_cast<double>(CountingAllocator::Peak() - before_) / fp32_; }

  // The peak of making a model, loading it and three steps.
  double PeakOfTraining(bool packed, const TrainingOptions& options) {
    round_.reset();
    tower_.reset();
    Count();
    MakeRound(packed);
    request_.options = options;
    PayloadSource start(*base_);
    EXPECT_THAT(round_->Train(
                    request_, 3, [this] { return tower_->Loss(); }, start),
                IsOk());
    return peak();
  }

  void MakeRound(bool packed) {
    const auto matrices = packed ? std::make_shared<PackedMatrices>() : nullptr;
    tower_ = std::make_shared<Tower>(KeeperOr(matrices));
    round_ = std::make_unique<TorchRound>(tower_, spec_, matrices);
  }

  const ExchangePlan plan_ = OmcPlan();
  const TemporaryDirectory folder_;
  ModelSpec spec_;
  double fp32_ = 0;
  std::unique_ptr<PayloadReader> base_;
  TrainRequest request_;
  size_t before_ = 0;
  std::shared_ptr<Tower> tower_;
  std::unique_ptr<TorchRound> round_;
};

// The share of 11 bits and of the exact row blocks is 0.41; what is expanded, and its gradient, are 1/120 each.
TEST_F(PackedMemory, WeightsAndGradientsStayBelow45PercentOfFullPrecision) {
  const double packed = PeakOfTraining(true, Options());
  EXPECT_GT(packed, 0.41);
  EXPECT_LE(packed, 0.45);
}

TEST_F(PackedMemory, PlainTrainingTakesTwiceFullPrecision) { EXPECT_GE(PeakOfTraining(false, Options()), 2); }

// Eleven bits more for each value, and one more matrix in full precision.
TEST_F(PackedMemory, MomentumIsPackedToo) {
  EXPECT_LE(PeakOfTraining(true, Options(0.9)), 0.45 + 0.345 + 0.01);
  EXPECT_GE(PeakOfTraining(false, Options(0.9)), 3);
}

// What they take in full precision, they take one after the other.
TEST_F(PackedMemory, TheAnchorOfFedProxIsPackedTooAndWeightDecayTakesNothing) {
  EXPECT_LE(PeakOfTraining(true, Options(0.9, 0.01, 0.1)), 2 * 0.412 + 0.345 + 0.04);
  EXPECT_GE(PeakOfTraining(false, Options(0.9, 0.01, 0.1)), 4);
}

// The second load finds the model of the round before.
TEST_F(PackedMemory, LoadingKeepsNoSecondModel) {
  MakeRound(true);
  for (int round = 0; round < 2; ++round) {
    PayloadSource start(*base_);
    ASSERT_THAT(round_->Load(start, request_.held), IsOk());
    EXPECT_GT(held(), 0.41);
    EXPECT_LE(held(), 0.415);
    EXPECT_LE(peak(), 0.44);
  }
}

TEST_F(PackedMemory, EncodingADeltaKeepsNoSecondModel) {
  MakeRound(true);
  PayloadSource start(*base_);
  ASSERT_THAT(round_->Load(start, request_.held), IsOk());
  Count();
  ASSERT_EQ(plan_.uplink_representation, Representation::kDelta);
  ASSERT_THAT(EncodeUpdate(plan_, spec_, round_->values(), *base_, 7, folder_.Path("update")), IsOk());
  EXPECT_GT(peak(), 0);  // a block's buffers
  EXPECT_LE(peak(), 0.04);
  EXPECT_EQ(held(), 0);
}

}  // namespace
}  // namespace thinwire
