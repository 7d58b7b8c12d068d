#include "client/train/partition.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// 1,000 samples of each of ten classes, interleaved.
std::vector<uint8_t> TenThousandLabels() {
  std::vector<uint8_t> labels(10000);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<uint8_t>(i % 10);
  return labels;
}

std::vector<std::vector<uint32_t>> Deal(const std::vector<uint8_t>& labels, const char* rule, uint32_t shards,
                                        uint64_t seed = 7, uint64_t samples = 0) {
  PartitionOptions options;
  options.rule = PartitionRule::Parse(rule).value();
  options.shards = shards;
  options.seed = seed;
  options.samples = samples;
  auto parts = PartitionSamples(labels, options);
  EXPECT_TRUE(parts.ok()) << parts.status();
  return parts.ok() ? *parts : std::vector<std::vector<uint32_t>>();
}

std::vector<size_t> Sizes(const std::vector<std::vector<uint32_t>>& parts) {
  std::vector<size_t> sizes;
  for (const auto& part : parts) sizes.push_back(part.size());
  return sizes;
}

size_t Classes(const std::vector<uint8_t>& labels, const std::vector<uint32_t>& part) {
  std::set<uint8_t> classes;
  for (const uint32_t index : part) classes.insert(labels[index]);
  return classes.size();
}

// Of all indices in their order, and of the shards' bounds.
uint32_t Checksum(const std::vector<std::vector<uint32_t>>& parts) {
  std::string bytes;
  for (const auto& part : parts) {
    AppendLittle(static_cast<uint32_t>(part.size()), &bytes);
    for (const uint32_t index : part) AppendLittle(index, &bytes);
  }
  return Crc32c(bytes);
}

std::string Refusal(const std::vector<uint8_t>& labels, const char* rule, uint32_t shards, uint64_t samples = 0) {
  const auto parts = PartitionSamples(labels, {PartitionRule::Parse(rule).value(), shards, 0, samples});
  EXPECT_EQ(parts.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parts.status().message());
}

TEST(Partition, DealsEverySampleToExactlyOneShardAndLeavesNoShardEmpty) {
  const std::vector<uint8_t> labels = TenThousandLabels();
  for (const char* rule :
       {"iid", "dirichlet:0.001", "dirichlet:0.3", "dirichlet:1000", "label:1", "label:3", "label:10"}) {
    for (const uint32_t shards : {10u, 37u, 3000u, 10000u}) {
      const auto parts = Deal(labels, rule, shards);
      ASSERT_EQ(parts.size(), shards);
      std::vector<uint32_t> all;
      for (const auto& part : parts) {
        EXPECT_FALSE(part.empty()) << rule << " " << shards;
        EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
        all.insert(all.end(), part.begin(), part.end());
      }
      std::sort(all.begin(), all.end());
      std::vector<uint32_t> expected(labels.size());
      std::iota(expected.begin(), expected.end(), 0u);
      EXPECT_EQ(all, expected) << rule << " " << shards;
    }
  }
}

TEST(Partition, IidPartsDifferByOneSampleAtMost) {
  const auto sizes = Sizes(Deal(TenThousandLabels(), "iid", 7));
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()) - *std::min_element(sizes.begin(), sizes.end()), 1u);
}

TEST(Partition, ByLabelGivesEachShardThatManyClasses) {
  const std::vector<uint8_t> labels = TenThousandLabels();
  for (const auto& part : Deal(labels, "label:2", 10)) EXPECT_EQ(Classes(labels, part), 2u);
  for (const auto& part : Deal(labels, "label:3", 25)) EXPECT_EQ(Classes(labels, part), 3u);
}

TEST(Partition, SmallAlphaIsUnevenAndLargeAlphaIsEven) {
  const std::vector<uint8_t> labels = TenThousandLabels();
  size_t classes = 0;
  for (const auto& part : Deal(labels, "dirichlet:0.01", 10)) classes += Classes(labels, part);
  EXPECT_LT(classes, 35u);
  for (const size_t size : Sizes(Deal(labels, "dirichlet:100000", 10)))
    EXPECT_NEAR(static_cast<double>(size), 1000, 20);
}

