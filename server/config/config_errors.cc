#include "server/config/config_errors.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace thinwire {

void ConfigErrors::Add(absl::string_view path, absl::string_view message) {
  AddAt(FindLine(path), absl::StrCat(path, ": ", message));
}

void ConfigErrors::AddAt(int line, absl::string_view message) { lines_.push_back({line, std::string(message)}); }

absl::Status ConfigErrors::ToStatus() const {
  if (lines_.empty()) return absl::OkStatus();
  std::vector<Line> sorted = lines_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Line& a, const Line& b) { return a.number < b.number; });
  std::string text;
  for (const Line& line : sorted) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", file_, ":", line.number, ": ", line.text);
  }
  return absl::InvalidArgumentError(text);
}

int ConfigErrors::FindLine(absl::string_view path) const {
  const google::protobuf::TextFormat::ParseInfoTree* tree = tree_;
  const google::protobuf::Descriptor* message = root_;
  int line = 1;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    if (tree == nullptr || message == nullptr) break;
    const google::protobuf::FieldDescriptor* field = message->FindFieldByName(std::string(part));
    if (field == nullptr) break;
    const int found = tree->GetLocation(field, -1).line;  // counted from 0; -1 if the file lacks the field
    if (found < 0) break;
    line = found + 1;
    message = field->message_type();
    tree = message == nullptr ? nullptr : tree->GetTreeForNested(field, -1);
  }
  return line;
}

}  // namespace thinwire
