#include "client/train/conformer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <map>

#include "client/train/initial_values.h"
#include "client/train/matrix_keeper.h"
#include "client/train/module_values.h"
#include "client/train/torch_state.h"
#include "common/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

ConformerOptions Small() {
  ConformerOptions options;
  options.features = 10;
  options.labels = 5;
  options.blocks = 2;
  options.width = 16;
  options.heads = 2;
  options.kernel = 5;
  options.groups = 4;
  options.front_channels = 3;
  return options;
}

std::shared_ptr<Conformer> Make(const ConformerOptions& options) {
  auto model = std::make_shared<Conformer>(std::make_shared<PlainMatrices>(), options);
  const ModelSpec spec = SpecOf(*model).value();
  InitialValues initial(*model, spec);
  FreshWeights fresh(1, initial.bounds(), &initial);
  EXPECT_TRUE(ModuleValues(*model, spec, nullptr).Load(fresh, {}, {}).ok());
  model->eval();
  return model;
}

at::Tensor Noise(at::IntArrayRef shape, uint64_t seed = 1) {
  const at::Tensor values = at::empty(shape);
  RandomStream random(seed);
  for (int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<float>()[i] = static_cast<float>(2 * random.NextDouble() - 1);
  }
  return values;
}

at::Tensor Lengths(std::vector<int64_t> lengths) { return at::tensor(lengths, at::kLong); }

double LargestDifference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Conformer, ABatchOfDifferentLengthsGivesWhatEachUtteranceGivesAlone) {
  at::NoGradGuard no_grad;
  const auto model = Make(Small());
  const std::vector<int64_t> lengths = {37, 50, 5, 1, 48};
  at::Tensor batch = at::zeros({5, 50, 10});
  for (int64_t i = 0; i < 5; ++i) {
    batch[i].slice(0, 0, lengths[static_cast<size_t>(i)]).copy_(Noise({lengths[static_cast<size_t>(i)], 10}, 7));
  }
  const Conformer::Output together = model->Forward(batch, Lengths(lengths));
  for (int64_t i = 0; i < 5; ++i) {
    const int64_t length = lengths[static_cast<size_t>(i)];
    const Conformer::Output alone = model->Forward(batch.slice(0, i, i + 1).slice(1, 0, length), Lengths({length}));
    const int64_t frames = alone.lengths[0].item<int64_t>();
    EXPECT_EQ(frames, ((length + 1) / 2 + 1) / 2);
    EXPECT_EQ(together.lengths[i].item<int64_t>(), frames);
    EXPECT_EQ(alone.scores.size(1), frames);
    EXPECT_LT(LargestDifference(together.scores[i].slice(0, 0, frames), alone.scores[0]), 1e-5) << length;
  }
}

TEST(Conformer, ScoresAreLogarithmsOfProbabilities) {
  at::NoGradGuard no_grad;
  const Conformer::Output output = Make(Small())->Forward(Noise({2, 30, 10}), Lengths({30, 20}));
  EXPECT_LT(LargestDifference(output.scores.exp().sum(-1), at::ones({2, 8})), 1e-5);
}

TEST(Conformer, AttentionSeesDistancesNotPositions) {
  // The same frames later: with a kernel of one frame and no subsampling in time only attention knows of positions, so
  // a block's output moves with its input.
  at::NoGradGuard no_grad;
  const auto model = Make(Small());
  const auto parameters = model->named_modules();
  const auto block = std::dynamic_pointer_cast<ConformerBlock>(parameters["block0"]);
  ASSERT_NE(block, nullptr);
  const auto frames = [](int64_t count, int64_t first) {
    const at::Tensor rates = at::tensor({1.0f, 0.1f, 0.01f, 0.001f});
    const at::Tensor angles =
        (at::arange(count, at::kFloat) + static_cast<double>(first)).unsqueeze(1) * rates.repeat({2});
    return ConformerFrames{at::ones({1, count, 1}), at::zeros({1, 1, 1, count}), angles.cos(), angles.sin(), 0};
  };
  const at::Tensor x = Noise({1, 12, 16});
  const at::Tensor here = (*block)(x, frames(12, 0)), there = (*block)(x, frames(12, 100));
  EXPECT_LT(LargestDifference(here, there), 1e-4);
  // But order matters.
  EXPECT_GT(LargestDifference((*block)(x.flip(1), frames(12, 0)).flip(1), here), 1e-2);
}

TEST(ConformerBlock, CalledTwiceItGivesTheSameBitsDropoutIncluded) {
  const auto model = Make(Small());
  model->train();
  const auto block = std::dynamic_pointer_cast<ConformerBlock>(model->named_modules()["block1"]);
  ConformerFrames frames{at::ones({1, 12, 1}), at::zeros({1, 1, 1, 12}), at::ones({12, 8}), at::zeros({12, 8}), 5};
  const at::Tensor x = Noise({1, 12, 16});
  const at::Tensor first = (*block)(x, frames);
  EXPECT_TRUE(at::equal(first, (*block)(x, frames)));
  frames.seed = 6;
  EXPECT_FALSE(at::equal(first, (*block)(x, frames)));
}

