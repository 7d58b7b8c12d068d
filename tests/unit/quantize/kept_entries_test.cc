#include <cmath>
#include <vector>

#include "common/quantize/entry_positions.h"
#include "common/quantize/top_k.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(TopKTest, TiesGoToTheLowerPositionThroughAllTensors) {
  const Tensors update = {{1, -3, 0}, {}, {3, 1, -1}};
  const TopK top(View(update), 100);
  EXPECT_EQ(top.size(), 5u);  // never a zero
  EXPECT_THAT(top.Positions(1), ElementsAre(1));
  EXPECT_THAT(top.Positions(2), ElementsAre(1, 3));
  EXPECT_THAT(top.Positions(3), ElementsAre(0, 1, 3));
  EXPECT_THAT(top.Positions(4), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(TopK(View(update), 3).Positions(3), ElementsAre(0, 1, 3));
  const Tensors zeros = {{0.0f, -0.0f}};
  EXPECT_EQ(TopK(View(zeros), 5).size(), 0u);
}

TEST(TopKTest, NothingLeftOutIsLargerThanAnythingKept) {
  const Tensors update = RandomUpdate(3, {500, 1, 800});
  const std::vector<uint64_t> kept = TopK(View(update), 200).Positions(150);
  std::vector<float> flat(update[0]);
  flat.insert(flat.end(), update[1].begin(), update[1].end());
  flat.insert(flat.end(), update[2].begin(), update[2].end());
  float smallest = 1e30f;
  for (const uint64_t i : kept) smallest = std::min(smallest, std::fabs(flat[i]));
  size_t larger = 0;
  for (const float x : flat) larger += std::fabs(x) >= smallest ? 1 : 0;
  EXPECT_EQ(larger, 150u);
}

absl::StatusOr<std::vector<uint64_t>> ReadBack(const CodedPositions& coded, const std::vector<uint64_t>& sizes) {
  const std::string bytes = coded.bytes + std::string(64, '\1');  // room for labels
  BitReader reader(bytes);
  return ReadEntryPositions(coded.layout, sizes, 1, reader);
}

TEST(EntryPositionsTest, PositionsOfEveryShapeComeBack) {
  const std::vector<uint64_t> sizes = {10, 0, 300, 5};
  const std::vector<std::vector<uint64_t>> cases = {
      {}, {0}, {314}, {0, 1, 2, 3}, {5, 6, 7, 300, 314}, {9, 10}, {0, 100, 200, 309}};
  for (const std::vector<uint64_t>& positions : cases) {
    const CodedPositions coded = CodePositions(positions, sizes);
    EXPECT_THAT(ReadBack(coded, sizes), IsOkAndHolds(positions));
  }
  std::vector<uint64_t> all(315);
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  const CodedPositions coded = CodePositions(all, sizes);
  EXPECT_EQ(coded.bytes.size(), 4u);  // count, first, code: no bit for a position
  EXPECT_THAT(ReadBack(coded, sizes), IsOkAndHolds(all));
}

TEST(EntryPositionsTest, PositionsCostLittleMoreThanTheirEntropy) {
  RandomStream random(5);
  for (const double density : {0.01, 0.1, 0.5}) {
    std::vector<uint64_t> positions;
    for (uint64_t i = 0; i < 100000; ++i) {
      if (random.NextDouble() < density) positions.push_back(i);
    }
    const double entropy = -density * std::log2(density) - (1 - density) * std::log2(1 - density);
    const double bits = 8.0 * static_cast<double>(CodePositions(positions, {100000}).bytes.size()) / 100000;
    EXPECT_LT(bits, 1.05 * entropy + 0.001) << density;
  }
}

TEST(EntryPositionsTest, TensorsThatDifferAreListedEachByItself) {
  std::vector<uint64_t> positions;
  for (uint64_t i = 0; i < 500; ++i) positions.push_back(2 * i);
  for (uint64_t i = 0; i < 100; ++i) positions.push_back(1000 + 1000 * i + i * i);
  EXPECT_EQ(CodePositions(positions, {1000, 200000}).layout, PositionLayout::kPerTensor);
  EXPECT_EQ(CodePositions({3, 500, 900}, std::vector<uint64_t>(100, 10)).layout, PositionLayout::kWhole);
}

TEST(EntryPositionsTest, ClaimsAreCheckedBeforeMemoryIsTaken) {
  const auto read = [](const std::string& bytes, uint64_t size) {
    BitReader reader(bytes);
    return ReadEntryPositions(PositionLayout::kWhole, {size}, 3, reader).status();
  };
  const std::string huge("\xff\xff\xff\xff\xff\x01\x00\xff", 8);
  EXPECT_THAT(read(huge, uint64_t{1} << 36), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("room for")));
  EXPECT_THAT(read(std::string("\x02\x09\xff\x01\x01\x01", 6), 10),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("pass the end")));
  EXPECT_THAT(read(std::string("\x02\x01\x50\x01\x01\x01", 6), 10),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("code 80")));
  EXPECT_THAT(read(std::string("\x01\x0a\x01\x01", 4), 10), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(read(std::string("\x00", 1), 10), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has none")));
}

}  // namespace
}  // namespace thinwire
