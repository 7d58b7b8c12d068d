// Packed training against plain training: the same model, the same data, through autograd and SGD.
#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "client/train/checkpoint.h"
#include "client/train/layers.h"
#include "client/train/packed_matrices.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using Rounding = PackedFormat::Rounding;

// Every kind of layer, one of them used twice, a norm with plain parameters between them.
class Net : public torch::nn::Module {
 public:
  Net(std::shared_ptr<MatrixKeeper> keeper, bool checkpointed)
      : keeper_(keeper),
        checkpointed_(checkpointed),
        table_(register_module("table", std::make_shared<EmbeddingLayer>(keeper, 11, 6))),
        first_(register_module("first", std::make_shared<LinearLayer>(keeper, 6, 8))),
        conv1_(register_module("conv1", std::make_shared<ConvolutionLayer>(keeper, 8, 8, 3, Shape1d(1)))),
        depthwise_(
            register_module("depthwise", std::make_shared<ConvolutionLayer>(keeper, 8, 8, 3, Shape1d(8), false))),
        twice_(register_module("twice", std::make_shared<LinearLayer>(keeper, 8, 8, false))),
        conv2_(register_module(
            "conv2", std::make_shared<ConvolutionLayer>(keeper, 1, 4, 3, ConvolutionShape{{2, 2}, {1, 1}, 1}))),
        last_(register_module("last", std::make_shared<LinearLayer>(keeper, 4, 3, false))) {
    gain_ = register_parameter("gain", at::ones({8}));
    shift_ = register_parameter("shift", at::zeros({8}));
  }

  // [n, 10] symbols -> [n, 3].
  at::Tensor Forward(const at::Tensor& symbols) {
    at::Tensor x = (*first_)((*table_)(symbols));
    const auto block = [this](const at::Tensor& in) { return Block(in); };
    x = checkpointed_ ? Checkpoint(block, x, keeper_.get(), {}) : Block(x);
    x = checkpointed_ ? Checkpoint(block, x, keeper_.get(), {}) : Block(x);
    return (*last_)(at::relu((*conv2_)(x.unsqueeze(1))).mean(at::IntArrayRef({2, 3})));
  }

 private:
  static ConvolutionShape Shape1d(int64_t groups) { return {{1}, {1}, groups}; }
  at::Tensor Block(const at::Tensor& in) {
    at::Tensor x = at::layer_norm((*twice_)(at::tanh(in)), {8}, gain_, shift_);
    x = (*depthwise_)(at::relu((*conv1_)(x.transpose(1, 2)))).transpose(1, 2);
    return in + (*twice_)(x);
  }

  const std::shared_ptr<MatrixKeeper> keeper_;
  const bool checkpointed_;
  std::shared_ptr<EmbeddingLayer> table_;
  std::shared_ptr<LinearLayer> first_;
  std::shared_ptr<ConvolutionLayer> conv1_, depthwise_;
  std::shared_ptr<LinearLayer> twice_;
  std::shared_ptr<ConvolutionLayer> conv2_;
  std::shared_ptr<LinearLayer> last_;
  at::Tensor gain_, shift_;
};

at::Tensor Number(int64_t seed, at::IntArrayRef shape) {
  const int64_t count = c10::multiply_integers(shape);
  return at::sin(at::arange(count, at::kFloat).mul(1.7).add(static_cast<float>(seed))).mul(0.4).view(shape);
}

struct Batch {
  at::Tensor symbols, labels;
};
Batch BatchOf(int64_t step) {
  // Labels follow from the symbols, so that there is something to learn.
  const at::Tensor symbols = (at::arange(50) * 7 + step * 3 + at::arange(50).div(10, "floor") * step).remainder(11);
  return {symbols.view({5, 10}), symbols.view({5, 10}).select(1, 0).remainder(3)};
}

PackedFormat Format(int exponent_bits, int mantissa_bits) {
  PackedFormat format;
  format.format = {exponent_bits, mantissa_bits};
  if (exponent_bits == 8) format.scale = ScaleRule::kNone;
  return format;
}

// A network of either kind with the same values.
struct Student {
  std::shared_ptr<PackedMatrices> packed;  // nullptr: plain
  std::shared_ptr<Net> net;
  std::vector<at::Tensor> own, anchors;  // plain parameters, and what FedProx pulls them to
  double proximal_mu;
  std::unique_ptr<torch::optim::SGD> optimizer;

