// With error feedback no update is ever further from what the server decodes of it than from zero, whatever it is, for
// every codec that a plan may have beside it. 200 cases; THINWIRE_BUDGET_CASES=N for more.
#include <cstdlib>
#include <map>

#include "absl/strings/numbers.h"
#include "gmock/gmock.h"
#include "tests/unit/rdu/random_update.h"
#include "tests/unit/update/update_testing.h"

namespace thinwire {
namespace {

using testing::Each;

ModelSpec ModelOf(const TestUpdate& update) {
  std::vector<TensorSpec> tensors;
  for (const Shape& shape : update.shapes) {
    tensors.push_back(
        {absl::StrCat("w", tensors.size()), {shape.begin(), shape.end()}, DataType::kFloat32, TensorRole::kTrainable});
  }
  return *ModelSpec::Create(std::move(tensors));
}

std::vector<float> Flat(const TestUpdate& update) {
  std::vector<float> all;
  for (const auto& values : update.values) all.insert(all.end(), values.begin(), values.end());
  return all;
}

TEST(ContractiveUpdateTest, NoErrorIsLargerThanTheUpdateWhateverItIs) {
  int cases = 200;
  if (const char* const more = std::getenv("THINWIRE_BUDGET_CASES")) {
    ASSERT_TRUE(absl::SimpleAtoi(more, &cases));
  }
  std::map<std::string, int> overshot;  // by method, what CodeUpdate alone would have
  for (int i = 0; i < cases; ++i) {
    RandomStream random(static_cast<uint64_t>(i));
    const TestUpdate update = RandomUpdate(&random);
    const UpdateLayout layout(ModelOf(update));
    const std::vector<float> values = Flat(update);
    const double rate = 0.005 * std::pow(1600.0, random.NextDouble());
    for (const UpdatePlan& plan : AllMethods()) {
      if (!plan.suits_error_feedback()) continue;
      const uint64_t bytes = std::max(LeastUpdateBytes(plan, layout),
                                      static_cast<uint64_t>(rate * static_cast<double>(values.size()) / 8));
      ASSERT_OK_AND_ASSIGN(const std::string best, CodeUpdate(plan, layout, values, bytes, 9));
      ASSERT_OK_AND_ASSIGN(const std::string coded, CodeContractiveUpdate(plan, layout, values, bytes, 9));
      ASSERT_LE(coded.size(), bytes);
      ASSERT_OK_AND_ASSIGN(const std::vector<float> decoded, DecodeAll(plan.codec(), coded, layout));
      ASSERT_LE(RelativeError(values, decoded), 1) << plan.Name() << " " << bytes << " case " << i;
      if (coded == best) continue;
      ++overshot[plan.MethodName()];
      EXPECT_THAT(decoded, Each(0.0f)) << plan.Name();
    }
  }
  for (const auto& [name, count] : overshot) std::cout << name << ": zeros in " << count << " of " << cases << "\n";
  EXPECT_FALSE(overshot.empty());  // else nothing was tested
}

}  // namespace
}  // namespace thinwire
