// rename(2) alone: the caller syncs the directory, once for several files.
#ifndef THINWIRE_SERVER_STORE_RENAME_H_
#define THINWIRE_SERVER_STORE_RENAME_H_

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace thinwire {

inline absl::Status RenameUnsynced(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot rename ", from, " to ", to, ": ", error.message()));
}

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_RENAME_H_
