#include "client/text/sentence_file.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/text/plain_text.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

using Fields = std::vector<absl::string_view>;

Fields FieldsOf(absl::string_view line) { return absl::StrSplit(absl::StripSuffix(line, "\r"), '\t'); }

struct Columns {
  size_t sentence, label, count;
};

absl::StatusOr<Columns> ColumnsOf(const std::string& path, absl::string_view first_line) {
  const Fields header = FieldsOf(first_line);
  Columns columns{0, 0, header.size()};
  for (const auto& [name, place] : {std::pair("sentence", &columns.sentence), std::pair("label", &columns.label)}) {
    const auto found = std::find(header.begin(), header.end(), name);
    *place = static_cast<size_t>(found - header.begin());
    if (found != header.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ": no column ", name, "; its first line is '",
                                                   absl::CHexEscape(first_line.substr(0, 80)),
                                                   "' and must name sentence and label, separated by a tab"));
  }
  return columns;
}

absl::StatusOr<LabelledSentence> SentenceOf(const Columns& columns, const Fields& fields) {
  if (fields.size() != columns.count) {
    return absl::InvalidArgumentError(absl::StrCat(fields.size(), " columns, the first line has ", columns.count));
  }
  const absl::string_view label = fields[columns.label], text = fields[columns.sentence];
  if (label != "0" && label != "1") {
    return absl::InvalidArgumentError(
        absl::StrCat("label '", absl::CHexEscape(label.substr(0, 20)), "', it must be 0 or 1"));
  }
  TW_RETURN_IF_ERROR(CheckPlainText(text));
  if (absl::StripAsciiWhitespace(text).empty()) return absl::InvalidArgumentError("no words");
  return LabelledSentence{std::string(text), static_cast<uint8_t>(label[0] - '0')};
}

}  // namespace

absl::StatusOr<SentenceFile> ReadSentences(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxTextFileBytes));
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  TW_ASSIGN_OR_RETURN(const Columns columns, ColumnsOf(path, lines[0]));
  SentenceFile file;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (absl::StripAsciiWhitespace(lines[i]).empty()) continue;
    absl::StatusOr<LabelledSentence> sentence = SentenceOf(columns, FieldsOf(lines[i]));
    if (sentence.ok()) {
      file.sentences.push_back(*std::move(sentence));
    } else {
      file.skipped.Add(absl::StrCat(path, " line ", i + 1, ": ", sentence.status().message()));
    }
  }
  if (!file.sentences.empty()) return file;
  return absl::InvalidArgumentError(absl::StrCat(path, ": no sentences; ", file.skipped.ToText()));
}

}  // namespace thinwire
