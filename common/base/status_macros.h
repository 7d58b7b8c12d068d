// Early return on errors, for functions that return absl::Status or absl::StatusOr.
#ifndef THINWIRE_COMMON_BASE_STATUS_MACROS_H_
#define THINWIRE_COMMON_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TW_CONCAT_INNER_(a, b) a##b
#define TW_CONCAT_(a, b) TW_CONCAT_INNER_(a, b)

// Returns the status of `expr` from the enclosing function unless it is OK.
#define TW_RETURN_IF_ERROR(expr)             \
  do {                                       \
    ::absl::Status tw_status_ = (expr);      \
    if (!tw_status_.ok()) return tw_status_; \
  } while (false)

// Evaluates `expr`, a StatusOr; returns its status on error, else moves its value into `lhs`.
#define TW_ASSIGN_OR_RETURN(lhs, expr) TW_ASSIGN_OR_RETURN_IMPL_(TW_CONCAT_(tw_statusor_, __LINE__), lhs, expr)

#define TW_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) return tmp.status();             \
  lhs = std::move(tmp).value()

#endif  // THINWIRE_COMMON_BASE_STATUS_MACROS_H_
