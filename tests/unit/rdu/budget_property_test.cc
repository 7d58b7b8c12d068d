// The budget holds for whatever comes: random shapes, densities, budgets, profiles and M. 300 cases;
// THINWIRE_BUDGET_CASES=10000 makes it the long test.
#include <cstdlib>

#include "gtest/gtest.h"
#include "tests/unit/rdu/random_update.h"

namespace thinwire {
namespace {

// The tables of the fast profile, for updates of up to some 16,000 values. A budget below that holds no or few of them.
constexpr uint64_t kFastTables = 128;

// Half of them with M = 0, some with the fast profile, the others with some M.
UpdateOptions RandomOptions(RandomStream* random) {
  switch (random->Below(6)) {
    case 0:
    case 1:
      return {UpdateProfile::kFast};
    case 2:
      return {UpdateProfile::kBest, 0.125 * static_cast<double>(1 + random->Below(128))};
    default:
      return {};
  }
}

TEST(BudgetProperty, NoUpdatePassesItsBudgetOrLeavesMuchOfIt) {
  const char* wanted = std::getenv("THINWIRE_BUDGET_CASES");
  const uint64_t cases = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 300;
  uint64_t full = 0;
  for (uint64_t seed = 0; seed < cases; ++seed) {
    RandomStream random(seed);
    const TestUpdate update = RandomUpdate(&random);
    const UpdateOptions options = RandomOptions(&random);
    const double rate = 0.005 * std::pow(1600.0, random.NextDouble());  // 0.005 to 8 bits a value
    const auto budget = static_cast<uint64_t>(rate * static_cast<double>(update.Count()));
    UpdateReport report;
    const auto bytes = EncodeUpdate(update.Tensors(), budget, &report, options);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    ASSERT_LE(bytes->size(), budget / 8) << "seed " << seed;
    const bool fast = options.profile == UpdateProfile::kFast;
    ASSERT_LE(report.trials, fast ? 40 : kMaxTrials) << "seed " << seed;
    const double least = static_cast<double>(budget / 8);
    if (!report.finest && !(fast && budget / 8 < kFastTables)) {
      ++full;
      ASSERT_GE(static_cast<double>(bytes->size()), std::min(0.995 * least, least - 32)) << "seed " << seed;
    }
    const auto decoded = Decode(*bytes, update.shapes);
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
    if (options.weight_exponent == 0) {
      ASSERT_LE(RelativeError(update, *decoded), 1) << "seed " << seed;
    }
  }
  EXPECT_GT(full, cases / 2);
}

}  // namespace
}  // namespace thinwire
