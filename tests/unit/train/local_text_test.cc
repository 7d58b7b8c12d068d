#include "client/train/local_text.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/text/text_testing.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// 40 sentences for training, of two labels by turns; five roles with three speeches each.
class LocalTextTest : public ::testing::Test {
 protected:
  LocalTextTest() {
    std::filesystem::create_directories(sentences_);
    std::filesystem::create_directories(roles_);
    std::string train = "label\tsentence\n", roles;
    for (int i = 0; i < 40; ++i) absl::StrAppend(&train, i % 2, "\tword", i, " film\n");
    WriteText(sentences_ + "/train.tsv", train);
    WriteText(sentences_ + "/dev.tsv", "label\tsentence\n1\tfilm new\n0\tword0 film\n");
    WriteText(sentences_ + "/test.tsv", "label\tsentence\n1\tfilm\nbad line\n");
    for (int i = 0; i < 5; ++i) {
      const std::string speech(200, static_cast<char>('a' + i));
      absl::StrAppend(&roles, R"({"play": "p", "role": "r)", i, R"(", "speeches": [")", speech, R"(", ")", speech,
                      R"(", "end"]})", "\n");
    }
    WriteText(roles_ + "/roles.jsonl", roles);
  }

  absl::StatusOr<TextData> Shard(const std::string& data, const char* rule, uint32_t index, uint32_t count) {
    options_.data = data;
    options_.rule = PartitionRule::Parse(rule).value();
    options_.shard = {index, count};
    return LoadTextShard(options_);
  }

  TemporaryDirectory directory_;
  const std::string sentences_ = directory_.Path("sst2"), roles_ = directory_.Path("shakespeare");
  LocalTextOptions options_;
};

TEST_F(LocalTextTest, EveryPartitionDealsOutEverySentenceOnce) {
  for (const char* rule : {"iid", "dirichlet:0.5", "label:1"}) {
    std::set<std::vector<uint16_t>> all;
    size_t count = 0;
    for (uint32_t i = 0; i < 10; ++i) {
      ASSERT_OK_AND_ASSIGN(const TextData shard, Shard(sentences_, rule, i, 10));
      EXPECT_FALSE(shard.samples.empty()) << rule;
      count += shard.samples.size();
      for (const TextSample& sample : shard.samples) all.insert(sample.symbols);
    }
    EXPECT_EQ(count, 40u) << rule;
    EXPECT_THAT(all, SizeIs(40)) << rule;
  }
}

TEST_F(LocalTextTest, ByLabelTinyShardsHaveOneLabelEach) {
  for (uint32_t i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(const TextData shard, Shard(sentences_, "label:1", i, 20));
    ASSERT_THAT(shard.samples, SizeIs(2));
    EXPECT_EQ(shard.samples[0].label, shard.samples[1].label);
  }
}

TEST_F(LocalTextTest, BySpeakerARoleStaysTogether) {
  std::set<uint32_t> speakers;
  for (uint32_t i = 0; i < 5; ++i) {
    ASSERT_OK_AND_ASSIGN(const TextData shard, Shard(roles_, "speaker", i, 5));
    EXPECT_EQ(shard.kind, TextData::Kind::kCharacters);
    ASSERT_THAT(shard.samples, SizeIs(5));  // 401 characters of the first two speeches
    for (const TextSample& sample : shard.samples) EXPECT_EQ(sample.speaker, shard.samples[0].speaker);
    speakers.insert(shard.samples[0].speaker);
  }
  EXPECT_THAT(speakers, SizeIs(5));
}

TEST_F(LocalTextTest, TheVocabularyIsTheSameForAllShardsAndTheTestSet) {
  ASSERT_OK_AND_ASSIGN(const TextData first, Shard(sentences_, "label:1", 0, 4));
  ASSERT_OK_AND_ASSIGN(const TextData last, Shard(sentences_, "label:1", 3, 4));
  ASSERT_OK_AND_ASSIGN(const TextData test, LoadTextTestSet(options_));
  EXPECT_EQ(first.table, last.table);
  EXPECT_EQ(first.table, test.table);
  EXPECT_EQ(first.symbols, 43u);
  ASSERT_THAT(test.samples, SizeIs(2));
  EXPECT_EQ(test.samples[0].symbols, (std::vector<uint16_t>{Vocabulary::kFirstWord, Vocabulary::kUnknown}));
}

TEST_F(LocalTextTest, AVocabularyFileIsUsedInsteadOfTheData) {
  options_.vocabulary = directory_.Path("words.txt");
  WriteText(options_.vocabulary, "new\nfilm\n");
  ASSERT_OK_AND_ASSIGN(const TextData train, Shard(sentences_, "iid", 0, 1));
  ASSERT_OK_AND_ASSIGN(const TextData test, LoadTextTestSet(options_));
  EXPECT_EQ(train.symbols, 4u);
  EXPECT_EQ(train.table, test.table);
  EXPECT_EQ(test.samples[0].symbols, (std::vector<uint16_t>{3, 2}));
}