TEST(Conformer, CheckpointsChangeNoBitOfLossOrGradients) {
  std::vector<std::vector<at::Tensor>> gradients;
  std::vector<double> losses;
  for (const bool checkpoint : {false, true}) {
    ConformerOptions options = Small();
    options.checkpoint = checkpoint;
    const auto model = Make(options);
    model->train();
    model->Seed(3);
    const at::Tensor loss = model->Forward(Noise({2, 30, 10}), Lengths({30, 22})).scores.select(2, 1).sum();
    loss.backward();
    losses.push_back(loss.item<double>());
    gradients.emplace_back();
    for (const at::Tensor& parameter : model->parameters()) gradients.back().push_back(parameter.grad());
  }
  EXPECT_EQ(losses[0], losses[1]);
  for (size_t i = 0; i < gradients[0].size(); ++i) EXPECT_TRUE(at::equal(gradients[0][i], gradients[1][i])) << i;
}

TEST(Conformer, DropoutFollowsTheSeedAndThePass) {
  at::NoGradGuard no_grad;
  const auto model = Make(Small());
  model->train();
  const auto passes = [&](uint64_t seed) {
    model->Seed(seed);
    const at::Tensor first = model->Forward(Noise({1, 30, 10}), Lengths({30})).scores;
    return std::make_pair(first, model->Forward(Noise({1, 30, 10}), Lengths({30})).scores);
  };
  const auto a = passes(1), b = passes(1), c = passes(2);
  EXPECT_TRUE(at::equal(a.first, b.first));
  EXPECT_TRUE(at::equal(a.second, b.second));
  EXPECT_FALSE(at::equal(a.first, a.second));
  EXPECT_FALSE(at::equal(a.first, c.first));
}

// Central differences against autograd, in every tensor: the direction of each is drawn, so that one pair of forward
// passes checks all of its values.
TEST(Conformer, GradientsAgreeWithFiniteDifferences) {
  ConformerOptions options = Small();
  options.dropout = 0;
  const auto model = Make(options);
  model->to(at::kDouble);
  const at::Tensor x = Noise({2, 20, 10}).to(at::kDouble);
  const auto loss = [&] {
    const Conformer::Output output = model->Forward(x, Lengths({20, 13}));
    return at::ctc_loss(output.scores.transpose(0, 1), at::tensor({1, 2, 2, 3}, at::kLong), at::IntArrayRef({5, 4}),
                        at::IntArrayRef({3, 1}), 0, at::Reduction::Sum);
  };
  loss().backward();
  uint64_t seed = 10;
  for (const auto& item : model->named_parameters()) {
    at::NoGradGuard no_grad;
    at::Tensor weight = item.value();
    const at::Tensor direction = Noise(weight.sizes(), ++seed).to(at::kDouble);
    const double step = 1e-4;
    weight.add_(direction, step);
    const double above = loss().item<double>();
    weight.sub_(direction, 2 * step);
    const double below = loss().item<double>();
    weight.add_(direction, step);
    const double slope = (above - below) / (2 * step);
    const double expected = (item.value().grad() * direction).sum().item<double>();
    EXPECT_NEAR(slope, expected, 1e-3 + 1e-3 * std::abs(expected)) << item.key();
  }
}

TEST(ConformerNamed, SizesAreWhatTheirDescriptionSays) {
  const std::map<std::string, double> millions = {
      {"conformer-xs", 0.908}, {"conformer-s", 9.722}, {"conformer-m", 29.420}, {"conformer-l", 117.069}};
  EXPECT_EQ(ConformerNames().size(), millions.size());
  for (const std::string& name : ConformerNames()) {
    ASSERT_OK_AND_ASSIGN(const ConformerOptions options, ConformerNamed(name));
    EXPECT_THAT(CheckConformer(options), IsOk());
    const Conformer model(std::make_shared<PlainMatrices>(), options);
    const auto count = static_cast<double>(SpecOf(model)->count(TensorRole::kTrainable));
    EXPECT_NEAR(count / 1e6, millions.at(name), 0.001) << name;
  }
  EXPECT_THAT(ConformerNamed("conformer"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("conformer-xs")));
}

TEST(CheckConformer, RefusesSizesThatMakeNoSense) {
  const auto refusal = [](auto change) {
    ConformerOptions options;
    change(options);
    return std::string(CheckConformer(options).message());
  };
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.blocks = 0; }), HasSubstr("blocks is 0"));
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.width = 1 << 20; }), HasSubstr("width is 1048576"));
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.heads = 5; }), HasSubstr("multiple of 10"));
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.groups = 7; }), HasSubstr("groups must divide width"));
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.kernel = 4; }), HasSubstr("it must be odd"));
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.labels = 1; }), HasSubstr("labels is 1"));
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.dropout = 1; }), HasSubstr("dropout is 1"));
  EXPECT_THAT(refusal([](ConformerOptions& o) { o.dropout = std::nan(""); }), HasSubstr("dropout is nan"));
}

}  // namespace
}  // namespace thinwire
