#include "client/train/text_transformer.h"

#include <ATen/ATen.h>

#include "client/train/matrix_keeper.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

// With numbers in every parameter, from a seed of LibTorch's.
std::shared_ptr<TextTransformer> Network(bool next_symbol) {
  TextModelOptions options;
  options.width = 32;
  options.symbols = options.classes = 11;
  options.next_symbol = next_symbol;
  auto network = std::make_shared<TextTransformer>(std::make_shared<PlainMatrices>(), options);
  at::NoGradGuard no_grad;
  at::manual_seed(1);
  for (at::Tensor& parameter : network->parameters()) parameter.normal_(0, 0.3);
  network->eval();
  return network;
}

at::Tensor Symbols(int64_t n, int64_t length) {
  return at::arange(n * length, at::kLong).remainder(11).view({n, length});
}

at::Tensor Lengths(std::vector<int64_t> lengths) { return at::tensor(lengths, at::kLong); }

double Difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(TextTransformer, ALanguageModelDoesNotLookAhead) {
  at::NoGradGuard no_grad;
  const auto network = Network(true);
  const at::Tensor symbols = Symbols(1, 20), changed = symbols.clone();
  changed.narrow(1, 12, 8).fill_(3);
  const at::Tensor a = network->Forward(symbols, Lengths({20})), b = network->Forward(changed, Lengths({20}));
  ASSERT_EQ(a.sizes(), at::IntArrayRef({1, 20, 11}));
  EXPECT_LT(Difference(a.narrow(1, 0, 12), b.narrow(1, 0, 12)), 1e-5);
  EXPECT_GT(Difference(a.narrow(1, 12, 8), b.narrow(1, 12, 8)), 1e-2);
}

TEST(TextTransformer, WhatLiesBehindATextDoesNotChangeItsScores) {
  at::NoGradGuard no_grad;
  for (const bool next_symbol : {false, true}) {
    const auto network = Network(next_symbol);
    const at::Tensor symbols = Symbols(2, 9);
    const at::Tensor alone = network->Forward(symbols.narrow(0, 0, 1).narrow(1, 0, 5), Lengths({5}));
    at::Tensor beside = network->Forward(symbols, Lengths({5, 9})).narrow(0, 0, 1);
    if (next_symbol) beside = beside.narrow(1, 0, 5);
    EXPECT_LT(Difference(alone, beside), 1e-5) << next_symbol;
  }
}

TEST(TextTransformer, TheOrderOfWordsCounts) {
  at::NoGradGuard no_grad;
  const auto network = Network(false);
  const at::Tensor symbols = Symbols(1, 9);
  const at::Tensor forward = network->Forward(symbols, Lengths({9}));
  ASSERT_EQ(forward.sizes(), at::IntArrayRef({1, 11}));
  EXPECT_GT(Difference(forward, network->Forward(symbols.flip(1), Lengths({9}))), 1e-2);
}

TEST(TextTransformer, DropoutFollowsFromSeedAndPass) {
  at::NoGradGuard no_grad;
  const auto network = Network(false);
  network->train();
  const auto run = [&] { return network->Forward(Symbols(2, 9), Lengths({9, 9})); };
  network->Seed(1);
  const at::Tensor first = run(), second = run();
  network->Seed(1);
  EXPECT_TRUE(at::equal(first, run()));
  EXPECT_FALSE(at::equal(first, second));
  network->Seed(2);
  EXPECT_FALSE(at::equal(first, run()));
}

}  // namespace
}  // namespace thinwire
