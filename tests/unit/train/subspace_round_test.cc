// Steps along one vector of a subspace, against the definition written out with whole matrices' products.
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "client/train/torch_round.h"
#include "client/train/torch_state.h"
#include "common/subspace/coordinates.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kDimension = 64;
constexpr uint64_t kSize = 20 * 10 + 10;

void CopyOut(const torch::nn::Module& module, ModelState* state) {
  at::NoGradGuard no_grad;
  const std::vector<at::Tensor> tensors = TensorsOf(module);
  for (size_t i = 0; i < tensors.size(); ++i) {
    at::from_blob(state->floats[i].data(), tensors[i].sizes(), at::TensorOptions(at::kFloat)).copy_(tensors[i]);
  }
}

class SubspaceRoundTest : public ::testing::Test {
 protected:
  SubspaceRoundTest() : network_(std::make_shared<torch::nn::LinearImpl>(20, 10)), state_(SpecOf(*network_).value()) {
    plan_.dimension = kDimension;
    plan_.vectors = 2;
    matrices_ = MatricesOfEpoch(plan_, kSize, 3, 0).value();
    CopyOut(*network_, &state_);
    coordinates_.assign(2, std::vector<float>(kDimension));
    for (size_t i = 0; i < kDimension; ++i) {
      coordinates_[0][i] = 0.001f * static_cast<float>(i % 5);
      coordinates_[1][i] = -0.002f * static_cast<float>(i % 3);
    }
    request_.options.learning_rate = 0.5;
    request_.subspace = &steps_;
    steps_ = {&matrices_, &coordinates_, 1, {}};
    target_ = at::arange(10, at::kFloat);
    input_ = at::ones({20}) * 0.1;
  }

  std::vector<float> Apply(size_t k, const std::vector<float>& x) {
    std::vector<float> y(kSize);
    FastfoodWorkspace workspace = *FastfoodWorkspace::Create(matrices_[k]);
    EXPECT_THAT(matrices_[k].Apply(x, &workspace,
                                   [&](uint64_t first, absl::Span<const float> values) {
                                     std::copy(values.begin(), values.end(), y.begin() + static_cast<ptrdiff_t>(first));
                                     return absl::OkStatus();
                                   }),
                IsOk());
    return y;
  }
  std::vector<float> Transpose(size_t k, const std::vector<float>& g) {
    std::vector<float> s(kDimension);
    FastfoodWorkspace workspace = *FastfoodWorkspace::Create(matrices_[k]);
    EXPECT_THAT(matrices_[k].ApplyTranspose(
                    [&](uint64_t first, absl::Span<float> out) {
                      std::copy_n(g.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
                      return absl::OkStatus();
                    },
                    &workspace, absl::MakeSpan(s)),
                IsOk());
    return s;
  }
  // theta of these coordinates of the own vector.
  std::vector<float> Theta(const std::vector<float>& own) {
    std::vector<float> theta = state_.floats[0];
    theta.insert(theta.end(), state_.floats[1].begin(), state_.floats[1].end());
    const std::vector<float> first = Apply(0, coordinates_[0]), second = Apply(1, own);
    for (size_t i = 0; i < kSize; ++i) theta[i] += first[i] + second[i];
    return theta;
  }
  // Of half the squared distance of the layer's output from target_.
  std::vector<float> Gradient(const std::vector<float>& theta) {
    std::vector<float> gradient(kSize);
    for (size_t row = 0; row < 10; ++row) {
      float out = theta[200 + row];
      for (size_t i = 0; i < 20; ++i) out += theta[row * 20 + i] * 0.1f;
      const float error = out - static_cast<float>(row);
      for (size_t i = 0; i < 20; ++i) gradient[row * 20 + i] = error * 0.1f;
      gradient[200 + row] = error;
    }
    return gradient;
  }
  absl::StatusOr<double> Train(uint64_t steps) {
    TorchRound round(network_, state_.spec);
    ModelStateSource start(state_);
    return round.Train(
        request_, steps, [&] { return (network_->forward(input_) - target_).pow(2).sum() / 2; }, start);
  }
  // What three steps come to.
  std::vector<float> Expected() {
    const TrainingOptions& options = request_.options;
    const double share = static_cast<double>(kDimension) / kSize;
    std::vector<float> sigma = coordinates_[1], momentum(kDimension);
    for (int step = 0; step < 3; ++step) {
      const std::vector<float> theta = Theta(sigma);
      std::vector<float> gradient = Gradient(theta);
      for (size_t i = 0; i < kSize; ++i) gradient[i] += static_cast<float>(options.weight_decay) * theta[i];
      const std::vector<float> slope = Transpose(1, gradient);
      for (size_t i = 0; i < kDimension; ++i) {
        momentum[i] = static_cast<float>(options.momentum) * momentum[i] + slope[i] +
                      static_cast<float>(options.proximal_mu / share) * (sigma[i] - coordinates_[1][i]);
        sigma[i] -= static_cast<float>(options.learning_rate * share) * momentum[i];
      }
    }
    return sigma;
  }

  SubspacePlan plan_;
  std::shared_ptr<torch::nn::LinearImpl> network_;
  ModelState state_;
  std::vector<Fastfood> matrices_;
  std::vector<std::vector<float>> coordinates_;
  SubspaceSteps steps_;
  TrainRequest request_;
  at::Tensor target_, input_;
};

TEST_F(SubspaceRoundTest, StepsAreThoseOfTheDefinition) {
  for (const bool all : {false, true}) {
    request_.options.momentum = all ? 0.9 : 0;
    request_.options.weight_decay = all ? 0.01 : 0;
    request_.options.proximal_mu = all ? 0.1 : 0;
    ASSERT_THAT(Train(3), IsOk());
    const std::vector<float> expected = Expected();
    ASSERT_EQ(steps_.trained.size(), kDimension);
    for (size_t i = 0; i < kDimension; ++i) EXPECT_NEAR(steps_.trained[i], expected[i], 1e-4f * 10) << i;
    EXPECT_NE(steps_.trained, coordinates_[1]);
    const std::vector<float> theta = Theta(steps_.trained);
    ModelState now(state_.spec);
    CopyOut(*network_, &now);
    for (size_t i = 0; i < 200; ++i) EXPECT_NEAR(now.floats[0][i], theta[i], 1e-3f) << i;
  }
}

TEST_F(SubspaceRoundTest, ARateOfZeroLeavesEveryCoordinate) {
  request_.options.learning_rate = 0;
  request_.options.momentum = 0.9;
  ASSERT_THAT(Train(5), IsOk());
  EXPECT_EQ(steps_.trained, coordinates_[1]);
}

TEST_F(SubspaceRoundTest, ItLearns) {
  request_.options.learning_rate = 0.3;
  ASSERT_OK_AND_ASSIGN(const double first, Train(1));
  ASSERT_OK_AND_ASSIGN(const double mean, Train(60));
  EXPECT_LT(mean, 0.8 * first);
}

TEST_F(SubspaceRoundTest, AdamAndDivergenceAreNamed) {
  request_.options.optimizer = TrainingOptions::Optimizer::kAdam;
  EXPECT_THAT(Train(1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("training.adam")));
  request_.options.optimizer = TrainingOptions::Optimizer::kSgd;
  request_.options.learning_rate = 1e30;
  EXPECT_THAT(Train(50), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("diverged")));
}

}  // namespace
}  // namespace thinwire
