// The budget holds for whatever comes: random shapes, densities and budgets. 300 cases; THINWIRE_BUDGET_CASES=10000
// makes it the long test.
#include <cstdlib>

#include "gtest/gtest.h"
#include "tests/unit/rdu/random_update.h"

namespace thinwire {
namespace {

TEST(BudgetProperty, NoUpdatePassesItsBudgetOrLeavesMuchOfIt) {
  const char* wanted = std::getenv("THINWIRE_BUDGET_CASES");
  const uint64_t cases = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 300;
  uint64_t full = 0;
  for (uint64_t seed = 0; seed < cases; ++seed) {
    RandomStream random(seed);
    const TestUpdate update = RandomUpdate(&random);
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
    ASSERT_LE(RelativeError(update, *decoded), 1) << "seed " << seed;
  }
  EXPECT_GT(full, cases / 2);
}

}  // namespace
}  // namespace thinwire
