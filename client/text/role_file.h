// What the roles of plays say: Shakespeare by role, a file of one JSON object a line.
#ifndef THINWIRE_CLIENT_TEXT_ROLE_FILE_H_
#define THINWIRE_CLIENT_TEXT_ROLE_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/text/skipped_lines.h"

namespace thinwire {

struct RoleSpeeches {
  std::string play, role;             // together: the speaker
  std::vector<std::string> speeches;  // in the order of the play
};

struct RoleFile {
  std::vector<RoleSpeeches> roles;
  SkippedLines skipped;
};

// Each line is {"play": TEXT, "role": TEXT, "speeches": [TEXT, ...]}; other members are ignored, empty lines passed
// over. A line is skipped and counted if it is not such an object, if a text is not plain (plain_text.h), if nothing is
// said, or if play and role were there before. NOT_FOUND; INVALID_ARGUMENT with the first reasons if no role is left.
absl::StatusOr<RoleFile> ReadRoles(const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TEXT_ROLE_FILE_H_