TEST(Partition, TakesARandomSubsetOfTheSizeAskedFor) {
  const auto parts = Deal(TenThousandLabels(), "dirichlet:0.3", 10, 7, 2000);
  const auto sizes = Sizes(parts);
  EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), size_t{0}), 2000u);
  uint32_t largest = 0;
  for (const auto& part : parts) largest = std::max(largest, part.back());
  EXPECT_GT(largest, 9900u);
}

TEST(Partition, DependsOnTheSeedAlone) {
  const std::vector<uint8_t> labels = TenThousandLabels();
  for (const char* rule : {"iid", "dirichlet:0.3", "label:2"}) {
    EXPECT_EQ(Deal(labels, rule, 10, 1), Deal(labels, rule, 10, 1)) << rule;
    EXPECT_NE(Deal(labels, rule, 10, 1), Deal(labels, rule, 10, 2)) << rule;
  }
}

// All clients of a federation compute these, on whatever machines: a change breaks running federations.
TEST(Partition, KeepsItsCounts) {
  const std::vector<uint8_t> labels = TenThousandLabels();
  EXPECT_THAT(Sizes(Deal(labels, "dirichlet:0.3", 10)),
              ElementsAre(809, 1290, 1128, 832, 680, 548, 1123, 1324, 1519, 747));
  EXPECT_THAT(Sizes(Deal(labels, "dirichlet:0.3", 10, 8, 2000)),
              ElementsAre(101, 417, 43, 178, 270, 167, 179, 158, 249, 238));
  EXPECT_THAT(Sizes(Deal(labels, "dirichlet:5", 4)), ElementsAre(2911, 2114, 2359, 2616));
  EXPECT_THAT(Sizes(Deal(labels, "label:2", 15)),
              ElementsAre(666, 666, 666, 666, 666, 666, 666, 666, 666, 666, 668, 668, 668, 668, 668));
  const auto iid = Deal(labels, "iid", 1000);
  EXPECT_THAT(iid[0], ElementsAre(705, 3289, 4867, 4918, 6244, 6723, 8098, 8783, 9487, 9619));
}

TEST(Partition, KeepsItsIndices) {
  const std::vector<uint8_t> labels = TenThousandLabels();
  EXPECT_EQ(Checksum(Deal(labels, "iid", 10)), 0xc45e0c8eu);
  EXPECT_EQ(Checksum(Deal(labels, "dirichlet:0.3", 10)), 0xc93f783eu);
  EXPECT_EQ(Checksum(Deal(labels, "dirichlet:0.001", 5000)), 0x878ed54au);
  EXPECT_EQ(Checksum(Deal(labels, "label:2", 10)), 0xe2c08760u);
}

TEST(Partition, RefusesCountsThatDoNotFitAndSaysWhich) {
  const std::vector<uint8_t> labels = TenThousandLabels();
  EXPECT_THAT(Refusal(labels, "iid", 10001), HasSubstr("10001 shards of 10000 samples; 1 to 10000"));
  EXPECT_THAT(Refusal(labels, "iid", 0), HasSubstr("0 shards"));
  EXPECT_THAT(Refusal(labels, "iid", 10, 10001), HasSubstr("10001 samples are asked for, the data set has 10000"));
  EXPECT_THAT(Refusal(labels, "label:11", 10), HasSubstr("the data has 10 classes"));
  EXPECT_THAT(Refusal(labels, "label:2", 4), HasSubstr("'label:2' over 4 shards"));
  EXPECT_THAT(Refusal({}, "iid", 1), HasSubstr("1 shards of 0 samples"));
}

std::vector<std::vector<uint32_t>> DealRecordings(const std::vector<uint32_t>& speakers, const char* rule,
                                                  uint32_t shards, uint64_t seed = 0) {
  const auto parts = PartitionRecordings(speakers, {PartitionRule::Parse(rule).value(), shards, seed, 0});
  EXPECT_TRUE(parts.ok()) << parts.status();
  return parts.value_or(std::vector<std::vector<uint32_t>>());
}

