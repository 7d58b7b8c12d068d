// A small model with every kind of tensor, and a folder to put payloads in.
#ifndef THINWIRE_TESTS_UNIT_CODEC_PAYLOAD_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_CODEC_PAYLOAD_FIXTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "common/tensor/model_state.h"
#include "gtest/gtest.h"

namespace thinwire {

class PayloadFixture : public testing::Test {
 protected:
  PayloadFixture() : state(MakeState()), source(state) {
    directory = JoinPath(testing::TempDir(), "thinwire_payload_" + Sha256(TestName()).Hex().substr(0, 16));
    EXPECT_TRUE(MakeDirectories(directory).ok());
    path = JoinPath(directory, "payload");
  }
  ~PayloadFixture() override {
    const auto names = ListDirectory(directory);
    for (size_t i = 0; names.ok() && i < names->size(); ++i) (void)RemoveFile(JoinPath(directory, (*names)[i]));
  }

  static std::string TestName() {
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    return std::string(info->test_suite_name()) + "." + info->name();
  }

  static ModelState MakeState() {
    const int64_t long_row = 2 * kBlockValues + 7;
    auto spec = ModelSpec::Create({
        {"conv.weight", {4, 3, 5}, DataType::kFloat32, TensorRole::kTrainable},
        {"conv.frozen", {11}, DataType::kFloat32, TensorRole::kFrozen},
        {"norm.mean", {3}, DataType::kFloat32, TensorRole::kBuffer},
        {"norm.steps", {}, DataType::kInt64, TensorRole::kBuffer},
        {"empty", {0, 5}, DataType::kFloat32, TensorRole::kTrainable},
        {"fc.weight", {long_row}, DataType::kFloat32, TensorRole::kTrainable},
        {"frozen.table", {2, 2}, DataType::kInt64, TensorRole::kFrozen},
    });
    EXPECT_TRUE(spec.ok()) << spec.status();
    ModelState state(*spec);
    for (size_t t = 0; t < state.floats.size(); ++t) {
      for (size_t i = 0; i < state.floats[t].size(); ++i) {
        state.floats[t][i] = static_cast<float>(static_cast<int>((i * 7919 + t) % 2001) - 1000) / 4096.0f;
      }
      for (size_t i = 0; i < state.ints[t].size(); ++i) state.ints[t][i] = static_cast<int64_t>(i) - 2;
    }
    return state;
  }

  ModelState state;
  ModelStateSource source;
  std::string directory, path;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_CODEC_PAYLOAD_FIXTURE_H_
