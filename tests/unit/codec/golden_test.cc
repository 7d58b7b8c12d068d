// Golden files: today's program writes the bytes that are on record, and reads them. `golden_test --rewrite` records
// anew.
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/codec/codec.h"
#include "common/codec/payload.h"
#include "gtest/gtest.h"
#include "tests/unit/codec/golden_cases.h"
#include "tests/unit/codec/hex_text.h"

namespace thinwire {
namespace {

const char kGolden[] = THINWIRE_SOURCE_DIR "/tests/golden";

std::string ReadGolden(const std::string& name) {
  const auto text = ReadWholeFile(JoinPath(kGolden, name), 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

// Every file in a folder, so that bytes of earlier programs stay on record.
std::map<std::string, std::map<std::string, std::string>> ReadFolder(const std::string& folder) {
  std::map<std::string, std::map<std::string, std::string>> files;
  const auto names = ListDirectory(JoinPath(kGolden, folder));
  EXPECT_TRUE(names.ok() && !names->empty()) << names.status();
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    files[name] = ParseFields(ReadGolden(JoinPath(folder, name)));
  }
  return files;
}

std::vector<uint32_t> ParseBits(const std::string& text) {
  std::vector<uint32_t> bits;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    uint32_t value = 0;
    EXPECT_TRUE(absl::SimpleHexAtoi(word, &value)) << word;
    bits.push_back(value);
  }
  return bits;
}

void ExpectOnRecord(const std::vector<GoldenFile>& files) {
  for (const GoldenFile& file : files) EXPECT_EQ(file.text, ReadGolden(file.name)) << file.name;
}

TEST(GoldenTest, FramesAreWrittenAsRecorded) { ExpectOnRecord(GoldenFrames()); }
TEST(GoldenTest, RefusedFramesAreAsRecorded) { ExpectOnRecord(RefusedFrames()); }
TEST(GoldenTest, PayloadsAreWrittenAsRecorded) { ExpectOnRecord(GoldenPayloads(testing::TempDir())); }

TEST(GoldenTest, RecordedFloatFramesDecodeToTheRecordedBits) {
  for (auto& [name, fields] : ReadFolder("frames")) {
    if (fields["codec"] == "int64") continue;
    const std::vector<uint32_t> expected = ParseBits(fields["decoded"]);
    std::vector<float> out(expected.size());
    const absl::Status status = DecodeFrame(BytesFromHexText(fields["frame"]), absl::MakeSpan(out));
    ASSERT_TRUE(status.ok()) << name << ": " << status;
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(FloatBits(out[i]), expected[i]) << name << " value " << i;
  }
}

TEST(GoldenTest, RecordedIntFramesDecodeToTheRecordedValues) {
  auto fields = ParseFields(ReadGolden("frames/int64.txt"));
  const std::vector<std::string> expected = absl::StrSplit(fields["values"], ' ');
  std::vector<int64_t> out(expected.size());
  ASSERT_TRUE(DecodeIntFrame(BytesFromHexText(fields["frame"]), absl::MakeSpan(out)).ok());
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::to_string(out[i]), expected[i]);
}

TEST(GoldenTest, RecordedBadFramesAreRefusedWithTheRecordedCode) {
  for (auto& [name, fields] : ReadFolder("refused")) {
    size_t count = 0;
    ASSERT_TRUE(absl::SimpleAtoi(fields["count"], &count)) << name;
    std::vector<float> out(count);
    const absl::Status status = DecodeFrame(BytesFromHexText(fields["frame"]), absl::MakeSpan(out));
    EXPECT_EQ(absl::StatusCodeToString(status.code()), fields["expect"]) << name << ": " << status;
  }
}

TEST(GoldenTest, RecordedPayloadsOpenAndDecode) {
  const ModelState model = GoldenModel();
  for (auto& [name, fields] : ReadFolder("payloads")) {
    const std::string path = JoinPath(testing::TempDir(), "golden_" + name);
    ASSERT_TRUE(WriteFileAtomically(path, BytesFromHexText(fields["payload"])).ok());
    PayloadRef ref;
    const auto reader = PayloadReader::Open(path, ref, model.spec);
    ASSERT_TRUE(reader.ok()) << name << ": " << reader.status();
    EXPECT_EQ(reader->ref().id.Hex(), fields["id"]) << name;
    PayloadSource source(*reader);
    for (const Segment& segment : reader->manifest().segments) {
      if (model.spec.tensors()[segment.tensor].dtype == DataType::kInt64) continue;
      std::vector<float> values(segment.count);
      EXPECT_TRUE(source.ReadFloats(segment.tensor, 0, absl::MakeSpan(values)).ok()) << name;
      const bool exact = absl::StrContains(name, "fp32") || segment.tensor == 2;
      for (size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(values[i], model.floats[segment.tensor][i], exact ? 0 : 0.0005) << name;
      }
    }
  }
}

int Rewrite() {
  for (const auto& files : {GoldenFrames(), RefusedFrames(), GoldenPayloads(testing::TempDir())}) {
    for (const GoldenFile& file : files) {
      const std::string path = JoinPath(kGolden, file.name);
      const absl::Status made = MakeDirectories(path.substr(0, path.rfind('/')));
      const absl::Status status = made.ok() ? WriteFileAtomically(path, file.text) : made;
      if (!status.ok()) {
        std::cerr << status << "\n";
        return 1;
      }
    }
  }
  std::cout << "rewrote " << kGolden << "; look at the difference before you commit it\n";
  return 0;
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1 && std::string(argv[1]) == "--rewrite") return thinwire::Rewrite();
  return RUN_ALL_TESTS();
}