TEST(PartitionRecordings, ASpeakerStaysInOneShard) {
  std::vector<uint32_t> speakers;
  for (uint32_t i = 0; i < 130; ++i) speakers.push_back(i * 7 % 13);
  for (const uint32_t shards : {1u, 4u, 13u}) {
    std::map<uint32_t, uint32_t> shard_of;
    size_t dealt = 0;
    const auto parts = DealRecordings(speakers, "speaker", shards);
    ASSERT_EQ(parts.size(), shards);
    for (uint32_t shard = 0; shard < shards; ++shard) {
      EXPECT_TRUE(std::is_sorted(parts[shard].begin(), parts[shard].end()));
      EXPECT_GE(parts[shard].size(), 10u * (13 / shards));
      EXPECT_LE(parts[shard].size(), 10u * (13 / shards + 1));
      for (const uint32_t index : parts[shard]) {
        EXPECT_EQ(shard_of.emplace(speakers[index], shard).first->second, shard);
      }
      dealt += parts[shard].size();
    }
    EXPECT_EQ(dealt, speakers.size());
  }
}

TEST(PartitionRecordings, SpeakersAreShuffledBySeed) {
  std::vector<uint32_t> speakers;
  for (uint32_t i = 0; i < 60; ++i) speakers.push_back(i / 3);
  EXPECT_EQ(DealRecordings(speakers, "speaker", 5, 1), DealRecordings(speakers, "speaker", 5, 1));
  EXPECT_NE(DealRecordings(speakers, "speaker", 5, 1), DealRecordings(speakers, "speaker", 5, 2));
}

TEST(PartitionRecordings, IidIsTheSameAsForLabels) {
  const std::vector<uint8_t> labels(50, 0);
  const PartitionOptions options{PartitionRule(), 7, 3, 40};
  EXPECT_EQ(PartitionRecordings(std::vector<uint32_t>(50, 0), options).value(),
            PartitionSamples(labels, options).value());
}

TEST(PartitionRecordings, RefusesWhatRecordingsDoNotHave) {
  const std::vector<uint32_t> speakers = {0, 0, 1, 1, 1};
  const auto refusal = [&](const char* rule, uint32_t shards) {
    return std::string(
        PartitionRecordings(speakers, {PartitionRule::Parse(rule).value(), shards, 0, 0}).status().message());
  };
  EXPECT_THAT(refusal("label:2", 2), HasSubstr("'label:2' needs labels"));
  EXPECT_THAT(refusal("speaker", 3), HasSubstr("over 3 shards of 2 speakers"));
  EXPECT_THAT(refusal("iid", 6), HasSubstr("6 shards of 5 samples"));
  EXPECT_THAT(Refusal({1, 2}, "speaker", 1), HasSubstr("'speaker' is for recordings"));
}

TEST(PartitionRule, ReadsWhatItWrites) {
  for (const char* text : {"iid", "dirichlet:0.3", "label:2", "speaker"}) {
    EXPECT_EQ(PartitionRule::Parse(text).value().ToText(), text);
  }
}

TEST(PartitionRule, RefusesOtherTextsAndSaysWhatIsAccepted) {
  for (const char* text :
       {"", "IID", "dirichlet", "dirichlet:", "dirichlet:0", "dirichlet:-1", "dirichlet:nan", "dirichlet:inf",
        "dirichlet:1e9", "dirichlet:0.3x", "label:0", "label:x", "label:257", "label:-1"}) {
    const absl::Status status = PartitionRule::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("dirichlet:ALPHA (e.g. dirichlet:0.3)")) << text;
  }
}

TEST(Shard, ReadsIndexAndCount) {
  const auto shard = Shard::Parse("3/10");
  ASSERT_TRUE(shard.ok());
  EXPECT_EQ(shard->index, 3u);
  EXPECT_EQ(shard->count, 10u);
}

TEST(Shard, RefusesOtherTextsAndSaysWhatIsAccepted) {
  for (const char* text : {"", "3", "10/10", "-1/10", "0/0", "a/b", "1/2/3", "0/1000001", "/"}) {
    const absl::Status status = Shard::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the first of ten is 0/10")) << text;
  }
}

}  // namespace
}  // namespace thinwire
