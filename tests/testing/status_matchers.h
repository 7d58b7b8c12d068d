// GoogleTest matchers for absl::Status and absl::StatusOr; Debian's Abseil has none.
//
//   EXPECT_THAT(file.Sync(), IsOk());
//   EXPECT_THAT(ReadWholeFile(path, 10), IsOkAndHolds("text"));
//   EXPECT_THAT(Decode(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum")));
//   ASSERT_OK_AND_ASSIGN(File file, File::OpenForRead(path));
#ifndef THINWIRE_TESTS_TESTING_STATUS_MATCHERS_H_
#define THINWIRE_TESTS_TESTING_STATUS_MATCHERS_H_

#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {

inline const absl::Status& GetStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& GetStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  *result_listener << GetStatus(arg).ToString();
  return GetStatus(arg).ok();
}

MATCHER_P2(StatusIs, code, message, std::string("has code ") + absl::StatusCodeToString(code)) {
  const absl::Status& status = GetStatus(arg);
  *result_listener << status.ToString();
  return status.code() == code && testing::SafeMatcherCast<std::string>(message).Matches(std::string(status.message()));
}

inline auto StatusIs(absl::StatusCode code) { return StatusIs(code, testing::A<std::string>()); }

MATCHER_P(IsOkAndHolds, value, "is OK and holds the value") {
  using Value = typename std::decay_t<decltype(arg)>::value_type;
  *result_listener << arg.status().ToString();
  return arg.ok() && testing::SafeMatcherCast<const Value&>(value).MatchAndExplain(*arg, result_listener);
}

}  // namespace thinwire

#define TW_TEST_CONCAT_INNER_(a, b) a##b
#define TW_TEST_CONCAT_(a, b) TW_TEST_CONCAT_INNER_(a, b)

// Ends the test when `expr`, a StatusOr, is an error; else moves its value into `lhs`.
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_IMPL_(TW_TEST_CONCAT_(tw_test_statusor_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_IMPL_(tmp, lhs, expr)  \
  auto tmp = (expr);                                \
  ASSERT_TRUE(tmp.ok()) << tmp.status().ToString(); \
  lhs = std::move(tmp).value()

#endif  // THINWIRE_TESTS_TESTING_STATUS_MATCHERS_H_
