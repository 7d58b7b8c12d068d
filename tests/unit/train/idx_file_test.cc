#include "client/train/idx_file.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/train/idx_testing.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kThreeImages[] = "images";

std::string ImagesOf(const std::string& bytes) { return WriteTestFile(kThreeImages, bytes); }

TEST(IdxFile, ReadsPlainAndGzippedFilesAlike) {
  const std::string bytes = IdxBytes({3, 2, 2}, Ramp(12));
  for (const std::string& content : {bytes, Gzip(bytes)}) {
    const auto images = ReadIdxImages(ImagesOf(content), 3);
    ASSERT_TRUE(images.ok()) << images.status();
    EXPECT_EQ(images->shape, (ImageShape{1, 2, 2}));
    EXPECT_THAT(images->bytes, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  }
}

TEST(IdxFile, KeepsOnlyTheSelectedImages) {
  const std::string path = ImagesOf(IdxBytes({4, 1, 2}, Ramp(8)));
  const std::vector<uint32_t> selection = {1, 3};
  const auto images = ReadIdxImages(path, 4, absl::MakeConstSpan(selection));
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_THAT(images->bytes, ElementsAre(2, 3, 6, 7));
}

TEST(IdxFile, RefusesASelectionThatDoesNotAscend) {
  const std::string path = ImagesOf(IdxBytes({4, 1, 2}, Ramp(8)));
  const std::vector<uint32_t> selection = {3, 1};
  EXPECT_EQ(ReadIdxImages(path, 4, absl::MakeConstSpan(selection)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(IdxFile, ReadsImagesWithChannels) {
  const auto images = ReadIdxImages(ImagesOf(IdxBytes({1, 3, 1, 2}, Ramp(6))), 1);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->shape, (ImageShape{3, 1, 2}));
}

TEST(IdxFile, ReadsLabels) {
  const auto labels = ReadIdxLabels(WriteTestFile("labels", Gzip(IdxBytes({5}, Ramp(5)))));
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre(0, 1, 2, 3, 4));
}

TEST(IdxFile, NamesAMissingFile) {
  const absl::Status status = ReadIdxLabels("/no/such/file").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/file"));
}

TEST(IdxFile, RefusesAFolder) { EXPECT_FALSE(ReadIdxLabels(::testing::TempDir()).ok()); }

struct BadFile {
  const char* name;
  std::string bytes;
  absl::StatusCode code;
  const char* message;
};

std::string Flipped(std::string bytes, size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 0x5a);
  return bytes;
}

std::vector<BadFile> BadImageFiles() {
  const std::string good = IdxBytes({3, 2, 2}, Ramp(12)), packed = Gzip(good);
  const auto invalid = absl::StatusCode::kInvalidArgument, loss = absl::StatusCode::kDataLoss;
  return {
      {"empty", "", loss, "byte 0: the file ends here"},
      {"no IDX", "hello world", invalid, "byte 0: not an IDX file: it begins with bytes 104 101"},
      {"other type", std::string("\0\0\x0d\3", 4) + good.substr(4), invalid, "byte 2: value type 13"},
      {"many dimensions", std::string("\0\0\x08\xff", 4) + good.substr(4), invalid, "byte 3: 255 dimensions"},
      {"no dimensions", std::string("\0\0\x08\0", 4) + good.substr(4), invalid, "byte 3: 0 dimensions"},
      {"labels as images", IdxBytes({3}, Ramp(3)), invalid, "1 dimensions, a file of images has 3"},
      {"header cut", good.substr(0, 9), loss, "byte 9: the file ends here"},
      {"values cut", good.substr(0, 20), loss, "byte 20: the file ends here"},
      {"gzip cut", packed.substr(0, packed.size() - 10), loss, "the file ends here"},
      {"gzip trailer cut", packed.substr(0, packed.size() - 4), loss, "damaged"},
      {"gzip checksum", Flipped(packed, packed.size() - 6), loss, "damaged"},
      {"too long", good + "x", loss, "byte 28: the file goes on"},
      {"no samples", IdxBytes({0, 2, 2}, ""), invalid, "byte 4: the header says 0 samples"},
      {"4 billion samples", IdxBytes({0xffffffff, 2, 2}, Ramp(12)), invalid, "says 4294967295 samples"},
      {"other count", IdxBytes({4, 2, 2}, Ramp(16)), invalid, "says 4 images, the file of labels has 3"},
      {"empty images", IdxBytes({3, 0, 2}, ""), invalid, "an image of 0 bytes"},
      {"huge images", IdxBytes({3, 1u << 20, 1u << 20}, Ramp(12)), invalid, "more than 16777216 bytes"},
      {"overflowing images", IdxBytes({3, 0x80000000, 0x80000000, 8}, ""), invalid, "more than 16777216 bytes"},
      {"image larger than the file", IdxBytes({3, 4096, 4096}, Ramp(12)), loss, "byte 28: the file ends here"},
  };
}

TEST(IdxFile, RefusesDamagedFilesAndSaysWhere) {
  for (const BadFile& file : BadImageFiles()) {
    const std::string path = ImagesOf(file.bytes);
    const absl::Status status = ReadIdxImages(path, 3).status();
    EXPECT_EQ(status.code(), file.code) << file.name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(file.message)) << file.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path)) << file.name;
  }
}

TEST(IdxFile, RefusesImagesWhereLabelsAreMeant) {
  const absl::Status status = ReadIdxLabels(ImagesOf(IdxBytes({3, 2, 2}, Ramp(12)))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("3 dimensions, a file of labels has 1"));
}

TEST(IdxFile, DoesNotAllocateWhatALyingHeaderOfLabelsClaims) {
  // 2^28 labels are allowed, so the claim passes the header check; the file ends within the first step.
  const absl::Status status = ReadIdxLabels(WriteTestFile("labels", IdxBytes({1u << 28}, Ramp(100)))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("byte 108"));
}

}  // namespace
}  // namespace thinwire