  Student(std::shared_ptr<PackedMatrices> keeper, bool checkpointed, const TrainingOptions& options)
      : packed(std::move(keeper)),
        net(std::make_shared<Net>(
            packed != nullptr ? std::static_pointer_cast<MatrixKeeper>(packed) : std::make_shared<PlainMatrices>(),
            checkpointed)),
        proximal_mu(options.proximal_mu) {
    at::NoGradGuard no_grad;
    int64_t seed = 0;
    for (const at::Tensor& parameter : net->parameters()) {
      const at::Tensor values = Number(++seed, parameter.sizes());
      if (packed != nullptr && packed->Holds(parameter)) {
        EXPECT_TRUE(packed->matrix(packed->IndexOf(parameter)).Pack(Span(values), 1).ok());
      } else {
        at::Tensor(parameter).copy_(values);
        own.push_back(parameter);
        anchors.push_back(values);
      }
    }
    torch::optim::SGDOptions sgd(options.learning_rate);
    sgd.momentum(options.momentum).weight_decay(options.weight_decay);
    optimizer = std::make_unique<torch::optim::SGD>(own, sgd);
    if (packed != nullptr) {
      EXPECT_TRUE(packed->BeginRound(options, 5).ok());
    }
  }

  static absl::Span<float> Span(const at::Tensor& values) {
    return absl::MakeSpan(values.data_ptr<float>(), static_cast<size_t>(values.numel()));
  }

  double Step(int64_t step) {
    const Batch batch = BatchOf(step);
    if (packed != nullptr) packed->BeginStep(static_cast<uint64_t>(step));
    optimizer->zero_grad();
    const at::Tensor loss = at::cross_entropy_loss(net->Forward(batch.symbols), batch.labels);
    loss.backward();
    if (packed != nullptr) {
      EXPECT_TRUE(packed->EndStep().ok());
    }
    for (size_t i = 0; proximal_mu > 0 && i < own.size(); ++i) {
      const at::Tensor moved = own[i].detach() - anchors[i];
      own[i].mutable_grad().add_(moved, proximal_mu);
    }
    optimizer->step();
    return loss.item<double>();
  }

  // All values by name.
  std::vector<std::pair<std::string, at::Tensor>> Values() const {
    std::vector<std::pair<std::string, at::Tensor>> values;
    for (const auto& item : net->named_parameters()) {
      at::Tensor tensor = item.value();
      if (packed != nullptr && packed->Holds(tensor)) {
        const PackedMatrix& matrix = packed->matrix(packed->IndexOf(tensor));
        tensor = at::empty(item.value().sizes());
        matrix.Expand(Span(tensor));
      }
      values.emplace_back(item.key(), tensor.detach().clone());
    }
    return values;
  }
};

TrainingOptions Options(double momentum = 0, double weight_decay = 0, double proximal_mu = 0) {
  TrainingOptions options;
  options.learning_rate = 0.1;
  options.momentum = momentum;
  options.weight_decay = weight_decay;
  options.proximal_mu = proximal_mu;
  return options;
}

void ExpectSameBits(const Student& a, const Student& b) {
  const auto left = a.Values(), right = b.Values();
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(left[i].first, right[i].first);
    EXPECT_TRUE(at::equal(left[i].second, right[i].second)) << left[i].first;
  }
}

struct Way {
  bool checkpointed;
  TrainingOptions options;
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << (way.checkpointed ? "checkpoints, " : "") << "momentum " << way.options.momentum << ", weight decay "
       << way.options.weight_decay << ", mu " << way.options.proximal_mu;
}
class PackedTraining : public testing::TestWithParam<Way> {};

TEST_P(PackedTraining, EqualsPlainTrainingBitForBitAtFullWidth) {
  const auto& [checkpointed, options] = GetParam();
  Student plain(nullptr, false, options);
  Student packed(std::make_shared<PackedMatrices>(Format(8, 23)), checkpointed, options);
  for (int64_t step = 1; step <= 100; ++step) ASSERT_EQ(plain.Step(step), packed.Step(step)) << step;
  ExpectSameBits(plain, packed);
}

INSTANTIATE_TEST_SUITE_P(AllWays, PackedTraining,
                         testing::Values(Way{false, Options()}, Way{true, Options()}, Way{false, Options(0.9, 0.01)},
                                         Way{false, Options(0, 0.01)}, Way{false, Options(0.9)},
                                         Way{true, Options(0.9, 0.01)}, Way{false, Options(0, 0, 0.3)},
                                         Way{false, Options(0, 0.01, 0.3)}, Way{true, Options(0.9, 0.01, 0.3)}));

TEST(PackedTraining, LearnsAboutAsWellWithElevenBits) {
  TrainingOptions options = Options(0.9);
  options.learning_rate = 0.02;
  Student plain(nullptr, false, options);
  Student packed(std::make_shared<PackedMatrices>(Format(3, 7)), false, options);
  double first[2] = {}, last[2] = {};
  for (int64_t step = 1; step <= 440; ++step) {
    const double losses[2] = {plain.Step(step), packed.Step(step)};
    for (int i = 0; i < 2; ++i) {
      if (step <= 11) first[i] += losses[i] / 11;
      if (step > 429) last[i] += losses[i] / 11;
    }
  }
  EXPECT_LT(last[0], 0.7 * first[0]);
  EXPECT_LT(last[1], 0.75 * first[1]);
}

