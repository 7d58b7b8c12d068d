#include "client/text/plain_text.h"

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

TEST(PlainText, IsUtf8) {
  for (const char* text : {"", "plain\nlines", "cr\xC3\xA8me", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_THAT(CheckPlainText(text), IsOk()) << absl::CHexEscape(text);
  }
}

TEST(PlainText, WhatIsNotUtf8IsNamedWithItsPlace) {
  EXPECT_THAT(CheckPlainText("ab\xFF"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("byte \\xff at position 2 is not UTF-8")));
  // Stray, cut off, overlong, a surrogate, above the last number.
  for (const char* text : {"\x80", "\xC3", "\xC3z", "\xE2\x82", "\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF",
                           "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80"}) {
    EXPECT_THAT(CheckPlainText(text), StatusIs(absl::StatusCode::kInvalidArgument)) << absl::CHexEscape(text);
  }
}

TEST(PlainText, HasNoControlCharacters) {
  EXPECT_THAT(CheckPlainText(absl::string_view("a\0b", 3)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\\x00 at position 1 is a control character")));
  EXPECT_THAT(CheckPlainText("\t"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckPlainText("\x7F"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace thinwire
