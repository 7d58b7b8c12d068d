#include "client/text/role_file.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/text/plain_text.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace thinwire {
namespace {

using Json = nlohmann::json;

absl::StatusOr<std::string> TextOf(const Json& value, const std::string& name) {
  if (!value.is_string()) return absl::InvalidArgumentError(absl::StrCat(name, " is not a text"));
  const auto& text = value.get_ref<const std::string&>();
  const absl::Status plain = CheckPlainText(text);
  if (!plain.ok()) return absl::InvalidArgumentError(absl::StrCat(name, ": ", plain.message()));
  return text;
}

// No copy: Json copies and compares nested values by recursion, so that a hostile line could use up the stack.
absl::StatusOr<const Json*> Member(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found != object.end()) return &*found;
  return absl::InvalidArgumentError(absl::StrCat("no member '", name, "'"));
}

absl::StatusOr<RoleSpeeches> RoleOf(absl::string_view line) {
  const Json object = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("not a JSON object");
  RoleSpeeches role;
  for (const auto& [name, target] : {std::pair("play", &role.play), std::pair("role", &role.role)}) {
    TW_ASSIGN_OR_RETURN(const Json* member, Member(object, name));
    TW_ASSIGN_OR_RETURN(*target, TextOf(*member, absl::StrCat("'", name, "'")));
  }
  TW_ASSIGN_OR_RETURN(const Json* speeches, Member(object, "speeches"));
  if (!speeches->is_array()) return absl::InvalidArgumentError("'speeches' is not an array");
  for (size_t i = 0; i < speeches->size(); ++i) {
    TW_ASSIGN_OR_RETURN(std::string speech, TextOf((*speeches)[i], absl::StrCat("speech ", i)));
    if (!speech.empty()) role.speeches.push_back(std::move(speech));
  }
  if (role.speeches.empty()) return absl::InvalidArgumentError("nothing is said");
  return role;
}

}  // namespace

absl::StatusOr<RoleFile> ReadRoles(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxTextFileBytes));
  RoleFile file;
  std::set<std::pair<std::string, std::string>> seen;
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    absl::StatusOr<RoleSpeeches> role = RoleOf(line);
    if (role.ok() && !seen.emplace(role->play, role->role).second) {
      role = absl::InvalidArgumentError("this play and role were there before; put their speeches into one line");
    }
    if (role.ok()) {
      file.roles.push_back(*std::move(role));
    } else {
      file.skipped.Add(absl::StrCat(path, " line ", number, ": ", role.status().message()));
    }
  }
  if (!file.roles.empty()) return file;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": no roles; each line must be {\"play\", \"role\", \"speeches\"}; ", file.skipped.ToText()));
}

}  // namespace thinwire
