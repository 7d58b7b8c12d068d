// Models, updates and plans to code.
#ifndef THINWIRE_TESTS_UNIT_UPDATE_UPDATE_TESTING_H_
#define THINWIRE_TESTS_UNIT_UPDATE_UPDATE_TESTING_H_

#include <cmath>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/update/update_coder.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {

// One plan for each method and profile; budgets are for the test to set.
inline std::vector<UpdatePlan> AllMethods() {
  std::vector<UpdatePlan> plans;
  for (const char* text :
       {"rdu:bits=1", "rdu:bits=1,fast", "m22:bits=1,r=3,m=2", "m22:bits=1,r=2,ml", "tinyscript:bits=1,r=2",
        "topk-uniform:bits=1,r=4", "topk-float:bits=1,format=s1e5m2", "topk-float:bits=1,format=s1e2m1", "sign:bits=1",
        "qsgd:bits=1", "qsgd:bits=1,bucket=64", "eden:bits=1", "eden:bits=1,unbiased,twice"}) {
    plans.push_back(*UpdatePlan::Parse(text));
  }
  return plans;
}

inline ModelSpec SmallNet() {
  return *ModelSpec::Create({{"conv", {16, 3, 3, 3}, DataType::kFloat32, TensorRole::kTrainable},
                             {"mean", {16}, DataType::kFloat32, TensorRole::kBuffer},
                             {"bias", {16}, DataType::kFloat32, TensorRole::kTrainable},
                             {"nothing", {0, 4}, DataType::kFloat32, TensorRole::kTrainable},
                             {"dense", {40, 120}, DataType::kFloat32, TensorRole::kTrainable},
                             {"steps", {}, DataType::kInt64, TensorRole::kBuffer},
                             {"scale", {}, DataType::kFloat32, TensorRole::kTrainable}});
}

// Heavy-tailed and of both signs.
inline std::vector<float> RandomValues(uint64_t seed, size_t count, float scale = 0.01f) {
  RandomStream random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    const double u = random.NextDouble() - 0.5;
    value = scale * static_cast<float>(u * u * u * 64);
  }
  return values;
}

// In the order of the layout. Each tensor must be visited once.
inline absl::StatusOr<std::vector<float>> DecodeAll(CodecId codec, absl::string_view bytes,
                                                    const UpdateLayout& layout) {
  std::vector<float> all(layout.size(), NAN);
  const absl::Status status =
      DecodeUpdateString(codec, bytes, layout, [&all](const UpdateLayout::Tensor& tensor, absl::Span<float> values) {
        EXPECT_EQ(values.size(), tensor.count);
        EXPECT_TRUE(std::isnan(all[tensor.first])) << tensor.name;
        for (size_t i = 0; i < values.size(); ++i) all[tensor.first + i] = values[i];
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return all;
}

// |a - b|^2 / |a|^2.
inline double RelativeError(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, energy = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], d = x - b[i];
    error += d * d;
    energy += x * x;
  }
  return error / energy;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_UPDATE_UPDATE_TESTING_H_
