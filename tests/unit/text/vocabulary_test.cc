#include "client/text/vocabulary.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/text/text_testing.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

std::vector<LabelledSentence> Sentences(const std::vector<std::string>& texts) {
  std::vector<LabelledSentence> sentences;
  for (const std::string& text : texts) sentences.push_back({text, 0});
  return sentences;
}

TEST(Vocabulary, FrequentWordsComeFirstAndEqualsInBytewiseOrder) {
  const Vocabulary words = Vocabulary::Build(Sentences({"b A  c", "a b", "a \xC3\xA9"}), 100);
  EXPECT_EQ(words.ToText(), "a\nb\nc\n\xC3\xA9\n");
  EXPECT_EQ(words.symbols(), 6u);
  EXPECT_THAT(words.Encode(" C a\tunseen B"), ElementsAre(4, 2, Vocabulary::kUnknown, 3));
}

TEST(Vocabulary, DoesNotDependOnTheOrderOfTheSentences) {
  std::vector<LabelledSentence> sentences = Sentences({"x y z", "y z", "w", "v u", "t"});
  const Vocabulary forward = Vocabulary::Build(sentences, 5);
  std::reverse(sentences.begin(), sentences.end());
  EXPECT_EQ(forward.ToText(), Vocabulary::Build(sentences, 5).ToText());
  EXPECT_EQ(forward.ToText(), "y\nz\nt\nu\nv\n");
}

TEST(Vocabulary, ItsNameTellsItFromOthers) {
  const Vocabulary a = Vocabulary::Build(Sentences({"a b"}), 9), b = Vocabulary::Build(Sentences({"a c"}), 9);
  EXPECT_THAT(a.name(), MatchesRegex("words_[0-9a-f]{8}"));
  EXPECT_NE(a.name(), b.name());
  EXPECT_EQ(a.name(), Vocabulary::Build(Sentences({"b", "a"}), 9).name());
}

TEST(Vocabulary, LongSentencesAreCutOff) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "a ";
  EXPECT_THAT(Vocabulary::Build(Sentences({"a"}), 1).Encode(text), SizeIs(Vocabulary::kMaxSentenceWords));
}

class VocabularyFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<Vocabulary> Read(const std::string& text) {
    WriteText(path_, text);
    return Vocabulary::Read(path_);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.Path("words.txt");
};

TEST_F(VocabularyFileTest, GivesBackWhatWasBuilt) {
  const Vocabulary built = Vocabulary::Build(Sentences({"it 's cr\xC3\xA8me .", "it"}), 9);
  ASSERT_OK_AND_ASSIGN(const Vocabulary read, Read(built.ToText()));
  EXPECT_EQ(read.name(), built.name());
  EXPECT_EQ(read.Encode("it 's ."), built.Encode("it 's ."));
  ASSERT_OK_AND_ASSIGN(const Vocabulary unterminated, Read("it\n's"));
  EXPECT_THAT(unterminated.Encode("it 's"), ElementsAre(2, 3));
}

TEST_F(VocabularyFileTest, NoLineIsSkipped) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "line 1: no words"},
           {"a\n\nb\n", "line 2: an empty line"},
           {"a\nb c\n", "line 2: white space or a capital"},
           {"a\nB\n", "line 2: white space or a capital"},
           {"a\r\n", "line 1: byte \\x0d at position 1"},
           {"a\nb\na\n", "line 3: the word of line 1 again"},
           {"a\n\xE2\x82\n", "line 2: byte \\xe2"},
       }) {
    EXPECT_THAT(Read(text), StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(path_), HasSubstr(why))));
  }
  std::string many;
  for (size_t i = 0; i <= Vocabulary::kMaxWords; ++i) many += std::to_string(i) + "\n";
  EXPECT_THAT(Read(many), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 65000 words")));
  EXPECT_THAT(Vocabulary::Read(directory_.Path("absent")), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace thinwire
