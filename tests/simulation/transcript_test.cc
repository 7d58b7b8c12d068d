// Plays the transcripts beside this file. THINWIRE_REWRITE=1 in the environment writes the answers anew: commit a
// changed transcript only if you understand why it changed.
#include "tests/simulation/transcript.h"

#include <cstdlib>

#include "common/base/file.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

std::string Folder() { return THINWIRE_SOURCE_DIR "/tests/simulation/transcripts"; }

std::vector<std::string> TranscriptNames() {
  std::vector<std::string> names;
  const auto entries = ListDirectory(Folder());
  if (!entries.ok()) return names;
  for (const std::string& entry : *entries) {
    if (entry.size() > 4 && entry.substr(entry.size() - 4) == ".txt")
      names.push_back(entry.substr(0, entry.size() - 4));
  }
  return names;
}

class TranscriptTest : public testing::TestWithParam<std::string> {};

TEST_P(TranscriptTest, AnswersAsWritten) {
  const std::string path = JoinPath(Folder(), GetParam() + ".txt");
  const auto text = ReadWholeFile(path, 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  const std::string played = RewriteTranscript(*text);
  if (std::getenv("THINWIRE_REWRITE") != nullptr) {
    const absl::Status written = WriteFileAtomically(path, played);
    ASSERT_TRUE(written.ok()) << written;
  } else {
    EXPECT_EQ(played, *text);
  }
  EXPECT_EQ(played.find("\nerror"), std::string::npos) << played;
}

INSTANTIATE_TEST_SUITE_P(All, TranscriptTest, testing::ValuesIn(TranscriptNames()),
                         [](const testing::TestParamInfo<std::string>& name) { return name.param; });

}  // namespace
}  // namespace thinwire
