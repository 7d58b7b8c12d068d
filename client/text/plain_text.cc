#include "client/text/plain_text.h"

#include <cstddef>

#include "absl/strings/str_format.h"

namespace thinwire {
namespace {

uint8_t ByteAt(absl::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

// Bytes of the well-formed character that starts at `at`; 0 if there is none (Unicode 15, table 3-7).
size_t CharacterSize(absl::string_view text, size_t at) {
  const uint8_t lead = ByteAt(text, at);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() - at < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((ByteAt(text, at + i) & 0xC0) != 0x80) return 0;
  }
  const uint8_t second = ByteAt(text, at + 1);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool no_number = (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
  return overlong || no_number ? 0 : size;
}

bool IsControl(uint8_t byte) { return (byte < 0x20 && byte != '\n') || byte == 0x7F; }

}  // namespace

absl::Status CheckPlainText(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = CharacterSize(text, at);
    if (size > 0 && !IsControl(ByteAt(text, at))) {
      at += size;
      continue;
    }
    return absl::InvalidArgumentError(absl::StrFormat("byte \\x%02x at position %d is %s; write plain UTF-8",
                                                      ByteAt(text, at), at,
                                                      size > 0 ? "a control character" : "not UTF-8"));
  }
  return absl::OkStatus();
}

}  // namespace thinwire
