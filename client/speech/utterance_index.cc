#include "client/speech/utterance_index.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{1} << 28;
constexpr size_t kNone = ~size_t{0};
constexpr const char* kDigits[] = {"ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"};

using Fields = std::vector<absl::string_view>;

size_t Find(const Fields& header, absl::string_view name) {
  const auto found = std::find(header.begin(), header.end(), name);
  return found == header.end() ? kNone : static_cast<size_t>(found - header.begin());
}

// Positions of the columns; kNone for a split that is not there.
struct Columns {
  size_t file, speaker, text, split, count;

  static absl::StatusOr<Columns> Of(const std::string& path, const Fields& header) {
    Columns columns{Find(header, "file"), Find(header, "speaker"), kNone, Find(header, "split"), header.size()};
    for (const char* name : {"digit", "class", "word", "transcript"}) {
      if (Find(header, name) != kNone) columns.text = Find(header, name);
    }
    const char* missing = columns.file == kNone      ? "file"
                          : columns.speaker == kNone ? "speaker"
                          : columns.text == kNone    ? "transcript (nor word, class or digit)"
                                                     : nullptr;
    if (missing == nullptr) return columns;
    return absl::InvalidArgumentError(absl::StrCat(path, ": no column ", missing, "; its first line names: ",
                                                   absl::StrJoin(header, ", "), " (columns are separated by tabs)"));
  }
};

std::string Spell(absl::string_view text) {
  const bool digit = text.size() == 1 && absl::ascii_isdigit(static_cast<unsigned char>(text[0]));
  return digit ? std::string(kDigits[text[0] - '0']) : std::string(text);
}

class Reader {
 public:
  Reader(const std::string& path, const std::string& folder, const Columns& columns, UtteranceIndex* index)
      : path_(path),
        folder_(folder.empty() ? std::filesystem::path(path).parent_path().string() : folder),
        columns_(columns),
        index_(index) {}

  void Take(size_t line, const Fields& fields) {
    const auto skip = [&](const std::string& why) {
      index_->skipped.Add(absl::StrCat(path_, " line ", line, ": ", why));
    };
    if (fields.size() != columns_.count) {
      return skip(absl::StrCat(fields.size(), " columns, the first line has ", columns_.count));
    }
    if (fields[columns_.file].empty()) return skip("no file");
    if (fields[columns_.speaker].empty()) return skip("no speaker");
    const bool split = columns_.split != kNone;
    const bool test = split ? fields[columns_.split] == "test" : KeyWord(fields[columns_.file]) % 10 == 0;
    if (split && !test && fields[columns_.split] != "train") return;
    index_->utterances.push_back(
        {PathOf(fields[columns_.file]), std::string(fields[columns_.speaker]), Spell(fields[columns_.text]), test});
  }

 private:
  std::string PathOf(absl::string_view file) const {
    return folder_.empty() ? std::string(file) : JoinPath(folder_, file);
  }

  const std::string path_, folder_;
  const Columns columns_;
  UtteranceIndex* const index_;
};

}  // namespace

void SkippedUtterances::Add(const std::string& reason) {
  ++count;
  if (reasons.size() < kMaxReasons) reasons.push_back(reason);
}

void SkippedUtterances::Merge(const SkippedUtterances& other) {
  count += other.count;
  reasons.insert(reasons.end(), other.reasons.begin(), other.reasons.end());
  reasons.resize(std::min(reasons.size(), kMaxReasons));
}

std::string SkippedUtterances::ToText(size_t total) const {
  if (count == 0) return "";
  return absl::StrCat(count, " of ", total, " utterances were skipped: ", absl::StrJoin(reasons, "; "),
                      count > reasons.size() ? "; ..." : "");
}

absl::StatusOr<UtteranceIndex> ReadUtteranceIndex(const std::string& path, const std::string& folder) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxIndexBytes));
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  const auto fields = [](absl::string_view line) -> Fields {
    return absl::StrSplit(absl::StripSuffix(line, "\r"), '\t');
  };
  TW_ASSIGN_OR_RETURN(const Columns columns, Columns::Of(path, fields(lines[0])));
  UtteranceIndex index;
  Reader reader(path, folder, columns, &index);
  for (size_t i = 1; i < lines.size(); ++i) {
    if (!absl::StripAsciiWhitespace(lines[i]).empty()) reader.Take(i + 1, fields(lines[i]));
  }
  if (!index.utterances.empty()) return index;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": no utterances of the splits train and test; ", index.skipped.ToText(index.skipped.count)));
}

}  // namespace thinwire