TEST(PackedTraining, LeavesEveryByteAloneAtRateZero) {
  TrainingOptions options = Options();
  options.learning_rate = 0;
  Student packed(std::make_shared<PackedMatrices>(Format(3, 7)), false, options);
  const Student before(std::make_shared<PackedMatrices>(Format(3, 7)), false, options);
  for (int64_t step = 1; step <= 1000; ++step) packed.Step(step);
  ExpectSameBits(packed, before);
}

// dL/dw by finite differences, against the step that packed training takes at full width.
TEST(PackedTraining, StepsFollowTheDerivativeOfTheLossInEveryMatrix) {
  TrainingOptions options = Options();
  options.learning_rate = 1;
  Student student(std::make_shared<PackedMatrices>(Format(8, 23)), true, options);
  Student probe(nullptr, false, options);
  const auto before = student.Values();
  student.Step(1);
  const auto after = student.Values();
  const Batch batch = BatchOf(1);
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < before.size(); ++i) {
    const at::Tensor parameter = probe.net->parameters()[i];
    const int64_t at = parameter.numel() / 2;
    float& value = parameter.data_ptr<float>()[at];
    const float kept = value, h = 1e-2f;
    const auto loss = [&](float moved) {
      value = moved;
      return at::cross_entropy_loss(probe.net->Forward(batch.symbols), batch.labels).item<double>();
    };
    const double slope = (loss(kept + h) - loss(kept - h)) / (2.0 * h);
    value = kept;
    const double step = before[i].second.view(-1)[at].item<double>() - after[i].second.view(-1)[at].item<double>();
    EXPECT_NEAR(step, slope, 2e-3 + 0.02 * std::abs(slope)) << before[i].first;
  }
}

TEST(PackedTraining, PullsTowardsTheAnchorOfFedProx) {
  TrainingOptions options = Options();
  options.proximal_mu = 9;  // rate times mu near 1: hardly anything moves
  Student held(std::make_shared<PackedMatrices>(Format(8, 23)), false, options);
  Student free(std::make_shared<PackedMatrices>(Format(8, 23)), false, Options());
  const auto start = held.Values();
  for (int64_t step = 1; step <= 30; ++step) {
    held.Step(step);
    free.Step(step);
  }
  const auto moved = [&](const Student& student) {
    return (student.Values()[2].second - start[2].second).norm().item<double>();  // first.weight or a neighbour
  };
  EXPECT_LT(moved(held), 0.5 * moved(free));
}

TEST(PackedTraining, TellsWhatItHolds) {
  PackedMatrices matrices(Format(3, 7));
  const at::Tensor big = matrices.NewMatrix({100, 4096});
  EXPECT_TRUE(big.is_meta());
  EXPECT_TRUE(matrices.Holds(big));
  EXPECT_FALSE(matrices.Holds(at::zeros({1})));
  const double plain = 4.0 * static_cast<double>(big.numel());
  EXPECT_NEAR(static_cast<double>(matrices.memory()) / plain, 11.0 / 32, 0.002);
  ASSERT_TRUE(matrices.BeginRound(Options(0.9), 1).ok());
  EXPECT_NEAR(static_cast<double>(matrices.memory()) / plain, 22.0 / 32, 0.004);
}

// The same values and the same gradient, in three steps of two numbers.
TEST(PackedTraining, RoundsByTheNumberOfTheStep) {
  auto keeper = std::make_shared<PackedMatrices>(Format(3, 3));
  LinearLayer layer(keeper, 20, 30, false);
  ASSERT_TRUE(keeper->BeginRound(Options(), 1).ok());
  const at::Tensor x = Number(1, {3, 20}), start = Number(2, {30, 20});
  std::vector<at::Tensor> after;
  for (const uint64_t step : {1, 2, 1}) {
    ASSERT_TRUE(keeper->matrix(0).HoldBlock(0, Student::Span(start)).ok());
    keeper->BeginStep(step);
    layer(x).sum().backward();
    ASSERT_TRUE(keeper->EndStep().ok());
    after.push_back(at::empty({30, 20}));
    keeper->matrix(0).Expand(Student::Span(after.back()));
  }
  EXPECT_FALSE(at::equal(after[0], after[1]));
  EXPECT_TRUE(at::equal(after[0], after[2]));
}

