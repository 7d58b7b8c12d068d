// Bytes as text that people can read and diff: pairs of hexadecimal digits, anything after '#' is a comment.
#ifndef THINWIRE_TESTS_UNIT_CODEC_HEX_TEXT_H_
#define THINWIRE_TESTS_UNIT_CODEC_HEX_TEXT_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace thinwire {

inline std::string BytesFromHexText(absl::string_view text) {
  std::string digits;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    for (const char c : line.substr(0, line.find('#'))) {
      if (!absl::ascii_isspace(c)) digits += c;
    }
  }
  return absl::HexStringToBytes(digits);
}

inline std::string HexTextFromBytes(absl::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    absl::StrAppend(&text, absl::BytesToHexString(bytes.substr(i, 1)),
                    (i % 16 == 15 || i + 1 == bytes.size()) ? "\n" : " ");
  }
  return text;
}

// A file of "key: value" lines, where a value goes on to the next key; lines that start with '#' are comments.
inline std::map<std::string, std::string> ParseFields(absl::string_view text) {
  std::map<std::string, std::string> fields;
  std::string key;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty() && line[0] == '#') continue;
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    const bool starts_field = parts.size() == 2;
    if (starts_field) key = parts[0];
    absl::StrAppend(&fields[key], starts_field ? parts[1] : parts[0], "\n");
  }
  for (auto& field : fields) absl::StripAsciiWhitespace(&field.second);
  return fields;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_CODEC_HEX_TEXT_H_
