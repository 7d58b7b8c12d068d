#include "client/text/characters.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Characters, HaveTheSymbolsThatModelsAreTrainedWith) {
  EXPECT_THAT(EncodeCharacters("\n !A~"), ElementsAre(1, 2, 3, 35, 96));
  EXPECT_THAT(EncodeCharacters(""), IsEmpty());
  EXPECT_EQ(kCharacterSymbols, 97u);
}

TEST(Characters, OthersAreOneSymbolEachHoweverManyBytesTheyTake) {
  EXPECT_THAT(EncodeCharacters("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"), ElementsAre(67, 0, 0, 0, 92));
}

}  // namespace
}  // namespace thinwire