// The forward pass, and the backward pass together with the step; the last matrix is still there when the backward pass
// begins.
TEST(PackedTraining, ExpandsAMatrixTwiceInAStepAndPacksItOnce) {
  auto keeper = std::make_shared<PackedMatrices>(Format(3, 7));
  LinearLayer first(keeper, 40, 30), last(keeper, 30, 20);
  const uint64_t values[2] = {40 * 30, 30 * 20};
  ASSERT_TRUE(keeper->BeginRound(Options(), 1).ok());
  const at::Tensor x = at::ones({2, 40}).requires_grad_(true);
  keeper->BeginStep(1);
  last(first(x)).sum().backward();
  ASSERT_TRUE(keeper->EndStep().ok());
  EXPECT_EQ(keeper->coded().expanded, 2 * values[0] + values[1]);
  EXPECT_EQ(keeper->coded().packed, values[0] + values[1]);
}

// Nothing else is expanded between a step and the next forward pass, which must not see what the step rounded.
TEST(PackedTraining, TheOnlyMatrixIsUsedAsItWasPacked) {
  auto keeper = std::make_shared<PackedMatrices>(Format(3, 7));
  LinearLayer layer(keeper, 6, 5, false);
  ASSERT_TRUE(keeper->BeginRound(Options(), 1).ok());
  const at::Tensor x = Number(1, {3, 6});
  keeper->BeginStep(1);
  (layer(x) - Number(2, {3, 5})).pow(2).sum().backward();
  ASSERT_TRUE(keeper->EndStep().ok());
  const at::Tensor packed = at::empty({5, 6});
  std::as_const(*keeper).matrix(0).Expand(Student::Span(packed));
  EXPECT_NE(packed.abs().sum().item<float>(), 0);
  EXPECT_TRUE(at::equal(layer(x), at::linear(x, packed)));
}

TEST(PackedTraining, ExpandsTheOnlyMatrixAnewOnceItHasChanged) {
  const TrainingOptions options = Options(0.9, 0.01);
  auto keeper = std::make_shared<PackedMatrices>(Format(8, 23));
  LinearLayer packed(keeper, 6, 5, false), plain(std::make_shared<PlainMatrices>(), 6, 5, false);
  ASSERT_TRUE(keeper->BeginRound(options, 1).ok());
  torch::optim::SGD sgd(plain.parameters(), torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01));
  const at::Tensor x = Number(1, {3, 6}), target = Number(2, {3, 5});
  const auto loss = [&](LinearLayer& layer) { return (layer(x) - target).pow(2).sum(); };
  std::vector<float> losses;
  for (uint64_t step = 1; step <= 4; ++step) {
    keeper->BeginStep(step);
    sgd.zero_grad();
    const at::Tensor expected = loss(plain), actual = loss(packed);
    EXPECT_EQ(actual.item<float>(), expected.item<float>()) << step;
    losses.push_back(actual.item<float>());
    expected.backward();
    actual.backward();
    ASSERT_TRUE(keeper->EndStep().ok());
    sgd.step();
  }
  EXPECT_LT(losses[3], losses[0]);
  ASSERT_TRUE(keeper->matrix(0).Pack(std::vector<float>(30, 0.0f), 1).ok());  // what a load does
  EXPECT_TRUE(at::equal(packed(x), at::zeros({3, 5})));
}

TEST(PackedTraining, RefusesAdam) {
  TrainingOptions options = Options();
  options.optimizer = TrainingOptions::Optimizer::kAdam;
  PackedMatrices matrices(Format(3, 7));
  const absl::Status status = matrices.BeginRound(options, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("SGD"));
}

TEST(PackedTraining, SaysWhenAnOutputIsNotPartOfTheLoss) {
  auto keeper = std::make_shared<PackedMatrices>(Format(3, 7));
  LinearLayer used(keeper, 4, 4), unused(keeper, 4, 4);
  ASSERT_TRUE(keeper->BeginRound(Options(), 1).ok());
  keeper->BeginStep(1);
  const at::Tensor x = at::ones({2, 4});
  const at::Tensor loss = used(x).sum();
  (void)unused(x);
  loss.backward();
  EXPECT_EQ(keeper->EndStep().code(), absl::StatusCode::kFailedPrecondition);
  keeper->BeginStep(2);
  used(x).sum().backward();
  EXPECT_TRUE(keeper->EndStep().ok());
}

TEST(PackedTraining, SaysWhenAWeightIsNotFiniteAndKeepsIt) {
  auto keeper = std::make_shared<PackedMatrices>(Format(3, 7));
  LinearLayer layer(keeper, 4, 4);
  ASSERT_TRUE(keeper->BeginRound(Options(), 1).ok());
  keeper->BeginStep(1);
  layer(at::full({1, 4}, INFINITY)).sum().backward();
  EXPECT_EQ(keeper->EndStep().code(), absl::StatusCode::kInvalidArgument);
  std::vector<float> values(16);
  keeper->matrix(0).Expand(absl::MakeSpan(values));
  EXPECT_THAT(values, testing::Each(0.0f));
}

}  // namespace
}  // namespace thinwire
