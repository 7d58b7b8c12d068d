#include "common/rdu/update_codec.h"

#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

std::string Encode(const TestUpdate& update, uint64_t bits, UpdateReport* report = nullptr) {
  absl::StatusOr<std::string> bytes = EncodeUpdate(update.Tensors(), bits, report);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

double ErrorOf(const TestUpdate& update, const std::string& bytes) {
  const auto decoded = Decode(bytes, update.shapes);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? RelativeError(update, *decoded) : 1e9;
}

TEST(UpdateCodec, MoreBitsGiveLessError) {
  const TestUpdate update = NetworkUpdate(1);
  double before = 1;
  for (const double rate : {0.05, 0.25, 1.0, 2.0, 4.0, 8.0}) {
    const double error = ErrorOf(update, Encode(update, static_cast<uint64_t>(rate * update.Count())));
    EXPECT_LT(error, before) << rate;
    before = error;
  }
  EXPECT_LT(before, 1e-4);
}

TEST(UpdateCodec, ABellShapeIsCodedNearTheBoundOfItsRate) {
  TestUpdate update;
  update.Add({64, 256}, BellValues(5, 64 * 256, 0.01f));
  const double error = ErrorOf(update, Encode(update, 3 * update.Count()));
  // 2^-6 is Shannon's bound; a uniform quantiser with an ideal code is at 1.42 times that.
  EXPECT_LT(error, 1.6 / 64);
  EXPECT_GT(error, 1.0 / 64);
}

TEST(UpdateCodec, LowRankIsFoundAndWorthIt) {
  TestUpdate update;
  update.Add({60, 400}, LowRankValues(3, 60, 400, 3, 0.01f));
  UpdateReport report;
  const std::string bytes = Encode(update, update.Count() / 4, &report);
  EXPECT_EQ(report.rank[0], 3u);
  EXPECT_LT(ErrorOf(update, bytes), 0.01);
}

TEST(UpdateCodec, TallMatricesAreCodedAsWellAsWideOnes) {
  TestUpdate wide, tall;
  wide.Add({30, 500}, LowRankValues(4, 30, 500, 3, 0.02f));
  std::vector<float> turned(wide.values[0].size());
  for (size_t i = 0; i < 30; ++i) {
    for (size_t j = 0; j < 500; ++j) turned[j * 30 + i] = wide.values[0][i * 500 + j];
  }
  tall.Add({500, 30}, turned);
  const double a = ErrorOf(wide, Encode(wide, 4000)), b = ErrorOf(tall, Encode(tall, 4000));
  EXPECT_NEAR(b / a, 1, 0.1);
}

TEST(UpdateCodec, ZeroTensorsAndRowsAreNearlyFree) {
  TestUpdate update = NetworkUpdate(2), padded = NetworkUpdate(2);
  for (int i = 0; i < 20; ++i) padded.Add({100, 100}, std::vector<float>(10000));
  const auto plain = EncodeUpdateAtStep(update.Tensors(), 0.05, 32, nullptr);
  const auto more = EncodeUpdateAtStep(padded.Tensors(), 0.05, 32, nullptr);
  EXPECT_LE(more->size(), plain->size() + 8);

  TestUpdate rows, few;
  rows.Add({1000, 50}, std::vector<float>(50000));
  few.Add({10, 50}, BellValues(1, 500, 1));
  for (size_t i = 0; i < 10; ++i) std::copy_n(&few.values[0][i * 50], 50, &rows.values[0][i * 100 * 50]);
  const auto dense = EncodeUpdateAtStep(few.Tensors(), 0.1, 0, nullptr);
  const auto sparse = EncodeUpdateAtStep(rows.Tensors(), 0.1, 0, nullptr);
  EXPECT_LE(sparse->size(), dense->size() + 40);
}

TEST(UpdateCodec, SignsAndMagnitudesOfAllSizesComeBack) {
  TestUpdate update;
  std::vector<float> values;
  for (int i = 0; i < 26; ++i) {
    for (const int odd : {0, 1, -1})
      values.push_back(std::ldexp(1.0f, i) * (i % 2 == 0 ? 1 : -1) + static_cast<float>(odd));
  }
  update.Add({values.size()}, values);
  const auto decoded = Decode(*EncodeUpdateAtStep(update.Tensors(), 1, 0, nullptr), update.shapes);
  ASSERT_TRUE(decoded.ok());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR((*decoded)[0][i], values[i], std::fabs(values[i]) < 4 ? 1.0 : 0.6 + std::fabs(values[i]) * 1e-7) << i;
  }
}

