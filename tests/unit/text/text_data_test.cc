#include "client/text/text_data.h"

#include "absl/strings/str_cat.h"
#include "client/text/characters.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

RoleFile Roles(const std::vector<std::vector<std::string>>& speeches) {
  RoleFile file;
  for (size_t i = 0; i < speeches.size(); ++i) file.roles.push_back({"play", absl::StrCat("role", i), speeches[i]});
  return file;
}

TEST(TextData, ASentenceIsASample) {
  SentenceFile file;
  file.sentences = {{"good film", 1}, {"bad film", 0}};
  file.skipped.Add("line 9");
  const Vocabulary vocabulary = Vocabulary::Build(file.sentences, 10);
  const TextData data = SentenceData(file, vocabulary);
  EXPECT_EQ(data.kind, TextData::Kind::kSentences);
  EXPECT_EQ(data.symbols, 5u);
  EXPECT_EQ(data.classes, 2u);
  EXPECT_EQ(data.table, vocabulary.name());
  EXPECT_EQ(data.skipped.count, 1u);
  ASSERT_THAT(data.samples, SizeIs(2));
  EXPECT_EQ(data.samples[0].symbols, vocabulary.Encode("good film"));
  EXPECT_EQ(data.samples[0].label, 1);
}

TEST(TextData, WindowsPredictEveryCharacterButTheFirstOnce) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += absl::StrCat(i, " ");
  const std::vector<uint16_t> all = EncodeCharacters(text);
  const TextData data = WindowData(Roles({{text}}), RolePart::kTraining);
  EXPECT_EQ(data.kind, TextData::Kind::kCharacters);
  EXPECT_EQ(data.classes, kCharacterSymbols);
  std::vector<uint16_t> predicted;
  for (const TextSample& window : data.samples) {
    EXPECT_LE(window.symbols.size(), kWindowCharacters + 1);
    EXPECT_EQ(window.symbols[0], all[predicted.size()]);
    predicted.insert(predicted.end(), window.symbols.begin() + 1, window.symbols.end());
  }
  EXPECT_EQ(predicted, std::vector<uint16_t>(all.begin() + 1, all.end()));
}

TEST(TextData, FourFifthsOfARolesSpeechesAreForTraining) {
  const RoleFile file = Roles({{"ab", "cd", "ef", "gh", "ij", "kl", "mn"}, {"solo"}, {"xy", "z"}});
  const TextData train = WindowData(file, RolePart::kTraining), test = WindowData(file, RolePart::kTest);
  ASSERT_THAT(train.samples, SizeIs(3));
  EXPECT_EQ(train.samples[0].symbols, EncodeCharacters("ab\ncd\nef\ngh\nij"));
  EXPECT_EQ(train.samples[1].symbols, EncodeCharacters("solo"));
  EXPECT_EQ(train.samples[2].symbols, EncodeCharacters("xy"));
  EXPECT_EQ(train.samples[2].speaker, 2u);
  // One character alone has nothing to be predicted from.
  ASSERT_THAT(test.samples, SizeIs(1));
  EXPECT_EQ(test.samples[0].symbols, EncodeCharacters("kl\nmn"));
  EXPECT_EQ(test.samples[0].speaker, 0u);
}

TEST(TextData, WindowsEndWithTheirText) {
  EXPECT_THAT(WindowData(Roles({{std::string(81, 'a')}}), RolePart::kTraining).samples, SizeIs(1));
  EXPECT_THAT(WindowData(Roles({{std::string(82, 'a')}}), RolePart::kTraining).samples, SizeIs(2));
  EXPECT_THAT(WindowData(Roles({{std::string(161, 'a')}}), RolePart::kTraining).samples, SizeIs(2));
}

TEST(TextData, APartHasWhatWasAskedFor) {
  TextData data = WindowData(Roles({{"ab"}, {"cd"}, {"ef"}}), RolePart::kTraining);
  data.skipped.Add("x");
  const TextData part = data.Part({2, 0});
  EXPECT_EQ(part.kind, data.kind);
  EXPECT_EQ(part.symbols, data.symbols);
  EXPECT_EQ(part.classes, data.classes);
  EXPECT_EQ(part.table, data.table);
  EXPECT_EQ(part.skipped.count, 0u);
  ASSERT_THAT(part.samples, SizeIs(2));
  EXPECT_EQ(part.samples[0].symbols, data.samples[2].symbols);
  EXPECT_THAT(data.WithoutSamples().samples, IsEmpty());
}

}  // namespace
}  // namespace thinwire
