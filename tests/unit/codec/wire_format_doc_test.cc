// The hex in docs/wire_format.md is what the program writes: every example is compared with the golden file that it
// names.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/codec/golden_cases.h"
#include "tests/unit/codec/hex_text.h"

namespace thinwire {
namespace {

// A fenced block that directly follows a comment <!-- label -->.
struct Example {
  std::string label;
  std::string text;
};

std::string ReadSource(const std::string& name) {
  const auto text = ReadWholeFile(JoinPath(THINWIRE_SOURCE_DIR, name), 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

std::vector<Example> ReadExamples() {
  std::vector<Example> examples;
  bool inside = false;
  std::string label;
  const std::string doc = ReadSource("docs/wire_format.md");
  for (absl::string_view line : absl::StrSplit(doc, '\n')) {
    if (absl::StartsWith(line, "```")) {
      inside = !inside && !label.empty();
      if (inside) examples.push_back({label, ""});
      label.clear();
    } else if (inside) {
      absl::StrAppend(&examples.back().text, line, "\n");
    } else if (absl::ConsumePrefix(&line, "<!-- ") && absl::ConsumeSuffix(&line, " -->")) {
      label = std::string(line);
    }
  }
  return examples;
}

std::string TextOf(const std::string& label) {
  for (const Example& example : ReadExamples()) {
    if (example.label == label) return example.text;
  }
  return "";
}

TEST(WireFormatDocTest, EveryHexExampleIsTheGoldenFileThatItNames) {
  std::vector<std::string> seen;
  for (const Example& example : ReadExamples()) {
    if (!absl::StartsWith(example.label, "tests/golden/")) continue;
    auto fields = ParseFields(ReadSource(example.label));
    const std::string& golden = fields.count("frame") != 0 ? fields["frame"] : fields["payload"];
    EXPECT_EQ(HexTextFromBytes(BytesFromHexText(example.text)), HexTextFromBytes(BytesFromHexText(golden)))
        << example.label;
    seen.push_back(example.label);
  }
  EXPECT_THAT(seen, testing::UnorderedElementsAre(
                        "tests/golden/payloads/model_s1e3m7.txt", "tests/golden/frames/fp32.txt",
                        "tests/golden/frames/s1e3m7_pow2.txt", "tests/golden/frames/s1e2m0_none.txt",
                        "tests/golden/frames/int64.txt", "tests/golden/frames/blocks_s1e3m7.txt",
                        "tests/golden/frames/blocks_exact.txt", "tests/golden/frames/blocks_correction.txt",
                        "tests/golden/sparse/entries_fp32.txt", "tests/golden/updates/rdu.txt",
                        "tests/golden/updates/rdu_fast.txt", "tests/golden/updates/rdu_companded.txt",
                        "tests/golden/updates/quantized.txt", "tests/golden/updates/with_buffers.txt"));
}

TEST(WireFormatDocTest, TheModelIdIsTheHashOfTheCanonicalText) {
  EXPECT_EQ(Sha256(TextOf("model-text")).Hex() + "\n", TextOf("model-id"));
  EXPECT_EQ(GoldenModel().spec.id().Hex() + "\n", TextOf("model-id"));
}

}  // namespace
}  // namespace thinwire
