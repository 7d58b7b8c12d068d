// What changed between two versions, there and back: the newer payload, byte for byte.
#include "common/sketch/model_changes.h"

#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two trainable tensors, the first of more than one block, with buffers between and behind them.
ModelState Older() {
  ModelState state(*ModelSpec::Create({{"w", {70'000}, DataType::kFloat32, TensorRole::kTrainable},
                                       {"mean", {3}, DataType::kFloat32, TensorRole::kBuffer},
                                       {"b", {200'000}, DataType::kFloat32, TensorRole::kTrainable},
                                       {"steps", {}, DataType::kInt64, TensorRole::kBuffer}}));
  for (const size_t tensor : {0u, 2u}) {
    for (size_t i = 0; i < state.floats[tensor].size(); ++i) state.floats[tensor][i] = static_cast<float>(i) * 0.5f;
  }
  return state;
}

class ModelChangesTest : public testing::Test {
 protected:
  PayloadRef Encode(const ModelState& state, const std::string& name) {
    ModelStateSource source(state);
    return *EncodePayload(state.spec, {Representation::kModel, CodecSpec::Fp32(), {}}, source, folder_.Path(name));
  }
  ChangedPositions Compare(const ModelState& newer) {
    ModelStateSource before(older_), after(newer);
    return *CompareVersions(older_.spec, before, after);
  }
  absl::StatusOr<PayloadReader> Changes(const ModelState& newer, const ChangedPositions& positions) {
    ModelStateSource source(newer);
    const std::string path = folder_.Path("changes");
    changes_ = *EncodeChanges(older_.spec, positions, source, Sha256("base"), path);
    return PayloadReader::Open(path, changes_, ChangesSpec(older_.spec, positions.count()));
  }
  void ExpectTheSame(const ModelState& newer) {
    const PayloadRef old_ref = Encode(older_, "older"), new_ref = Encode(newer, "newer");
    ASSERT_OK_AND_ASSIGN(const PayloadReader changes, Changes(newer, Compare(newer)));
    EXPECT_EQ(changes.manifest().base_id, Sha256("base"));
    ASSERT_OK_AND_ASSIGN(const PayloadReader older, PayloadReader::Open(folder_.Path("older"), old_ref, older_.spec));
    ASSERT_OK_AND_ASSIGN(const PayloadRef made, ApplyChanges(older_.spec, older, changes, folder_.Path("made")));
    EXPECT_EQ(made, new_ref);
  }

  TemporaryDirectory folder_;
  const ModelState older_ = Older();
  PayloadRef changes_;
};

TEST_F(ModelChangesTest, TheNewerPayloadIsMadeByteForByte) {
  ModelState newer = older_;
  newer.floats[0][0] = -0.0f;  // was 0: the bits differ
  newer.floats[0][69'999] = 7;
  for (size_t i = 0; i < 200'000; i += 2) newer.floats[2][i] += 1;  // more entries than a frame has
  newer.floats[1] = {4, 5, 6};
  newer.ints[3][0] = 12;
  ExpectTheSame(newer);
  EXPECT_LT(changes_.total_size, 100'002 * 4.5);  // 4 bytes a value, less than half of one for its position
}

TEST_F(ModelChangesTest, WhereNothingChangedOnlyBuffersTravel) {
  ModelState newer = older_;
  newer.floats[1] = {1, 1, 1};
  ExpectTheSame(newer);
  EXPECT_LT(changes_.total_size, 300u);
}

TEST_F(ModelChangesTest, EveryValueMayChange) {
  ModelState newer = older_;
  for (const size_t tensor : {0u, 2u}) {
    for (float& value : newer.floats[tensor]) value -= 3;
  }
  ExpectTheSame(newer);
}

TEST_F(ModelChangesTest, PositionsOfSeveralChangesAddUp) {
  ModelState first = older_, second = older_;
  first.floats[0][5] = first.floats[2][9] = -1;
  second.floats[0][5] = second.floats[2][199'999] = -2;
  ChangedPositions all(270'000);
  for (const ModelState* newer : {&first, &second}) {
    ASSERT_OK_AND_ASSIGN(const PayloadReader changes, Changes(*newer, Compare(*newer)));
    ASSERT_THAT(AddPositions(changes, &all), IsOk());
  }
  std::vector<uint64_t> positions;
  all.ForEach(0, all.size(), [&](uint64_t position) { positions.push_back(position); });
  EXPECT_THAT(positions, ElementsAre(5, 70'009, 269'999));
  EXPECT_EQ(all.count(), 3u);
}

TEST_F(ModelChangesTest, PositionsOfALongerModelAreRefused) {
  ModelState newer = older_;
  newer.floats[2][199'999] = -1;
  ASSERT_OK_AND_ASSIGN(const PayloadReader changes, Changes(newer, Compare(newer)));
  ChangedPositions shorter(269'999);
  EXPECT_THAT(AddPositions(changes, &shorter), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ChangedPositionsTest, RangesGiveTheirMembersInOrder) {
  ChangedPositions positions(1'000);
  std::vector<bool> in(1'000);
  for (uint64_t i = 0; i < 300; ++i) {
    const uint64_t position = DeriveKey({i}) % 1'000;
    positions.Add(position);
    in[position] = true;
  }
  for (const uint64_t first : {0u, 1u, 63u, 64u, 500u, 999u}) {
    for (const uint64_t count : {0u, 1u, 64u, 100u, 1'000u}) {
      std::vector<uint64_t> expected, got;
      for (uint64_t i = first; i < std::min<uint64_t>(1'000, first + count); ++i) {
        if (in[i]) expected.push_back(i);
      }
      positions.ForEach(first, count, [&](uint64_t position) { got.push_back(position); });
      EXPECT_EQ(got, expected) << first << " " << count;
    }
  }
}

}  // namespace
}  // namespace thinwire
