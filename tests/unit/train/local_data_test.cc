#include "client/train/local_data.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/train/idx_testing.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LocalDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/thinwire_local_data");
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  std::string folder_;
};

TEST_F(LocalDataTest, LoadsTheShardAndKnowsAllClasses) {
  Write("train-images-idx3-ubyte.gz", Gzip(IdxBytes({6, 1, 1}, Ramp(6))));
  Write("train-labels-idx1-ubyte", IdxBytes({6}, std::string("\0\1\2\0\1\2", 6)));
  std::vector<uint8_t> seen;
  for (uint32_t i = 0; i < 3; ++i) {
    LocalDataOptions options;
    options.folder = folder_;
    options.rule = PartitionRule::Parse("label:1").value();
    options.shard = {i, 3};
    const auto shard = LoadTrainingShard(options);
    ASSERT_TRUE(shard.ok()) << shard.status();
    EXPECT_TRUE(shard->Check().ok());
    EXPECT_EQ(shard->classes, 3u);
    ASSERT_EQ(shard->size(), 2u);
    EXPECT_EQ(shard->labels[0], shard->labels[1]);
    for (size_t k = 0; k < 2; ++k) EXPECT_EQ(shard->images[k] % 3, shard->labels[k]);
    seen.insert(seen.end(), shard->images.begin(), shard->images.end());
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_F(LocalDataTest, LoadsTheTestSet) {
  Write("t10k-images.idx3-ubyte", IdxBytes({2, 1, 2}, Ramp(4)));
  Write("t10k-labels.idx1-ubyte", IdxBytes({2}, std::string("\4\1", 2)));
  const auto test = LoadTestSet(folder_);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_EQ(test->classes, 5u);
  EXPECT_THAT(test->images, ElementsAre(0, 1, 2, 3));
}

TEST_F(LocalDataTest, NamesTheFolderAndTheWayOut) {
  LocalDataOptions options;
  options.folder = folder_;
  const absl::Status status = LoadTrainingShard(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_));
  EXPECT_THAT(std::string(status.message()), HasSubstr("train-images-idx3-ubyte"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("dataset-fashion-mnist"));
}

TEST_F(LocalDataTest, RefusesImagesAndLabelsThatDoNotMatch) {
  Write("t10k-images-idx3-ubyte", IdxBytes({3, 1, 1}, Ramp(3)));
  Write("t10k-labels-idx1-ubyte", IdxBytes({2}, Ramp(2)));
  EXPECT_EQ(LoadTestSet(folder_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LocalDataTest, ReadsTheInstalledFashionMnist) {
  if (!std::filesystem::exists(kFashionMnistFolder)) {
    GTEST_SKIP() << "install Debian's package dataset-fashion-mnist to run this test";
  }
  LocalDataOptions options;
  options.rule = PartitionRule::Parse("dirichlet:0.3").value();
  options.shard = {0, 10};
  const auto shard = LoadTrainingShard(options);
  ASSERT_TRUE(shard.ok()) << shard.status();
  EXPECT_EQ(shard->shape, (ImageShape{1, 28, 28}));
  EXPECT_EQ(shard->classes, 10u);
  EXPECT_EQ(shard->size(), 2676u);
  EXPECT_TRUE(shard->Check().ok());
}

TEST(Dataset, RefusesSizesAndLabelsThatDoNotFit) {
  Dataset data;
  data.shape = {1, 1, 2};
  data.classes = 2;
  data.images = {1, 2, 3, 4};
  data.labels = {0, 1};
  EXPECT_TRUE(data.Check().ok());
  data.classes = 1;
  EXPECT_THAT(std::string(data.Check().message()), HasSubstr("label 1 of image 1"));
  data.classes = 2;
  data.images.pop_back();
  EXPECT_THAT(std::string(data.Check().message()), HasSubstr("2 images of 1x1x2 need 4 bytes (> 0), got 3"));
}

}  // namespace
}  // namespace thinwire
