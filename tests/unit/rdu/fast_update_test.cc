// The fast profile: budgets, round trips, damage.
#include <limits>

#include "common/rdu/sparse_stream.h"
#include "gtest/gtest.h"
#include "tests/unit/rdu/random_update.h"

namespace thinwire {
namespace {

std::string Encode(const TestUpdate& update, uint64_t bits, UpdateReport* report = nullptr) {
  const auto bytes = EncodeUpdate(update.Tensors(), bits, report, {UpdateProfile::kFast});
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

TestUpdate SparseUpdate(uint64_t seed, size_t count, uint64_t one_in) {
  RandomStream random(seed);
  TestUpdate update;
  update.Add({100}, BellValues(seed, 100, 0.01f));
  std::vector<float> values(count);
  for (float& v : values) v = random.Below(one_in) == 0 ? Bell(&random) : 0.001f * Bell(&random);
  update.Add({count}, values);
  return update;
}

TEST(FastUpdate, BucketsOfNumbersAscendAndHoldThem) {
  for (uint64_t value = 0; value < 100000; ++value) {
    const Bucket bucket = BucketOf(value), next = BucketOf(value + 1);
    ASSERT_LT(bucket.symbol, kBuckets);
    ASSERT_TRUE(bucket.symbol < next.symbol || bucket.raw < next.raw) << value;
  }
  EXPECT_EQ(BucketOf((uint64_t{1} << 40) - 1).symbol, kBuckets - 1);
}

TEST(FastUpdate, FrequenciesAddUpWhateverTheCounts) {
  for (const std::vector<uint64_t>& counts : std::vector<std::vector<uint64_t>>{
           {}, {0}, {7}, {1, 1, 1}, {1000000, 1}, std::vector<uint64_t>(300, 1), std::vector<uint64_t>(4096, 5)}) {
    const std::vector<uint32_t> frequencies = RansFrequencies(counts);
    uint64_t sum = 0;
    for (size_t i = 0; i < frequencies.size(); ++i) {
      sum += frequencies[i];
      if (i < counts.size() && counts[i] > 0) {
        EXPECT_GT(frequencies[i], 0u);
      }
    }
    EXPECT_EQ(sum, kRansTotal);
  }
}

TEST(FastUpdate, EntriesComeBackOneByOne) {
  RandomStream random(5);
  std::vector<SparseEntry> entries;
  for (int i = 0; i < 5000; ++i) {
    const int32_t magnitude = 1 + static_cast<int32_t>(random.Below(uint64_t{1} << random.Below(31)));
    entries.push_back({random.Below(uint64_t{1} << random.Below(33)), random.Below(2) == 0 ? magnitude : -magnitude});
  }
  const SparseTables tables(entries);
  std::string stream;
  AppendSparseStream(tables, entries, &stream);
  const double expected = static_cast<double>(tables.cost) / 8 / 4096 + static_cast<double>(tables.FixedSize());
  EXPECT_NEAR(static_cast<double>(stream.size()) / expected, 1, 0.003);
  SparseReader reader = *SparseReader::Create(stream);
  for (const SparseEntry& entry : entries) {
    const SparseEntry read = reader.Next();
    ASSERT_EQ(read.gap, entry.gap);
    ASSERT_EQ(read.coefficient, entry.coefficient);
  }
  EXPECT_TRUE(reader.Finish().ok());
}

TEST(FastUpdate, MeetsItsBudgetFromBelow) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    RandomStream random(seed);
    const TestUpdate update = SparseUpdate(seed, 1024 + random.Below(40000), 1 + random.Below(100));
    const double rate = 0.1 * std::pow(80.0, random.NextDouble());
    const auto budget = static_cast<uint64_t>(rate * static_cast<double>(update.Count())) / 8;
    if (budget < 400) continue;
    UpdateReport report;
    const std::string bytes = Encode(update, 8 * budget, &report);
    ASSERT_LE(bytes.size(), budget) << seed;
    if (!report.finest) {
      EXPECT_GE(static_cast<double>(bytes.size()),
                std::min(0.995 * static_cast<double>(budget), static_cast<double>(budget) - 32))
          << seed;
    }
    const auto decoded = Decode(bytes, update.shapes);
    ASSERT_TRUE(decoded.ok()) << seed << decoded.status();
    EXPECT_LT(RelativeError(update, *decoded), 1) << seed;
  }
}

TEST(FastUpdate, LargeValuesGoFirst) {
  const TestUpdate update = SparseUpdate(3, 50000, 100);
  const auto decoded = Decode(Encode(update, 50000 / 5), update.shapes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_LT(RelativeError(update, *decoded), 0.05);
}

// The step that just fills this budget has tables that it does not hold; the next coarser one's stream fits.
TEST(FastUpdate, WhereTablesAreTooLongACoarserStepIsTaken) {
  RandomStream random(884);
  const TestUpdate update = RandomUpdate(&random);
  const std::string bytes = Encode(update, 8 * 123);
  EXPECT_FALSE(bytes.empty());
  EXPECT_LE(bytes.size(), 123u);
  EXPECT_LT(RelativeError(update, *Decode(bytes, update.shapes)), 1);
}

TEST(FastUpdate, ZerosAndBudgetsBelowItsTablesAreEmptyAndWhatIsNotFiniteIsRefused) {
  TestUpdate zeros;
  zeros.Add({1000}, std::vector<float>(1000));
  zeros.Add({}, {0.0f});
  EXPECT_EQ(Encode(zeros, 100000), "");
  EXPECT_EQ(Encode(SparseUpdate(1, 5000, 5), 100), "");
  EXPECT_EQ(*EncodeUpdate({}, 1000, nullptr, {UpdateProfile::kFast}), "");
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    TestUpdate update = SparseUpdate(2, 5000, 50);
    update.values[1][4321] = bad;
    const absl::Status status = EncodeUpdate(update.Tensors(), 5000, nullptr, {UpdateProfile::kFast}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(FastUpdate, DamagedBytesAreRefusedOrDecodeToFiniteNumbers) {
  const TestUpdate update = SparseUpdate(4, 3000, 20);
  const std::string bytes = Encode(update, 6000);
  ASSERT_TRUE(Decode(bytes, update.shapes).ok());
  RandomStream random(6);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = bytes.substr(0, i % 2 == 0 ? bytes.size() : 4 + random.Below(bytes.size() - 4));
    damaged[3 + random.Below(damaged.size() - 3)] ^= static_cast<char>(1 << random.Below(8));
    const auto decoded = Decode(damaged, update.shapes);
    refused += decoded.ok() ? 0 : 1;
    if (!decoded.ok()) continue;
    for (const float v : (*decoded)[1]) ASSERT_TRUE(std::isfinite(v));
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace thinwire
