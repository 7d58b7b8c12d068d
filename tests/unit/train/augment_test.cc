#include "client/train/augment.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr ImageShape kShape = {2, 10, 12};

// No two pixels of a channel alike, none black.
std::vector<uint8_t> Numbered() {
  std::vector<uint8_t> image(kShape.values());
  std::iota(image.begin(), image.end(), uint8_t{1});
  return image;
}

std::vector<uint8_t> Copy(uint64_t key) {
  const std::vector<uint8_t> image = Numbered();
  std::vector<uint8_t> out(image.size(), 77);
  FlipAndCrop(kShape, key, image, absl::MakeSpan(out));
  return out;
}

// The definition: pad with black on all sides, cut at (top, left), mirror.
std::vector<uint8_t> Reference(uint32_t top, uint32_t left, bool mirrored) {
  const std::vector<uint8_t> image = Numbered();
  std::vector<uint8_t> out;
  for (uint32_t c = 0; c < kShape.channels; ++c) {
    for (uint32_t y = 0; y < kShape.height; ++y) {
      for (uint32_t x = 0; x < kShape.width; ++x) {
        const uint32_t row = y + top, column = (mirrored ? kShape.width - 1 - x : x) + left;  // in the padded image
        const bool inside = row >= kCropPadding && row < kCropPadding + kShape.height && column >= kCropPadding &&
                            column < kCropPadding + kShape.width;
        const uint32_t at = (c * kShape.height + row - kCropPadding) * kShape.width + column - kCropPadding;
        out.push_back(inside ? image[at] : uint8_t{0});
      }
    }
  }
  return out;
}

TEST(FlipAndCrop, GivesEachOfThePaddedMirroredCropsAboutEquallyOften) {
  std::map<std::vector<uint8_t>, int> counts;
  for (const bool mirrored : {false, true}) {
    for (uint32_t top = 0; top <= 2 * kCropPadding; ++top) {
      for (uint32_t left = 0; left <= 2 * kCropPadding; ++left) counts[Reference(top, left, mirrored)] = 0;
    }
  }
  ASSERT_EQ(counts.size(), 162u);
  constexpr int kDraws = 16200;
  for (uint64_t key = 0; key < kDraws; ++key) {
    const auto found = counts.find(Copy(key));
    ASSERT_NE(found, counts.end()) << key;
    ++found->second;
  }
  for (const auto& [image, count] : counts) {  // 100 each, standard deviation 10
    EXPECT_GT(count, 50);
    EXPECT_LT(count, 150);
  }
}

TEST(FlipAndCrop, DependsOnTheKeyAlone) {
  EXPECT_EQ(Copy(5), Copy(5));
  std::set<std::vector<uint8_t>> copies;
  for (uint64_t key = 0; key < 20; ++key) copies.insert(Copy(key));
  EXPECT_GT(copies.size(), 10u);
}

// All machines draw these.
TEST(FlipAndCrop, KeepsItsBits) {
  EXPECT_EQ(Copy(1), Reference(8, 5, false));
  EXPECT_EQ(Copy(2), Reference(2, 4, true));
  EXPECT_EQ(Copy(3), Reference(0, 4, true));
}

TEST(FlipAndCrop, TakesImagesSmallerThanThePadding) {
  const std::vector<uint8_t> image = {9};
  int kept = 0;
  for (uint64_t key = 0; key < 2000; ++key) {
    std::vector<uint8_t> out = {7};
    FlipAndCrop({1, 1, 1}, key, image, absl::MakeSpan(out));
    ASSERT_TRUE(out[0] == 9 || out[0] == 0);
    kept += out[0] == 9 ? 1 : 0;
  }
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 200);
}

TEST(AugmentRule, IsAFlagsTextAndAutoFollowsTheData) {
  Dataset photographs, others;
  photographs.photographs = true;
  for (const auto& [text, of_photographs, of_others] :
       {std::tuple("auto", true, false), std::tuple("none", false, false), std::tuple("flip-crop", true, true)}) {
    ASSERT_OK_AND_ASSIGN(const AugmentRule rule, ParseAugmentRule(text));
    EXPECT_EQ(ShallAugment(rule, photographs), of_photographs) << text;
    EXPECT_EQ(ShallAugment(rule, others), of_others) << text;
  }
  EXPECT_THAT(ParseAugmentRule("mixup"), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  AllOf(HasSubstr("'mixup'"), HasSubstr("none, flip-crop, or auto"))));
}

}  // namespace
}  // namespace thinwire
