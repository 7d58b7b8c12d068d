#include "client/speech/error_rate.h"

#include "gtest/gtest.h"

namespace thinwire {
namespace {

struct Case {
  const char* reference;
  const char* hypothesis;
  uint64_t substitutions, deletions, insertions, length;
};

void Expect(const ErrorCount& count, const Case& expected) {
  EXPECT_EQ(count.substitutions, expected.substitutions) << expected.hypothesis;
  EXPECT_EQ(count.deletions, expected.deletions) << expected.hypothesis;
  EXPECT_EQ(count.insertions, expected.insertions) << expected.hypothesis;
  EXPECT_EQ(count.reference, expected.length) << expected.hypothesis;
}

TEST(WordErrors, AgreeWithCasesCountedByHand) {
  const Case cases[] = {
      {"A B C", "A B C", 0, 0, 0, 3},
      {"A B C", "A X C", 1, 0, 0, 3},
      {"A B C", "A C", 0, 1, 0, 3},
      {"A B C", "A B B C", 0, 0, 1, 3},
      {"A B C", "", 0, 3, 0, 3},
      {"", "A B", 0, 0, 2, 0},
      {"", "", 0, 0, 0, 0},
      {"THE CAT SAT DOWN", "CAT SAT UP HERE", 1, 1, 1, 4},
      {"ONE TWO", "  ONE \t TWO ", 0, 0, 0, 2},
      {"A B", "B A", 2, 0, 0, 2},  // as cheap as a deletion and an insertion; substitutions are preferred
  };
  for (const Case& each : cases) Expect(CountWordErrors(each.reference, each.hypothesis), each);
}

TEST(CharacterErrors, AgreeWithCasesCountedByHand) {
  Expect(CountCharacterErrors("KITTEN", "SITTING"), {"", "SITTING", 2, 0, 1, 6});
  Expect(CountCharacterErrors("SUNDAY", "SATURDAY"), {"", "SATURDAY", 1, 0, 2, 6});
  Expect(CountCharacterErrors("A B", "AB"), {"", "AB", 0, 1, 0, 3});
}

TEST(ErrorCount, ACorpusRateIsNotAMeanOfRates) {
  ErrorCount corpus = CountWordErrors("YES", "NO");             // 1 of 1
  corpus += CountWordErrors("A B C D E F G", "A B C D E F G");  // 0 of 7
  EXPECT_EQ(corpus.errors(), 1u);
  EXPECT_DOUBLE_EQ(corpus.rate(), 1.0 / 8);
}

TEST(ErrorCount, RatesOfEmptyReferencesAreDefined) {
  EXPECT_EQ(CountWordErrors("", "").rate(), 0);
  EXPECT_EQ(CountWordErrors("", "A B").rate(), 1);
  EXPECT_EQ(CountWordErrors("A", "B C D").rate(), 3);
}

}  // namespace
}  // namespace thinwire
