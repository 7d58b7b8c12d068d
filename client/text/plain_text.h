// What every text here must be: UTF-8 without control characters.
#ifndef THINWIRE_CLIENT_TEXT_PLAIN_TEXT_H_
#define THINWIRE_CLIENT_TEXT_PLAIN_TEXT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Largest data or vocabulary file that is read, in bytes.
constexpr uint64_t kMaxTextFileBytes = uint64_t{1} << 28;

// INVALID_ARGUMENT, naming the byte and its place, for what is not UTF-8 (overlong forms, surrogates and numbers above
// U+10FFFF among it) and for control characters (below U+0020, and U+007F) other than line feeds.
absl::Status CheckPlainText(absl::string_view text);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TEXT_PLAIN_TEXT_H_