// Sum of |x|^exponent (x - y)^2.
double WeightedError(const TestUpdate& update, const std::string& bytes, double exponent) {
  const auto decoded = Decode(bytes, update.shapes);
  double error = 0;
  for (size_t i = 0; i < update.values.size(); ++i) {
    for (size_t j = 0; j < update.values[i].size(); ++j) {
      const double x = update.values[i][j], difference = x - (*decoded)[i][j];
      error += std::pow(std::fabs(x), exponent) * difference * difference;
    }
  }
  return error;
}

TEST(UpdateCodec, WeighingErrorsLowersTheErrorThatIsWeighed) {
  TestUpdate update;
  update.Add({100, 200}, BellValues(6, 20000, 1));
  for (float& v : update.values[0]) v = v * v * v;  // heavy tails
  for (const double rate : {1.0, 2.0}) {
    const auto bits = static_cast<uint64_t>(rate * update.Count());
    const std::string plain = Encode(update, bits);
    for (const double exponent : {2.0, 3.3}) {
      const absl::StatusOr<std::string> weighed =
          EncodeUpdate(update.Tensors(), bits, nullptr, {UpdateProfile::kBest, exponent});
      ASSERT_TRUE(weighed.ok()) << weighed.status();
      EXPECT_LE(weighed->size(), bits / 8);
      EXPECT_LT(WeightedError(update, *weighed, exponent), WeightedError(update, plain, exponent) / 1.3)
          << rate << " " << exponent;
    }
  }
}

TEST(UpdateCodec, ExponentsBelowASixteenthAreZero) {
  const TestUpdate update = NetworkUpdate(1);
  EXPECT_EQ(*EncodeUpdate(update.Tensors(), 5000, nullptr, {UpdateProfile::kBest, 0.06}), Encode(update, 5000));
}

TEST(UpdateCodec, ExponentsOutOfRangeAreRefused) {
  const TestUpdate update = NetworkUpdate(1);
  for (const double exponent : {-1.0, 16.5, std::nan("")}) {
    const absl::Status status =
        EncodeUpdate(update.Tensors(), 5000, nullptr, {UpdateProfile::kBest, exponent}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << exponent;
    EXPECT_NE(status.message().find("must be 0 to 16"), std::string::npos) << status;
  }
  const absl::Status fast = EncodeUpdate(update.Tensors(), 5000, nullptr, {UpdateProfile::kFast, 1}).status();
  EXPECT_NE(fast.message().find("must be 0 to 0 in the fast profile"), std::string::npos) << fast;
}

TEST(UpdateCodec, TheSameInputGivesTheSameBytes) {
  const TestUpdate update = NetworkUpdate(3);
  EXPECT_EQ(Encode(update, 5000), Encode(update, 5000));
}

TEST(UpdateCodec, EveryPrefixDecodesAndNoLessWithEveryByte) {
  const TestUpdate update = NetworkUpdate(4);
  const std::string bytes = Encode(update, update.Count());
  double before = 2;
  for (size_t size = 4; size <= bytes.size(); size += 61) {
    const double error = ErrorOf(update, bytes.substr(0, size));
    EXPECT_LT(error, before * 1.2) << size;  // factors may overshoot until the rest has come
    before = error;
  }
}

TEST(UpdateCodec, CodingOrderPutsTheLargestLast) {
  EXPECT_EQ(CodingOrder({5, 9, 5, 1}), (std::vector<size_t>{3, 0, 2, 1}));
}

TEST(UpdateCodec, ASmallExponentNeverCostsItsOwnError) {
  int plain = 0, bent = 0;
  for (const double exponent : {0.5, 1.0, 1.5}) {
    for (const uint64_t bits : {500, 2000, 10'000, 40'000}) {
      const TestUpdate update = NetworkUpdate(bits);
      const std::string zero = *EncodeUpdate(update.Tensors(), bits, nullptr);
      const std::string some = *EncodeUpdate(update.Tensors(), bits, nullptr, {UpdateProfile::kBest, exponent});
      EXPECT_LE(WeightedError(update, some, exponent), WeightedError(update, zero, exponent) * (1 + 1e-12))
          << "M = " << exponent << ", " << bits << " bits";
      EXPECT_LE(some.size(), bits / 8);
      ++(some == zero ? plain : bent);
    }
  }
  EXPECT_GT(plain, 0);
  EXPECT_GT(bent, 0);
}

}  // namespace
}  // namespace thinwire
