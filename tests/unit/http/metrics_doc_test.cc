// docs/metrics.md has every family of /metrics with its type and labels, and no other.
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/file.h"
#include "server/http/metrics.h"

namespace thinwire {
namespace {

// Names of families to "TYPE: LABEL LABEL ...", labels in the order of the alphabet.
using Families = std::map<std::string, std::string>;

std::string ReadSource(const std::string& name) {
  const auto text = ReadWholeFile(JoinPath(THINWIRE_SOURCE_DIR, name), 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

std::string Entry(absl::string_view type, const std::set<std::string>& labels) {
  return absl::StrCat(type, ": ", absl::StrJoin(labels, " "));
}

// A family without samples is not exposed: this gives each one.
std::string PageWithAllFamilies() {
  Metrics metrics;
  metrics.AddPayloadBytes(Role::kTrainer, Direction::kUp, 1);
  metrics.AddMessageBytes(Role::kTrainer, Direction::kUp, 1);
  metrics.CountRound(RoundState::kPublished);
  metrics.CountUpdate(AssignmentState::kFolded);
  metrics.CountRefusal("lease");
  metrics.SetRunState(RunState::kRunning);
  metrics.SetClients(Role::kTrainer, 1);
  metrics.SetQueueDepth("io", 1);
  metrics.SetBitsPerParameter(Direction::kDown, 8);
  metrics.AddUploads({8, 16, absl::Seconds(1), absl::Seconds(1), 0.5, 0.25, 2});
  metrics.SetAccuracyPerMegabit(0.5);
  return metrics.Text();
}

std::set<std::string> LabelsOf(absl::string_view sample) {
  std::set<std::string> labels;
  const size_t open = sample.find('{');
  if (open == absl::string_view::npos) return labels;
  for (const absl::string_view label : absl::StrSplit(sample.substr(open + 1, sample.find('}') - open - 1), ',')) {
    labels.emplace(label.substr(0, label.find('=')));
  }
  labels.erase("le");  // every histogram's
  return labels;
}

Families Exposed(const std::string& page) {
  Families families;
  std::string name, type;
  for (absl::string_view line : absl::StrSplit(page, '\n', absl::SkipEmpty())) {
    if (absl::ConsumePrefix(&line, "# TYPE ")) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      name = words.at(0), type = words.at(1);
    } else if (!absl::StartsWith(line, "#")) {
      families[name] = Entry(type, LabelsOf(line));
    }
  }
  return families;
}

// The rows | `NAME` | TYPE | `LABEL`, `LABEL` | ...
Families Documented(const std::string& page) {
  Families families;
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    if (!absl::StartsWith(line, "| `thinwire_")) continue;
    const std::string plain = absl::StrReplaceAll(line, {{"`", ""}, {",", ""}});
    const std::vector<std::string> cells = absl::StrSplit(plain, '|');
    const std::set<std::string> labels = absl::StrSplit(cells.at(3), ' ', absl::SkipEmpty());
    families[std::string(absl::StripAsciiWhitespace(cells.at(1)))] =
        Entry(absl::StripAsciiWhitespace(cells.at(2)), labels);
  }
  return families;
}

TEST(MetricsDoc, HasEveryFamilyWithItsTypeAndLabelsAndNoOther) {
  EXPECT_EQ(Documented(ReadSource("docs/metrics.md")), Exposed(PageWithAllFamilies()));
}

// Or the test above would not see a new one that nothing here gives a sample.
TEST(MetricsDoc, NoFamilyIsMissingFromThePageThatIsCompared) {
  const std::vector<std::string> parts = absl::StrSplit(ReadSource("server/http/metrics.cc"), "\"thinwire_");
  EXPECT_EQ(Exposed(PageWithAllFamilies()).size(), parts.size() - 1);
}

}  // namespace
}  // namespace thinwire
