// The budget holds for whatever comes: random shapes, densities and budgets. 300 cases; THINWIRE_BUDGET_CASES=10000
// makes it the long test.
#include <cstdlib>

#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

// Normal, heavy-tailed, sparse, of low rank, of rows that differ, or of one magnitude.
float DrawValue(int family, size_t row, RandomStream* random) {
  const float x = Bell(random);
  switch (family) {
    case 0:
      return x;
    case 1:
      return x * x * x * x * x;
    case 2:
      return random->Below(50) == 0 ? x : 0;
    case 3:
      return x * static_cast<float>(row % 7);
    case 4:
      return random->Below(20) == 0 ? 1e6f * x : x;
    default:
      return x > 0 ? 1.0f : -1.0f;
  }
}

TestUpdate Draw(RandomStream* random) {
  TestUpdate update;
  const float scale = std::ldexp(1.0f, static_cast<int>(random->Below(60)) - 30);
  do {
    const uint64_t rows = 1 + random->Below(40), columns = 1 + random->Below(200);
    std::vector<float> values(rows * columns);
    const int family = static_cast<int>(random->Below(7));
    if (family == 6) values = LowRankValues(random->NextU64(), rows, columns, 1 + random->Below(4), 0.1f);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = scale * (family == 6 ? values[i] : DrawValue(family, i / columns, random));
    }
    update.Add(rows == 1 ? Shape{columns} : Shape{rows, columns}, std::move(values));
  } while (update.Count() < 1024 || random->Below(3) == 0);
  return update;
}

TEST(BudgetProperty, NoUpdatePassesItsBudgetOrLeavesMuchOfIt) {
  const char* wanted = std::getenv("THINWIRE_BUDGET_CASES");
  const uint64_t cases = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 300;
  uint64_t full = 0;
  for (uint64_t seed = 0; seed < cases; ++seed) {
    RandomStream random(seed);
    const TestUpdate update = Draw(&random);
    const double rate = 0.005 * std::pow(1600.0, random.NextDouble());  // 0.005 to 8 bits a value
    const auto budget = static_cast<uint64_t>(rate * static_cast<double>(update.Count()));
    UpdateReport report;
    const auto bytes = EncodeUpdate(update.Tensors(), budget, &report);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    ASSERT_LE(bytes->size(), budget / 8) << "seed " << seed;
    ASSERT_LE(report.trials, kMaxTrials);
    const double least = static_cast<double>(budget / 8);
    if (!report.finest) {
      ++full;
      ASSERT_GE(static_cast<double>(bytes->size()), std::min(0.995 * least, least - 32)) << "seed " << seed;
    }
    const auto decoded = Decode(*bytes, update.shapes);
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
    ASSERT_LE(RelativeError(update, *decoded), 1.02) << "seed " << seed;
  }
  EXPECT_GT(full, cases / 2);
}

}  // namespace
}  // namespace thinwire