TEST_F(LocalTextTest, TestSetsAreChosenAndCutDown) {
  options_.data = sentences_;
  options_.test_set = "test";
  ASSERT_OK_AND_ASSIGN(const TextData test, LoadTextTestSet(options_));
  EXPECT_THAT(test.samples, SizeIs(1));
  EXPECT_EQ(test.skipped.count, 1u);
  options_.data = roles_;
  ASSERT_OK_AND_ASSIGN(const TextData all, LoadTextTestSet(options_));
  EXPECT_THAT(all.samples, SizeIs(5));
  options_.test_samples = 3;
  ASSERT_OK_AND_ASSIGN(const TextData three, LoadTextTestSet(options_));
  EXPECT_THAT(three.samples, SizeIs(3));
  options_.seed = 7;
  ASSERT_OK_AND_ASSIGN(const TextData again, LoadTextTestSet(options_));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(again.samples[i].speaker, three.samples[i].speaker);
  options_.test_samples = 6;
  EXPECT_THAT(LoadTextTestSet(options_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("6 test samples are asked for, there are 5")));
}

TEST_F(LocalTextTest, RulesThatTheDataDoNotAllowAreRefused) {
  EXPECT_THAT(Shard(sentences_, "speaker", 0, 2),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sentences have labels, not speakers")));
  EXPECT_THAT(Shard(roles_, "label:1", 0, 2),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has speakers, not labels")));
  EXPECT_THAT(Shard(roles_, "dirichlet:1", 0, 2), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Shard(roles_, "speaker", 0, 6),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("6 shards of 5 speakers")));
}

TEST_F(LocalTextTest, NamesWhatIsMissing) {
  EXPECT_THAT(Shard(directory_.path(), "iid", 0, 1),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("neither train.tsv nor roles.jsonl")));
  EXPECT_THAT(Shard(directory_.Path("absent.jsonl"), "iid", 0, 1), StatusIs(absl::StatusCode::kNotFound));
  std::filesystem::copy_file(roles_ + "/roles.jsonl", sentences_ + "/roles.jsonl");
  EXPECT_THAT(Shard(sentences_, "iid", 0, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("holds train.tsv and roles.jsonl")));
  EXPECT_THAT(Shard(sentences_ + "/roles.jsonl", "iid", 0, 1), IsOk());
  std::filesystem::remove(sentences_ + "/roles.jsonl");
  options_.words = 0;
  EXPECT_THAT(Shard(sentences_, "iid", 0, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a vocabulary of 0 words")));
  options_.words = 100;
  options_.test_set = "best";
  EXPECT_THAT(LoadTextTestSet(options_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'best'")));
  WriteText(roles_ + "/roles.jsonl", R"({"play": "p", "role": "r", "speeches": ["alone"]})");
  options_.data = roles_;
  EXPECT_THAT(LoadTextTestSet(options_), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no role has two speeches")));
}

// The data sets that this room was written for; tests run without them.
TEST(LocalText, ReadsRealDataWhereTheyAre) {
  const char* folder = std::getenv("THINWIRE_TEXT_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set THINWIRE_TEXT_DATA to a folder with sst2 and shakespeare";
  LocalTextOptions options;
  options.data = absl::StrCat(folder, "/sst2");
  ASSERT_OK_AND_ASSIGN(const TextData sentences, LoadTextTraining(options));
  EXPECT_THAT(sentences.samples, SizeIs(67'349));
  EXPECT_EQ(sentences.skipped.count, 0u);
  EXPECT_EQ(sentences.symbols, 8002u);
  ASSERT_OK_AND_ASSIGN(const TextData dev, LoadTextTestSet(options));
  EXPECT_THAT(dev.samples, SizeIs(872));
  options.data = absl::StrCat(folder, "/shakespeare");
  ASSERT_OK_AND_ASSIGN(const TextData windows, LoadTextTraining(options));
  ASSERT_OK_AND_ASSIGN(const TextData test, LoadTextTestSet(options));
  EXPECT_EQ(windows.skipped.count, 0u);
  size_t others = 0, characters = 0;
  for (const TextData* data : {&windows, &test}) {
    for (const TextSample& sample : data->samples) {
      characters += sample.symbols.size() - 1;
      for (const uint16_t symbol : sample.symbols) others += symbol == 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(others, 0u);
  EXPECT_NEAR(static_cast<double>(characters), 4.3e6, 1e5);
  options.rule = PartitionRule::Parse("speaker").value();
  ASSERT_OK_AND_ASSIGN(const auto parts, DealText(windows, options, 1347));
  EXPECT_THAT(parts, SizeIs(1347));
}

}  // namespace
}  // namespace thinwire
