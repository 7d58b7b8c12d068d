#include "client/train/cifar_file.h"

#include <filesystem>

#include "client/train/local_data.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/train/idx_testing.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One record: all pixels have the value `fill`.
std::string Record(char label, char fill) { return label + std::string(kCifarRecordBytes - 1, fill); }

class CifarFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/thinwire_cifar");
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  // Images 10, 11, 12 with labels 0, 1, 2, then 13, 14 with labels 9, 1.
  void WriteTraining() {
    Write("data_batch_1.bin", Record(0, 10) + Record(1, 11) + Record(2, 12));
    Write("data_batch_3.bin", Record(9, 13) + Record(1, 14));
  }
  LocalDataOptions Options() const {
    LocalDataOptions options;
    options.folder = folder_;
    return options;
  }
  std::string folder_;
};

TEST_F(CifarFileTest, BatchesAreReadOneAfterTheOther) {
  WriteTraining();
  ASSERT_OK_AND_ASSIGN(const Dataset all, LoadTrainingShard(Options()));
  EXPECT_THAT(all.Check(), IsOk());
  EXPECT_EQ(all.shape, kCifarShape);
  EXPECT_EQ(all.classes, 10u) << "whatever the labels are";
  EXPECT_THAT(all.labels, ElementsAre(0, 1, 2, 9, 1));
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(all.images[i * 3072], 10 + i);
  EXPECT_TRUE(all.photographs);
  ASSERT_EQ(all.channels.size(), 3u);
  EXPECT_EQ(all.channels[1].mean, kCifarMean[1]);
  EXPECT_EQ(all.channels[2].deviation, kCifarDeviation[2]);
}

TEST_F(CifarFileTest, AShardHasItsOwnImagesAlone) {
  WriteTraining();
  LocalDataOptions options = Options();
  std::vector<uint8_t> seen;
  for (uint32_t i = 0; i < 2; ++i) {
    options.shard = {i, 2};
    ASSERT_OK_AND_ASSIGN(const Dataset shard, LoadTrainingShard(options));
    ASSERT_THAT(shard.Check(), IsOk());
    for (size_t k = 0; k < shard.size(); ++k) {
      const uint8_t fill = shard.images[k * 3072];
      EXPECT_THAT(absl::MakeConstSpan(shard.images).subspan(k * 3072, 3072), Each(fill));
      EXPECT_EQ(shard.labels[k], std::string("\0\1\2\11\1", 5)[fill - 10u]);
      seen.push_back(fill);
    }
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(10, 11, 12, 13, 14));
}

TEST_F(CifarFileTest, PlanesAreRedGreenBlue) {
  std::string record(1, '\3');
  for (const char plane : {'r', 'g', 'b'}) record += std::string(1024, plane);
  Write("test_batch.bin", record);
  ASSERT_OK_AND_ASSIGN(const Dataset test, LoadTestSet(folder_));
  EXPECT_THAT(test.labels, ElementsAre(3));
  EXPECT_EQ(test.images[0], 'r');
  EXPECT_EQ(test.images[1024], 'g');
  EXPECT_EQ(test.images[3071], 'b');
}

TEST_F(CifarFileTest, ManyRecordsAreReadInPieces) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += Record(static_cast<char>(i % 10), static_cast<char>(i % 251));
  Write("test_batch.bin", bytes);
  ASSERT_OK_AND_ASSIGN(const Dataset test, LoadTestSet(folder_));
  ASSERT_EQ(test.size(), 1000u);
  for (size_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(test.labels[i], i % 10);
    ASSERT_EQ(test.images[i * 3072 + 3071], i % 251);
  }
}

TEST_F(CifarFileTest, ATruncatedFileIsRefusedWithItsSize) {
  Write("test_batch.bin", (Record(1, 2) + Record(3, 4)).substr(0, 6000));
  EXPECT_THAT(LoadTestSet(folder_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("test_batch.bin: 6000 bytes"), HasSubstr("multiple of 3073"))));
}

TEST_F(CifarFileTest, AnEmptyFileIsRefused) {
  Write("test_batch.bin", "");
  EXPECT_THAT(LoadTestSet(folder_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(": 0 bytes")));
}

TEST_F(CifarFileTest, ALabelAboveNineIsRefusedWithItsPlace) {
  WriteTraining();
  Write("data_batch_5.bin", Record(3, 1) + Record(10, 1));
  EXPECT_THAT(LoadTrainingShard(Options()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("data_batch_5.bin: byte 3073: label 10"), HasSubstr("0 to 9"))));
}

TEST_F(CifarFileTest, AMissingFileIsNamed) {
  EXPECT_THAT(ReadCifarLabels({folder_ + "/none.bin"}), StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.bin")));
}

TEST_F(CifarFileTest, ASelectionMustAscendAndAFileMayNotChange) {
  const std::string path = Write("test_batch.bin", Record(1, 2) + Record(3, 4));
  const std::vector<uint32_t> backwards = {1, 0}, beyond = {2};
  for (const auto& selection : {backwards, beyond}) {
    EXPECT_THAT(ReadCifarImages({path}, 2, absl::MakeConstSpan(selection)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not ascend")));
  }
  EXPECT_THAT(ReadCifarImages({path}, 3), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("had 3 images, now 2")));
}

TEST_F(CifarFileTest, AFolderWithBothFormatsIsRefused) {
  WriteTraining();
  Write("train-images-idx3-ubyte", IdxBytes({1, 1, 1}, Ramp(1)));
  EXPECT_THAT(LoadTrainingShard(Options()), StatusIs(absl::StatusCode::kInvalidArgument,
                                                     AllOf(HasSubstr("(IDX)"), HasSubstr("data_batch_1.bin (CIFAR-10)"),
                                                           HasSubstr("a folder of its own"))));
}

TEST_F(CifarFileTest, AFolderWithNeitherFormatIsToldWhatWasLookedFor) {
  EXPECT_THAT(LoadTrainingShard(Options()),
              StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr(folder_), HasSubstr("train-images-idx3-ubyte"),
                                                          HasSubstr("data_batch_1.bin, data_batch_2.bin"))));
  EXPECT_THAT(LoadTestSet(folder_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("t10k-images-idx3-ubyte"), HasSubstr("test_batch.bin (CIFAR-10)"))));
}

TEST_F(CifarFileTest, LabelsWithoutImagesAreToldWhatWasLookedFor) {
  Write("t10k-labels-idx1-ubyte", IdxBytes({1}, Ramp(1)));
  EXPECT_THAT(LoadTestSet(folder_), StatusIs(absl::StatusCode::kNotFound, HasSubstr("has no t10k-images-idx3-ubyte")));
}

}  // namespace
}  // namespace thinwire
